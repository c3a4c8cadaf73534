"""Figures of matplotlib as data: what E2B's clients call charts."""

import pytest

pytestmark = pytest.mark.backends("any")

POINTS = "code-interpreter/chart-points"
PRELUDE = "import datetime, matplotlib.pyplot as plt, numpy as np, pandas as pd\n"


@pytest.fixture
def shown(run):
    """Runs code that shows one figure; its result."""

    def shown(code):
        [result] = run(f"{PRELUDE}{code}\nplt.show()").succeeded().results
        assert result["png"]
        return result

    return shown


@pytest.fixture
def chart(shown):
    return lambda code: shown(code)["chart"]


def test_lines_have_all_that_their_readers_need(chart):
    assert chart("""
plt.plot([1, 2, 3], [1.5, float('nan'), float('inf')], label='one')
plt.plot([1, 3], [4, 5])
plt.title('A title'); plt.xlabel('Time (s)'); plt.ylabel('Rate [Hz]')
plt.xticks([1, 2, 3]); plt.yticks([0, 5], ['none', 'many'])
""") == {
        "type": "line", "title": "A title",
        "x_label": "Time (s)", "x_unit": "s", "y_label": "Rate [Hz]", "y_unit": "Hz",
        "x_ticks": [1.0, 2.0, 3.0], "x_tick_labels": ["1", "2", "3"], "x_scale": "linear",
        "y_ticks": [0.0, 5.0], "y_tick_labels": ["none", "many"], "y_scale": "linear",
        "elements": [
            {"label": "one", "points": [[1.0, 1.5], [2.0, None], [3.0, None]]},
            {"label": "Line 1", "points": [[1.0, 4.0], [3.0, 5.0]]},
        ],
    }  # fmt: skip


def points(chart):
    return [(element["label"], element["points"]) for element in chart["elements"]]


BARS = {
    "equal heights": ("plt.bar(['a', 'b'], [2, 2], label='one')", [("a", "one", 2), ("b", "one", 2)]),
    "lying": ("plt.barh(['a', 'b'], [1, 2])", [("a", "Group 0", 1), ("b", "Group 0", 2)]),
    "lying, of equal lengths": ("plt.barh(['a', 'b'], [2, 2])", [("a", "Group 0", 2), ("b", "Group 0", 2)]),
    "negative": ("plt.bar(['a', 'b'], [-1, float('nan')])", [("a", "Group 0", -1), ("b", "Group 0", None)]),
    "grouped": (
        "x = np.arange(2)\nplt.bar(x - .2, [1, 2], .4, label='m')\nplt.bar(x + .2, [3, 4], .4, label='n')\nplt.xticks(x, ['P', 'Q'])",
        [("P", "m", 1), ("Q", "m", 2), ("P", "n", 3), ("Q", "n", 4)],
    ),
    "stacked": (
        "plt.bar(['a', 'b'], [1, 2], label='m')\nplt.bar(['a', 'b'], [3, 4], bottom=[1, 2], label='n')",
        [("a", "m", 1), ("b", "m", 2), ("a", "n", 3), ("b", "n", 4)],
    ),
    "with errors": ("plt.bar(['a'], [1], yerr=[.5], capsize=4)", [("a", "Group 0", 1)]),
    "with a mark": ("plt.bar(['a'], [1])\nplt.axhline(.5)\nplt.axvspan(0, 1)", [("a", "Group 0", 1)]),
    "years": ("plt.bar([2019, 2021], [1, 2])", [("2019", "Group 0", 1), ("2021", "Group 0", 2)]),
    "dates": ("plt.bar([datetime.date(2024, 5, 6)], [1])", [("2024-05-06T00:00:00", "Group 0", 1)]),
    "histogram": ("plt.hist([1, 2, 2, 4], bins=3)", [("1.5", "Group 0", 1), ("2.5", "Group 0", 2), ("3.5", "Group 0", 1)]),
    "of pandas": (
        "pd.DataFrame({'m': [1, 2], 'n': [3, 4]}, index=['a', 'b']).plot.bar(stacked=True)",
        [("a", "m", 1), ("b", "m", 2), ("a", "n", 3), ("b", "n", 4)],
    ),
    "of seaborn": (
        "import seaborn\nseaborn.barplot(pd.DataFrame({'k': [*'aabb'], 'h': [*'mnmn'], 'v': [1, 2, 3, 4]}), x='k', y='v', hue='h')",
        [("a", "m", 1), ("b", "m", 3), ("a", "n", 2), ("b", "n", 4)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "expected"), BARS.values(), ids=BARS)
def test_bars(chart, code, expected):
    found = chart(code)
    assert (found["type"], [(one["label"], one["group"], one["value"]) for one in found["elements"]]) == ("bar", expected)


def test_the_labels_of_lying_bars_are_those_of_standing_ones(chart):
    found = chart("plt.barh(['a'], [1])\nplt.ylabel('Author')\nplt.xlabel('Books (pieces)')")
    assert [found[name] for name in ("x_label", "x_unit", "y_label", "y_unit")] == ["Author", None, "Books (pieces)", "pieces"]


PIES = {
    "labels": ("plt.pie([90, 10], labels=['No', 'Yes'], autopct='%1.1f%%', startangle=90)", [("No", 324), ("Yes", 36)]),
    "a legend": ("plt.pie([1, 1, 2], wedgeprops={'width': .3})\nplt.legend(['a', 'b', 'c'])", [("a", 90), ("b", 90), ("c", 180)]),
    "nothing": ("plt.pie([1, 3])", [("", 90), ("", 270)]),
}


@pytest.mark.parametrize(("code", "expected"), PIES.values(), ids=PIES)
def test_pies(chart, code, expected):
    found = chart(code)
    assert (found["type"], [(one["label"], one["angle"]) for one in found["elements"]]) == ("pie", expected)
    assert all(one["radius"] == 1 for one in found["elements"])


SAMPLES = "samples = [[85, 90, 78, 92, 88], [95, 89, 76, 91, 84, 87]]\n"
BOXES = {
    "lines": "plt.boxplot(samples, tick_labels=['A', 'B'], showmeans=True)",
    "the older name of an argument": "plt.boxplot(samples, labels=['A', 'B'])",
    "patches": "plt.boxplot(samples, tick_labels=['A', 'B'], patch_artist=True)",
    "notches": "plt.boxplot(samples, tick_labels=['A', 'B'], notch=True)",
    "lying": "plt.boxplot(samples, tick_labels=['A', 'B'], vert=False)",
    "lying notches": "plt.boxplot(samples, tick_labels=['A', 'B'], vert=False, notch=True, patch_artist=True)",
    "of pandas": "pd.DataFrame({'A': pd.Series(samples[0]), 'B': pd.Series(samples[1])}).boxplot()",
    "of seaborn": "import seaborn\nseaborn.boxplot({'A': samples[0], 'B': samples[1]})",
}


@pytest.mark.parametrize("code", BOXES.values(), ids=BOXES)
def test_boxes(chart, code):
    found = chart(SAMPLES + code)
    assert found["type"] == "box_and_whisker"
    assert found["elements"] == [
        {"label": "A", "min": 78, "first_quartile": 85, "median": 88, "third_quartile": 90, "max": 92, "outliers": []},
        {"label": "B", "min": 84, "first_quartile": 84.75, "median": 88, "third_quartile": 90.5, "max": 95, "outliers": [76]},
    ]


def test_a_whisker_without_length(chart):
    [found] = chart("plt.boxplot([[1, 2, 3, 10]])")["elements"]
    assert [found[name] for name in ("min", "first_quartile", "median", "third_quartile", "max", "outliers")] == [1, 1.75, 2.5, 4.75, 4.75, [10]]


SCALES = {
    "dates": ("plt.plot([datetime.datetime(2024, 5, 6, 7, 8, 9, 500)], [1])", "datetime", "2024-05-06T07:08:09.000500"),
    "days": ("plt.plot([datetime.date(2024, 5, 6), None], [1, 2])", "datetime", "2024-05-06T00:00:00"),
    "numpy's": ("plt.plot(np.array(['2024-05-06'], 'M8[D]'), [1])", "datetime", "2024-05-06T00:00:00"),
    "pandas'": ("plt.plot(pd.to_datetime(['2024-05-06T07:08:09']), [1])", "datetime", "2024-05-06T07:08:09"),
    "periods": ("pd.Series([1, 2], index=pd.date_range('2024-05-06', periods=2, freq='D')).plot()", "datetime", "2024-05-06T00:00:00"),
    "categories": ("plt.plot(['a', 'b', 'a'], [1, 2, 3])", "categorical", "a"),
    "named ticks": ("plt.plot([0, 1], [1, 2])\nplt.xticks([0, 1], ['a', 'b'])", "categorical", 0.0),
    "logarithm": ("plt.plot([1, 10], [1, 2])\nplt.xscale('log')", "log", 1.0),
    "symmetric logarithm": ("plt.plot([1, 10], [1, 2])\nplt.xscale('symlog')", "symlog", 1.0),
    "logit": ("plt.plot([.1, .5], [1, 2])\nplt.xscale('logit')", "logit", 0.1),
    "arcsine": ("plt.plot([1, 10], [1, 2])\nplt.xscale('asinh')", "asinh", 1.0),
    "a function": ("plt.plot([1, 4], [1, 2])\nplt.xscale('function', functions=(np.sqrt, np.square))", "function", 1.0),
}


@pytest.mark.parametrize(("code", "scale", "first"), SCALES.values(), ids=SCALES)
def test_scales(chart, code, scale, first):
    found = chart(code)
    assert (found["x_scale"], found["y_scale"], found["elements"][0]["points"][0][0]) == (scale, "linear", first)
    assert len(found["x_ticks"]) == len(found["x_tick_labels"])
    assert all(type(tick) is (str if scale == "datetime" else float) for tick in found["x_ticks"])


TYPES = {
    "scatter": ("plt.scatter([1, 2], [3, 4], label='one')", "scatter", [("one", [[1, 3], [2, 4]])]),
    "scatter of categories": ("plt.scatter(['a', 'b'], [3, 4])", "scatter", [("Scatter 0", [["a", 3], ["b", 4]])]),
    "scatter of what is missing": ("plt.scatter([1, 2], [3, float('nan')])", "scatter", [("Scatter 0", [[1, 3], [None, None]])]),
    "scatter with a line": ("plt.scatter([1], [2])\nplt.plot([1, 2], [3, 4])", "scatter", [("Scatter 0", [[1, 2]]), ("Line 0", [[1, 3], [2, 4]])]),
    "colours": ("plt.scatter([1], [2], c=[3])\nplt.colorbar()", "scatter", [("Scatter 0", [[1, 2]])]),
    "seaborn's": ("import seaborn\nseaborn.scatterplot(pd.DataFrame({'a': [1, 2], 'h': [*'xy']}), x='a', y='a', hue='h')", "scatter", [("Scatter 0", [[1, 1], [2, 2]])]),
    "seaborn's lines": ("import seaborn\nseaborn.lineplot(pd.DataFrame({'a': [1, 2] * 2, 'h': [*'xxyy']}), x='a', y='a', hue='h')", "line", [("x", [[1, 1], [2, 2]]), ("y", [[1, 1], [2, 2]])]),
    "error bars": ("plt.errorbar([1, 2], [3, 4], yerr=1, capsize=3)", "line", [("Line 0", [[1, 3], [2, 4]])]),
    "a band": ("plt.plot([1, 2], [3, 4])\nplt.fill_between([1, 2], [2, 3], [4, 5])\nplt.axhline(3)\nplt.grid(True)", "line", [("Line 0", [[1, 3], [2, 4]])]),
    "hidden": ("plt.plot([1], [2])\nplt.plot([3], [4])[0].set_visible(False)", "line", [("Line 0", [[1, 2]])]),
    "masked": ("plt.plot(np.ma.array([1, 2], mask=[0, 1]), [3, 4])", "line", [("Line 0", [[1, 3], [None, 4]])]),
}  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "expected"), TYPES.values(), ids=TYPES)
def test_points(chart, code, kind, expected):
    found = chart(code)
    assert (found["type"], points(found)) == (kind, expected)


UNKNOWN = {
    "circles": "plt.gca().add_artist(plt.Circle((0, 0), 1))",
    "picture": "plt.imshow(np.ones((3, 3)))",
    "map of heat": "plt.pcolormesh(np.ones((3, 3)))",
    "contours": "plt.contour(np.arange(9).reshape(3, 3))",
    "areas": "plt.stackplot([1, 2], [[1, 2], [3, 4]])",
    "violins": "plt.violinplot([[1, 2, 3]])",
    "seaborn's violins": "import seaborn\nseaborn.violinplot({'a': [1, 2, 3]})",
    "stems": "plt.stem([1, 2], [3, 4])",
    "a polygon": "plt.fill([0, 1, 1], [0, 0, 1])",
    "three dimensions": "plt.figure().add_subplot(projection='3d').plot([1], [2], [3])",
    "polar": "plt.polar([1, 2], [1, 2])",
    "what cannot be read": "plt.plot([1, 2])\nplt.gca().lines[0].get_data = lambda **options: 1 / 0",
    "axes of another kind": "plt.plot([1, 2])\nplt.gca().name = 'other'",
}


@pytest.mark.parametrize("code", UNKNOWN.values(), ids=UNKNOWN)
def test_what_has_no_type_has_a_title_and_labels(chart, code):
    assert chart(f"{code}\nplt.title('Named'); plt.xlabel('Length (m)')") == {
        "type": "unknown", "title": "Named", "x_label": "Length (m)", "x_unit": "m", "y_label": None, "y_unit": None, "elements": [],
    }  # fmt: skip


def test_several_axes(chart):
    found = chart("""
figure, (left, middle, right) = plt.subplots(1, 3)
figure.suptitle('Together')
left.plot([1, 2]); left.set_title('Left')
middle.scatter([1], [2])
twin = left.twinx(); twin.bar(['a'], [3])
""")
    assert (found["type"], found["title"]) == ("superchart", "Together")
    assert [(one["type"], one["title"]) for one in found["elements"]] == [("line", "Left"), ("scatter", None), ("bar", None)]


def test_the_title_of_a_figure_is_that_of_its_only_axes(chart):
    assert chart("plt.plot([1])\nplt.suptitle('Above')")["title"] == "Above"
    assert chart("plt.plot([1])\nplt.title('At the left', loc='left')")["title"] == "At the left"


def test_an_empty_figure_has_an_empty_chart(chart, run):
    assert chart("plt.subplots(2, 2)") == {}
    # Without axes there is no picture of it either.
    assert run(f"{PRELUDE}plt.figure(); plt.show()").succeeded().results[0]["chart"] == {}


def test_many_points_are_thinned_and_that_is_told(shown):
    result = shown("plt.plot(np.arange(100_000))\nplt.scatter([1, 2], [3, 4])")
    assert result["extra"][POINTS] == 100_002
    scatter, line = (element["points"] for element in result["chart"]["elements"])
    assert 9_000 < len(line) <= 10_000 and (line[0], line[-1]) == ([0, 0], [99_999, 99_999])
    assert scatter[0] == [1, 3]
    assert POINTS not in shown("plt.plot(np.arange(10_000))").get("extra", {})


def test_the_value_of_a_cell_has_a_chart_as_well(run):
    [result] = run(f"{PRELUDE}figure, axes = plt.subplots()\naxes.plot([1, 2])\nplt.close()\nfigure").succeeded().results
    assert (result["is_main_result"], result["chart"]["type"], bool(result["png"])) == (True, "line", True)


def test_an_object_may_have_a_chart_of_its_own(run):
    code = "class Own:\n    def _repr_e2b_chart_(self): return {'type': 'line', 'title': None, 'elements': []}\nOwn()"
    [result] = run(code).succeeded().results
    assert result["chart"] == {"type": "line", "title": None, "elements": []}
    [result] = run("class Broken:\n    def _repr_e2b_chart_(self): return 1 / 0\nBroken()").succeeded().results
    assert "chart" not in result and "Broken" in result["text"]


def test_what_is_no_figure_has_no_chart(run):
    for code in ("1", "'a'", "import matplotlib.figure; matplotlib.figure.Figure", "import pandas; pandas.DataFrame({'a': [1]})"):
        [result] = run(code).succeeded().results
        assert "chart" not in result


def test_text_that_is_no_unicode_does_not_cost_the_picture(shown):
    assert shown("plt.plot([1], label='\\ud800')\nplt.gca().get_title = lambda *a, **o: '\\ud800'")["png"]
