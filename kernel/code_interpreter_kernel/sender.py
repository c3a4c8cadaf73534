"""The thread that sends output that the publishing threads have queued."""

from __future__ import annotations

import os
import select
import sys
import threading
from _thread import get_ident
from contextlib import suppress
from typing import Any

import zmq

from code_interpreter_kernel.output_queue import OutputQueue
from code_interpreter_kernel.send_queue import LONG_POLL_SECONDS, SendQueue
from code_interpreter_kernel.system import System

#: The pause after each send, in seconds, in which output collects. While code computes, getting the GIL takes up to 5
#: ms more: less than 10 ms together.
PAUSE_SECONDS = 0.004

#: How long the thread waits for the rest of a line: `print` writes the newline separately.
LINE_SECONDS = 0.001


class Sender:
    """Reads the descriptors, and sends queued output as soon as clients read it."""

    def __init__(self, output_queue: OutputQueue, send_queue: SendQueue, socket: Any):
        self._output_queue = output_queue
        self._send_queue = send_queue
        # Signal queued text, which may wait for more, and queued messages, which may not.
        self._text = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._message = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_awake = False
        #: The events to wait for: in any state, while messages wait for the socket, and while text may be sent.
        self._always = self._poll(self._message)
        self._blocked = self._poll(self._message, socket.getsockopt(zmq.FD))
        self._idle = self._poll(self._message, self._text, output_queue.descriptors.fileno())
        self._resting_until = 0.0
        output_queue.wake = self.wake
        send_queue.wake = self._wake_for_message
        thread = threading.Thread(target=self._run, name="Output", daemon=True)
        # A debugger must not stop it.
        thread.pydev_do_not_trace = thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
        thread.start()

    @staticmethod
    def _poll(*descriptors: int) -> Any:
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        return poll

    def wake(self) -> None:
        """Makes the thread send text soon, together with what is written meanwhile."""
        if not self._is_awake:
            self._is_awake = True
            System.eventfd_write(self._text, 1)

    def _wake_for_message(self) -> None:
        System.eventfd_write(self._message, 1)

    def _run(self) -> None:
        self._send_queue.thread = get_ident()
        timeout: float | None = None
        while True:
            try:
                timeout = self._wait(timeout)
            except Exception:
                # A message that cannot be sent must not block those after it.
                sys.excepthook(*sys.exc_info())

    def _wait(self, timeout: float | None) -> float | None:
        """Waits for events and handles them. Returns the longest time until the next call, in seconds."""
        output_queue, send_queue = self._output_queue, self._send_queue
        rest = self._resting_until - System.monotonic()
        if timeout == LONG_POLL_SECONDS:
            self._always.poll(timeout * 1000)
        elif timeout is not None:
            self._blocked.poll(timeout * 1000)
        elif rest > 0:
            self._always.poll(rest * 1000)
        else:
            self._idle.poll()
        self._clear(self._message)
        timeout = send_queue.advance()
        if timeout is None and self._resting_until <= System.monotonic():
            # In this order: text that is written between the two is sent below. The other way round, `wake` could signal
            # in between, be cleared, and not signal again: text would wait until the code ends.
            self._clear(self._text)
            self._is_awake = False
            output_queue.read_descriptors()
            if not output_queue.ends_with_line:
                self._always.poll(LINE_SECONDS * 1000)
            if output_queue.entries:
                output_queue.send_all()
                self._resting_until = System.monotonic() + PAUSE_SECONDS
            output_queue.descriptors.write_log()
        return timeout

    @staticmethod
    def _clear(event: int) -> None:
        with suppress(BlockingIOError):
            System.eventfd_read(event)
