"""Figures of matplotlib that are shown at the end of a cell."""

from __future__ import annotations

import sys
from typing import Any

BACKEND = "matplotlib_inline.backend_inline"


class Figures:
    """Keeps matplotlib interactive after the first figure.

    matplotlib loads its backend with the first figure, and the inline backend then switches to interactive mode,
    without which no figure is shown. Inside `plt.rc_context` or `plt.style.context` the end of the context would undo
    that.
    """

    def __init__(self) -> None:
        self._is_loaded = BACKEND in sys.modules

    def cell_ended(self, shell: Any) -> None:
        """Called at the end of each cell."""
        if self._is_loaded or BACKEND not in sys.modules:
            return
        self._is_loaded = True
        import matplotlib

        # `plt.ioff()` removes this callback; the end of a context does not.
        drawn = any(getattr(f, "__module__", "") == "matplotlib.pyplot" for f in shell.events.callbacks["post_execute"])
        if drawn and not matplotlib.is_interactive():
            matplotlib.interactive(True)
            matplotlib.rcParams.update(sys.modules[BACKEND].InlineBackend.instance().rc)
