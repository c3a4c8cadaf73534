"""`sys.stdout.buffer` and `sys.stderr.buffer` of a kernel."""

from __future__ import annotations

import io
from typing import Any


class Buffer(io.BufferedIOBase):
    """Takes bytes of text; they come where they were written, among what was written as text."""

    mode = "wb"

    def __init__(self, stream: Any):
        self._stream = stream
        self.name = f"<{stream.name}>"

    def write(self, data: Any) -> int:
        """Keeps the bytes to be sent."""
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
        """Yes."""
        return True

    def fileno(self) -> int:
        """The descriptor of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """What the stream says."""
        return self._stream.isatty()

    def flush(self) -> None:
        """Sends what was written."""
        if hasattr(self, "_stream"):
            self._stream.flush()

    def close(self) -> None:
        """Sends what was written. A text wrapper closes its buffer when nobody uses it any more; the stream is used further."""
        self.flush()
