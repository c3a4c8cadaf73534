"""The configuration of every IPython kernel."""

from __future__ import annotations

import os
from typing import Any

#: Figures as JSON for clients that can draw them, and as a small HTML page for others. The default puts the whole
#: library, several megabytes, into the first output.
PLOTLY_RENDERER = "plotly_mimetype+colab"


def configure(config: Any) -> None:
    """Called by `etc/ipython/ipython_kernel_config.py`."""
    os.environ.setdefault("PLOTLY_RENDERER", PLOTLY_RENDERER)
    # Output is read by a program or a web page, not a terminal.
    config.InteractiveShell.colors = "nocolor"
    # Long lists are printed in full.
    config.PlainTextFormatter.max_seq_length = 0
    # The history is a database on disk that a thread writes at each cell.
    config.HistoryManager.enabled = False
