"""The Python kernel: `python -m code_interpreter_kernel.kernel -f CONNECTION_FILE`. ipykernel, with nothing lost or late."""

from __future__ import annotations

from typing import Any

from ipykernel.iostream import OutStream
from ipykernel.kernelapp import IPKernelApp
from traitlets import default

#: How long a write waits for more to go with it, in seconds: less than anyone sees, and still few messages when many lines
#: are printed. ipykernel waits ten times as long.
FLUSH_SECONDS = 0.02


class Stream(OutStream):
    """`sys.stdout` and `sys.stderr`."""

    flush_interval = FLUSH_SECONDS

    def flush(self) -> None:
        """Sends what is there. Where nothing is, it does not wait for the thread that sends: twice in every cell."""
        with self._buffer_lock:
            empty = not self._buffers
        if not empty or self.echo is not None:
            super().flush()


class KernelApp(IPKernelApp):
    """ipykernel's application; it reads the same configuration."""

    @default("outstream_class")
    def _default_outstream_class(self) -> str:
        return "code_interpreter_kernel.kernel.Stream"

    def _bind_socket(self, s: Any, port: int) -> int:
        # Without a high-water mark: a publisher drops in silence what is above it.
        s.sndhwm = 0
        s.rcvhwm = 0
        return super()._bind_socket(s, port)


def main() -> None:
    """Runs the kernel until it is told to stop."""
    KernelApp.launch_instance()


if __name__ == "__main__":
    main()
