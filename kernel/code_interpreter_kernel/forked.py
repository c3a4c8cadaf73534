"""Makes a forked process look like one that was started by exec."""

from __future__ import annotations

import atexit
import gc
import os
import random
import shutil
import signal
import sys
from typing import Any, NamedTuple

from code_interpreter_kernel.isolation import Policy, enter
from code_interpreter_kernel.processes import MARK

#: The module that a kernel runs.
KERNEL = "code_interpreter_kernel.kernel"


class Request(NamedTuple):
    """A request for a kernel."""

    id: int
    #: The arguments, without the interpreter and its options.
    argv: list[str]
    #: Its working directory.
    cwd: str
    #: Its whole environment.
    env: dict[str, str]
    #: The file for its standard output and error.
    log: str
    #: What it may reach, as the fields of a `Policy`.
    isolation: dict[str, Any] = {}


def reset_process(request: Request, variables: dict[str, str]) -> Policy:
    """Resets the state of the fork server and applies the request. Returns what the process may reach. Raises `OSError` if that
    fails.

    `variables` are the environment variables that modules have set at import.
    """
    _reset_signals()
    _open_streams(request.log)
    change_directory(request.cwd)
    os.environ.clear()
    os.environ.update(variables | request.env)
    _set_arguments(request.argv)
    _show_in_proc(request)
    _seed()
    # matplotlib removes its temporary configuration directory at exit: only the fork server may do that.
    atexit.unregister(shutil.rmtree)
    policy = Policy(**request.isolation)
    enter(policy)
    gc.enable()
    return policy


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _open_streams(log: str) -> None:
    # The reader has opened the pipe before. Without one, the open fails instead of blocking.
    writing = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
    os.set_blocking(writing, True)
    reading = os.open(os.devnull, os.O_RDONLY)
    for standard, descriptor in enumerate((reading, writing, writing)):
        os.dup2(descriptor, standard)
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)


def change_directory(directory: str) -> None:
    """Makes the process look as if it had been started there."""
    os.chdir(directory)
    if "multiprocessing.process" in sys.modules:
        # Spawned processes look for modules there.
        sys.modules["multiprocessing.process"].ORIGINAL_DIR = os.getcwd()


def _set_arguments(argv: list[str]) -> None:
    """Sets `sys.argv` as `python -m code_interpreter_kernel.kernel ...` does."""
    file = sys.modules[KERNEL].__file__ or ""
    sys.argv = [file, *argv]
    sys.orig_argv = [sys.orig_argv[0], "-m", KERNEL, *argv]


def _seed() -> None:
    """Reseeds: otherwise all kernels would produce the same random numbers."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _show_in_proc(request: Request) -> None:
    """Writes the command line and the mark over those of the fork server, for readers of `/proc/PID/cmdline` and
    `environ`.
    """
    stat = _read("/proc/self/stat")
    # The fields after the name, which may contain anything. The first one has the number 3 in proc_pid_stat(5).
    fields = [0, 0, 0, *stat[stat.rindex(b")") + 2 :].split()]
    arguments, arguments_end, environment = (int(fields[number]) for number in (48, 49, 50))
    command = b"".join(os.fsencode(word) + b"\0" for word in sys.orig_argv)
    room = arguments_end - arguments
    _write_memory(arguments, command[: room - 1].ljust(room, b"\0"))
    mark = os.fsencode(f"{MARK}={request.env.get(MARK, '')}") + b"\0"
    offset = 0
    for variable in _read("/proc/self/environ").split(b"\0"):
        if variable.startswith(os.fsencode(MARK) + b"=") and len(variable) + 1 == len(mark):
            _write_memory(environment + offset, mark)
        offset += len(variable) + 1


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write_memory(address: int, data: bytes) -> None:
    try:
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(data)
    except OSError:
        pass  # Some systems deny it. The kernel works without.
