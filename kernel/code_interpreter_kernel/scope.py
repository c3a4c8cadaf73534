"""The environment variables of one execution."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, MutableMapping

#: The key in a request's metadata.
NAMESPACE = "code_interpreter"

#: The `supported_features` of a kernel that sets variables and waits for clients that read its output.
FEATURES = [f"{NAMESPACE}.env_vars", f"{NAMESPACE}.keeps_output"]


class ExecutionScope:
    """Sets the variables in a request's metadata, and restores the old values at the end, whatever code has changed.

    The metadata is `{"code_interpreter": {"env_vars": {"A": "b"}}}`; `env_vars` is optional.
    """

    def __init__(self, metadata: Any):
        self._asked = (metadata or {}).get(NAMESPACE) or {}
        self._environ: MutableMapping[str, str] = os.environ
        self._variables: dict[str, str | None] = {}

    def __enter__(self) -> ExecutionScope:
        """Raises the system's error for an invalid name, after it has restored the values."""
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
                    # Also unsets a variable that code has set with `os.putenv`, which `os.environ` does not see.
                    del self._environ[name]
                else:
                    self._environ[name] = value
            except (KeyError, OSError, ValueError):
                pass  # The variable is not set, or its name is invalid.
        self._variables.clear()
