"""What programs, libraries in other languages and forked children write to the descriptors of the standard streams."""

from __future__ import annotations

import ctypes
import os
import select
import stat
from collections import deque
from contextlib import suppress
from functools import partial
from typing import Any, Callable, Sequence

from code_interpreter_kernel.system import System

#: As much as a pipe holds (pipe(7)).
PIPE_BYTES = 1 << 16

#: How often one look reads as much, where code has made the pipe larger.
READS = 16

#: How many pieces wait to be written to the log; before more come, the oldest are left out of it.
LOG_PIECES = 64

#: How often to ask which pipes were written to: others may write to them without end.
ROUNDS = 4


def _look_without_pause(descriptor: int) -> Callable[[], Any]:
    """`epoll_wait` that does not let another thread of Python run meanwhile.

    It takes 1.3 µs, and `select.epoll.poll` 0.6 µs. But where another thread computes, each call of that takes 5 ms.
    """
    wait = ctypes.PyDLL(None).epoll_wait
    wait.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    # Twice as many events as there are pipes, each of at most 16 bytes.
    events = ctypes.create_string_buffer(64)
    look = partial(wait, descriptor, ctypes.addressof(events), 2, 0)
    look.events = events  # type: ignore[attr-defined]
    return look


class Descriptors:
    """The pipes that standard output and error lead to. Who calls this holds the lock of the `Spool`."""

    def __init__(self) -> None:
        # Level-triggered: tells at any time whether there is something to read, whoever has been told before.
        self._ready = select.epoll()
        # Edge-triggered: tells which of the pipes was written to first. Between two looks that is all there is to know: a program
        # that writes to both in turn, faster than they are read, gets its output sorted by pipe.
        self._order = select.epoll()
        self._streams: dict[int, Any] = {}
        self._log_files: dict[Any, int] = {}
        self._log: deque[tuple[int, bytes]] = deque(maxlen=LOG_PIECES)
        self.look_with_pause: Callable[[], Any] = partial(self._ready.poll, 0)
        self.look_without_pause = self.look_with_pause
        #: Whether there is something to read.
        self.look = self.look_with_pause
        with suppress(AttributeError, OSError):
            self.look_without_pause = _look_without_pause(self._ready.fileno())

    def fileno(self) -> int:
        """A descriptor that can be read from, for poll(2), while there is something to read."""
        return self._ready.fileno()

    def watch(self, reading: int, stream: Any, log: int) -> None:
        """Reads from a pipe what is then the text of a stream, and copies it to a log."""
        os.set_blocking(reading, False)
        self._streams[reading] = stream
        self._ready.register(reading, select.EPOLLIN)
        self._order.register(reading, select.EPOLLIN | select.EPOLLET)
        self._log_files[stream] = log

    def read(self, entries: list[tuple[Any, Any, Any]]) -> int:
        """Appends all that was written so far, by the pipe that was written to first; how many bytes."""
        count = 0
        # All that are told of come first: a pipe that is read before it is told of is told of first the next time.
        for _ in range(ROUNDS):
            told = self._order.poll(0)
            if not told:
                break
            count += self._read_all(told, entries)
        # What a read has left over is not told of again.
        return count + self._read_all(self._ready.poll(0), entries)

    def _read_all(self, told: list[tuple[int, int]], entries: list[tuple[Any, Any, Any]]) -> int:
        count = 0
        for descriptor, _ in told:
            try:
                count += self._read(descriptor, entries)
            except BlockingIOError:
                continue
            except OSError:
                self._forget(descriptor)
        return count

    def _read(self, descriptor: int, entries: list[tuple[Any, Any, Any]]) -> int:
        stream = self._streams[descriptor]
        parent = stream.parent_of_descriptor
        count = 0
        for _ in range(READS):
            # In one call: an interrupt between reading and appending would lose what was read.
            entries.extend(zip((stream,), (parent,), map(System.read, (descriptor,), (PIPE_BYTES,))))
            data = entries[-1][2]
            if not data:
                # The last that could write to it has closed it.
                self._forget(descriptor)
                break
            count += len(data)
            self._log.append((self._log_files[stream], data))
            if len(data) < PIPE_BYTES:
                break
        return count

    def _forget(self, descriptor: int) -> None:
        for poll in (self._ready, self._order):
            with suppress(OSError):
                poll.unregister(descriptor)
        self._streams.pop(descriptor, None)

    @property
    def has_log(self) -> bool:
        """Whether something waits to be copied to the log."""
        return bool(self._log)

    def write_log(self) -> None:
        """Copies to the log what was read. Called by one thread, without a lock.

        A log that nobody reads must not hold up output: what it does not take at once is left out of it.
        """
        while self._log:
            log, data = self._log.popleft()
            with suppress(OSError):
                System.write(log, data)


def open_log(descriptor: int) -> int:
    """A descriptor of the same file that does not block, where the file is one that might."""
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return descriptor
    try:
        # Opened anew: whether it blocks is not only ours to say of a descriptor that we were given.
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return descriptor


def write_all(descriptor: int, data: Sequence[int]) -> None:
    """Writes all of it, as a forked child does, also to a pipe that another program has set not to block."""
    left = memoryview(data)  # type: ignore[arg-type]
    while left:
        try:
            left = left[System.write(descriptor, left) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
