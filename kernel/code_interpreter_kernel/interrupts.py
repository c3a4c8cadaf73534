"""What SIGINT does in a kernel: it interrupts the code of a request, be it about to begin, and nothing else.

ipykernel ignores the signal until it calls the handler of a request, and from then on until that has returned raises
`KeyboardInterrupt` wherever it is: one that comes just before the code is lost, and one that comes just beside it takes the
reply with it. Here it is raised in the code alone; one that comes between the request and its code is kept for the code.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Callable


class Interrupts:
    """Of the one kernel in this process."""

    def __init__(self) -> None:
        self._awaits_code = False
        self._came_early = False

    def hold(self) -> None:
        """From here on the signal raises nothing."""
        signal.signal(signal.SIGINT, self.keep)

    def keep(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """Keeps an interrupt for the code that is about to begin."""
        if self._awaits_code:
            self._came_early = True

    def _interrupt(self, number: int, frame: FrameType | None, is_meant: Callable[[FrameType | None], bool]) -> None:
        if is_meant(frame):
            signal.default_int_handler(number, frame)
        self.keep()

    def request_came(self) -> None:
        """A request was read: what comes now is meant for its code."""
        self._awaits_code, self._came_early = True, False

    def request_done(self) -> None:
        """What comes now comes too late."""
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
        if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != self.keep:
            # Code that runs code: who called it has seen to it.
            return code()
        result: Any = self
        interrupt = KeyboardInterrupt()
        try:
            signal.signal(signal.SIGINT, lambda number, frame: self._interrupt(number, frame, is_meant))
            result = code()
            signal.signal(signal.SIGINT, self.keep)
        except KeyboardInterrupt as error:
            interrupt = error
            # Interrupts may come as fast as they can be sent. Each of these steps is lost to one alone.
            try:
                signal.signal(signal.SIGINT, self.keep)
            except KeyboardInterrupt:
                try:
                    signal.signal(signal.SIGINT, self.keep)
                except KeyboardInterrupt:
                    signal.signal(signal.SIGINT, self.keep)
        finally:
            self.hold()
        return otherwise(interrupt) if result is self else result
