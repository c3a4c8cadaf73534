"""Finds and ends every process that a kernel left behind.

A process group is not enough: a child that made a session of its own has left it. All that a kernel starts bears the
kernel's tag, which nothing takes from it. For systems that do not let us tag processes there are signs that a
child can lose: the session of the kernel, a line of parents that leads to it, and the mark that its environment
carries.
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

#: Every kernel and what it starts carries this in the environment: SERVER/KERNEL.
MARK = "CODE_INTERPRETER_KERNEL"

#: A tag is a limit of file locks (the soft one). Linux hands limits down at fork(2), keeps them at execve(2), shows
#: those of every process in /proc, and has not enforced this one since 2.4.25.
RLIMIT_LOCKS = 10

#: What the tags of all our kernels begin with.
SERIES = random.SystemRandom().randrange(10**9, 10**10)

#: Matches, as an extended regular expression, a line in the `limits` of all processes that have one of these tags.
TAGGED = f"^Max file locks +{SERIES}[0-9]{{8}} "

_numbers = itertools.count()

#: A process that forks while it is being looked for is found in the next round; a fork bomb is not worth more.
ROUNDS = 50

#: How long to wait for the end of those that were killed, before the next round.
ROUND_SECONDS = 0.02


class Process(NamedTuple):
    """One line of the process table."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    #: When it was started, in ticks of the machine's clock: with `pid` it names one process and no later one.
    started: int

    @property
    def is_dead(self) -> bool:
        """Whether it has ended, also if nobody has waited for it yet."""
        return self.state in "ZX"


def read(pid: int) -> Process | None:
    """None where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read()
    except OSError:
        return None
    # The name, in parentheses, may hold anything: what counts comes behind the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def table() -> list[Process]:
    """All processes that are there now, those that have ended and that nobody has waited for yet included."""
    return [process for entry in os.listdir("/proc") if entry.isdigit() and (process := read(int(entry)))]


class Held:
    """A process that signals reach, and not one that has got its number since.

    Before Linux 5.3, which has no descriptors for processes, signals go to whoever has the number.
    """

    def __init__(self, process: Process):
        """Raises `ProcessLookupError` where it has ended."""
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
        """Is ready to be read when the process has ended."""
        return self._descriptor

    def send(self, number: int) -> None:
        """Sends a signal. Does nothing where the process has ended, or is not ours to end."""
        try:
            if self._descriptor is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(self._descriptor, number)
        except OSError:
            pass

    def close(self) -> None:
        """Holds it no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def held(processes: Iterable[Process]) -> Iterator[list[Held]]:
    """Those of them that still live."""
    found: list[Held] = []
    try:
        for process in processes:
            try:
                found.append(Held(process))
            except ProcessLookupError:
                pass
        yield found
    finally:
        for one in found:
            one.close()


def wait(those: Iterable[Held], seconds: float) -> list[Held]:
    """Waits until all of them have ended, but no longer than `seconds`; those that have not."""
    deadline = time.monotonic() + seconds
    left = {number: one for one in those if (number := one.fileno()) is not None}
    unknown = [one for one in those if one.fileno() is None]
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
    """The living descendants of a kernel that are in its process group."""
    group = os.getpgid(kernel)
    processes = [process for process in table() if not process.is_dead and process.pid != kernel]
    return [process for process in _with_descendants(processes, {kernel}) if process.group == group]


def _with_descendants(processes: list[Process], found: set[int]) -> list[Process]:
    """Of `processes` those that are in `found`, or come from one that is."""
    while children := {p.pid for p in processes if p.parent in found and p.pid not in found}:
        found |= children
    return [process for process in processes if process.pid in found]


def tag(pid: int) -> int | None:
    """Gives a process, and thereby all that it starts from now on, a tag; None where the system does not let us."""
    number = SERIES * 10**8 + next(_numbers) % 10**8
    try:
        _, hard = resource.prlimit(pid, RLIMIT_LOCKS)
        resource.prlimit(pid, RLIMIT_LOCKS, (number, hard))
    except (OSError, ValueError):
        return None
    return number


class Signs(NamedTuple):
    """What tells the processes of one kernel from all others."""

    kernel: int
    tag: int | None
    mark: str

    def are_shown_by(self, process: Process, tag: int | None) -> bool:
        """Whether a process, which bears `tag`, shows one of them."""
        if self.kernel in (process.pid, process.session) or (self.tag is not None and self.tag == tag):
            return True
        # One that bears another of our tags belongs to another kernel.
        return (tag is None or tag // 10**8 != SERIES) and _carries(process.pid, f"{MARK}={self.mark}".encode())


def _tag_of(pid: int) -> int | None:
    try:
        number = resource.prlimit(pid, RLIMIT_LOCKS)[0]
        return number if number != resource.RLIM_INFINITY else None
    except ProcessLookupError:
        return None
    except OSError:
        pass  # It belongs to another user. What is to be seen in /proc is to be seen by all.
    try:
        found = re.search(rb"^Max file locks +(\d+) ", Path(f"/proc/{pid}/limits").read_bytes(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _descendants(all_signs: list[Signs]) -> list[list[Process]]:
    """For each of these the living processes of its kernel, the kernel's own included."""
    own = read(os.getpid())
    # What was there before us is nothing that a kernel of ours has started.
    began = own.started if own else 0
    mine = {os.getpid(), 1}
    processes = [p for p in table() if p.started >= began and p.pid not in mine and not p.is_dead]
    tags = {process.pid: _tag_of(process.pid) for process in processes}
    return [
        _with_descendants(processes, {p.pid for p in processes if signs.are_shown_by(p, tags[p.pid])})
        for signs in all_signs
    ]


class Hunt:
    """One search for the processes of a kernel that has ended."""

    #: Held by who looks through the process table: for all that wait meanwhile.
    _looking = threading.Lock()
    _waiting: deque[Hunt] = deque()

    def __init__(self, signs: Signs):
        self.signs = signs
        self.left: list[int] | None = None

    def run(self, seconds: float) -> list[int]:
        """Kills all that it finds until nothing is found any more; returns what is left after `seconds`."""
        Hunt._waiting.append(self)
        with Hunt._looking:
            if self.left is None:
                # Those that have come by now: who comes later may look for what is started later.
                _end_all([Hunt._waiting.popleft() for _ in range(len(Hunt._waiting))], seconds)
        return self.left or []


def _end_all(hunts: list[Hunt], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for number in range(ROUNDS):
        is_last = number == ROUNDS - 1 or time.monotonic() > deadline
        found = _descendants([hunt.signs for hunt in hunts])
        for hunt, processes in zip(hunts, found):
            if not processes or is_last:
                hunt.left = [process.pid for process in processes]
        hunts = [hunt for hunt in hunts if hunt.left is None]
        if not hunts:
            return
        with held(process for processes in found for process in processes) as those:
            for one in those:
                one.send(signal.SIGKILL)
            wait(those, ROUND_SECONDS)


def end(kernel: int, number: int | None, mark: str, seconds: float = 2.0) -> list[int]:
    """Kills the processes of the kernel whose process was `kernel` until none is found any more; returns those that are left
    after `seconds`. Those who call it at the same time share what it takes.
    """
    return Hunt(Signs(kernel, number, mark)).run(seconds)
