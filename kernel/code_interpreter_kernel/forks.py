"""Child processes that user code forks: each ends where its code ends, like a child of a script.

A child inherits all descriptors. If it continued after the cell, it would read the kernel's sockets and run its event
loop.
"""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import sys
import threading
from typing import Any, Callable, NoReturn

#: The exit status of a child with an unhandled exception.
FAILED = 1


class Forks:
    """The forked children of the kernel in this process."""

    _exit, _kill, _getpid = staticmethod(os._exit), staticmethod(os.kill), staticmethod(os.getpid)
    _signal = staticmethod(signal.signal)
    _run_exit_functions = staticmethod(atexit._run_exitfuncs)  # type: ignore[attr-defined]
    _forget_exit_functions = staticmethod(atexit._clear)  # type: ignore[attr-defined]
    _end_threads = staticmethod(threading._shutdown)  # type: ignore[attr-defined]

    def __init__(self, flush: Callable[[], Any]):
        self._flush = flush
        #: Whether this process is a forked child.
        self.is_child = False
        self._loop: Any = None

    def watch(self, loop: Any) -> None:
        """Detects forks from now on. `loop` is the kernel's asyncio event loop."""
        self._loop = loop
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.is_child = True
        # Exit functions of the kernel and its code do not run in a child, as with multiprocessing.
        self._forget_exit_functions()
        # Only the task that forked continues, as only its thread does.
        loop = self._loop
        loop._ready.clear()
        loop._scheduled.clear()
        loop._selector.close()
        loop._selector = _EndingSelector(self)

    def end(self, error: BaseException | None = None) -> NoReturn:
        """Ends the child, as the interpreter does at the end of a script or at an exception that nobody handles.

        The exception has already been printed, except for the argument of a `SystemExit`.
        """
        status = 0 if error is None else FAILED
        if issubclass(type(error), SystemExit):
            status = self._status(error.code)  # type: ignore[union-attr]
        try:
            self._end_threads()
            self._run_exit_functions()
            self._flush()
        finally:
            if issubclass(type(error), KeyboardInterrupt):
                self._signal(signal.SIGINT, signal.SIG_DFL)
                self._kill(self._getpid(), signal.SIGINT)
            self._exit(status)

    @staticmethod
    def _status(code: object) -> int:
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        print(code, file=sys.stderr)
        return FAILED


class _EndingSelector(selectors.SelectSelector):
    """The selector of the event loop in a child. When there is nothing left to wait for, the child ends."""

    def __init__(self, forks: Forks):
        super().__init__()
        self._forks = forks

    def select(self, timeout: float | None = None) -> Any:
        """Waits for descriptors that the child has registered itself."""
        if timeout is None and not self.get_map():
            self._forks.end()
        return super().select(timeout)
