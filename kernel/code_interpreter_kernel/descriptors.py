"""Reads what programs, C libraries and forked children write to the descriptors of standard output and error."""

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

#: The capacity of a pipe (pipe(7)).
PIPE_BYTES = 1 << 16

#: The reads in one pass, for a pipe that code has enlarged.
READS = 16

#: The pieces that wait for the log; beyond that, the oldest are dropped.
LOG_PIECES = 64

#: The rounds in one pass: other processes may never stop writing.
ROUNDS = 4


def _epoll_wait_holding_gil(descriptor: int) -> Callable[[], Any]:
    """`epoll_wait` without releasing the GIL.

    It takes 1.3 µs and `select.epoll.poll` 0.6 µs. But while another thread computes, each call of the latter takes 5
    ms.
    """
    wait = ctypes.PyDLL(None).epoll_wait
    wait.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    # Room for four events of at most 16 bytes; there are two pipes.
    events = ctypes.create_string_buffer(64)
    look = partial(wait, descriptor, ctypes.addressof(events), 2, 0)
    look.events = events  # type: ignore[attr-defined]
    return look


class Descriptors:
    """The pipes that standard output and error lead to. Callers hold the lock of the `OutputQueue`."""

    def __init__(self) -> None:
        # Level-triggered: shows whether there is something to read.
        self._ready = select.epoll()
        # Edge-triggered: shows which pipe was written to first. The order within one poll is not known: the output of
        # a program that writes to both pipes faster than they are read is sorted by pipe.
        self._order = select.epoll()
        self._streams: dict[int, Any] = {}
        self._log_files: dict[Any, int] = {}
        self._log: deque[tuple[int, bytes]] = deque(maxlen=LOG_PIECES)
        self.poll_releasing_gil: Callable[[], Any] = partial(self._ready.poll, 0)
        self.poll_holding_gil = self.poll_releasing_gil
        #: Whether there is something to read.
        self.has_input = self.poll_releasing_gil
        with suppress(AttributeError, OSError):
            self.poll_holding_gil = _epoll_wait_holding_gil(self._ready.fileno())

    def fileno(self) -> int:
        """A descriptor that is readable, for poll(2), while there is something to read."""
        return self._ready.fileno()

    def watch(self, reading: int, stream: Any, log: int) -> None:
        """Reads a pipe as the text of a stream, and copies it to a log."""
        os.set_blocking(reading, False)
        self._streams[reading] = stream
        self._ready.register(reading, select.EPOLLIN)
        self._order.register(reading, select.EPOLLIN | select.EPOLLET)
        self._log_files[stream] = log

    def read(self, entries: list[tuple[Any, Any, Any]]) -> int:
        """Appends everything written so far, beginning with the pipe that was written to first; returns the number of
        bytes.
        """
        count = 0
        # A pipe that is read before it is reported comes first in the next report. So all reported pipes are read
        # first.
        for _ in range(ROUNDS):
            ready = self._order.poll(0)
            if not ready:
                break
            count += self._read_all(ready, entries)
        # What a read leaves in a pipe is not reported again by the edge-triggered poll.
        return count + self._read_all(self._ready.poll(0), entries)

    def _read_all(self, ready: list[tuple[int, int]], entries: list[tuple[Any, Any, Any]]) -> int:
        count = 0
        for descriptor, _ in ready:
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
            # One C call: an interrupt between read and append would lose data.
            entries.extend(zip((stream,), (parent,), map(System.read, (descriptor,), (PIPE_BYTES,))))
            data = entries[-1][2]
            if not data:
                # The last writer has closed the pipe.
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
        """Whether data waits for the log."""
        return bool(self._log)

    def write_log(self) -> None:
        """Copies what was read to the log. Called by one thread, without a lock.

        A log that nobody reads must not hold up output: data that the log does not accept at once is dropped.
        """
        while self._log:
            log, data = self._log.popleft()
            with suppress(OSError):
                System.write(log, data)


def open_log(descriptor: int) -> int:
    """A non-blocking descriptor of the same file, if the file is a pipe."""
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return descriptor
    try:
        # Reopened, because O_NONBLOCK belongs to the open file description, which other processes share.
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return descriptor


def write_all(descriptor: int, data: Sequence[int]) -> None:
    """Writes everything, even to a pipe that another process has set to O_NONBLOCK."""
    left = memoryview(data)  # type: ignore[arg-type]
    while left:
        try:
            left = left[System.write(descriptor, left) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
