"""Attributes of an exception, read without running code of its class; only `text` calls `__str__`."""

from __future__ import annotations

from types import TracebackType
from typing import Any

# The interpreter's own descriptors. A class may hide them with a property.
_name = type.__dict__["__name__"].__get__
_traceback = BaseException.__dict__["__traceback__"].__get__
_cause = BaseException.__dict__["__cause__"].__get__
_context = BaseException.__dict__["__context__"].__get__
_hides_context = BaseException.__dict__["__suppress_context__"].__get__
_members = BaseExceptionGroup.__dict__["exceptions"].__get__


def name(kind: type) -> str:
    """The name of a class."""
    return str(_name(kind))


def text(error: Any) -> str:
    """The message of an exception. If `__str__` fails, the placeholder of Python's own tracebacks."""
    try:
        return str.__str__(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "<exception str() failed>"


def notes(error: BaseException) -> list[str]:
    """The notes that were added to an exception (PEP 678)."""
    try:
        found = list(error.__notes__)
    except Exception:
        return []
    return [text(note) for note in found]


def traceback(error: BaseException) -> TracebackType | None:
    """The traceback of an exception."""
    found = _traceback(error)
    return found if isinstance(found, TracebackType) else None


def earlier(error: BaseException) -> tuple[BaseException | None, bool]:
    """The exception that is shown before this one, and whether it is the cause."""
    cause = _cause(error)
    if cause is not None:
        return cause, True
    return (None if _hides_context(error) else _context(error)), False


def members(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group; empty for other exceptions."""
    # Not `isinstance`, which reads the object's `__class__`.
    return tuple(_members(error)) if issubclass(type(error), BaseExceptionGroup) else ()


def holds_group(error: BaseException | None) -> bool:
    """Whether the exception, or one that led to it, is a group."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if members(error):
            return True
        seen.add(id(error))
        error = earlier(error)[0]
    return False
