"""`sys.stdout.buffer` and `sys.stderr.buffer` of a kernel."""

from __future__ import annotations

import io
from typing import Any


class Buffer(io.BufferedIOBase):
    """Accepts the bytes of text. They are sent in order with what was written as text."""

    mode = "wb"

    def __init__(self, stream: Any):
        self._stream = stream
        self.name = f"<{stream.name}>"

    def write(self, data: Any) -> int:
        """Queues bytes."""
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        copy = bytes(memoryview(data))
        self._stream.write_bytes(copy)
        return len(copy)

    @property
    def raw(self) -> io.FileIO:
        """A file that writes to the descriptor."""
        return io.FileIO(self.fileno(), "wb", closefd=False)

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """The descriptor of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """As the stream."""
        return self._stream.isatty()

    def flush(self) -> None:
        """Flushes the stream."""
        if hasattr(self, "_stream"):
            self._stream.flush()

    def close(self) -> None:
        """Flushes only: a text wrapper closes its buffer when it is collected, and the stream is still used."""
        self.flush()
