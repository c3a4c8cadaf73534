"""Programs that code starts with `!`, `os.system` and the like: an interrupt ends them, and the code that has started them.

IPython takes an interrupt of a program for its end and goes on with the code. C's `system` ignores it meanwhile. Standard
input is at its end: nobody is there to type.
"""

from __future__ import annotations

import codecs
import errno
import os
import select
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from typing import Any, Callable

from code_interpreter_kernel.system import System

#: How long a program that was interrupted has for each of these, in seconds, until the next is sent.
ENDING = ((signal.SIGINT, 1.0), (signal.SIGTERM, 0.5), (signal.SIGKILL, 2.0))

#: Rows and columns of the terminal, as those of pexpect, by which IPython runs programs.
ROWS, COLUMNS = 24, 80

#: Bytes that are read of a terminal or pipe at a time.
READ_BYTES = 1 << 16

#: Exit statuses above this are those of a shell whose program was ended by a signal.
SIGNALLED = 128


def run(command: str, write: Callable[[str], Any]) -> int:
    """Runs a command in the user's shell at a terminal, so that programs do not keep their lines; as long as the shell lives.

    The exit status, where a signal is its number below zero. `write` gets what it writes to its standard output and error.
    """
    controller, terminal = _open_terminal()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    process = None
    try:
        try:
            process = System.popen(
                [shell(), "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        finally:
            System.close(terminal)
        _pass_on(process, controller, lambda data: write(decoder.decode(data)))
        write(decoder.decode(b"", final=True))
    except BaseException:
        if process is not None:
            _end(process, lambda seconds: _pass_on(process, controller, lambda data: write(decoder.decode(data)), seconds))
        raise
    finally:
        System.close(controller)
    return SIGNALLED - process.returncode if process.returncode > SIGNALLED else process.returncode


def output(command: str) -> tuple[str, int]:
    """What a command writes, and its exit status."""
    process = System.popen(
        [shell(), "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with _ended_by_an_error(process):
        data, _ = process.communicate()
    return data.decode(errors="replace"), process.returncode


def call(command: str | bytes | os.PathLike[str], executable: str | None = None) -> int:
    """Runs a command with the standard output and error of the kernel; its exit status."""
    process = System.popen(command, shell=True, executable=executable, stdin=subprocess.DEVNULL)
    with _ended_by_an_error(process, group=False):
        return process.wait()


def system(command: str | bytes | os.PathLike[str]) -> int:
    """Execute the command in a subshell.

    In the place of `os.system`, whose result this has.
    """
    sys.audit("os.system", os.fsencode(command))
    status = call(command)
    return -status if status < 0 else status << 8


def shell() -> str:
    """The user's shell."""
    name = os.environ.get("SHELL") or "sh"
    return System.which(name) or "/bin/sh"


def _open_terminal() -> tuple[int, int]:
    controller, terminal = System.openpty()
    attributes = termios.tcgetattr(terminal)
    # Lines end as the program ends them, without a carriage return.
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    System.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return controller, terminal


def _pass_on(
    process: subprocess.Popen[bytes], controller: int, write: Callable[[bytes], Any], seconds: float | None = None
) -> None:
    """Passes on what comes from the terminal until the process has ended, or for that long; then what is left."""
    poll = System.poll()
    poll.register(controller, select.POLLIN)
    ended = System.pidfd_open(process.pid)
    try:
        poll.register(ended, select.POLLIN)
        timeout = None if seconds is None else seconds * 1000
        while (ready := dict(poll.poll(timeout))) and (controller in ready or ended not in ready):
            data = _read(controller)
            if data:
                write(data)
            elif ended in ready:
                break
            else:
                # All have closed the terminal. What lives on says nothing.
                poll.unregister(controller)
        if ended in ready:
            process.wait()
    finally:
        System.close(ended)


def _read(descriptor: int) -> bytes:
    try:
        return System.read(descriptor, READ_BYTES)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


class _ended_by_an_error:
    """Ends a process where an interrupt, or any other error, comes before its end."""

    def __init__(self, process: subprocess.Popen[bytes], *, group: bool = True):
        self._process, self._group = process, group

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if error is not None:
            _end(self._process, self._wait, group=self._group)
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()

    def _wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)


def _end(process: subprocess.Popen[bytes], wait: Callable[[float], Any], *, group: bool = True) -> None:
    """Ends a process, politely first. Another interrupt makes it less patient."""
    for number, seconds in ENDING:
        try:
            if process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                (System.killpg if group else System.kill)(process.pid, number)
            wait(seconds)
        except KeyboardInterrupt:
            continue
        except (OSError, ValueError):
            continue  # Who takes its output takes no more.
