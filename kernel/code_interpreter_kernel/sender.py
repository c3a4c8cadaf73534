"""The thread that sends what code does not send itself."""

from __future__ import annotations

import os
import select
import sys
import threading
from _thread import get_ident
from contextlib import suppress
from typing import Any

import zmq

from code_interpreter_kernel.backlog import LONG_LOOK_SECONDS, Backlog
from code_interpreter_kernel.spool import Spool
from code_interpreter_kernel.system import System

#: How long the thread rests after it has sent something, in seconds. Where code works without a pause, up to 5 ms pass until
#: Python lets the thread run: all together less than 10 ms.
PAUSE_SECONDS = 0.004

#: How long the thread waits for the rest of a line, such as what `print` writes behind its argument.
LINE_SECONDS = 0.001


class Sender:
    """Reads the descriptors, and sends what waits, as soon as a client takes it."""

    def __init__(self, spool: Spool, backlog: Backlog, socket: Any):
        self._spool = spool
        self._backlog = backlog
        # Written to where there is something to send: text, which waits for others, and messages, which do not.
        self._text = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._message = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_awake = False
        #: What to wait for: always, where messages wait for the socket, and where text may be sent.
        self._always = self._poll(self._message)
        self._blocked = self._poll(self._message, socket.getsockopt(zmq.FD))
        self._idle = self._poll(self._message, self._text, spool.descriptors.fileno())
        self._resting_until = 0.0
        spool.wake = self.wake
        backlog.wake = self._wake_for_message
        thread = threading.Thread(target=self._run, name="Output", daemon=True)
        # A debugger is not to stop it.
        thread.pydev_do_not_trace = thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
        thread.start()

    @staticmethod
    def _poll(*descriptors: int) -> Any:
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        return poll

    def wake(self) -> None:
        """Has text sent: soon, together with what comes meanwhile."""
        if not self._is_awake:
            self._is_awake = True
            System.eventfd_write(self._text, 1)

    def _wake_for_message(self) -> None:
        System.eventfd_write(self._message, 1)

    def _run(self) -> None:
        self._backlog.thread = get_ident()
        again: float | None = None
        while True:
            try:
                again = self._wait(again)
            except Exception:
                # One that cannot be sent must not keep those that follow.
                sys.excepthook(*sys.exc_info())

    def _wait(self, again: float | None) -> float | None:
        """Waits for something to do, and does it; after how many seconds to look at the latest."""
        spool, backlog = self._spool, self._backlog
        rest = self._resting_until - System.monotonic()
        if again == LONG_LOOK_SECONDS:
            self._always.poll(again * 1000)
        elif again is not None:
            self._blocked.poll(again * 1000)
        elif rest > 0:
            self._always.poll(rest * 1000)
        else:
            self._idle.poll()
        self._take(self._message)
        again = backlog.advance()
        if again is None and self._resting_until <= System.monotonic():
            self._is_awake = False
            self._take(self._text)
            spool.read_descriptors()
            if not spool.ends_with_line:
                self._always.poll(LINE_SECONDS * 1000)
            if spool.entries:
                spool.send_all()
                self._resting_until = System.monotonic() + PAUSE_SECONDS
            spool.descriptors.write_log()
        return again

    @staticmethod
    def _take(event: int) -> None:
        with suppress(BlockingIOError):
            System.eventfd_read(event)
