#!/usr/bin/env python3
"""Writes the table of attempts into SECURITY.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from escape.attempts import ATTEMPTS, SETTINGS

DOCUMENT = Path(__file__).resolve().parents[3] / "SECURITY.md"
BEGIN, END = "<!-- Made by Tests/Integration/escape/table.py -->\n", "<!-- End of what is made -->\n"


def made():
    """The table."""
    lines = [f"| Code tries to | {' | '.join(SETTINGS)} |", "|---|" + "---|" * len(SETTINGS)]
    group = None
    for attempt in ATTEMPTS:
        if attempt.group != group:
            group = attempt.group
            lines.append(f"| **Reach {group}** |" + " |" * len(SETTINGS))
        cells = [attempt.stopped.get(setting, "**not stopped**") for setting in SETTINGS]
        lines.append(f"| {attempt.title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def in_document():
    """The table that is in the document."""
    text = DOCUMENT.read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


if __name__ == "__main__":
    text = DOCUMENT.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    DOCUMENT.write_text(text[:begin] + made() + text[end:])
