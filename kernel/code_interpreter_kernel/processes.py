"""Finds and kills every process that a kernel left behind.

A process group is not enough: a child with its own session has left it. Everything that a kernel starts inherits the
kernel's tag, and cannot lose it by accident. Some systems deny tags. There, processes are identified by properties
that they can lose: the kernel's session, their parents, and the mark in their environment.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import resource
import select
import signal
import threading
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

#: The environment variable of the mark, `SERVER/KERNEL`.
MARK = "CODE_INTERPRETER_KERNEL"

#: The tag is the soft limit of file locks. Linux passes limits on at fork(2), keeps them at execve(2), shows them in
#: /proc, and has not enforced this one since 2.4.25 (getrlimit(2)).
RLIMIT_LOCKS = 10

#: The first ten digits of the tags of this server.
SERIES = random.SystemRandom().randrange(10**9, 10**10)

#: An extended regular expression for the line in `/proc/PID/limits` that shows a tag of this server.
TAG_PATTERN = f"^Max file locks +{SERIES}[0-9]{{8}} "

_numbers = itertools.count()

#: A search finds in the next round what was forked during this one. A fork bomb is not worth more rounds.
ROUNDS = 50

#: How long a round waits for killed processes to end.
ROUND_SECONDS = 0.02


class Process(NamedTuple):
    """One process (proc_pid_stat(5))."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    #: The start time in clock ticks. Together with `pid` it identifies the process.
    started: int

    @property
    def is_dead(self) -> bool:
        """Whether it has ended, even if its parent has not waited for it."""
        return self.state in "ZX"


def read(pid: int) -> Process | None:
    """Reads a process; None if it does not exist."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read()
    except OSError:
        return None
    # The name in parentheses may contain anything. The other fields follow the last parenthesis.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def table() -> list[Process]:
    """All processes, including zombies."""
    return [process for entry in os.listdir("/proc") if entry.isdigit() and (process := read(int(entry)))]


class ProcessHandle:
    """A handle that signals one process, and no later one with the same number.

    Before Linux 5.3, which has no pidfds, signals go to the process that has the number.
    """

    def __init__(self, process: Process):
        """Raises `ProcessLookupError` if it has ended."""
        self.pid = process.pid
        self._descriptor: int | None = None
        try:
            self._descriptor = os.pidfd_open(process.pid)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise ProcessLookupError(process.pid) from error
        now = read(process.pid)
        if now is None or now.started != process.started:
            self.close()
            raise ProcessLookupError(process.pid)

    def fileno(self) -> int | None:
        """The pidfd, which is readable when the process has ended."""
        return self._descriptor

    def send(self, number: int) -> None:
        """Sends a signal. Does nothing if the process has ended or must not be signalled."""
        try:
            if self._descriptor is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(self._descriptor, number)
        except OSError:
            pass

    def close(self) -> None:
        """Closes the pidfd."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def open_handles(processes: Iterable[Process]) -> Iterator[list[ProcessHandle]]:
    """Handles of the processes that are still alive."""
    found: list[ProcessHandle] = []
    try:
        for process in processes:
            try:
                found.append(ProcessHandle(process))
            except ProcessLookupError:
                pass
        yield found
    finally:
        for one in found:
            one.close()


def wait(handles: Iterable[ProcessHandle], seconds: float) -> list[ProcessHandle]:
    """Waits until all of them have ended, for at most `seconds`. Returns those that are still alive."""
    deadline = time.monotonic() + seconds
    left = {number: one for one in handles if (number := one.fileno()) is not None}
    unknown = [one for one in handles if one.fileno() is None]
    poll = select.poll()
    for number in left:
        poll.register(number, select.POLLIN)
    while left and (remaining := deadline - time.monotonic()) > 0:
        for number, _ in poll.poll(remaining * 1000):
            poll.unregister(number)
            del left[number]
    if unknown:
        time.sleep(max(0.0, min(deadline - time.monotonic(), ROUND_SECONDS)))
    return [*left.values(), *unknown]


def in_group_of(kernel: int) -> list[Process]:
    """The live descendants of a kernel in its process group."""
    group = os.getpgid(kernel)
    processes = [process for process in table() if not process.is_dead and process.pid != kernel]
    return [process for process in _with_descendants(processes, {kernel}) if process.group == group]


def _with_descendants(processes: list[Process], found: set[int]) -> list[Process]:
    """The processes in `found`, and their descendants."""
    while children := {p.pid for p in processes if p.parent in found and p.pid not in found}:
        found |= children
    return [process for process in processes if process.pid in found]


def tag(pid: int) -> int | None:
    """Tags a process and everything that it starts from now on; None if the system denies it."""
    number = SERIES * 10**8 + next(_numbers) % 10**8
    try:
        _, hard = resource.prlimit(pid, RLIMIT_LOCKS)
        resource.prlimit(pid, RLIMIT_LOCKS, (number, hard))
    except (OSError, ValueError):
        return None
    return number


class KernelIdentity(NamedTuple):
    """Identifies the processes of one kernel."""

    kernel: int
    tag: int | None
    mark: str

    def matches(self, process: Process, tag: int | None) -> bool:
        """Whether the process, whose tag is `tag`, belongs to the kernel."""
        if self.kernel in (process.pid, process.session) or (self.tag is not None and self.tag == tag):
            return True
        # A process with another tag of this server belongs to another kernel.
        return (tag is None or tag // 10**8 != SERIES) and _has_mark(process.pid, f"{MARK}={self.mark}".encode())


def _tag_of(pid: int) -> int | None:
    try:
        number = resource.prlimit(pid, RLIMIT_LOCKS)[0]
        return number if number != resource.RLIM_INFINITY else None
    except ProcessLookupError:
        return None
    except OSError:
        pass  # It belongs to another user. /proc/PID/limits is world-readable.
    try:
        found = re.search(rb"^Max file locks +(\d+) ", Path(f"/proc/{pid}/limits").read_bytes(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _descendants(identities: list[KernelIdentity]) -> list[list[Process]]:
    """For each identity, the live processes of the kernel, including the kernel's own."""
    own = read(os.getpid())
    # Processes older than this one are not ours.
    began = own.started if own else 0
    excluded = {os.getpid(), 1}
    processes = [p for p in table() if p.started >= began and p.pid not in excluded and not p.is_dead]
    tags = {process.pid: _tag_of(process.pid) for process in processes}
    return [
        _with_descendants(processes, {p.pid for p in processes if identity.matches(p, tags[p.pid])})
        for identity in identities
    ]


class Search:
    """A search for the processes of a kernel that has ended."""

    #: Held while the process table is read, for all waiting searches at once.
    _lock = threading.Lock()
    _waiting: deque[Search] = deque()

    def __init__(self, identity: KernelIdentity):
        self.identity = identity
        self.left: list[int] | None = None

    def run(self, seconds: float) -> list[int]:
        """Kills every process found, round by round, until none is found. Returns the processes left after `seconds`.
        """
        Search._waiting.append(self)
        with Search._lock:
            if self.left is None:
                # Searches that arrive later may have to find processes that are started later.
                _end_all([Search._waiting.popleft() for _ in range(len(Search._waiting))], seconds)
        return self.left or []


def _end_all(searches: list[Search], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for number in range(ROUNDS):
        is_last = number == ROUNDS - 1 or time.monotonic() > deadline
        found = _descendants([search.identity for search in searches])
        for search, processes in zip(searches, found):
            if not processes or is_last:
                search.left = [process.pid for process in processes]
        searches = [search for search in searches if search.left is None]
        if not searches:
            return
        with open_handles(process for processes in found for process in processes) as handles:
            for one in handles:
                one.send(signal.SIGKILL)
            wait(handles, ROUND_SECONDS)


def end(kernel: int, number: int | None, mark: str, seconds: float = 2.0) -> list[int]:
    """Kills the processes of a kernel, round by round, until none is found. Returns the processes left after `seconds`.
    Concurrent calls share their reads of the process table.
    """
    return Search(KernelIdentity(kernel, number, mark)).run(seconds)
