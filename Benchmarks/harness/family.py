"""A server's descendants: their number, activity and memory."""

import time
from pathlib import Path

from .processes import processor_time

STEP = 0.1  # Seconds.
RESTING_STEPS = 6  # Longer than the server waits before it begins to fill its pool again, also on a busy machine.
RESTING_STEPS_OF_ALL = 2  # When it is known how many there are in the end: until the last of them has started.
RESTING_TIME = 0.011  # Seconds of processor time a step: one tick of the counter, which is more than idle kernels use.
LIMIT = 15  # Seconds; a busy machine may never be idle.
FORK_SERVER = b"code_interpreter_kernel.fork_server"


class Family:
    """All descendants of a process, without itself."""

    def __init__(self, pid):
        self.pid = pid

    def members(self):
        children = {}
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit() and (parent := parent_of(directory)):
                children.setdefault(parent, []).append(int(directory.name))
        found, left = [], [self.pid]
        while left:
            born = children.get(left.pop(), [])
            found += born
            left += born
        return found

    def settle(self, count=None):
        """Waits until no process starts, ends or works any more, and there are `count` of them if it is given.

        So a pool of kernels can be seen to be full, by whatever way they are made. Answers how many there are.
        """
        end, resting, before = time.monotonic() + LIMIT, 0, None
        enough = RESTING_STEPS if count is None else RESTING_STEPS_OF_ALL
        while time.monotonic() < end and resting < enough:
            members = self.members()
            now = (set(members), sum(map(used_time, members)))
            rests = before and now[0] == before[0] and now[1] - before[1] < RESTING_TIME
            resting = resting + 1 if rests and count in (None, len(members)) else 0
            before = now
            time.sleep(STEP)
        return len(self.members())

    def proportional_memory(self):
        """The memory in bytes, with each process's share of shared pages (PSS)."""
        return sum(map(proportional_memory, self.members()))

    @property
    def forks(self):
        """Whether there is a fork server."""
        return any(FORK_SERVER in command_line(pid) for pid in self.members())


def parent_of(directory):
    try:
        return int((directory / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None  # The process has ended.


def used_time(pid):
    try:
        return processor_time(pid)
    except (OSError, IndexError):
        return 0


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def proportional_memory(pid):
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)
