"""What is set in every IPython kernel."""

from __future__ import annotations

import os
from typing import Any

#: A figure as JSON for who can draw it, and as a small page of its own for who cannot. The defaults put the whole library,
#: megabytes of it, in the first output.
PLOTLY_RENDERER = "plotly_mimetype+colab"


def configure(config: Any) -> None:
    """Called by `etc/ipython/ipython_kernel_config.py`."""
    os.environ.setdefault("PLOTLY_RENDERER", PLOTLY_RENDERER)
    # The reader of an output is a program, or a page without a terminal.
    config.InteractiveShell.colors = "nocolor"
    # A list of ten thousand numbers is printed as ten thousand numbers.
    config.PlainTextFormatter.max_seq_length = 0
    # A database of all code that was run, written by a thread at every cell.
    config.HistoryManager.enabled = False
