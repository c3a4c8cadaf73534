"""The shell that runs the code of requests."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from IPython.core.events import EventManager
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from ipykernel import zmqshell
from traitlets import Type, observe

from code_interpreter_kernel import safe
from code_interpreter_kernel.commands import Program
from code_interpreter_kernel.errors import ErrorReports
from code_interpreter_kernel.formatting import DisplayFormatter, DisplayHook
from code_interpreter_kernel.interrupts import Interrupts
from code_interpreter_kernel.programs import Programs


class ZMQInteractiveShell(ErrorReports, Programs, zmqshell.ZMQInteractiveShell):
    """ipykernel's shell, with the same class name: libraries detect Jupyter by it."""

    displayhook_class = Type(DisplayHook)

    #: Raised instead of running the next code.
    refusal: BaseException | None = None

    #: Whether the next transformed cell will be transformed again; and that cell with its result.
    _will_ask_again = False
    _transformed: tuple[str, str] | None = None
    #: The last cell checked for `await`, and the result.
    _looked_at: tuple[Any, bool] | None = None

    @property
    def _interrupts(self) -> Interrupts:
        return self.kernel.interrupts

    def init_display_formatter(self) -> None:
        """Called at the start."""
        self.display_formatter = DisplayFormatter(parent=self)
        self.configurables.append(self.display_formatter)

    @observe("exit_now")
    def _update_exit_now(self, change: Any) -> None:
        """Ends the kernel. ipykernel continues for a while, with further requests."""
        if change["new"]:
            self.kernel.exit()
            exit_hook = getattr(self.kernel.eventloop, "exit_hook", None)
            if exit_hook:
                exit_hook(self.kernel)

    def ask_exit(self) -> None:
        """Implements `exit()`: ends the kernel after the cell, and a forked child at once."""
        if self.kernel.is_forked:
            status = self.keepkernel_on_exit
            raise SystemExit(status if type(status) is int else None)
        super().ask_exit()

    def run_cell(self, raw_cell: str, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Runs a cell until it ends or is interrupted."""
        before = self.last_execution_result
        run = super().run_cell

        def run_cell() -> ExecutionResult:
            try:
                return run(raw_cell, *args, **kwargs)
            except UnboundLocalError as error:
                # IPython raises it if an interrupt arrives while it shows an error.
                raise KeyboardInterrupt from error

        def interrupted(interrupt: KeyboardInterrupt) -> ExecutionResult:
            # The interrupt came after the cell, or in IPython's own code.
            if self.last_execution_result is not before:
                return self.last_execution_result
            return self._interrupted(run("", silent=True), interrupt)

        return self._interrupts.run(run_cell, interrupted, self.runs)

    async def run_cell_async(self, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Runs a cell with `await`, in a task."""
        try:
            result = await super().run_cell_async(*args, **kwargs)
            result.error_in_exec = getattr(result, "own_error", result.error_in_exec)
            return result
        except KeyboardInterrupt as interrupt:
            # A task also raises it in the event loop (`Task.__step` of asyncio): the loop would end, and the kernel
            # with it.
            return self._interrupted(await super().run_cell_async("", silent=True, transformed_cell=""), interrupt)

    def _interrupted(self, result: ExecutionResult, interrupt: KeyboardInterrupt) -> ExecutionResult:
        result.error_in_exec = interrupt
        self.showtraceback((KeyboardInterrupt, interrupt, interrupt.__traceback__), running_compiled_code=True)
        return result

    def prepare(self) -> None:
        """Called before each cell. The kernel transforms the cell to decide how to run it, and IPython transforms it
        again.
        """
        self.reserve.close()
        self._will_ask_again, self._transformed = True, None
        self._last_traceback = self.value_error = self._failed_message = None

    def transform_cell(self, raw_cell: str) -> str:
        """The Python code of a cell."""
        if self._transformed is not None and self._transformed[0] == raw_cell:
            transformed, self._transformed = self._transformed[1], None
            return transformed
        will_ask_again, self._will_ask_again = self._will_ask_again, False
        transformed = super().transform_cell(raw_cell)
        if will_ask_again:
            self._transformed = (raw_cell, transformed)
        return transformed

    def should_run_async(self, raw_cell: str, *, transformed_cell: str | None = None, **options: Any) -> bool:
        """Whether a cell has an `await` at its top level. The kernel and IPython both call it, and each call compiles the
        cell.
        """
        ask = super().should_run_async
        if any(options.values()):
            return ask(raw_cell, transformed_cell=transformed_cell, **options)
        key = (transformed_cell, self.autoawait)
        if self._looked_at is None or self._looked_at[0] != key:
            self._looked_at = (key, ask(raw_cell, transformed_cell=transformed_cell, **options))
        return self._looked_at[1]

    async def run_code(self, code_obj: Any, result: ExecutionResult | None = None, *, async_: bool = False) -> bool:
        """Runs a part of a cell, unless it is refused; returns True if it failed."""
        self._transformed = None
        refusal, self.refusal = self.refusal, None
        if self._interrupts.take_early():
            refusal = KeyboardInterrupt()
        if refusal is None:
            try:
                failed = await super().run_code(code_obj, result, async_=async_)
            except MemoryError as error:
                # There was not even enough to call `showtraceback`.
                self.reserve.open()
                refusal = error
            else:
                if failed and result is not None:
                    _shield(result)
                return failed
        if result is not None:
            result.error_in_exec = refusal
        self.showtraceback((type(refusal), refusal, refusal.__traceback__), running_compiled_code=True)
        return True

    def user_expressions(self, expressions: dict[str, str]) -> dict[str, Any]:
        """Evaluates the request's `user_expressions`."""
        evaluate = super().user_expressions
        return self._interrupts.run(lambda: evaluate(expressions), lambda interrupt: {}) if expressions else {}

    def set_parent(self, parent: Any) -> None:
        """Sets the parent of everything that publishes."""
        super().set_parent(parent)
        # ipykernel sets it on `sys.stdout` and `sys.stderr`. Streams of user code may forward to the kernel's own.
        for name, stream in self.kernel.streams.items():
            if stream is not getattr(sys, name, None) and hasattr(stream, "set_parent"):
                stream.set_parent(parent)

    def runs(self, frame: FrameType | None) -> bool:
        """Whether the frame, or one that called it, is user code or a callback around a cell.

        IPython's own code is not interrupted: an interrupt there could leave the history broken for good. Nor are its
        own callbacks, or its report of a failed one, from which a second interrupt would escape the cell. Nor is the
        start of a program, which would go on.
        """
        called = None
        while frame is not None:
            if frame.f_code is Program.start.__code__:
                return False
            if frame.f_code is InteractiveShell.run_code.__code__:
                return called is not None and called.f_globals is self.user_global_ns
            if frame.f_code is EventManager.trigger.__code__:
                return called is not None and not called.f_globals.get("__name__", "").startswith("IPython.core.")
            frame, called = frame.f_back, frame
        return False


def _shield(result: ExecutionResult) -> None:
    """Replaces an exception whose truth value raises, because IPython evaluates it. `run_cell_async` restores it."""
    error = result.error_in_exec
    try:
        if error is None or error:
            return
    except Exception:
        pass
    result.own_error = error  # type: ignore[attr-defined]
    result.error_in_exec = RuntimeError(safe.text(error))
