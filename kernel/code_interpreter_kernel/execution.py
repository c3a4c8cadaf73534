"""The kernel: how it answers requests."""

from __future__ import annotations

import asyncio
import inspect
import signal
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Iterator

from ipykernel.ipkernel import IPythonKernel
from traitlets import Float, Type

from code_interpreter_kernel.interrupts import Interrupts
from code_interpreter_kernel.scope import FEATURES, ExecutionScope
from code_interpreter_kernel.shell import ZMQInteractiveShell


class Kernel(IPythonKernel):
    """ipykernel's, which sets variables and directory of one execution, and sends a reply whenever it is interrupted."""

    shell_class = Type(ZMQInteractiveShell)

    # ipykernel rests before each reply, so that output, which goes another way, may come first. Here it has gone before.
    _execute_sleep = Float(0.0).tag(config=True)

    def __init__(self, **kwargs: Any):
        self.interrupts = Interrupts()
        super().__init__(**kwargs)

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What `kernel_info_reply` says."""
        information = super().kernel_info
        return {**information, "supported_features": [*information.get("supported_features", []), *FEATURES]}

    def start(self) -> None:
        """Begins to read requests."""
        self.interrupts.hold()
        super().start()

    async def dispatch_shell(self, msg: Any) -> None:
        """Answers a request."""
        self.interrupts.request_came()
        try:
            await super().dispatch_shell(msg)
        finally:
            self.interrupts.request_done()

    def pre_handler_hook(self) -> None:
        """Makes other requests than those of code interruptible as a whole."""
        if not self._is_execution:
            super().pre_handler_hook()

    def post_handler_hook(self) -> None:
        """Undoes what `pre_handler_hook` has done."""
        if not self._is_execution:
            super().post_handler_hook()

    @property
    def _is_execution(self) -> bool:
        return self.get_parent("shell").get("header", {}).get("msg_type") == "execute_request"

    async def do_execute(
        self, code: str, silent: bool, *args: Any, cell_meta: dict[str, Any] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Runs code; the content of the reply."""
        with ExitStack() as stack:
            try:
                stack.enter_context(ExecutionScope(cell_meta))
            except (OSError, ValueError, TypeError, AttributeError) as error:
                self.shell.refusal = error
            try:
                self.shell.prepare()
                return await super().do_execute(code, silent, *args, cell_meta=cell_meta, **kwargs)
            except (asyncio.CancelledError, KeyboardInterrupt) as error:
                # An interrupt hit the cell where it waits, outside of its own code. Nobody would send a reply.
                return self._interrupted_reply(error)
            finally:
                self.shell.refusal = None

    def _interrupted_reply(self, error: BaseException) -> dict[str, Any]:
        return {
            "status": "error",
            "ename": type(error).__name__,
            "evalue": "",
            "traceback": [],
            "execution_count": self.shell.execution_count - 1,
            "user_expressions": {},
            "payload": [],
        }

    @contextmanager
    def _cancel_on_sigint(self, future: asyncio.Task[Any]) -> Iterator[None]:
        """While code runs that waits for something: where it waits it is cancelled, and where it works it is interrupted."""

        def interrupt(number: int, frame: FrameType | None) -> None:
            if self.shell.runs(frame):
                signal.default_int_handler(number, frame)
            state = inspect.getcoroutinestate(future.get_coro())
            if state != inspect.CORO_SUSPENDED:
                # IPython is at work: what it runs next may never wait for anything.
                self.interrupts.keep()
            if state != inspect.CORO_CREATED:
                # One that was cancelled before it began would not give a result.
                future.get_loop().call_soon_threadsafe(future.cancel)

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            self.interrupts.hold()
