"""Memory for the kernel itself when code has used up what it may have.

Our server limits a context's memory by RLIMIT_DATA: the soft limit is for code, and between it and the hard limit is a reserve. Without that the
kernel could neither report the MemoryError nor run the code that gives memory back.
"""

from __future__ import annotations

import resource


class Reserve:
    """Raises the limit after a MemoryError, and lowers it when code has given memory back."""

    #: The functions and numbers as they were when the kernel started.
    _get, _set = staticmethod(resource.getrlimit), staticmethod(resource.setrlimit)
    _data, _page = resource.RLIMIT_DATA, resource.getpagesize()

    #: Address space that no page is behind: it counts against the limit, and costs no memory. Raising the limit takes some objects, and
    #: code may have used up memory to the last one. Python takes memory from the system by the mebibyte.
    BALLAST = 4 << 20

    def __init__(self) -> None:
        #: The soft limit before it was raised; None while it is not.
        self._limit: int | None = None
        self._ballast: bytearray | None = bytearray(self.BALLAST)

    def open(self) -> None:
        """Lets the kernel have the reserve."""
        self._ballast = None
        soft, hard = self._get(self._data)
        if soft < hard and self._limit is None:
            self._set(self._data, (hard, hard))
            self._limit = soft

    def close(self) -> None:
        """Limits code again, if it has given back as much as the reserve has. Called before each cell."""
        if self._ballast is not None:
            return
        if self._limit is not None:
            # The sixth number counts data and stack, in pages (proc_pid_statm(5)).
            with open("/proc/self/statm", "rb") as file:
                used = int(file.read().split()[5]) * self._page
            hard = self._get(self._data)[1]
            if used + self.BALLAST > 2 * self._limit - hard:
                return
            self._set(self._data, (self._limit, hard))
            self._limit = None
        self._ballast = bytearray(self.BALLAST)
