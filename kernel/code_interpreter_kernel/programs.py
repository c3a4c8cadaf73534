"""The part of the shell that runs programs: `!`, `!!`, `%system`, `%%bash` and what else IPython has for it."""

from __future__ import annotations

import os
import sys
from subprocess import CalledProcessError
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import LSString, SList

from code_interpreter_kernel import commands


class Programs(InteractiveShell):
    """Each program is ended by an interrupt, and the code that has started it with it."""

    def system_piped(self, cmd: str) -> None:
        """Runs a command; its output is that of the code."""
        _check_foreground(cmd)
        command = self.var_expand(cmd, depth=1)
        sys.stdout.flush()
        sys.stderr.flush()
        with self.kernel.interrupts.not_lost():
            code = commands.run(command, lambda text: text and sys.stdout.write(text))
        sys.stdout.flush()
        self._ended(code, cmd)

    system = system_piped

    def system_raw(self, cmd: str) -> None:
        """Runs a command that has the standard output and error of the kernel."""
        command = self.var_expand(cmd, depth=1)
        with self.kernel.interrupts.not_lost():
            code = commands.call(command, executable=commands.shell())
        self._ended(code, cmd)

    def _ended(self, code: int, command: str) -> None:
        self.user_ns["_exit_code"] = code
        if getattr(self, "system_raise_on_error", False) and code != 0:
            raise CalledProcessError(code, command)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> SList | LSString:
        """What a command writes to its standard output and error: its lines, or a text."""
        _check_foreground(cmd)
        command = self.var_expand(cmd, depth=depth + 1)
        with self.kernel.interrupts.not_lost():
            text, code = commands.output(command)
        if getattr(self, "system_raise_on_error", False):
            self._ended(code, cmd)
        return SList(text.splitlines()) if split else LSString(text)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """Runs a cell magic. Those that run scripts take an interrupt for the end of the script."""
        # One that runs no script may handle an interrupt itself.
        with self.kernel.interrupts.not_lost(lambda: self._is_script(magic_name)):
            return super().run_cell_magic(magic_name, line, cell)

    def _is_script(self, magic_name: str) -> bool:
        # Not there before the first of its magics has run.
        scripts = self.magics_manager.registry.get("ScriptMagics")
        return scripts is not None and magic_name in scripts.magics["cell"]


def _check_foreground(command: str) -> None:
    if command.rstrip().endswith("&"):
        raise OSError("Background processes not supported.")


def replace_system() -> None:
    """Puts a function in the place of `os.system` that an interrupt ends."""
    os.system = commands.system
