"""How a shell tells of errors: once, with a name, a text and a traceback, whatever the exception is like."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from code_interpreter_kernel import safe
from code_interpreter_kernel.tracebacks import Tracebacks, message


class ErrorReports(InteractiveShell):
    """The part of the shell that shows exceptions."""

    #: The exception by which the value of the cell could not be shown, and the message that it was to be in.
    value_error: BaseException | None = None
    _failed_message: Any = None

    def init_traceback_handlers(self, custom_exceptions: Any) -> None:
        """Makes what formats exceptions."""
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
        """Tells of the exception that is handled. IPython prints a group, and what it cannot format."""
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
        """Tells of the syntax error that is handled."""
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
        """What an exception makes of its traceback itself."""
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
        # They may be anything.
        self.kernel.flush_streams()
        sys.stdout.flush()
        sys.stderr.flush()
        hook = self.displayhook
        told = getattr(hook, "msg", None)
        if self.kernel.is_forked or (told is not None and told is self._failed_message):
            # Of a child its parent is to know how it ended; and of a value that can be shown in no way, each says why.
            print("\n".join(stb), file=sys.stderr)
            return
        if told is not None:
            self._failed_message, self.value_error = told, evalue
        content = {"traceback": stb, "ename": safe.name(etype), "evalue": safe.text(evalue)}
        topic = hook.topic.replace(b"execute_result", b"error") if hook.topic else None
        hook.session.send(hook.pub_socket, "error", content, hook.parent_header, ident=topic)
        self._last_traceback = stb

    def _format_exception_for_storage(self, exception: BaseException, *args: Any, **options: Any) -> dict[str, Any]:
        """What the history keeps of an exception: what was told of it. IPython formats it again."""
        parts = self._last_traceback or message(exception)
        return {"ename": safe.name(type(exception)), "evalue": safe.text(exception), "traceback": list(parts)}
