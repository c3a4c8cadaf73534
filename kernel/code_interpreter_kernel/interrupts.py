"""What SIGINT does in a kernel: it interrupts the code of a request, also if that is about to begin, and nothing else.

ipykernel ignores the signal until it calls the handler of a request, and from then on until that has returned raises
`KeyboardInterrupt` wherever it is: one that comes just before the code is lost, and one that comes just beside it takes the
reply with it. Here it is raised in the code alone. One that comes elsewhere is kept for the code that begins next, and sent
again a moment later: the code may have begun just then.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Callable, Iterator, NoReturn

#: After how long an interrupt that could not be raised is sent again.
AGAIN_SECONDS = 0.01


class Interrupts:
    """Of the one kernel in this process."""

    # Code may replace those of the modules. Tools that replace a function wherever a module has it do not look into classes.
    set_handler, handler = staticmethod(signal.signal), staticmethod(signal.getsignal)
    _current_thread = staticmethod(threading.current_thread)
    _start_thread, _send_signal = staticmethod(_thread.start_new_thread), staticmethod(signal.pthread_kill)
    _sleep = staticmethod(time.sleep)

    def __init__(self) -> None:
        self._awaits_code = False
        self._came_early = False
        #: Makes sure that an interrupt is not sent again to the next request.
        self._lock = _thread.allocate_lock()
        self._main_thread = threading.main_thread()
        #: How often an interrupt was raised.
        self._raised = 0
        self._report, sys.unraisablehook = sys.unraisablehook, self._raise_again

    def hold(self) -> None:
        """From here on the signal raises nothing."""
        self.set_handler(signal.SIGINT, self.keep)

    def interrupt(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
        """Interrupts what runs."""
        self._raised += 1
        raise KeyboardInterrupt

    def _raise_again(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Python goes on where an interrupt comes inside a finalizer, such as a `__del__` that runs just then."""
        if unraisable.exc_type is KeyboardInterrupt and self._current_thread() is self._main_thread:
            # It cannot be raised in here, where Python ignores it as well.
            self.keep()
        else:
            self._report(unraisable)

    @contextmanager
    def not_lost(self, is_meant: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Raises an interrupt again that came inside, and that what is inside has taken for something else."""
        before = self._raised
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if self._is_lost(before) and is_meant():
                raise KeyboardInterrupt from error
            raise
        if self._is_lost(before) and is_meant():
            raise KeyboardInterrupt

    def _is_lost(self, before: int) -> bool:
        return self._raised != before and self._current_thread() is self._main_thread

    def keep(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """Keeps an interrupt for the code that is about to begin, or has just begun."""
        if not self._awaits_code or self._came_early:
            return
        self._came_early = True
        # Where there can be no further thread, the code that begins next takes it.
        with suppress(RuntimeError):
            self._start_thread(self._send_again, ())

    def _send_again(self) -> None:
        """Sends an interrupt that nobody has taken.

        Code takes it where it begins (`take_early`), but it may come between that look and the first line of the code: then
        `while True: pass` would never end.
        """
        self._sleep(AGAIN_SECONDS)
        with self._lock:
            if self._came_early:
                self._came_early = False
                # A signal to the thread: unlike `interrupt_main`, it ends a wait as well.
                self._send_signal(self._main_thread.ident, signal.SIGINT)

    def _interrupt(self, number: int, frame: FrameType | None, is_meant: Callable[[FrameType | None], bool]) -> None:
        if is_meant(frame):
            self.interrupt(number, frame)
        self.keep()

    def request_came(self) -> None:
        """A request was read: what comes now is meant for its code."""
        self._awaits_code = True

    def request_done(self) -> None:
        """What comes now comes too late."""
        with self._lock:
            self._awaits_code, self._came_early = False, False

    def take_early(self) -> bool:
        """Whether the code that begins here was interrupted already."""
        came, self._came_early = self._came_early, False
        return came

    def run(
        self,
        code: Callable[[], Any],
        otherwise: Callable[[KeyboardInterrupt], Any],
        is_meant: Callable[[FrameType | None], bool] = lambda frame: True,
    ) -> Any:
        """The result of code, which the signal interrupts; where that got lost, what `otherwise` makes of the interrupt.

        `is_meant` says whether what runs in a frame may be interrupted; elsewhere the signal is kept for what comes next.
        """
        if self._current_thread() is not self._main_thread or self.handler(signal.SIGINT) != self.keep:
            # Code that runs code: who called it has seen to it.
            return code()
        result: Any = self
        interrupt = KeyboardInterrupt()
        try:
            self.set_handler(signal.SIGINT, lambda number, frame: self._interrupt(number, frame, is_meant))
            result = code()
            self.set_handler(signal.SIGINT, self.keep)
        except KeyboardInterrupt as error:
            interrupt = error
            # Interrupts may come as fast as they can be sent. Each of these steps is lost to one alone.
            try:
                self.set_handler(signal.SIGINT, self.keep)
            except KeyboardInterrupt:
                try:
                    self.set_handler(signal.SIGINT, self.keep)
                except KeyboardInterrupt:
                    self.set_handler(signal.SIGINT, self.keep)
        finally:
            self.hold()
        return otherwise(interrupt) if result is self else result
