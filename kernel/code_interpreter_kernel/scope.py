"""The environment variables of one execution."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, MutableMapping

#: Whose member of a request's metadata it is.
NAMESPACE = "code_interpreter"

#: How a kernel says that it knows of it, and that it waits for whoever reads its output.
FEATURES = [f"{NAMESPACE}.env_vars", f"{NAMESPACE}.keeps_output"]


class ExecutionScope:
    """Sets what a request's metadata asks for; at its end everything of that is as it was, whatever code did to it.

    `{"code_interpreter": {"env_vars": {"A": "b"}}}`, in which the variables may be missing.
    """

    def __init__(self, metadata: Any):
        self._asked = (metadata or {}).get(NAMESPACE) or {}
        self._environ: MutableMapping[str, str] = os.environ
        self._variables: dict[str, str | None] = {}

    def __enter__(self) -> ExecutionScope:
        """Raises what the system says to an impossible name, when all is as it was."""
        try:
            for name, value in (self._asked.get("env_vars") or {}).items():
                self._variables[name] = self._environ.get(name)
                self._environ[name] = value
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for name, value in self._variables.items():
            try:
                if value is None:
                    # Also where code has set it by `os.putenv`, which `os.environ` does not see.
                    del self._environ[name]
                else:
                    self._environ[name] = value
            except (KeyError, OSError, ValueError):
                pass  # It is not there, or could never be.
        self._variables.clear()
