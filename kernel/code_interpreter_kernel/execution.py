"""The kernel: handles requests."""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
import traceback
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Iterator

from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from ipykernel.ipkernel import IPythonKernel
from traitlets import Float, Type

from code_interpreter_kernel import safe
from code_interpreter_kernel.figures import Figures
from code_interpreter_kernel.forks import Forks
from code_interpreter_kernel.interrupts import Interrupts
from code_interpreter_kernel.pictures import Pictures
from code_interpreter_kernel.scope import FEATURES, ExecutionScope
from code_interpreter_kernel.shell import ZMQInteractiveShell
from code_interpreter_kernel.shutdown import end_children

#: Newer versions of IPython accept the metadata of a cell.
_TAKES_METADATA = "cell_meta" in inspect.signature(InteractiveShell.run_cell).parameters


class Kernel(IPythonKernel):
    """ipykernel's kernel. Sets the variables of one execution, and sends a reply after every interrupt."""

    shell_class = Type(ZMQInteractiveShell)

    # ipykernel sleeps before each reply, so that output, which takes another path, comes first. Here it has been sent
    # already.
    _execute_sleep = Float(0.0).tag(config=True)

    def __init__(self, **kwargs: Any):
        self.interrupts = Interrupts()
        self.forks = Forks(self.flush_streams)
        self._figures = Figures()
        #: The kernel's own streams; user code may replace `sys.stdout` and `sys.stderr`.
        self.streams = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._is_answering = False
        super().__init__(**kwargs)
        self._pictures = Pictures(self.shell)

    def _initialize_thread_hooks(self) -> None:
        """Does nothing: ipykernel 6 assigns threads to requests here, which `threads` does instead."""

    @property
    def kernel_info(self) -> dict[str, Any]:
        """The content of `kernel_info_reply`."""
        information = super().kernel_info
        return {**information, "supported_features": [*information.get("supported_features", []), *FEATURES]}

    def start(self) -> None:
        """Starts reading requests."""
        self.interrupts.hold()
        super().start()
        self.forks.watch(self.io_loop.asyncio_loop)

    @property
    def is_forked(self) -> bool:
        """Whether this is a forked child, not the kernel."""
        return self.forks.is_child

    async def dispatch_shell(self, msg: Any, *args: Any, **options: Any) -> None:
        """Handles a request."""
        if options.get("concurrent"):
            # ipykernel 7: a widget's message, which a running cell waits for.
            return await super().dispatch_shell(msg, *args, **options)
        if self.shell.exit_now:
            # The kernel is exiting: the request is too late.
            return
        self.interrupts.request_came()
        self._is_answering = True
        try:
            await super().dispatch_shell(msg, *args, **options)
        finally:
            if self.is_forked:
                self.forks.end()
            self.interrupts.request_done()
            self._is_answering = False
            if self.shell.exit_now:
                self.io_loop.stop()

    def exit(self) -> None:
        """Ends the kernel after the current request. The shell's `exit_now` is set before."""
        # Any thread may call this: one of both sides sees what the other has set before.
        if not self._is_answering and not self.is_forked and hasattr(self, "io_loop"):
            self.io_loop.add_callback(self.io_loop.stop)

    async def _progressively_terminate_all_children(self) -> None:
        end_children()

    def pre_handler_hook(self) -> None:
        """Makes requests other than executions interruptible as a whole."""
        if not self._is_execution:
            super().pre_handler_hook()

    def post_handler_hook(self) -> None:
        """Undoes `pre_handler_hook`."""
        if not self._is_execution:
            super().post_handler_hook()
        self.flush_streams()

    def flush_streams(self) -> None:
        """Flushes `sys.stdout` and `sys.stderr`, and the kernel's own streams if they differ.

        ipykernel flushes them before it sends anything, and IPython sets their `write` while a cell runs. If that
        fails, as for a closed file, the request would never end. Then the kernel's own stream is restored.
        """
        for name, own in self.streams.items():
            try:
                current = getattr(sys, name)
                if current is own:
                    continue
                current.flush()
                current.write = current.write
            except BaseException as error:
                setattr(sys, name, own)
                why = traceback.format_exception_only(error)[-1].strip()
                print(f"sys.{name} cannot be used and is replaced by the kernel's own: {why}", file=self.streams["stderr"])
            if own is not None:
                own.flush()

    def _abort_queues(self, *args: Any) -> None:
        """Aborts queued requests; in ipykernel 7, also those that a thread has already read."""
        super()._abort_queues(*args)
        lock = getattr(self, "_main_asyncio_lock", None)
        if lock is None:
            return

        async def behind_them() -> None:
            async with lock:
                self._aborting = False

        # Requests that were read wait for the lock after two iterations of the loop: one starts their task, one their
        # context.
        self._aborting = True
        call_soon = self.io_loop.asyncio_loop.call_soon
        call_soon(call_soon, call_soon, lambda: asyncio.ensure_future(behind_them()))

    @property
    def _is_execution(self) -> bool:
        return self.get_parent("shell").get("header", {}).get("msg_type") == "execute_request"

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
        *,
        cell_meta: dict[str, Any] | None = None,
        cell_id: str | None = None,
    ) -> dict[str, Any]:
        """Runs code; returns the content of the reply."""
        with ExitStack() as stack:
            try:
                stack.enter_context(ExecutionScope(cell_meta))
            except (OSError, ValueError, TypeError, AttributeError) as error:
                self.shell.refusal = error
            try:
                self.shell.prepare()
                self._forward_input(allow_stdin)
                try:
                    result = await self._run_cell(code, silent=silent, store_history=store_history, **self._of_cell(cell_id, cell_meta))
                finally:
                    self._restore_input()
                if self.is_forked:
                    self.forks.end(_error(result))
                self._figures.cell_ended(self.shell)
                return self._reply(result, user_expressions)
            except (asyncio.CancelledError, KeyboardInterrupt) as error:
                if self.is_forked:
                    self.forks.end(error)
                # An interrupt hit the cell while it waits, outside of user code. Otherwise no reply would be sent.
                return self._interrupted_reply(error)
            finally:
                self.shell.refusal = None
                self.flush_streams()

    def _of_cell(self, cell_id: str | None, cell_meta: Any) -> dict[str, Any]:
        return {"cell_id": cell_id, "cell_meta": cell_meta} if _TAKES_METADATA else {"cell_id": cell_id}

    async def _run_cell(self, code: str, *, silent: bool, **options: Any) -> ExecutionResult:
        """Runs a cell; one with `await` in a task of the running event loop."""
        shell = self.shell
        failure = None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            transformed, failure = code, sys.exc_info()
        shape = {"transformed_cell": transformed, "preprocessing_exc_tuple": failure}
        if not (shell.loop_runner_map["asyncio"][0] is shell.loop_runner and shell.should_run_async(code, **shape)):
            return shell.run_cell(code, silent=silent, **options)
        task = asyncio.ensure_future(shell.run_cell_async(code, silent=silent, **shape, **options))
        with self._cancel_on_sigint(task):
            result = None
            try:
                result = await task
            finally:
                shell.events.trigger("post_execute")
                if not silent:
                    shell.events.trigger("post_run_cell", result)
        return result

    def _reply(self, result: ExecutionResult, user_expressions: dict[str, str] | None) -> dict[str, Any]:
        """The content of the reply."""
        shell = self.shell
        error = shell.value_error if _error(result) is None else _error(result)
        if error is None:
            reply = {"status": "ok", "user_expressions": shell.user_expressions(user_expressions or {})}
        else:
            reply = {
                "status": "error",
                "traceback": shell._last_traceback or [],
                "ename": safe.name(type(error)),
                "evalue": safe.text(error),
                "user_expressions": {},
            }
        payload = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return {**reply, "execution_count": shell.execution_count - 1, "payload": payload}

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
        """While an asynchronous cell runs, SIGINT cancels it where it waits, and interrupts it where it computes."""

        def interrupt(number: int, frame: FrameType | None) -> None:
            if self.shell.runs(frame):
                self.interrupts.interrupt(number, frame)
            if inspect.getcoroutinestate(future.get_coro()) == inspect.CORO_SUSPENDED:
                future.get_loop().call_soon_threadsafe(future.cancel)
            else:
                # A task that is cancelled before it starts returns no result. IPython's own code may be followed by
                # code that never waits.
                self.interrupts.keep()

        self.interrupts.set_handler(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            self.interrupts.hold()


def _error(result: ExecutionResult) -> BaseException | None:
    # Not by truth value: an exception may override `__bool__`.
    return result.error_in_exec if result.error_before_exec is None else result.error_before_exec
