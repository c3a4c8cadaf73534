"""The messages that a kernel publishes, until its socket has taken them."""

from __future__ import annotations

import ctypes
import threading
from _thread import LockType, allocate_lock, get_ident
from collections import deque
from itertools import repeat, takewhile
from typing import Any, Callable, NamedTuple, Sequence

import zmq

from code_interpreter_kernel.clients import Clients
from code_interpreter_kernel.system import System

#: A message with longer parts is not copied on its way, which takes longer than to pass it to the thread.
COPIED_BYTES = 1 << 16

#: Shorter messages that the socket holds for a client before it takes no more: 16 MiB at most.
HIGH_WATER_MARK = 256

#: Long messages that the socket holds, in bytes, beside a single one of any size.
LONG_BYTES = 1 << 23

#: What waits for the socket before who publishes waits, too.
WAITING_BYTES = 1 << 21
WAITING_MESSAGES = 64

#: How often a part of a message is sent again; a socket that takes none after that has gone.
ATTEMPTS = 100

#: How long to wait, at the end of the kernel, for a client that takes nothing. One that reads slowly takes nothing for a while,
#: too: ZeroMQ lets it fall behind by half of what it may hold before it sends more.
LINGER_SECONDS = 5.0

#: After so many looks without a change, one second, nobody waits for a client to read what the system has already. A client of
#: ZeroMQ's own library that has fallen behind does not read that once we are gone.
CALM_LOOKS = 500

#: How long one who waits for room sleeps, at most; and where the socket holds messages of which it does not tell.
LOOK_SECONDS = 0.1
LONG_LOOK_SECONDS = 0.002


def _functions_that_keep_the_interpreter() -> tuple[Callable[..., int] | None, Callable[[], int]]:
    """`zmq_send` and `zmq_errno`, called in a way that no other thread of Python runs meanwhile.

    pyzmq lets others run at every part of a message. Where code works without a pause, each time takes 5 ms until it is our
    turn again, and an interrupt between two parts would leave half a message, to which the next one is added.
    """
    try:
        from zmq.backend.cython import _zmq

        library = ctypes.PyDLL(_zmq.__file__)
        send, errno = library.zmq_send, library.zmq_errno
    except (ImportError, OSError, AttributeError):
        return None, lambda: zmq.EAGAIN
    send.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    return send, errno


class Waiting(NamedTuple):
    """A message that waits for the socket."""

    parts: Sequence[Any]
    size: int


class Backlog:
    """Sends at once, in the thread that has something to send, and all or nothing of a message.

    Where a client does not read, the socket takes no more (`ZMQ_XPUB_NODROP`), and messages wait. They are kept, and sent by the
    thread: an interrupt of one who waits for room loses none.
    """

    _send, _errno = map(staticmethod, _functions_that_keep_the_interpreter())

    def __init__(self, socket: Any):
        self._socket = socket
        self._lock = threading.RLock()
        self._queue: deque[Waiting] = deque()
        self._queued_bytes = 0
        self._is_sending = False
        # The message that is sent or waits before all others, and what the socket said to those of its parts that were sent.
        self._message: Sequence[Any] = []
        self._begun: list[int] = []
        #: Another object with every message, from when on that is certain to be sent.
        self.accepted: list[int] = []
        # Long messages that the socket holds: what tells whether their parts are sent, and their size.
        self._long: deque[tuple[list[Any], int]] = deque()
        self._those_who_wait: deque[LockType] = deque()
        # Until when to wait, at the end of the kernel: anew whenever a client has taken something, and what it has not.
        self._deadline: float | None = None
        self._clients: Clients | None = None
        self._unread: list[int] = []
        #: The number of the thread that calls `advance`, which must not wait for itself; and what has it do so.
        self.thread: int | None = None
        self.wake: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        """Whether who publishes should wait."""
        return self._queued_bytes > WAITING_BYTES or len(self._queue) > WAITING_MESSAGES

    @property
    def is_empty(self) -> bool:
        """Whether the socket has taken all."""
        return not self._queue and len(self._begun) == len(self._message)

    def send_multipart(self, msg: Sequence[Any], *args: Any, **options: Any) -> None:
        """Publishes a message behind all that were published before. Does not wait."""
        size = sum(map(_size, msg))
        is_short = self._send is not None and _is_short(msg)
        waiting = Waiting(msg, size)
        try:
            with self._lock:
                # Also what the end of an object, or a signal, has to say in the midst of another message waits for its turn.
                if not self._is_sending and is_short and not self._queue and self._finish():
                    # Python looks for signals at calls and at jumps: not between these.
                    self._message = msg
                    self._begun = self.accepted = []
                    if self._finish():
                        return
                else:
                    self._queue += (waiting,)
                    self._queued_bytes += size
                    self.accepted = []
            self.wake()
        except BaseException:
            self.wake()
            raise

    def _finish(self) -> bool:
        """Sends what is missing of the message that was begun, as where an interrupt came; False where the socket is full."""
        refusals = 0
        try:
            self._is_sending = True
            for _ in range(ATTEMPTS):
                rest = self._message[len(self._begun) :]
                if not rest or self._socket.closed:
                    break
                flags = [zmq.SNDMORE | zmq.DONTWAIT] * (len(rest) - 1) + [zmq.DONTWAIT]
                results = map(self._send, repeat(self._socket.underlying), rest, map(len, rest), flags)
                # In one call, which no handler comes into, to the first that fails.
                self._begun.extend(takewhile((-1).__lt__, results))
                if not self._begun and self._errno() == zmq.EAGAIN:
                    refusals += 1
                    if refusals == 2:
                        return False
                    self._hear_of_room()
            # All is sent, or the socket has gone.
            self._message = []
            self._begun = []
            return True
        finally:
            self._is_sending = False

    def _hear_of_room(self) -> None:
        """Has the socket look whether a client has taken something, or gone, which it does only now and then by itself."""
        self._socket.getsockopt(zmq.EVENTS)

    def advance(self) -> float | None:
        """Sends what waits. Where that is not all: after how many seconds to try again, if the socket does not tell before.

        Called by one thread, in which no signal is handled.
        """
        with self._lock:
            again = self._advance()
        while self._those_who_wait and not self.is_full:
            self._those_who_wait.popleft().release()
        return again

    def _advance(self) -> float | None:
        while self._finish() and self._queue and not self._socket.closed:
            message = self._queue[0]
            if _is_short(message.parts) and self._send is not None:
                self._message = message.parts
            elif not self._has_room_for(message.size):
                return LONG_LOOK_SECONDS  # of which the socket does not tell
            elif not self._send_long(message):
                return LOOK_SECONDS
            self._queue.popleft()
            self._queued_bytes -= message.size
            self._deadline = None
        return None if self.is_empty or self._socket.closed else LOOK_SECONDS

    def _forget_sent(self) -> None:
        while self._long and all(tracker.done for tracker in self._long[0][0]):
            self._long.popleft()

    def _has_room_for(self, size: int) -> bool:
        self._forget_sent()
        if not self._long or sum(size for _, size in self._long) + size <= LONG_BYTES:
            return True
        # The socket drops what it holds for a client that has gone only in a call of it, and nobody else makes one.
        self._hear_of_room()
        return False

    def _send_long(self, message: Waiting) -> bool:
        parts = message.parts
        flags = [zmq.SNDMORE | zmq.DONTWAIT] * (len(parts) - 1) + [zmq.DONTWAIT]
        try:
            first = self._send_part(parts[0], flags[0])
        except zmq.Again:
            self._hear_of_room()
            try:
                first = self._send_part(parts[0], flags[0])
            except zmq.Again:
                return False
        self._long.append(([first, *map(self._send_part, parts[1:], flags[1:])], message.size))
        return True

    def _send_part(self, part: Any, flags: int) -> Any:
        return self._socket.send(part, flags, copy=False, track=True)

    def wait_for_room(self) -> None:
        """Waits, in the thread of code, until a client has taken enough of what was published."""
        # In the midst of sending, as by the end of an object, we hold what others need to go on.
        if self._lock._is_owned() or get_ident() == self.thread:  # type: ignore[attr-defined]
            return
        while self.is_full and not self._socket.closed:
            if not self._may_wait():
                return self._give_up()
            turn = allocate_lock()
            turn.acquire()
            self._those_who_wait.append(turn)
            if self.is_full:
                turn.acquire(True, LOOK_SECONDS)

    def leave(self) -> None:
        """From here on nobody waits for long for a client that takes nothing: what it does not take is dropped."""
        with self._lock:
            if self._clients is None and not self._socket.closed:
                self._clients = Clients(self._socket.getsockopt(zmq.LAST_ENDPOINT))

    def _may_wait(self) -> bool:
        """Whether a client still reads, or may: code may be at its end for long before there is much to say."""
        if self._clients is None:
            return True
        now = System.monotonic()
        unread = self._clients.unread()
        if self._deadline is None or unread != self._unread:
            self._deadline, self._unread = now + LINGER_SECONDS, unread
        return now < self._deadline

    def _give_up(self) -> None:
        with self._lock:
            self._queue.clear()
            self._queued_bytes = 0

    def drain(self) -> None:
        """Waits at the end of the kernel until clients have taken all, or nothing for a while."""
        self.leave()
        pause = allocate_lock()
        pause.acquire()
        calm = 0
        while not self._socket.closed:
            before = self._unread
            if not self._may_wait():
                # What the socket holds would wait for the same client.
                with self._lock:
                    self._socket.linger = 0
                return
            is_calm = self._is_calm()
            calm = calm + 1 if is_calm and self._unread == before else 0
            if calm == CALM_LOOKS or (is_calm and not any(self._unread)):
                return
            self.wake()
            pause.acquire(True, LONG_LOOK_SECONDS)

    def _is_calm(self) -> bool:
        """Whether the system seems to have taken all."""
        with self._lock:
            self._forget_sent()
        return self.is_empty and not self._long and self._clients is not None and self._clients.are_all_writable()

    def close(self) -> None:
        """Closes the socket, to which nobody is sending."""
        with self._lock:
            self._socket.close()


def _size(part: Any) -> int:
    return len(part) if type(part) is bytes else memoryview(part).nbytes


def _is_short(parts: Sequence[Any]) -> bool:
    return all(type(part) is bytes and len(part) < COPIED_BYTES for part in parts)
