"""The shell that runs the code of a kernel's requests."""

from __future__ import annotations

from types import FrameType
from typing import Any

from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from ipykernel import zmqshell

from code_interpreter_kernel.interrupts import Interrupts


class ZMQInteractiveShell(zmqshell.ZMQInteractiveShell):
    """ipykernel's shell, by whose name libraries know where they are."""

    #: What is raised in place of the code that would be run next.
    refusal: BaseException | None = None

    @property
    def _interrupts(self) -> Interrupts:
        return self.kernel.interrupts

    def run_cell(self, raw_cell: str, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Runs a cell, to the end or until it is interrupted."""
        before = self.last_execution_result
        run = super().run_cell

        def run_cell() -> ExecutionResult:
            try:
                return run(raw_cell, *args, **kwargs)
            except UnboundLocalError as error:
                # IPython's own, where an interrupt comes while it shows another.
                raise KeyboardInterrupt from error

        def interrupted(interrupt: KeyboardInterrupt) -> ExecutionResult:
            # It came when all was done, or in IPython's own code.
            if self.last_execution_result is not before:
                return self.last_execution_result
            result = run("", silent=True)
            result.error_in_exec = interrupt
            self.showtraceback((KeyboardInterrupt, interrupt, interrupt.__traceback__), running_compiled_code=True)
            return result

        return self._interrupts.run(run_cell, interrupted)

    async def run_code(self, code_obj: Any, result: ExecutionResult | None = None, *, async_: bool = False) -> bool:
        """Runs a part of a cell; True where it failed. Not where there is a reason not to run it."""
        refusal, self.refusal = self.refusal, None
        if self._interrupts.take_early():
            refusal = KeyboardInterrupt()
        if refusal is None:
            return await super().run_code(code_obj, result, async_=async_)
        if result is not None:
            result.error_in_exec = refusal
        self.showtraceback((type(refusal), refusal, None), running_compiled_code=True)
        return True

    def user_expressions(self, expressions: dict[str, str]) -> dict[str, Any]:
        """The values of expressions that came with a request."""
        evaluate = super().user_expressions
        return self._interrupts.run(lambda: evaluate(expressions), lambda interrupt: {}) if expressions else {}

    def runs(self, frame: FrameType | None) -> bool:
        """Whether the code of a cell is what runs there, in the frame or in one that called it."""
        called = None
        while frame is not None:
            if frame.f_code is InteractiveShell.run_code.__code__:
                return called is not None and called.f_globals is self.user_global_ns
            frame, called = frame.f_back, frame
        return False
