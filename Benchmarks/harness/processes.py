"""Starts programs, reads their resource usage, and stops them by process id."""

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path


class StartFailed(Exception):
    """A contestant did not start; the message has the end of its output."""


class Program:
    """A child process in its own group, with its output in a file in the scratch directory."""

    def __init__(self, name, command, scratch, environment=None, announce=None, directory=None):
        self.name = name
        self.log = Path(scratch) / f"{name.replace(' ', '-')}.{time.monotonic_ns()}.log"
        self.started = time.perf_counter()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if announce else log,
                stderr=log,
                env={**inherited_environment(), **(environment or {})},
                cwd=directory,
                start_new_session=True,
            )
        try:
            self.announcement = self._wait_for_line(announce) if announce else None
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self.process.pid

    def _wait_for_line(self, prefix, seconds=60):
        """The rest of the line of standard output that begins with `prefix`."""
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        end, read = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            if not selector.select(0.1):
                continue
            piece = os.read(self.process.stdout.fileno(), 4096)
            read += piece
            for line in read.decode(errors="replace").splitlines():
                if line.startswith(prefix) and read.endswith(b"\n"):
                    return line[len(prefix) :].strip()
            if not piece:
                break
        raise StartFailed(f"{self.name} did not say '{prefix}…'\n{self.log_tail()}")

    def check_alive(self):
        if self.process.poll() is not None:
            raise StartFailed(f"{self.name} ended with {self.process.returncode}\n{self.log_tail()}")

    def log_tail(self, count=2000):
        return self.log.read_bytes()[-count:].decode(errors="replace")

    def stop(self, grace=15):
        """Sends SIGTERM to the process, then SIGKILL to its group."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                print(f"{self.name} did not end {grace} s after SIGTERM: killed", flush=True)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def inherited_environment():
    """Our environment, without the variables that `run` has set for this program."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def memory(pid):
    """The resident memory of a process in bytes: now, and the highest since `forget_peak`."""
    fields = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            fields[name] = int(value.split()[0]) * 1024
    return fields["VmRSS"], fields["VmHWM"]


def forget_peak(pid):
    """Resets VmHWM to VmRSS before the next phase."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def processor_time(pid):
    """The processor time of a process with all its threads, in seconds, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def output(*command):
    """The output of a command; None if it cannot be run."""
    try:
        told = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=20)
    except OSError as error:
        print(error, file=sys.stderr)
        return None
    return told.stdout.strip() or None
