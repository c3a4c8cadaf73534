"""Processes in /proc. Zombies count as gone."""

import contextlib
import os
import time
from itertools import pairwise
from pathlib import Path

from .waiting import wait_until

MARK = "INTEGRATION_TEST_MARK"
"""Each server has its own value of this variable, which its descendants inherit. (The server does not pass on variables
that begin with CODE_INTERPRETER_.)
"""


KERNEL_MARK = "CODE_INTERPRETER_KERNEL"
"""The server's mark of each kernel, SERVER/KERNEL. A KERNEL of zeros is none."""


def state(pid):
    """The state letter in /proc/PID/stat; None if there is no such process."""
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
    """The start time in clock ticks."""
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
    """The live descendants of `pid`."""
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
    """A variable in the environment of the process; None if it is not set."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    start = f"{name}=".encode()
    values = [entry[len(start) :] for entry in environment.split(b"\0") if entry.startswith(start)]
    return values[0].decode(errors="replace") if values else None


def marked(mark):
    """The live processes with `mark` in their environment, anywhere in the process tree."""
    return [pid for pid in everyone() if variable(pid, MARK) == mark and is_alive(pid)]


def kernels(pids):
    """The kernels among these processes: for each kernel a list of its own process, which is the oldest, and its
    descendants.
    """
    found = {}
    for pid in sorted(pids, key=started):
        if (mark := variable(pid, KERNEL_MARK)) and mark.rpartition("/")[2].strip("0-"):
            found.setdefault(mark, []).append(pid)
    return list(found.values())


def arguments(pid):
    """The command line; empty if there is no such process."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return line.removesuffix(b"\0").decode(errors="replace").split("\0")


def running(pids, module):
    """The processes that were started as `python -m module`."""
    return [pid for pid in pids if ["-m", module] in map(list, pairwise(arguments(pid)))]


def describe(pids):
    """For messages only, as paths can contain any word: each process with its command line."""
    return "\n".join(f"{pid} {state(pid)} {' '.join(arguments(pid))[:200]}" for pid in pids)


def resident_bytes(pid):
    return _memory(pid, "VmRSS")


def anonymous_bytes(pid):
    """The resident memory that no file backs."""
    return _memory(pid, "RssAnon")


def _memory(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field} of {pid}")


def thread_count(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def open_files(pid):
    """What its descriptors refer to."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return found


def open_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
