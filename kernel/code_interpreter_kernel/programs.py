"""The part of the shell that runs programs: `!`, `!!`, `%system`, `%%bash` and others."""

from __future__ import annotations

import os
import sys
from subprocess import CalledProcessError
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import LSString, SList

from code_interpreter_kernel import commands


class Programs(InteractiveShell):
    """An interrupt ends the program and the code that started it."""

    def system_piped(self, cmd: str) -> None:
        """Runs a command; its output goes to `sys.stdout`."""
        _check_foreground(cmd)
        command = self.var_expand(cmd, depth=1)
        sys.stdout.flush()
        sys.stderr.flush()
        with self.kernel.interrupts.reraising():
            code = commands.run(command, lambda text: text and sys.stdout.write(text))
        sys.stdout.flush()
        self._ended(code, cmd)

    system = system_piped

    def system_raw(self, cmd: str) -> None:
        """Runs a command with the kernel's standard output and error."""
        command = self.var_expand(cmd, depth=1)
        with self.kernel.interrupts.reraising():
            code = commands.call(command, executable=commands.shell())
        self._ended(code, cmd)

    def _ended(self, code: int, command: str) -> None:
        self.user_ns["_exit_code"] = code
        if getattr(self, "system_raise_on_error", False) and code != 0:
            raise CalledProcessError(code, command)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> SList | LSString:
        """The standard output and error of a command, as lines or as text."""
        _check_foreground(cmd)
        command = self.var_expand(cmd, depth=depth + 1)
        with self.kernel.interrupts.reraising():
            text, code = commands.output(command)
        if getattr(self, "system_raise_on_error", False):
            self._ended(code, cmd)
        return SList(text.splitlines()) if split else LSString(text)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """Runs a cell magic. Script magics take an interrupt as the end of the script."""
        # Other magics may handle an interrupt themselves.
        with self.kernel.interrupts.reraising(lambda: self._is_script(magic_name)):
            return super().run_cell_magic(magic_name, line, cell)

    def _is_script(self, magic_name: str) -> bool:
        # Missing until the first script magic has run.
        scripts = self.magics_manager.registry.get("ScriptMagics")
        return scripts is not None and magic_name in scripts.magics["cell"]


def _check_foreground(command: str) -> None:
    if command.rstrip().endswith("&"):
        raise OSError("Background processes not supported.")


def replace_system() -> None:
    """Replaces `os.system`, which ignores SIGINT while the program runs."""
    os.system = commands.system
