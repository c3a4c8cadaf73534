"""The frames of a traceback: the location of each, and the lines around it.

The format is IPython's without colours. IPython searches all modules for the module of each frame of a cell and parses
the source: `1 / 0` takes 4 ms, a RecursionError 5 s.
"""

from __future__ import annotations

import inspect
import linecache
import os
from collections import Counter
from types import CodeType, FrameType, TracebackType
from typing import Callable, Iterator

#: How many frames at the same line are shown.
SIMILAR = 3

#: How many frames are shown at each end of a traceback.
END = 40

#: How many characters of a source line are shown.
LINE_CHARACTERS = 2000

#: The packages whose frames are hidden: they are between the kernel and user code.
OWN = ("IPython", __name__.partition(".")[0])

# Bound here, because user code may replace them. This `linecache.checkcache` is the original, which IPython replaces.
_getlines, _checkcache, _isabs = linecache.getlines, linecache.checkcache, os.path.isabs
_home = os.path.expanduser("~")

#: The label of a cell's file, ("Cell", "In[1]"); None for other files.
Label = Callable[[str], "tuple[str, str] | None"]

Place = tuple[FrameType, int]


def describe(traceback: TracebackType | None, context: int, label: Label) -> list[str]:
    """The frames of a traceback, each with `context` lines."""
    places = list(_selected(list(_places(traceback))))
    texts = [place if isinstance(place, str) else _describe(place, context, label) for place in places]
    if len(texts) > 2 * END:
        texts[END:-END] = [f"    [... skipping {len(texts) - 2 * END} frames]\n"]
    return texts


def _places(traceback: TracebackType | None) -> Iterator[Place]:
    while traceback is not None:
        frame = traceback.tb_frame
        module = frame.f_globals.get("__name__")
        if not (isinstance(module, str) and module.partition(".")[0] in OWN):
            yield frame, traceback.tb_lineno or frame.f_code.co_firstlineno
        traceback = traceback.tb_next


def _selected(places: list[Place]) -> Iterator[Place | str]:
    """Leaves out hidden frames and repeated frames."""
    seen: Counter[tuple[CodeType, int]] = Counter()
    similar: Counter[str] = Counter()
    hidden = 0
    for index, place in enumerate(places):
        frame, line = place
        code, is_last = frame.f_code, index == len(places) - 1
        if not is_last and "__tracebackhide__" in code.co_varnames and frame.f_locals.get("__tracebackhide__"):
            hidden += 1
            continue
        seen[code, line] += 1
        if not is_last and seen[code, line] > SIMILAR:
            similar[f"{code.co_qualname} at line {line}"] += 1
            continue
        yield from _left_out(similar, hidden)
        similar, hidden = Counter(), 0
        yield place


def _left_out(similar: Counter[str], hidden: int) -> Iterator[str]:
    if hidden:
        yield f"    [... skipping hidden {hidden} frame]\n"
    if similar:
        times = ", ".join(f"{name} ({count} times)" for name, count in similar.most_common(SIMILAR))
        more = f", and {len(similar) - SIMILAR} others" if len(similar) > SIMILAR else ""
        yield f"    [... skipping similar frames: {times}{more}]\n"


def _describe(place: Place, context: int, label: Label) -> str:
    frame, line = place
    code = frame.f_code
    cell = label(code.co_filename)
    where = f"{cell[0]} {cell[1]}, line {line}" if cell else f"File {_shortened(code.co_filename)}:{line}"
    call = "" if code.co_name == "<module>" else f", in {code.co_qualname}{_arguments(code)}"
    return f"{where}{call}\n" + _source(frame, line, context, is_cell=cell is not None)


def _shortened(path: str) -> str:
    return "~" + path[len(_home) :] if len(_home) > 1 and path.startswith(_home + "/") else path


def _arguments(code: CodeType) -> str:
    count = code.co_argcount + code.co_kwonlyargcount
    names = list(code.co_varnames[:count])
    for flag, stars in ((inspect.CO_VARARGS, "*"), (inspect.CO_VARKEYWORDS, "**")):
        if code.co_flags & flag:
            names.append(stars + code.co_varnames[count])
            count += 1
    return f"({', '.join(names)})"


def _source(frame: FrameType, line: int, context: int, *, is_cell: bool) -> str:
    code = frame.f_code
    if not is_cell and _isabs(code.co_filename):
        _checkcache(code.co_filename)
    source = _getlines(code.co_filename, frame.f_globals)
    if not 1 <= line <= len(source):
        return ""
    first, last = max(line - context // 2, 1), min(line + context // 2, len(source))
    if code.co_name != "<module>":
        first = max(first, min(code.co_firstlineno, line))
        last = min(last, max((number for *_, number in code.co_lines() if number is not None), default=last))
    numbers = list(range(first, max(last, line) + 1))
    lines = {number: source[number - 1].rstrip() for number in numbers}
    while numbers[0] != line and not lines[numbers[0]]:
        del numbers[0]
    while numbers[-1] != line and not lines[numbers[-1]]:
        del numbers[-1]
    indents = [len(lines[number]) - len(lines[number].lstrip()) for number in numbers if lines[number]]
    indent = min(indents, default=0)
    return "".join(f"{_number(number, line)} {lines[number][indent:][:LINE_CHARACTERS]}\n" for number in numbers)


def _number(number: int, current: int) -> str:
    if number != current:
        return f"{number:7}"
    return "-" * max(7 - len(str(number)) - 2, 0) + f"> {number}"
