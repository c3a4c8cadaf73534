"""Processes as /proc shows them. A process that nobody has reaped yet (a zombie) counts as gone."""

import contextlib
import os
import time
from itertools import pairwise
from pathlib import Path

from .waiting import wait_until

MARK = "INTEGRATION_TEST_MARK"
"""Each server gets a value of its own in this variable, and what it starts inherits it. (The server keeps variables
that begin with CODE_INTERPRETER_ to itself.)"""


KERNEL_MARK = "CODE_INTERPRETER_KERNEL"
"""The server gives each kernel a value of its own in this variable: SERVER/KERNEL, where a KERNEL of zeros is none."""


def state(pid):
    """The state letter in /proc/PID/stat, or None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()[0]


def is_alive(pid):
    return state(pid) not in (None, "Z", "X")


def at_rest(pid):
    """Whether no thread of the process runs, or would if others left it a processor."""
    states = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return "R" not in states


def wait_until_still(*pids):
    """Waits until these processes wait for something: of many looks nearly all find them at rest."""

    def still():
        looks = []
        for _ in range(20):
            looks.append(all(map(at_rest, pids)))
            time.sleep(0.02)
        return sum(looks) >= 18

    wait_until(still, "the processes stand still", pause=0)


def started(pid):
    """When it was started, in ticks of the machine's clock."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def everyone():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(pid):
    """The living children of `pid`, theirs, and so on."""
    children = {}
    for one in everyone():
        children.setdefault(parent(one), []).append(one)
    found, queue = [], [pid]
    while queue:
        new = children.get(queue.pop(), [])
        found += new
        queue += new
    return [one for one in found if is_alive(one)]


def variable(pid, name):
    """A variable that the process was started with, or None."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    start = f"{name}=".encode()
    values = [entry[len(start) :] for entry in environment.split(b"\0") if entry.startswith(start)]
    return values[0].decode(errors="replace") if values else None


def marked(mark):
    """The living processes that carry `mark` in their environment, wherever they hang in the tree."""
    return [pid for pid in everyone() if variable(pid, MARK) == mark and is_alive(pid)]


def kernels(pids):
    """Of these processes those of kernels: for each kernel its own, which is the oldest, and those that it started."""
    found = {}
    for pid in sorted(pids, key=started):
        if (mark := variable(pid, KERNEL_MARK)) and mark.rpartition("/")[2].strip("0-"):
            found.setdefault(mark, []).append(pid)
    return list(found.values())


def arguments(pid):
    """The command line, its program first; empty where there is no such process."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return line.removesuffix(b"\0").decode(errors="replace").split("\0")


def running(pids, module):
    """Of these processes those that were started as `python -m module`."""
    return [pid for pid in pids if ["-m", module] in map(list, pairwise(arguments(pid)))]


def describe(pids):
    """For messages alone, as paths can hold any word: each process with its command line."""
    return "\n".join(f"{pid} {state(pid)} {' '.join(arguments(pid))[:200]}" for pid in pids)


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmRSS of {pid}")


def open_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
