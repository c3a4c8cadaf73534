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
    """Runs a command; returns its output and exit status."""
    process = System.popen(
        [shell(), "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with _ended_on_error(process):
        data, _ = process.communicate()
    return data.decode(errors="replace"), process.returncode


def call(command: str | bytes | os.PathLike[str], executable: str | None = None) -> int:
    """Runs a command with the kernel's standard output and error; returns its exit status."""
    process = System.popen(command, shell=True, executable=executable, stdin=subprocess.DEVNULL)
    with _ended_on_error(process, group=False):
        return process.wait()


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
    controller, terminal = System.openpty()
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


class _ended_on_error:
    """Ends the process if an interrupt or another error comes first."""

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
