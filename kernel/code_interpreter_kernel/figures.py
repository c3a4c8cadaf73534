"""Figures of matplotlib that are shown at the end of a cell."""

from __future__ import annotations

import sys
from typing import Any

BACKEND = "matplotlib_inline.backend_inline"


class Figures:
    """Sees to it that what the first figure has set stays set.

    matplotlib loads its backend at the first figure, and the one for kernels then makes it interactive, without which no
    figure is shown. Inside `plt.rc_context` or `plt.style.context` that ends with the context.
    """

    def __init__(self) -> None:
        self._is_loaded = BACKEND in sys.modules

    def cell_ended(self, shell: Any) -> None:
        """Called at the end of each cell."""
        if self._is_loaded or BACKEND not in sys.modules:
            return
        self._is_loaded = True
        import matplotlib

        # `plt.ioff()` takes this function out, and the end of a context does not.
        drawn = any(getattr(f, "__module__", "") == "matplotlib.pyplot" for f in shell.events.callbacks["post_execute"])
        if drawn and not matplotlib.is_interactive():
            matplotlib.interactive(True)
            matplotlib.rcParams.update(sys.modules[BACKEND].InlineBackend.instance().rc)
