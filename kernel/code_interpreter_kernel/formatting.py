"""How values are shown: IPython's MIME bundles, with data where there is some."""

from __future__ import annotations

from typing import Any

from IPython.core.formatters import DisplayFormatter as IPythonDisplayFormatter
from ipykernel import zmqshell

from code_interpreter_kernel import charts, data

#: What knows of frames and figures, and the MIME types of their data.
SOURCES = ((data, data.DATA), (charts, charts.CHART))

Bundles = tuple[dict[str, Any], dict[str, Any]]


class DisplayFormatter(IPythonDisplayFormatter):
    """Adds the data of frames and figures."""

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> Bundles:
        """The MIME bundle of a value, and its metadata."""
        shown, metadata = super().format(obj, include=include, exclude=exclude)
        kind = type(obj)
        # Nothing is shown of an object that has displayed itself.
        if shown and kind.__module__ != "builtins":
            for source, mime_type in SOURCES:
                if (include is None or mime_type in include) and mime_type not in (exclude or ()):
                    shown.update(bundle(source, obj))
        return shown, metadata


def bundle(source: Any, obj: Any) -> dict[str, Any]:
    """What a module has to say about a value. One that nobody can read is shown without."""
    try:
        return dict(source.bundle(obj))
    except Exception:
        return {}


class DisplayHook(zmqshell.ZMQShellDisplayHook):
    """Shows the value of a cell; a list or dict as JSON too."""

    def compute_format_data(self, result: Any) -> Bundles:
        """The MIME bundle of the value, and its metadata."""
        shown, metadata = super().compute_format_data(result)
        if type(result) in (list, dict) and "application/json" not in shown and data.is_json(result):
            shown["application/json"] = result
        return shown, metadata
