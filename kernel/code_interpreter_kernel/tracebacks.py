"""Formats exceptions: with their frames, the exceptions that led to them, and the members of groups."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from IPython.core.ultratb import AutoFormattedTB

from code_interpreter_kernel import frames, safe
from code_interpreter_kernel.frames import Label

#: The width of the rule and the header, as in IPython.
WIDTH = 75

#: The lines of source in a frame: of the exception itself, and of earlier ones.
CONTEXT, EARLIER_CONTEXT = 5, 3

#: The limits of groups, as in Python's own tracebacks, and of chained exceptions.
GROUP_MEMBERS, GROUP_DEPTH, CHAIN = 15, 10, 20

CAUSE = "\nThe above exception was the direct cause of the following exception:\n"
CONTEXT_OF = "\nDuring handling of the above exception, another exception occurred:\n"


class Tracebacks(AutoFormattedTB):
    """IPython's formatter with support for groups and broken exceptions, and faster without colours."""

    #: Labels the files of cells.
    label: Label = staticmethod(lambda filename: None)

    def structured_traceback(
        self,
        etype: Any = None,
        evalue: Any = None,
        etb: Any = None,
        tb_offset: int | None = None,
        context: int = CONTEXT,
    ) -> list[str]:
        """The parts of the text, to be joined with newlines."""
        if evalue is None:
            return list(super().structured_traceback(etype, evalue, etb, tb_offset, context))
        traceback = etb[0] if isinstance(etb, tuple) else etb
        self.tb = traceback
        if not self._is_for_us(evalue):
            try:
                return list(super().structured_traceback(etype, evalue, etb, tb_offset, context))
            except Exception:
                pass  # IPython cannot format the exception, or the variables of a frame.
        parts = ["-" * WIDTH, *chain(evalue, traceback, self.label, context)]
        return parts if self.tb_join_char == "\n" else ["\n".join(parts)]

    def _is_for_us(self, error: BaseException) -> bool:
        return (self.mode == "Context" and not self.has_colors) or safe.holds_group(error)

    def format_exception(self, etype: Any, evalue: Any) -> list[str]:
        """The last lines of an exception, for IPython's modes."""
        return message(evalue)


def message(error: BaseException) -> list[str]:
    """The name, the message and the notes of an exception."""
    return [f"{safe.name(type(error))}: {safe.text(error)}", *safe.notes(error)]


def chain(
    error: BaseException, traceback: TracebackType | None, label: Label, context: int, depth: int = 0
) -> list[str]:
    """An exception after those that led to it."""
    parts = _one(error, traceback, label, context, depth)
    seen = {id(error)}
    while True:
        previous, is_cause = safe.earlier(error)
        if previous is None or id(previous) in seen:
            return parts
        if len(seen) >= CHAIN:
            return ["[... skipping earlier exceptions]", CONTEXT_OF, *parts]
        seen.add(id(previous))
        link = CAUSE if is_cause else CONTEXT_OF
        parts = [*_one(previous, safe.traceback(previous), label, EARLIER_CONTEXT, depth), link, *parts]
        error = previous


def _one(
    error: BaseException, traceback: TracebackType | None, label: Label, context: int, depth: int
) -> list[str]:
    name = safe.name(type(error))
    head = name + "Traceback (most recent call last)".rjust(WIDTH - len(name))
    return [head, *frames.describe(traceback, context, label), *message(error), *_members(error, label, depth)]


def _members(group: BaseException, label: Label, depth: int) -> list[str]:
    members = safe.members(group)
    if members and depth == GROUP_DEPTH:
        return [f"  | ... (groups within more than {GROUP_DEPTH} others)"]
    parts = []
    for number, member in enumerate(members[:GROUP_MEMBERS], 1):
        text = "\n".join(chain(member, safe.traceback(member), label, EARLIER_CONTEXT, depth + 1))
        inside = "\n".join(f"  | {line}".rstrip() for line in text.split("\n"))
        parts.append(f"  +---------------- {number} ----------------\n{inside}")
    if len(members) > GROUP_MEMBERS:
        parts.append(f"  | and {len(members) - GROUP_MEMBERS} more exceptions")
    if members:
        parts.append("  +------------------------------------")
    return parts
