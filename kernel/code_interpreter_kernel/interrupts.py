"""SIGINT in a kernel interrupts only user code, including code that is about to start.

ipykernel ignores the signal until it calls the handler of a request, and raises `KeyboardInterrupt` anywhere until the
handler returns: an interrupt just before the code is lost, and one just outside of it loses the reply. Here it is
raised in user code only. An interrupt elsewhere is kept for the code that starts next, and sent again a moment later,
in case the code has just started.
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

#: The delay after which an interrupt that could not be raised is sent again.
AGAIN_SECONDS = 0.01


class Interrupts:
    """The interrupts of the kernel in this process."""

    # User code may replace the modules' functions. Tools that replace a function in every module do not replace class
    # attributes.
    set_handler, handler = staticmethod(signal.signal), staticmethod(signal.getsignal)
    _current_thread = staticmethod(threading.current_thread)
    _start_thread, _send_signal = staticmethod(_thread.start_new_thread), staticmethod(signal.pthread_kill)
    _sleep = staticmethod(time.sleep)

    def __init__(self) -> None:
        self._awaits_code = False
        self._came_early = False
        #: Prevents that an interrupt is sent again to the next request.
        self._lock = _thread.allocate_lock()
        self._main_thread = threading.main_thread()
        #: The number of interrupts raised.
        self._raised = 0
        self._report, sys.unraisablehook = sys.unraisablehook, self._raise_again

    def hold(self) -> None:
        """Keeps interrupts instead of raising them from now on."""
        self.set_handler(signal.SIGINT, self.keep)

    def interrupt(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
        """Raises the interrupt."""
        self._raised += 1
        raise KeyboardInterrupt

    def _raise_again(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Python ignores an interrupt raised inside a finalizer, such as a `__del__`: sends it again."""
        if unraisable.exc_type is KeyboardInterrupt and self._current_thread() is self._main_thread:
            # Raising it here would be ignored as well.
            self.keep()
        else:
            self._report(unraisable)

    @contextmanager
    def reraising(self, is_meant: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Raises an interrupt again if it came inside the block and the code there handled it as something else."""
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
        """Keeps an interrupt for code that is about to start, or has just started."""
        if not self._awaits_code or self._came_early:
            return
        self._came_early = True
        # Without a new thread, the code that starts next takes it.
        with suppress(RuntimeError):
            self._start_thread(self._send_again, ())

    def _send_again(self) -> None:
        """Sends an interrupt again that no code has taken.

        Code takes it at its start (`take_early`). An interrupt between that check and the first line of the code would
        be lost: `while True: pass` would never end.
        """
        self._sleep(AGAIN_SECONDS)
        with self._lock:
            if self._came_early:
                self._came_early = False
                # A signal to the thread also ends a system call, unlike `interrupt_main`.
                self._send_signal(self._main_thread.ident, signal.SIGINT)

    def _interrupt(self, number: int, frame: FrameType | None, is_meant: Callable[[FrameType | None], bool]) -> None:
        if is_meant(frame):
            self.interrupt(number, frame)
        self.keep()

    def request_came(self) -> None:
        """A request was read: interrupts from now on are for its code."""
        self._awaits_code = True

    def request_done(self) -> None:
        """The request is done: interrupts from now on are too late."""
        with self._lock:
            self._awaits_code, self._came_early = False, False

    def take_early(self) -> bool:
        """Whether the code that starts here was interrupted before."""
        came, self._came_early = self._came_early, False
        return came

    def run(
        self,
        code: Callable[[], Any],
        fallback: Callable[[KeyboardInterrupt], Any],
        is_meant: Callable[[FrameType | None], bool] = lambda frame: True,
    ) -> Any:
        """Runs `code`, which SIGINT interrupts, and returns its result. If the result is lost, returns the result of
        `fallback`.

        `is_meant` decides whether the code in a frame may be interrupted; otherwise the interrupt is kept.
        """
        if self._current_thread() is not self._main_thread or self.handler(signal.SIGINT) != self.keep:
            # Nested: the outer call handles interrupts.
            return code()
        result: Any = self
        interrupt = KeyboardInterrupt()
        try:
            self.set_handler(signal.SIGINT, lambda number, frame: self._interrupt(number, frame, is_meant))
            result = code()
            self.set_handler(signal.SIGINT, self.keep)
        except KeyboardInterrupt as error:
            interrupt = error
            # Interrupts may arrive in quick succession. Each of these steps handles one more.
            try:
                self.set_handler(signal.SIGINT, self.keep)
            except KeyboardInterrupt:
                try:
                    self.set_handler(signal.SIGINT, self.keep)
                except KeyboardInterrupt:
                    self.set_handler(signal.SIGINT, self.keep)
        finally:
            self.hold()
        return fallback(interrupt) if result is self else result
