"""Figures of matplotlib as data (`e2b/chart`): what lines, points, bars, wedges and boxes say, as E2B's clients read it.

PyPI's e2b-charts does a part of that. It guesses the direction of bars and boxes from whether their heights are equal, takes the labels of
bars from the ticks in their order, sends NaN, which is not JSON, knows no limit, and needs pydantic. So this is written anew, with
the members that its readers expect: https://github.com/e2b-dev/code-interpreter (`charts.py` of the Python client).
"""

from __future__ import annotations

import functools
import math
import re
import sys
from typing import Any, Iterable, NamedTuple

from code_interpreter_kernel.data import finite, is_a, times

CHART = "e2b/chart"
METHOD = "_repr_e2b_chart_"
#: Stands beside a chart that has more points: their number.
POINT_COUNT = "code-interpreter/chart-points"

#: The most points of a figure that are told. Of more, as many are taken at equal distances, the first and the last among them.
MOST_POINTS = 10_000
#: The most bars, wedges, lines and ticks, each, that are told.
MOST_ELEMENTS = 1_000
#: With more boxes, a chart is of no known type.
MOST_BOXES = 100

#: What stands in parentheses or brackets.
UNIT = re.compile(r"(?:^|\s)\((.*?)\)|\[(.*?)\]")

Chart = dict[str, Any]


def bundle(value: Any) -> dict[str, Any]:
    """What a MIME bundle of the value has as its chart; empty if it is no figure."""
    kind = type(value)
    if is_a(kind, "matplotlib.figure", "Figure"):
        points = Points()
        chart = of_figure(value, points)
        return {CHART: chart, POINT_COUNT: points.count} if points.count > MOST_POINTS else {CHART: chart}
    method = getattr(kind, METHOD, None)
    own = method(value) if callable(method) else None
    return {CHART: own} if type(own) is dict else {}


def of_figure(figure: Any, points: Points) -> Chart:
    """The chart of a figure: of its only axes, or of several. An empty figure has none."""
    # A colour bar explains the colours of others.
    all_axes = [axes for axes in figure.axes if axes.get_visible() and axes.has_data() and axes.get_label() != "<colorbar>"]
    points.share_between(all_axes)
    title = figure.get_suptitle() or None
    if len(all_axes) > 1:
        return {"type": "superchart", "title": title, "elements": [of_axes(axes, points) for axes in all_axes[:MOST_ELEMENTS]]}
    for axes in all_axes:
        chart = of_axes(axes, points)
        return {**chart, "title": chart["title"] or title}
    return {}


def of_axes(axes: Any, points: Points) -> Chart:
    """The chart of one axes; of type `unknown` if it is something else, or cannot be read."""
    chart: Chart = {"type": "unknown", "title": None}
    try:
        chart["title"] = next(filter(None, map(axes.get_title, ("center", "left", "right"))), None)
        chart |= labels(axes)
        return chart | elements(axes, points)
    except Exception:
        # The picture is there all the same.
        return {**chart, "elements": []}


def labels(axes: Any) -> Chart:
    """What is written at the axes, and the units in it."""
    result: Chart = {}
    for name, label in (("x", axes.get_xlabel()), ("y", axes.get_ylabel())):
        unit = UNIT.search(label)
        result |= {f"{name}_label": label or None, f"{name}_unit": (unit[1] or unit[2]) if unit else None}
    return result


def elements(axes: Any, points: Points) -> Chart:
    """The type of an axes and its elements, and what else that type has."""
    unknown: Chart = {"type": "unknown", "elements": []}
    # Of three dimensions, or polar: points there are none of a plane.
    if axes.name != "rectilinear":
        return unknown
    drawn = Drawn.on(axes)
    if drawn.others:
        return unknown
    if drawn.wedges and not drawn.bars:
        return {"type": "pie", "elements": wedges(axes, drawn.wedges)}
    if drawn.bars:
        return {"type": "bar", **bars(axes, drawn.bars)}
    if found := boxes(axes, drawn):
        return {"type": "box_and_whisker", **found}
    if drawn.patches or not (drawn.scatters or drawn.lines):
        return unknown
    x, y = Axis(axes.xaxis), Axis(axes.yaxis)
    names = [*names_of(axes, drawn.scatters, "Scatter"), *names_of(axes, drawn.lines, "Line")]
    shown = [*map(offsets, drawn.scatters), *(line.get_data(orig=False) for line in drawn.lines)]
    return {
        "type": "scatter" if drawn.scatters else "line",
        **x.described("x"),
        **y.described("y"),
        "elements": [{"label": name, "points": points.of(*pair, x, y)} for name, pair in list(zip(names, shown))[:MOST_ELEMENTS]],
    }


def names_of(axes: Any, artists: list[Any], kind: str) -> list[str]:
    """The labels of what is drawn; those of the legend where there are none. matplotlib's own begin with an underscore."""
    own = [str(artist.get_label()) for artist in artists]
    legend = axes.get_legend()
    explained = [text.get_text() for text in legend.get_texts()] if legend else []
    standard = explained if len(explained) == len(artists) else [f"{kind} {number}" if kind else "" for number in range(len(artists))]
    return [second if first.startswith("_") or not first else first for first, second in zip(own, standard)]


def offsets(scatter: Any) -> tuple[Any, Any]:
    """The points of `scatter`, which may be masked."""
    numpy = sys.modules["numpy"]
    pairs = numpy.ma.filled(numpy.ma.asarray(scatter.get_offsets(), dtype=float), math.nan)
    return pairs[:, 0], pairs[:, 1]


class Drawn(NamedTuple):
    """What is visible of an axes, by its kind."""

    lines: list[Any]
    scatters: list[Any]
    #: Containers of bars.
    bars: list[Any]
    wedges: list[Any]
    #: Patches that are neither bars nor wedges.
    patches: list[Any]
    #: Of no type that a chart could have.
    others: list[Any]

    @classmethod
    def on(cls, axes: Any) -> Drawn:
        """Reads them."""
        collections, containers = sys.modules["matplotlib.collections"], sys.modules["matplotlib.container"]
        kinds, numpy = sys.modules["matplotlib.patches"], sys.modules["numpy"]
        bars = [container for container in axes.containers if isinstance(container, containers.BarContainer) and len(container)]
        in_bars = {id(bar) for container in bars for bar in container}
        # Error bars belong to a line or a bar.
        in_errors: set[int] = set()
        for container in axes.containers:
            if isinstance(container, containers.ErrorbarContainer):
                _, caps, ranges = container.lines
                in_errors |= {id(artist) for artist in (*caps, *ranges)}
        # `axhline` and its like, and bars' zero line, have another transform: they mark something.
        lines = [
            line
            for line in axes.lines
            if line.get_visible() and id(line) not in in_errors and len(line.get_xdata(orig=False)) and line.get_transform() == axes.transData
        ]
        patches = [patch for patch in axes.patches if patch.get_visible() and id(patch) not in in_bars and patch.get_transform().contains_branch(axes.transData)]
        scatters = [one for one in axes.collections if isinstance(one, collections.PathCollection) and one.get_visible() and len(one.get_offsets())]
        # A band around a line, as of a confidence interval, is not a chart of its own. In violins, lines just stand.
        may_have_bands = scatters or any(numpy.ptp(line.get_xdata(orig=False)) > 0 for line in lines)
        others = [
            one
            for one in axes.collections
            if not isinstance(one, collections.PathCollection)
            and one.get_visible()
            and id(one) not in in_errors
            and not (isinstance(one, collections.PolyCollection) and may_have_bands)
        ]
        return cls(
            lines=lines,
            scatters=scatters,
            bars=bars,
            wedges=[patch for patch in patches if isinstance(patch, kinds.Wedge)],
            patches=[patch for patch in patches if not isinstance(patch, kinds.Wedge)],
            others=[*others, *axes.images],
        )


class Axis:
    """How numbers on an axis are to be read: as numbers, dates or categories."""

    def __init__(self, axis: Any):
        self._axis = axis
        converter = type(axis.get_converter() if hasattr(axis, "get_converter") else axis.converter).__name__
        #: Of the periods whose numbers pandas draws, in place of dates.
        self._frequency = getattr(axis.axes, "freq", None) if converter == "PeriodConverter" else None
        self.is_date = "Date" in converter or self._frequency is not None
        mapping = getattr(axis.units, "_mapping", None) if converter == "StrCategoryConverter" else None
        #: The name of each number.
        self.categories = {number: name if isinstance(name, str) else str(name) for name, number in mapping.items()} if mapping else {}

    @property
    def scale(self) -> str:
        """The kind of the axis, as E2B's clients name it."""
        if self.is_date:
            return "datetime"
        return "categorical" if self.categories or self._counts_names() else str(self._axis.get_scale())

    def _counts_names(self) -> bool:
        """Whether the ticks are 0, 1, 2 and so on, with names."""
        ticks, names = self.ticks
        return bool(ticks) and self._axis.get_scale() == "linear" and ticks == list(range(len(ticks))) and not any(not name or is_number(name) for name in names)

    @functools.cached_property
    def ticks(self) -> tuple[list[float], list[str]]:
        """The ticks, and what is written at them."""
        # This finds them. To ask for their places first would find them twice, which takes 5 ms of dates.
        names = [text.get_text() for text in self._axis.get_ticklabels()]
        numbers = [float(tick.get_loc()) for tick in self._axis.get_major_ticks(len(names))]
        return numbers[:MOST_ELEMENTS], names[:MOST_ELEMENTS]

    def described(self, name: str) -> Chart:
        """The members of a chart for this axis."""
        ticks, names = self.ticks
        values = self.values(ticks) if self.is_date else [finite(tick) for tick in ticks]
        return {f"{name}_ticks": values, f"{name}_tick_labels": names, f"{name}_scale": self.scale}

    def values(self, numbers: Any) -> list[Any]:
        """Numbers as they are to be read; None for those that JSON does not have."""
        numpy = sys.modules["numpy"]
        array = numpy.ma.filled(numpy.ma.asarray(numbers, dtype=float), math.nan)
        if self.is_date:
            return self._dates(array, numpy)
        plain = array.tolist()
        if self.categories:
            return [self.categories.get(value, finite(value)) for value in plain]
        return plain if numpy.isfinite(array).all() else [finite(value) for value in plain]

    def _dates(self, days: Any, numpy: Any) -> list[str | None]:
        """Days since matplotlib's epoch, in ISO 8601. They are as exact as a microsecond at best. Or numbers of periods."""
        if self._frequency is not None:
            known = numpy.isfinite(days)
            periods = sys.modules["pandas"].PeriodIndex.from_ordinals(numpy.where(known, days, 0).astype("int64"), freq=self._frequency)
            begins = periods.to_timestamp().to_numpy().copy()
            begins[~known] = numpy.datetime64("NaT")
            return times(begins, numpy)
        epoch = numpy.datetime64(sys.modules["matplotlib.dates"].get_epoch(), "us")
        microseconds = days * 86_400_000_000
        known = numpy.isfinite(microseconds) & (numpy.abs(microseconds) < 1 << 62)
        dates = epoch + numpy.where(known, microseconds, 0).round().astype("m8[us]")
        dates[~known] = numpy.datetime64("NaT")
        return times(dates, numpy)

    def name(self, number: float) -> str:
        """What is written at the axis for a bar or a box there."""
        if self.categories:
            return self.categories.get(round(number), "")
        if self.is_date:
            return self._dates(sys.modules["numpy"].array([number]), sys.modules["numpy"])[0] or ""
        ticks, names = self.ticks
        # Bars of a group stand beside the tick of the group.
        distances = sorted(abs(second - first) for first, second in zip(ticks, ticks[1:]))
        reach = distances[0] / 2 if distances else math.inf
        nearest = min(zip(ticks, names), key=lambda tick: abs(tick[0] - number), default=(math.nan, ""))
        if nearest[1] and not is_number(nearest[1]) and abs(nearest[0] - number) <= reach:
            return nearest[1]
        return f"{number:.12g}"


def is_number(text: str) -> bool:
    """Whether a tick's label is just its number, as matplotlib writes it."""
    try:
        float(text.replace("\N{MINUS SIGN}", "-"))
        return True
    except ValueError:
        return False


class Points:
    """Takes as many points of each line as its share allows."""

    def __init__(self) -> None:
        #: Of the whole figure.
        self.count = 0
        self._share = 1.0

    def share_between(self, all_axes: Iterable[Any]) -> None:
        """Counts the points of a figure."""
        for axes in all_axes:
            self.count += sum(len(line.get_xdata(orig=False)) for line in axes.lines)
            self.count += sum(len(one.get_offsets()) for one in axes.collections if is_a(type(one), "matplotlib.collections", "PathCollection"))
        self._share = min(1.0, MOST_POINTS / max(1, self.count))

    def of(self, xs: Any, ys: Any, x: Axis, y: Axis) -> list[list[Any]]:
        """The points of one line."""
        numpy = sys.modules["numpy"]
        taken = max(1, int(len(xs) * self._share)) if len(xs) else 0
        if taken < len(xs):
            chosen = numpy.linspace(0, len(xs) - 1, taken).astype(int)
            xs, ys = numpy.ma.asarray(xs)[chosen], numpy.ma.asarray(ys)[chosen]
        return [list(pair) for pair in zip(x.values(xs), y.values(ys))]


def wedges(axes: Any, found: list[Any]) -> list[Chart]:
    """The wedges of a pie."""
    result = []
    for name, wedge in list(zip(names_of(axes, found, ""), found))[:MOST_ELEMENTS]:
        # matplotlib computes them with some seven digits.
        angle = finite(float(f"{abs(float(wedge.theta2) - float(wedge.theta1)):.7g}"))
        result.append({"label": name, "angle": angle, "radius": finite(float(wedge.r))})
    return result


def bars(axes: Any, containers: list[Any]) -> Chart:
    """Bars, by their groups. `x` is the axis along which they stand, also for those that lie."""
    lies = containers[0].orientation == "horizontal"
    axis = Axis(axes.yaxis if lies else axes.xaxis)
    result: list[Chart] = []
    names: dict[float, str] = {}
    for group, container in zip(names_of(axes, containers, "Group"), containers):
        for bar in list(container)[: MOST_ELEMENTS - len(result)]:
            start, width, height = (bar.get_y(), bar.get_height(), bar.get_width()) if lies else (bar.get_x(), bar.get_width(), bar.get_height())
            centre = float(start + width / 2)
            if centre not in names:
                names[centre] = axis.name(centre)
            result.append({"label": names[centre], "group": group, "value": finite(float(height))})
    return {**(turned(axes) if lies else {}), "elements": result}


def turned(axes: Any) -> Chart:
    """The labels of axes where the names stand along `y`, with those of `x` and `y` exchanged."""
    own = labels(axes)
    return {f"{one}_{what}": own[f"{other}_{what}"] for one, other in (("x", "y"), ("y", "x")) for what in ("label", "unit")}


def boxes(axes: Any, drawn: Drawn) -> Chart | None:
    """Boxes with their whiskers, however they were drawn; None if there are others, or none."""
    numpy = sys.modules["numpy"]
    lines = [numpy.asarray(line.get_xydata(), dtype=float) for line in drawn.lines]
    shapes = [line for line in lines if len(line) >= 5 and numpy.array_equal(line[0], line[-1])]
    shapes += [patch.get_path().vertices for patch in drawn.patches if is_a(type(patch), "matplotlib.patches", "PathPatch")]
    if not shapes or len(shapes) > MOST_BOXES:
        return None
    for along in (0, 1):
        axis = Axis(axes.yaxis if along else axes.xaxis)
        found = [box(shape, lines, along, axis) for shape in shapes]
        if all(found):
            return {**(turned(axes) if along else {}), "elements": found}
    return None


def box(shape: Any, lines: list[Any], along: int, axis: Axis) -> Chart | None:
    """One box of an axis; None if it has no median or no whiskers there."""
    numpy = sys.modules["numpy"]
    first, last = shape[:, along].min(), shape[:, along].max()
    # The corners are at the quartiles; notches, between them, may be beyond.
    low, high = sorted((shape[0, 1 - along], shape[5 if len(shape) > 10 else 2, 1 - along]))
    centre = (first + last) / 2
    ends, outliers = [], []
    #: Of the lines across the box, with their lengths. Caps may be in it, too, where no value is beyond the quartile.
    across: list[tuple[float, float]] = []
    for line in lines:
        where, values = line[:, along], line[:, 1 - along]
        if numpy.allclose(where, centre):
            if len(line) == 2 and (numpy.isclose(values[0], low) or numpy.isclose(values[0], high)):
                ends.append(float(values[1]))
            else:
                outliers += values.tolist()
        elif len(line) == 2 and values[0] == values[1] and low <= values[0] <= high and where.min() >= first and where.max() <= last:
            across.append((float(numpy.ptp(where)), float(values[0])))
    if not across or len(ends) < 2:
        return None
    least, most = min(ends), max(ends)
    return {
        "label": axis.name(centre),
        "min": finite(least),
        "first_quartile": finite(float(low)),
        "median": finite(max(across)[1]),
        "third_quartile": finite(float(high)),
        "max": finite(most),
        # The mean, where it is drawn, is between the whiskers.
        "outliers": [value for value in outliers if value < least or value > most][:MOST_ELEMENTS],
    }
