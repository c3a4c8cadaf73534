"""Formats Markdown tables and their numbers."""

from .figures import MIB

NOT_MEASURED = "–"


def table(titles, rows):
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def mib(count):
    return f"{count / MIB:.1f}"


def percent(value):
    return f"{value * 100:.0f} %"


def spread(values, form=".2f"):
    return f"{min(values):{form}} – {max(values):{form}}"


def milliseconds(number):
    return f"{number:.3g}" if number < 1 else f"{number:.2f}" if number < 100 else f"{number:.0f}"
