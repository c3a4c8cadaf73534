"""The messages that a kernel publishes, until its socket has accepted them."""

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

#: A part of this size or more is sent without a copy. Copying it takes longer than handing it to the sender's thread.
COPIED_BYTES = 1 << 16

#: The number of shorter messages that the socket holds for a client before it refuses more: 16 MiB at most.
HIGH_WATER_MARK = 256

#: The limit of long messages that the socket holds, in bytes. One message of any size is always accepted.
LONG_BYTES = 1 << 23

#: The limits of the queue. Beyond them, publishing code waits.
WAITING_BYTES = 1 << 21
WAITING_MESSAGES = 64

#: How often sending is retried. A socket that then still accepts nothing counts as closed.
ATTEMPTS = 100

#: How long shutdown waits for a client that reads nothing. A slow reader pauses as well: ZeroMQ lets it drain half of
#: the high-water mark before it sends more.
LINGER_SECONDS = 5.0

#: After this many polls without a change (1 s), shutdown no longer waits for clients to read what is in the kernel's
#: socket buffers. A libzmq client that is behind does not read those bytes after the kernel has ended.
QUIET_POLLS = 500

#: The longest sleep of a thread that waits for room; the second is for long messages, whose progress the socket does
#: not signal.
POLL_SECONDS = 0.1
LONG_POLL_SECONDS = 0.002


def _functions_holding_gil() -> tuple[Callable[..., int] | None, Callable[[], int]]:
    """`zmq_send` and `zmq_errno`, called without releasing the GIL.

    pyzmq releases the GIL for each part of a message. While another thread computes, getting it back takes 5 ms each
    time, and an interrupt between two parts would leave half a message, to which the next one is appended.
    """
    try:
        from zmq.backend.cython import _zmq

        library = ctypes.PyDLL(_zmq.__file__)
        send, errno = library.zmq_send, library.zmq_errno
    except (ImportError, OSError, AttributeError):
        return None, lambda: zmq.EAGAIN
    send.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    return send, errno


class QueuedMessage(NamedTuple):
    parts: Sequence[Any]
    size: int


class SendQueue:
    """Sends each message at once in the publishing thread, as a whole or not at all.

    If a client does not read, the socket refuses messages (`ZMQ_XPUB_NODROP`). They are queued, and the sender's
    thread sends them, so an interrupt of a waiting thread loses no message.
    """

    _send, _errno = map(staticmethod, _functions_holding_gil())

    def __init__(self, socket: Any):
        self._socket = socket
        self._lock = threading.RLock()
        self._queue: deque[QueuedMessage] = deque()
        self._queued_bytes = 0
        self._is_sending = False
        # The message that is being sent, and the results of `zmq_send` for those of its parts that were sent.
        self._message: Sequence[Any] = []
        self._begun: list[int] = []
        #: Replaced by a new list as soon as a message is certain to be sent.
        self.accepted: list[int] = []
        # The long messages that the socket holds: the trackers of their parts, and their size.
        self._long: deque[tuple[list[Any], int]] = deque()
        self._waiters: deque[LockType] = deque()
        # At shutdown: the deadline, which is extended when a client has read something, and the unread bytes of each
        # client.
        self._deadline: float | None = None
        self._clients: Clients | None = None
        self._unread: list[int] = []
        #: The thread that calls `advance`, which must not wait for itself, and a function that wakes it.
        self.thread: int | None = None
        self.wake: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        """Whether publishing code should wait."""
        return self._queued_bytes > WAITING_BYTES or len(self._queue) > WAITING_MESSAGES

    @property
    def is_empty(self) -> bool:
        """Whether the socket has accepted all messages."""
        return not self._queue and len(self._begun) == len(self._message)

    def send_multipart(self, msg: Sequence[Any], *args: Any, **options: Any) -> None:
        """Publishes a message after all earlier ones. Does not wait."""
        size = sum(map(_size, msg))
        is_short = self._send is not None and _is_short(msg)
        waiting = QueuedMessage(msg, size)
        try:
            with self._lock:
                # A finalizer or a signal handler may publish while another message is being sent. Its message is
                # queued.
                if not self._is_sending and is_short and not self._queue and self._finish():
                    # Python runs signal handlers at calls and jumps only, so none runs between these lines.
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
        """Sends the remaining parts of the current message; False if the socket refuses."""
        refusals = 0
        try:
            self._is_sending = True
            for _ in range(ATTEMPTS):
                rest = self._message[len(self._begun) :]
                if not rest or self._socket.closed:
                    break
                flags = [zmq.SNDMORE | zmq.DONTWAIT] * (len(rest) - 1) + [zmq.DONTWAIT]
                results = map(self._send, repeat(self._socket.underlying), rest, map(len, rest), flags)
                # One C call, which no signal handler interrupts. It stops at the first part that fails.
                self._begun.extend(takewhile((-1).__lt__, results))
                if not self._begun and self._errno() == zmq.EAGAIN:
                    refusals += 1
                    if refusals == 2:
                        return False
                    self._process_commands()
            # All parts are sent, or the socket is closed.
            self._message = []
            self._begun = []
            return True
        finally:
            self._is_sending = False

    def _process_commands(self) -> None:
        """Makes libzmq process its commands, so that it notices that a client has read or disconnected. By itself it does
        so only now and then.
        """
        self._socket.getsockopt(zmq.EVENTS)

    def advance(self) -> float | None:
        """Sends queued messages. If some remain, returns the seconds after which to try again unless the socket becomes
        ready.

        Called by one thread, in which no signal handler runs.
        """
        with self._lock:
            again = self._advance()
        while self._waiters and not self.is_full:
            self._waiters.popleft().release()
        return again

    def _advance(self) -> float | None:
        while self._finish() and self._queue and not self._socket.closed:
            message = self._queue[0]
            if _is_short(message.parts) and self._send is not None:
                self._message = message.parts
            elif not self._has_room_for(message.size):
                return LONG_POLL_SECONDS
            elif not self._send_long(message):
                return POLL_SECONDS
            self._queue.popleft()
            self._queued_bytes -= message.size
            self._deadline = None
        return None if self.is_empty or self._socket.closed else POLL_SECONDS

    def _forget_sent(self) -> None:
        while self._long and all(tracker.done for tracker in self._long[0][0]):
            self._long.popleft()

    def _has_room_for(self, size: int) -> bool:
        self._forget_sent()
        if not self._long or sum(size for _, size in self._long) + size <= LONG_BYTES:
            return True
        # libzmq frees the messages of a disconnected client only inside a call, and nobody else makes one.
        self._process_commands()
        return False

    def _send_long(self, message: QueuedMessage) -> bool:
        parts = message.parts
        flags = [zmq.SNDMORE | zmq.DONTWAIT] * (len(parts) - 1) + [zmq.DONTWAIT]
        try:
            first = self._send_part(parts[0], flags[0])
        except zmq.Again:
            self._process_commands()
            try:
                first = self._send_part(parts[0], flags[0])
            except zmq.Again:
                return False
        self._long.append(([first, *map(self._send_part, parts[1:], flags[1:])], message.size))
        return True

    def _send_part(self, part: Any, flags: int) -> Any:
        return self._socket.send(part, flags, copy=False, track=True)

    def wait_for_room(self) -> None:
        """Waits in the thread of user code until a client has read enough of what was published."""
        # A finalizer may run while this thread sends: it holds the lock that others need to progress.
        if self._lock._is_owned() or get_ident() == self.thread:  # type: ignore[attr-defined]
            return
        while self.is_full and not self._socket.closed:
            if not self._may_wait():
                return self._drop_queued()
            turn = allocate_lock()
            turn.acquire()
            self._waiters.append(turn)
            if self.is_full:
                turn.acquire(True, POLL_SECONDS)

    def leave(self) -> None:
        """Stops waiting for clients that read nothing: what they do not read is dropped."""
        with self._lock:
            if self._clients is None and not self._socket.closed:
                self._clients = Clients(self._socket.getsockopt(zmq.LAST_ENDPOINT))

    def _may_wait(self) -> bool:
        """Whether to wait for clients. At shutdown, only while they read: their deadline begins with the first wait."""
        if self._clients is None:
            return True
        now = System.monotonic()
        unread = self._clients.unread()
        if self._deadline is None or unread != self._unread:
            self._deadline, self._unread = now + LINGER_SECONDS, unread
        return now < self._deadline

    def _drop_queued(self) -> None:
        with self._lock:
            self._queue.clear()
            self._queued_bytes = 0

    def drain(self) -> None:
        """Waits at shutdown until clients have read everything, or nothing for `LINGER_SECONDS`."""
        self.leave()
        pause = allocate_lock()
        pause.acquire()
        quiet = 0
        while not self._socket.closed:
            before = self._unread
            if not self._may_wait():
                # The messages that the socket holds are for the same clients.
                with self._lock:
                    self._socket.linger = 0
                return
            is_quiet = self._is_quiet()
            quiet = quiet + 1 if is_quiet and self._unread == before else 0
            if quiet == QUIET_POLLS or (is_quiet and not any(self._unread)):
                return
            self.wake()
            pause.acquire(True, LONG_POLL_SECONDS)

    def _is_quiet(self) -> bool:
        """Whether libzmq seems to have written everything to the kernel's socket buffers."""
        with self._lock:
            self._forget_sent()
        return self.is_empty and not self._long and self._clients is not None and self._clients.are_all_writable()

    def close(self) -> None:
        """Closes the socket."""
        with self._lock:
            self._socket.close()


def _size(part: Any) -> int:
    return len(part) if type(part) is bytes else memoryview(part).nbytes


def _is_short(parts: Sequence[Any]) -> bool:
    return all(type(part) is bytes and len(part) < COPIED_BYTES for part in parts)
