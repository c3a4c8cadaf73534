"""Finds and ends every process that a kernel left behind.

A process group is not enough: a child that made a session of its own has left it. Three signs are looked for
in /proc: the session of the kernel, a line of parents that leads to it, and the mark that its environment carries.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

#: Every kernel and what it starts carries this in the environment: SERVER/KERNEL.
MARK = "CODE_INTERPRETER_KERNEL"

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


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def descendants(kernel: int, mark: str) -> list[int]:
    """The living processes of the kernel whose process was `kernel`, itself included where it still lives."""
    sign = f"{MARK}={mark}".encode()
    mine = {os.getpid(), 1}
    processes = [p for p in table() if p.pid not in mine and p.state not in "ZX"]
    found = {p.pid for p in processes if p.pid == kernel or p.session == kernel or _carries(p.pid, sign)}
    grown = True
    while grown:
        children = {p.pid for p in processes if p.parent in found and p.pid not in found}
        grown = bool(children)
        found |= children
    return sorted(found)


def end(kernel: int, mark: str, seconds: float = 2.0) -> list[int]:
    """Kills all that `descendants` finds until nothing is found any more; returns what is left after `seconds`."""
    deadline = time.monotonic() + seconds
    left: list[int] = []
    for _ in range(ROUNDS):
        left = descendants(kernel, mark)
        if not left or time.monotonic() > deadline:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.002)
    return left
