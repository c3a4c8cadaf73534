"""The kernel: how it answers requests."""

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
from code_interpreter_kernel.scope import FEATURES, ExecutionScope
from code_interpreter_kernel.shell import ZMQInteractiveShell
from code_interpreter_kernel.shutdown import end_children

#: Newer versions of IPython take the metadata of a cell, too.
_TAKES_METADATA = "cell_meta" in inspect.signature(InteractiveShell.run_cell).parameters


class Kernel(IPythonKernel):
    """ipykernel's, which sets variables and directory of one execution, and sends a reply whenever it is interrupted."""

    shell_class = Type(ZMQInteractiveShell)

    # ipykernel rests before each reply, so that output, which goes another way, may come first. Here it has gone before.
    _execute_sleep = Float(0.0).tag(config=True)

    def __init__(self, **kwargs: Any):
        self.interrupts = Interrupts()
        self.forks = Forks(self.flush_streams)
        self._figures = Figures()
        #: Those that output is sent by; code may put others in their place.
        self.streams = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._is_answering = False
        super().__init__(**kwargs)

    def _initialize_thread_hooks(self) -> None:
        """Nothing: ipykernel 6 finds out here which request a thread belongs to; `threads` does that."""

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What `kernel_info_reply` says."""
        information = super().kernel_info
        return {**information, "supported_features": [*information.get("supported_features", []), *FEATURES]}

    def start(self) -> None:
        """Begins to read requests."""
        self.interrupts.hold()
        super().start()
        self.forks.watch(self.io_loop.asyncio_loop)

    @property
    def is_forked(self) -> bool:
        """Whether this is a child that code has forked, and no kernel."""
        return self.forks.is_child

    async def dispatch_shell(self, msg: Any, *args: Any, **options: Any) -> None:
        """Answers a request."""
        if options.get("concurrent"):
            # ipykernel 7: the message of a widget, for which a cell waits.
            return await super().dispatch_shell(msg, *args, **options)
        if self.shell.exit_now:
            # What its code did would be gone at once: it has come too late.
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
        """Ends the kernel, as soon as the request that it is at has been answered. The shell has `exit_now` by then."""
        # A thread may call it at any time: one of us sees what the other has set before.
        if not self._is_answering and not self.is_forked and hasattr(self, "io_loop"):
            self.io_loop.add_callback(self.io_loop.stop)

    async def _progressively_terminate_all_children(self) -> None:
        end_children()

    def pre_handler_hook(self) -> None:
        """Makes other requests than those of code interruptible as a whole."""
        if not self._is_execution:
            super().pre_handler_hook()

    def post_handler_hook(self) -> None:
        """Undoes what `pre_handler_hook` has done."""
        if not self._is_execution:
            super().post_handler_hook()
        self.flush_streams()

    def flush_streams(self) -> None:
        """Flushes `sys.stdout` and `sys.stderr` where they are not the kernel's own, and those as well.

        ipykernel flushes them before it says anything, and IPython sets their `write` while a cell runs: where that
        fails, as in a file that was closed, a request would have no end. The kernel's own is put back in that place.
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
                print(f"sys.{name} cannot be used and is the kernel's own again: {why}", file=self.streams["stderr"])
            if own is not None:
                own.flush()

    def _abort_queues(self, *args: Any) -> None:
        """Lets no code run that was asked for before now. ipykernel 7 does so for requests that a thread has read."""
        super()._abort_queues(*args)
        lock = getattr(self, "_main_asyncio_lock", None)
        if lock is None:
            return

        async def behind_them() -> None:
            async with lock:
                self._aborting = False

        # Those that were read wait for the lock after two turns of the loop: one begins their task, one their own context.
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
        """Runs code; the content of the reply."""
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
                # An interrupt hit the cell where it waits, outside of its own code. Nobody would send a reply.
                return self._interrupted_reply(error)
            finally:
                self.shell.refusal = None
                self.flush_streams()

    def _of_cell(self, cell_id: str | None, cell_meta: Any) -> dict[str, Any]:
        return {"cell_id": cell_id, "cell_meta": cell_meta} if _TAKES_METADATA else {"cell_id": cell_id}

    async def _run_cell(self, code: str, *, silent: bool, **options: Any) -> ExecutionResult:
        """Runs a cell: where it has an `await`, in a task of the event loop that runs already."""
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
        """The content of the reply that tells how a cell ended."""
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
        """While code runs that waits for something: where it waits it is cancelled, and where it works it is interrupted."""

        def interrupt(number: int, frame: FrameType | None) -> None:
            if self.shell.runs(frame):
                self.interrupts.interrupt(number, frame)
            if inspect.getcoroutinestate(future.get_coro()) == inspect.CORO_SUSPENDED:
                future.get_loop().call_soon_threadsafe(future.cancel)
            else:
                # It has not begun, and one that is cancelled before would give no result; or IPython is at work, and what
                # it runs next may never wait for anything.
                self.interrupts.keep()

        self.interrupts.set_handler(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            self.interrupts.hold()


def _error(result: ExecutionResult) -> BaseException | None:
    # Not by their truth, which an exception may deny.
    return result.error_in_exec if result.error_before_exec is None else result.error_before_exec
