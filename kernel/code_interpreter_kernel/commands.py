"""Programs that code starts with `!`, `os.system` and the like. An interrupt ends the program and the code that started
it.

IPython takes an interrupt as the end of the program and continues the code; C's `system` ignores SIGINT while it
waits. Standard input is `/dev/null`: nobody types.
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

#: The signals that end an interrupted program, and how long to wait after each, in seconds.
ESCALATION = ((signal.SIGINT, 1.0), (signal.SIGTERM, 0.5), (signal.SIGKILL, 2.0))

#: The size of the terminal, as pexpect's, which IPython uses.
ROWS, COLUMNS = 24, 80

#: How many bytes are read at a time.
READ_BYTES = 1 << 16

#: A shell reports a program killed by a signal with 128 and the signal's number.
SIGNALLED = 128


def run(command: str, write: Callable[[str], Any]) -> int:
    """Runs a command in the user's shell on a terminal, so that programs buffer by line. Returns when the shell ends.

    Returns the exit status; a signal is its negative number. `write` gets standard output and error.
    """
    controller, terminal = _open_terminal()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def pass_on(process: subprocess.Popen[bytes], seconds: float | None = None) -> None:
        _pass_on(process, controller, lambda data: write(decoder.decode(data)), seconds)

    try:
        with Program(pass_on) as program:
            try:
                process = program.start(
                    [shell(), "-c", command],
                    stdin=subprocess.DEVNULL,
                    stdout=terminal,
                    stderr=terminal,
                    start_new_session=True,
                )
            finally:
                System.close(terminal)
            pass_on(process)
            write(decoder.decode(b"", final=True))
    finally:
        System.close(controller)
    return SIGNALLED - process.returncode if process.returncode > SIGNALLED else process.returncode


def output(command: str) -> tuple[str, int]:
    """Runs a command; returns its output and exit status."""
    with Program() as program:
        process = program.start(
            [shell(), "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        data, _ = process.communicate()
    return data.decode(errors="replace"), process.returncode


def call(command: str | bytes | os.PathLike[str], executable: str | None = None) -> int:
    """Runs a command with the kernel's standard output and error; returns its exit status."""
    with Program(group=False) as program:
        return program.start(command, shell=True, executable=executable, stdin=subprocess.DEVNULL).wait()


def system(command: str | bytes | os.PathLike[str]) -> int:
    """Execute the command in a subshell.

    Replaces `os.system` and returns the same values.
    """
    sys.audit("os.system", os.fsencode(command))
    status = call(command)
    return -status if status < 0 else status << 8


def shell() -> str:
    """The user's shell."""
    name = os.environ.get("SHELL") or "sh"
    return System.which(name) or "/bin/sh"


def _open_terminal() -> tuple[int, int]:
    """The two ends; those of a pipe in an isolated context, where the terminals of others are out of reach, and so are its own."""
    try:
        controller, terminal = System.openpty()
    except PermissionError:
        return System.pipe()
    attributes = termios.tcgetattr(terminal)
    # No translation of `\n` to `\r\n`.
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    System.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return controller, terminal


def _pass_on(
    process: subprocess.Popen[bytes], controller: int, write: Callable[[bytes], Any], seconds: float | None = None
) -> None:
    """Forwards terminal output until the process has ended or `seconds` have passed; then the rest."""
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
                # Every process has closed the terminal. Those that still run write elsewhere.
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


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


class Program:
    """A program that ends with the `with` statement, if an interrupt or another error ends that first."""

    def __init__(self, wait: Callable[[subprocess.Popen[bytes], float], Any] = _wait, *, group: bool = True):
        """`wait` waits for the end of the process, so many seconds at most. `group` is true if the process has a group of
        its own.
        """
        self._wait, self._group = wait, group
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        """Starts it, as `subprocess.Popen` does. Interrupts are kept meanwhile (`shell.runs`): of a process that runs
        already and is not known here yet nobody would see to the end.
        """
        self._process = System.popen(*arguments, **options)
        return self._process

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        process = self._process
        if error is not None and process is not None:
            _end(process, lambda seconds: self._wait(process, seconds), group=self._group)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def _end(process: subprocess.Popen[bytes], wait: Callable[[float], Any], *, group: bool = True) -> None:
    """Sends the signals of `ESCALATION` in turn until the process has ended. Another interrupt skips to the next one.
    """
    for number, seconds in ESCALATION:
        try:
            if process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                (System.killpg if group else System.kill)(process.pid, number)
            wait(seconds)
        except KeyboardInterrupt:
            continue
        except (OSError, ValueError):
            continue  # `write` fails: its stream is closed.
