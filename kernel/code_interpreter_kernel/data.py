"""Values as data: frames by columns (`e2b/data`), and lists and dicts as JSON.

The MIME type is that of E2B's clients, and so is the method `_repr_e2b_data_` by which any object can give its own data.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from code_interpreter_kernel.packing import DEPTH

DATA = "e2b/data"
METHOD = "_repr_e2b_data_"
#: Stands beside the data of a frame that has more rows: their number.
ROW_COUNT = "code-interpreter/data-rows"

#: The most rows that are shown as data.
MOST_ROWS = 10_000
#: The most values of a list or dict that is shown as JSON too, those of its members included, and the most characters.
MOST_VALUES = 10_000
MOST_CHARACTERS = 1 << 20

#: The most values that lists and dicts in the cells of a frame may hold; with more, it has no data.
MOST_MEMBERS = 1_000_000
#: How deep they may hold each other; what is deeper is left out.
DEEPEST = 32
#: The types of pandas for what is missing.
MISSING = ("NaTType", "NAType")

#: The finest units of time first in which `numpy` writes times without a rest.
UNITS = ("s", "ms", "us")

Columns = dict[str, list[Any]]


def bundle(value: Any) -> dict[str, Any]:
    """What a MIME bundle of the value has as its data; empty if it has none."""
    columns, count = columns_of(value)
    if columns is None:
        return {}
    return {DATA: columns, ROW_COUNT: count} if count > MOST_ROWS else {DATA: columns}


def columns_of(value: Any) -> tuple[Columns | None, int]:
    """The columns of a frame, and the number of its rows. Imports nothing: who has a frame has imported its module."""
    kind = type(value)
    if is_a(kind, "pandas", "DataFrame"):
        return of_pandas(value), len(value)
    if is_a(kind, "polars", "DataFrame"):
        return of_polars(value), len(value)
    method = getattr(kind, METHOD, None)
    own = method(value) if callable(method) else None
    return (own, 0) if type(own) is dict else (None, 0)


def is_a(kind: type, module: str, name: str) -> bool:
    """Whether a type is that of a module, or derives from it."""
    known = getattr(sys.modules.get(module), name, None)
    return isinstance(known, type) and issubclass(kind, known)


def of_pandas(frame: Any) -> Columns:
    """The first rows of a pandas frame, the index first if it says more than the number of a row."""
    frame = frame.iloc[:MOST_ROWS]
    named: list[tuple[Any, Any]] = []
    index = frame.index
    if index.nlevels > 1 or index.name is not None or not counts(index):
        levels = [index.get_level_values(level) for level in range(index.nlevels)]
        standard = ["index"] if len(levels) == 1 else [f"level_{number}" for number in range(len(levels))]
        named += [(name if level.name is None else level.name, level) for name, level in zip(standard, levels)]
    named += [(name, frame.iloc[:, position]) for position, name in enumerate(frame.columns)]
    cells = Cells()
    return with_names((name, series_values(series, cells)) for name, series in named)


def counts(index: Any) -> bool:
    """Whether an index is 0, 1, 2 and so on."""
    return index.dtype.kind in "iu" and all(map(int.__eq__, index.tolist(), range(len(index))))


def series_values(series: Any, cells: Cells) -> list[Any]:
    """The values of a pandas series or index. Those of numpy's types are not looked at one by one."""
    numpy = sys.modules["numpy"]
    # The `values` of a type of pandas' own may be something else: of times with a zone they have none.
    if isinstance(series.dtype, numpy.dtype):
        array = series.to_numpy()
        if array.dtype.kind in "iub":
            return array.tolist()
        if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
            return array.tolist() if numpy.isfinite(array).all() else [finite(value) for value in array.tolist()]
        if array.dtype.kind == "M":
            return times(array, numpy)
    return [cells.plain(value) for value in series.tolist()]


def times(array: Any, numpy: Any) -> list[str | None]:
    """Times as ISO 8601 has them, as exact as the most exact of them."""
    known = array[~numpy.isnat(array)]
    unit = next((unit for unit in UNITS if (known.astype(f"M8[{unit}]") == known).all()), "ns")
    return [None if text == "NaT" else text for text in numpy.datetime_as_string(array, unit=unit).tolist()]


def of_polars(frame: Any) -> Columns:
    """The first rows of a polars frame."""
    cells, columns = Cells(), frame.head(MOST_ROWS).get_columns()
    return with_names((series.name, [cells.plain(value) for value in series.to_list()]) for series in columns)


def with_names(columns: Iterable[tuple[Any, list[Any]]]) -> Columns:
    """The columns by name. JSON has texts for names, each once: a second `a` becomes `a.1`, as where pandas reads a file."""
    named: Columns = {}
    for name, values in columns:
        base = "_".join(map(text, name)) if type(name) is tuple else text(name)
        unique, number = base, 0
        while unique in named:
            number += 1
            unique = f"{base}.{number}"
        named[unique] = values
    return named


def finite(value: float) -> float | None:
    """The number; None for those that JSON does not have."""
    return value if math.isfinite(value) else None


def duration(value: timedelta) -> str:
    """A duration as ISO 8601 has it, in seconds."""
    seconds = f"{value.total_seconds():.9f}".rstrip("0").rstrip(".")
    return f"-PT{seconds[1:]}S" if seconds.startswith("-") else f"PT{seconds}S"


def decimal(value: Decimal) -> float | int | None:
    """A decimal as a number."""
    if not value.is_finite():
        return None
    whole = value == value.to_integral_value()
    return int(value) if whole and abs(value) < 1 << 63 else finite(float(value))


#: How values are written that are of these types exactly, or derive from them. Of a type before the one that it derives from.
WRITERS: list[tuple[type, Callable[[Any], Any]]] = [
    (bool, bool),
    (int, int),
    (float, lambda value: finite(float(value))),
    (str, str.__str__),
    (datetime, lambda value: value.isoformat()),
    (date, lambda value: value.isoformat()),
    (time, lambda value: value.isoformat()),
    (timedelta, duration),
    (Decimal, decimal),
    (bytes, lambda value: value.decode("utf-8", "backslashreplace")),
]


class Cells:
    """Writes the values of a frame's cells in the types of JSON."""

    def __init__(self) -> None:
        #: Cells may hold lists that hold each other, which never end or fill the memory.
        self._left = MOST_MEMBERS
        self._depth = 0

    def plain(self, value: Any) -> Any:
        """A value; None for what is missing."""
        kind = type(value)
        if value is None or kind is str or kind is int or kind is bool:
            return value
        if kind is float:
            return finite(value)
        if kind.__name__ in MISSING:
            return None
        try:
            return self._written(value)
        except TooMuch:
            raise
        except Exception:
            # Code of the user, such as `__str__`, has failed.
            return None

    def _written(self, value: Any) -> Any:
        for kind, write in WRITERS:
            if isinstance(value, kind):
                return write(value)
        if isinstance(value, dict):
            return {text(key): self._member(member) for key, member in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._member(member) for member in value]
        if is_a(type(value), "numpy", "generic") or is_a(type(value), "numpy", "ndarray"):
            inner = value.tolist()
            # A number that Python has no type for stays as it is.
            return text(value) if type(inner) is type(value) else self.plain(inner)
        if is_a(type(value), "polars", "Series"):
            return self.plain(value.to_list())
        return text(value)

    def _member(self, value: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise TooMuch
        if self._depth == DEEPEST:
            return None
        self._depth += 1
        try:
            return self.plain(value)
        finally:
            self._depth -= 1


class TooMuch(Exception):
    """The cells of a frame hold too many values."""


def text(value: Any) -> str:
    """The value as a text."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def is_json(value: Any) -> bool:
    """Whether a value is a list or a dict of nothing but values of JSON, not too many and not too deep."""
    if type(value) not in (list, dict):
        return False
    left, characters = MOST_VALUES, MOST_CHARACTERS
    found = [(value, 0)]
    while found:
        one, depth = found.pop()
        kind = type(one)
        left -= 1
        if left < 0 or depth > DEPTH:
            return False
        if kind is dict:
            if len(one) > left:
                return False
            for key, member in list(one.items()):
                if type(key) is not str:
                    return False
                characters -= len(key)
                found += (member, depth + 1), (key, depth + 1)
        elif kind is list:
            if len(one) > left:
                return False
            found += [(member, depth + 1) for member in list(one)]
        elif kind is str:
            characters -= len(one)
            if not one.isascii() and not is_text(one):
                return False
        elif kind is float:
            if not math.isfinite(one):
                return False
        elif kind is int:
            if not -(1 << 63) <= one < 1 << 64:
                return False
        elif one is not None and kind is not bool:
            return False
        if characters < 0:
            return False
    return True


def is_text(value: str) -> bool:
    """Whether a text has no lone surrogates."""
    try:
        value.encode()
        return True
    except UnicodeEncodeError:
        return False
