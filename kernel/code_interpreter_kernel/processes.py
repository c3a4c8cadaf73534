"""Finds and ends every process that a kernel left behind.

A process group is not enough: a child that made a session of its own has left it. All that a kernel starts bears the
kernel's brand, which nothing takes from it. For systems that do not let us brand processes there are signs that a
child can lose: the session of the kernel, a line of parents that leads to it, and the mark that its environment
carries.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import resource
import signal
import time
from pathlib import Path
from typing import NamedTuple

#: Every kernel and what it starts carries this in the environment: SERVER/KERNEL.
MARK = "CODE_INTERPRETER_KERNEL"

#: A brand is a limit of file locks (the soft one). Linux hands limits down at fork(2), keeps them at execve(2), shows
#: those of every process in /proc, and has not heeded this one since 2.4.25.
RLIMIT_LOCKS = 10

#: What the brands of all our kernels begin with.
SERIES = random.SystemRandom().randrange(10**9, 10**10)

#: Matches, as an extended regular expression, a line in the `limits` of all that bear one of ours.
BRANDED = f"^Max file locks +{SERIES}[0-9]{{8}} "

_numbers = itertools.count()

#: A process that forks while it is being looked for is found in the next round; a fork bomb is not worth more.
ROUNDS = 50


class Process(NamedTuple):
    """One line of the process table."""

    pid: int
    parent: int
    session: int
    state: str


def table() -> list[Process]:
    """All processes that are there now, zombies included."""
    processes = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            process = _read(int(entry))
            if process is not None:
                processes.append(process)
    return processes


def _read(pid: int) -> Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name, in parentheses, may hold anything: what counts comes behind the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[3]), fields[0].decode())


def brand(pid: int) -> int | None:
    """Gives a process, and thereby all that it starts from now on, a brand; None where the system does not let us."""
    number = SERIES * 10**8 + next(_numbers) % 10**8
    try:
        _, hard = resource.prlimit(pid, RLIMIT_LOCKS)
        resource.prlimit(pid, RLIMIT_LOCKS, (number, hard))
    except (OSError, ValueError):
        return None
    return number


def _bears(pid: int, number: int | None) -> bool:
    if number is None:
        return False
    try:
        found = re.search(rb"^Max file locks +(\d+) ", Path(f"/proc/{pid}/limits").read_bytes(), re.MULTILINE)
    except OSError:
        return False
    return found is not None and int(found[1]) == number


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def descendants(kernel: int, number: int | None, mark: str) -> list[int]:
    """The living processes of the kernel whose process was `kernel`, itself included where it still lives."""
    sign = f"{MARK}={mark}".encode()
    mine = {os.getpid(), 1}
    processes = [p for p in table() if p.pid not in mine and p.state not in "ZX"]
    found = {p.pid for p in processes if kernel in (p.pid, p.session) or _bears(p.pid, number) or _carries(p.pid, sign)}
    grown = True
    while grown:
        children = {p.pid for p in processes if p.parent in found and p.pid not in found}
        grown = bool(children)
        found |= children
    return sorted(found)


def end(kernel: int, number: int | None, mark: str, seconds: float = 2.0) -> list[int]:
    """Kills all that `descendants` finds until nothing is found any more; returns what is left after `seconds`."""
    deadline = time.monotonic() + seconds
    left: list[int] = []
    for _ in range(ROUNDS):
        left = descendants(kernel, number, mark)
        if not left or time.monotonic() > deadline:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.002)
    return left
