"""Children that the code of a kernel forks: each ends where its code does, as a child of a script, and none is a second kernel.

A child has copies of all descriptors of its parent, and where it would go on behind the cell, it would read the parent's
sockets and wait for the parent's events.
"""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import sys
import threading
from typing import Any, Callable, NoReturn

#: How a child ends that has failed.
FAILED = 1


class Forks:
    """Of the one kernel in this process."""

    _exit, _kill, _getpid = staticmethod(os._exit), staticmethod(os.kill), staticmethod(os.getpid)
    _signal = staticmethod(signal.signal)
    _run_exit_functions = staticmethod(atexit._run_exitfuncs)  # type: ignore[attr-defined]
    _forget_exit_functions = staticmethod(atexit._clear)  # type: ignore[attr-defined]
    _end_threads = staticmethod(threading._shutdown)  # type: ignore[attr-defined]

    def __init__(self, flush: Callable[[], Any]):
        self._flush = flush
        #: Whether this process is a child.
        self.is_child = False
        self._loop: Any = None

    def watch(self, loop: Any) -> None:
        """From here on children are told from the kernel, which runs this event loop of asyncio."""
        self._loop = loop
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.is_child = True
        # What the kernel and its code do at their end is not a child's to do, as for those that multiprocessing forks.
        self._forget_exit_functions()
        # The task that has forked goes on, as the thread does, and no other.
        loop = self._loop
        loop._ready.clear()
        loop._scheduled.clear()
        loop._selector.close()
        loop._selector = _NothingElse(self)

    def end(self, error: BaseException | None = None) -> NoReturn:
        """Ends the child, as the interpreter does at the end of a script or at an exception that nobody handles.

        What is to be read of an exception was written already, but for the reason of a `SystemExit`.
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


class _NothingElse(selectors.SelectSelector):
    """Of the event loop in a child: where it waits for nothing more, the child has ended."""

    def __init__(self, forks: Forks):
        super().__init__()
        self._forks = forks

    def select(self, timeout: float | None = None) -> Any:
        """Waits for what is registered, which the child has done."""
        if timeout is None and not self.get_map():
            self._forks.end()
        return super().select(timeout)
