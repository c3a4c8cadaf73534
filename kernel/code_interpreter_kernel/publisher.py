"""Where a kernel publishes what code does: `IOPubThread` of ipykernel, less the way through its thread."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from itertools import repeat, takewhile
from typing import Any, Callable, Sequence

import zmq
from ipykernel.iostream import IOPubThread

#: A message with longer parts is not copied on its way, which takes longer than to pass it to the thread.
COPIED_BYTES = 1 << 16

#: How long to wait for the thread that hears children, where something holds it up.
HEARING_SECONDS = 10

#: How often a part of a message is sent again; a socket that takes none after that has gone.
ATTEMPTS = 100


def _function_that_keeps_the_interpreter() -> Callable[..., int] | None:
    """`zmq_send`, called in a way that no other thread of Python runs meanwhile.

    pyzmq lets others run at every part of a message. Where code works without a pause, each time takes 5 ms until it is our
    turn again, and an interrupt between two parts would leave half a message, to which the next one is added.
    """
    try:
        from zmq.backend.cython import _zmq

        send = ctypes.PyDLL(_zmq.__file__).zmq_send
    except (ImportError, OSError, AttributeError):
        return None
    send.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    return send


class Publisher(IOPubThread):
    """Sends at once, in the thread that has something to send, and all or nothing of a message."""

    _send = staticmethod(_function_that_keeps_the_interpreter())

    def __init__(self, socket: Any, pipe: bool = False):
        super().__init__(socket, pipe)
        self._lock = threading.RLock()
        #: What the thread is to send: behind it, all must take that way.
        self._queue: deque[tuple[Any, dict[str, Any]]] = deque()
        self._is_running = False
        self._is_sending = False
        self._has_children = False
        os.register_at_fork(after_in_parent=self._forked)
        self._message: Sequence[bytes] = []
        #: What the socket said to the parts of the message that were sent. Another object with every message, from when on that
        #: is certain to be sent.
        self.begun: list[int] = []

    @property
    def _has_thread(self) -> bool:
        # Not `is_alive`, which an interrupt may make say no for good (python/cpython#89437).
        return self._is_running and os.getpid() == self._master_pid

    def start(self) -> None:
        """Starts the thread, which sends what is long, and what forked children say."""
        super().start()
        self._is_running = True

    def stop(self) -> None:
        """Ends the thread."""
        self._is_running = False
        super().stop()

    def schedule(self, f: Callable[[], Any]) -> None:
        """Calls the function in the thread."""
        if self._has_thread:
            self.io_loop.add_callback(f)
        else:
            super().schedule(f)

    def send_multipart(self, msg: Sequence[Any], *args: Any, **options: Any) -> None:
        """Publishes a message behind all that were published before."""
        if self._send is None or not self._has_thread:
            return super().send_multipart(msg, *args, **options)
        with self._lock:
            # Also what the end of an object, or a signal, has to say in the midst of another message waits for its turn.
            if not self._queue and not self._is_sending and self._is_short(msg):
                return self._send_now(msg)
            self._finish()
            self._queue.append((msg, options))
            self._message, self.begun = [], []
        self.schedule(self._send_queued)

    @staticmethod
    def _is_short(msg: Sequence[Any]) -> bool:
        return all(type(part) is bytes and len(part) < COPIED_BYTES for part in msg)

    def _send_now(self, msg: Sequence[bytes]) -> None:
        try:
            self._is_sending = True
            self._finish()
            self._message, self.begun = msg, []
            self._finish()
        finally:
            self._is_sending = False

    def _finish(self) -> None:
        """Sends what is missing of the message that was begun: an interrupt may have come before its end."""
        for _ in range(ATTEMPTS):
            # A publisher's socket takes all: what was not sent was hit by a signal.
            rest = self._message[len(self.begun) :]
            if not rest or self.closed:
                return
            flags = [zmq.SNDMORE | zmq.DONTWAIT] * (len(rest) - 1) + [zmq.DONTWAIT]
            results = map(self._send, repeat(self.socket.underlying), rest, map(len, rest), flags)
            # In one call, which no handler comes into, to the first that fails.
            self.begun.extend(takewhile((-1).__lt__, results))

    def _send_queued(self) -> None:
        with self._lock:
            self._finish()
            while self._queue:
                msg, options = self._queue.popleft()
                self._really_send(msg, **options)

    def hear_children(self) -> None:
        """Publishes what forked children have said so far, if there were any."""
        if not (self._has_children and self._has_thread) or threading.current_thread() is self.thread:
            return
        heard = threading.Event()

        def hear() -> None:
            self._pipe_in.flush()
            heard.set()

        self.schedule(hear)
        heard.wait(HEARING_SECONDS)

    def _forked(self) -> None:
        self._has_children = True

    def close(self) -> None:
        """Closes the socket, to which nobody is sending."""
        with self._lock:
            super().close()
