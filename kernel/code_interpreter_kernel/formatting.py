"""How values are shown: IPython's MIME bundles, with data where there is some."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.formatters import DisplayFormatter as IPythonDisplayFormatter
from ipykernel import zmqshell

from code_interpreter_kernel import data

Bundles = tuple[dict[str, Any], dict[str, Any]]


class DisplayFormatter(IPythonDisplayFormatter):
    """Adds the data of frames."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> Bundles:
        """The MIME bundle of a value, and its metadata."""
        shown, metadata = super().format(obj, include=include, exclude=exclude)
        # Nothing is shown of an object that has displayed itself.
        if shown and may_have_data(type(obj)) and not (include and data.DATA not in include) and data.DATA not in (exclude or ()):
            shown.update(data.bundle(obj))
        return shown, metadata


def may_have_data(kind: type) -> bool:
    """False for most values, after some tenths of a microsecond."""
    return "pandas" in sys.modules or "polars" in sys.modules or hasattr(kind, data.METHOD)


class DisplayHook(zmqshell.ZMQShellDisplayHook):
    """Shows the value of a cell; a list or dict as JSON too."""

    def compute_format_data(self, result: Any) -> Bundles:
        """The MIME bundle of the value, and its metadata."""
        shown, metadata = super().compute_format_data(result)
        if type(result) in (list, dict) and "application/json" not in shown and data.is_json(result):
            shown["application/json"] = result
        return shown, metadata
