"""How the shell reports an error: once, with a name, a text and a traceback, whatever the exception."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from code_interpreter_kernel import safe
from code_interpreter_kernel.memory import Reserve
from code_interpreter_kernel.tracebacks import Tracebacks, message


class ErrorReports(InteractiveShell):
    """The part of the shell that shows exceptions."""

    #: The exception raised while the value of the cell was displayed, and the message that was to contain the value.
    value_error: BaseException | None = None
    _failed_message: Any = None

    #: Memory to report a MemoryError with.
    reserve = Reserve()

    def init_traceback_handlers(self, custom_exceptions: Any) -> None:
        super().init_traceback_handlers(custom_exceptions)
        self.InteractiveTB = Tracebacks(mode=self.xmode, theme_name=self.colors, tb_offset=1)
        self.InteractiveTB.label = lambda filename: self.compile.format_code_name(filename)

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Reports the current exception. IPython prints groups, and exceptions that it cannot format, to stdout."""
        if sys.exc_info()[0] is MemoryError:
            self.reserve.open()
        try:
            kind, error, traceback = self._get_exc_info(exc_tuple)
        except ValueError:
            print("No traceback available to show.", file=sys.stderr)
            return
        if kind is UsageError:
            return self.show_usage_error(error)
        if issubclass(kind, SystemExit) and self.kernel.is_forked:
            self.kernel.forks.end(error)
        parts = None
        if issubclass(kind, SyntaxError):
            parts = self._of_syntax(kind, error, filename, traceback if running_compiled_code else None)
        elif exception_only:
            parts = ["An exception has occurred, use %tb to see the full traceback.\n", *message(error)]
        parts = parts or self._rendered(error) or self._structured(kind, error, traceback, tb_offset)
        self._showtraceback(kind, error, parts)
        if self.call_pdb and not exception_only:
            self.debugger(force=True)

    def showsyntaxerror(self, filename: str | None = None, running_compiled_code: bool = False) -> None:
        """Reports the current syntax error."""
        self.showtraceback(filename=filename, running_compiled_code=running_compiled_code)

    def _of_syntax(self, kind: type, error: BaseException, filename: str | None, traceback: Any) -> list[str] | None:
        import traceback as module

        try:
            if filename:
                error.filename = filename  # type: ignore[attr-defined]
            frames = module.extract_tb(traceback)
            parts = self.SyntaxTB.structured_traceback(kind, error, frames)
            return list(parts) if safe.name(kind) in "".join(parts) else None
        except Exception:
            return None

    def _rendered(self, error: BaseException) -> list[str] | None:
        """The traceback that an exception renders itself (`_render_traceback_`)."""
        try:
            if not hasattr(error, "_render_traceback_"):
                return None
            parts = error._render_traceback_()
            return [str(part) for part in parts] or None
        except Exception:
            return None

    def _structured(self, kind: type, error: BaseException, traceback: Any, offset: int | None) -> list[str]:
        return self.InteractiveTB.structured_traceback(kind, error, traceback, tb_offset=offset)

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        """Sends the error."""
        # `sys.stdout` and `sys.stderr` may be any objects of user code.
        self.kernel.flush_streams()
        sys.stdout.flush()
        sys.stderr.flush()
        hook = self.displayhook
        message_shown = getattr(hook, "msg", None)
        if self.kernel.is_forked or (message_shown is not None and message_shown is self._failed_message):
            # A forked child is not a kernel: its error goes to stderr. So do further errors of a value that fails in
            # several representations.
            print("\n".join(stb), file=sys.stderr)
            return
        if message_shown is not None:
            self._failed_message, self.value_error = message_shown, evalue
        content = {"traceback": stb, "ename": safe.name(etype), "evalue": safe.text(evalue)}
        topic = hook.topic.replace(b"execute_result", b"error") if hook.topic else None
        hook.session.send(hook.pub_socket, "error", content, hook.parent_header, ident=topic)
        self._last_traceback = stb

    def _format_exception_for_storage(self, exception: BaseException, *args: Any, **options: Any) -> dict[str, Any]:
        """The exception for the history, as it was reported. IPython would format it again."""
        parts = self._last_traceback or message(exception)
        return {"ename": safe.name(type(exception)), "evalue": safe.text(exception), "traceback": list(parts)}
