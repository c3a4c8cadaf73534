"""Results as data: frames by columns, and lists and dicts as JSON."""

import pytest

ROWS = "code-interpreter/data-rows"


@pytest.fixture
def result(run):
    """Runs code; the result that is its value."""
    return lambda code: run(code).succeeded().main


@pytest.fixture
def data(result):
    return lambda code: result(f"import pandas as pd\n{code}")["data"]


def test_a_frame_is_shown_by_columns(data):
    assert data("pd.DataFrame({'a': [1, 2], 'b': [0.5, 1.5], 'c': ['x', 'ü😀'], 'd': [True, False]})") == {
        "a": [1, 2], "b": [0.5, 1.5], "c": ["x", "ü😀"], "d": [True, False]
    }  # fmt: skip


def test_a_displayed_frame_has_data_as_well(run):
    first, second = run("import pandas as pd\ndisplay(pd.DataFrame({'a': [1]}))\npd.DataFrame({'a': []})").succeeded().results
    assert (first["data"], first["is_main_result"]) == ({"a": [1]}, False)
    assert (second["data"], second["is_main_result"]) == ({"a": []}, True)
    assert "dataframe" in first["html"] and first["text"]


def test_what_is_no_frame_has_no_data(run):
    for code in ("1 + 1", "'a'", "import pandas as pd; pd.Series([1])", "pd.DataFrame", "import numpy; numpy.ones(3)"):
        [result] = run(code).succeeded().results
        assert "data" not in result and "extra" not in result, result


MISSING = {
    "floats": ("pd.DataFrame({'a': [1.5, float('nan'), float('inf'), -float('inf')]})", [1.5, None, None, None]),
    "objects": ("pd.DataFrame({'a': [None, pd.NA, pd.NaT, float('nan')]}, dtype=object)", [None] * 4),
    "nullable": ("pd.DataFrame({'a': pd.array([1, None], dtype='Int64')})", [1, None]),
    "times": ("pd.DataFrame({'a': [pd.Timestamp('2024-05-06 07:08:09'), pd.NaT]})", ["2024-05-06T07:08:09", None]),
    "texts": ("pd.DataFrame({'a': ['x', None]})", ["x", None]),
    "categories": ("pd.DataFrame({'a': pd.Categorical(['x', None, 'x'])})", ["x", None, "x"]),
}


@pytest.mark.parametrize(("code", "expected"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_null(data, code, expected):
    assert data(code) == {"a": expected}


VALUES = {
    "small floats": ("pd.DataFrame({'a': [0.5]}, dtype='float32')", [0.5]),
    "large numbers": ("pd.DataFrame({'a': [2**63, 2**64 - 1]}, dtype='uint64')", [2**63, 2**64 - 1]),
    "larger numbers": ("pd.DataFrame({'a': [10**30]}, dtype=object)", [10**30]),
    "dates": ("import datetime\npd.DataFrame({'a': [datetime.date(2024, 1, 2), datetime.time(3, 4)]})", ["2024-01-02", "03:04:00"]),
    "time zones": ("pd.DataFrame({'a': pd.to_datetime(['2024-01-02']).tz_localize('Europe/Berlin')})", ["2024-01-02T00:00:00+01:00"]),
    "parts of seconds": ("pd.DataFrame({'a': [pd.Timestamp('2024-01-02 03:04:05.25')]})", ["2024-01-02T03:04:05.250"]),
    "nanoseconds": ("pd.DataFrame({'a': [pd.Timestamp('2024-01-02 03:04:05.000000001')]})", ["2024-01-02T03:04:05.000000001"]),
    "durations": ("pd.DataFrame({'a': [pd.Timedelta(minutes=-1), pd.Timedelta('1.5s')]})", ["-PT60S", "PT1.5S"]),
    "periods": ("pd.DataFrame({'a': [pd.Period('2024-01')]})", ["2024-01"]),
    "decimals": ("from decimal import Decimal\npd.DataFrame({'a': [Decimal('1.5'), Decimal(3), Decimal('NaN'), Decimal('1e999')]})", [1.5, 3, None, None]),
    "lists": ("pd.DataFrame({'a': [[1, float('nan'), (2,)], {'k': {3}, 4: None}]})", [[1, None, [2]], {"k": [3], "4": None}]),
    "arrays": ("import numpy\npd.DataFrame({'a': [numpy.array([1.5, numpy.nan]), numpy.int8(3)]})", [[1.5, None], 3]),
    "bytes": ("pd.DataFrame({'a': [b'ab\\xff']})", ["ab\\xff"]),
    "complex numbers": ("pd.DataFrame({'a': [1 + 2j]})", ["(1+2j)"]),
    "text with half a character": ("pd.DataFrame({'a': ['\\ud83d']}, dtype=object)", ["\ufffd"]),
    "objects": ("class C:\n  def __str__(self): return 'C!'\npd.DataFrame({'a': [C()]})", ["C!"]),
    "objects that fail": ("class F:\n  fails = False\n  def __str__(self): return 1 / self.fails if F.fails else 'F'\n"
                          "  def _repr_pdf_(self): F.fails = True\nclass D(pd.DataFrame):\n  def _repr_pdf_(self): F.fails = True\nD({'a': [F()]})", [None]),
}


@pytest.mark.parametrize(("code", "expected"), VALUES.values(), ids=VALUES)
def test_whatever_cells_hold_is_json(data, code, expected):
    assert data(code) == {"a": expected}


def test_the_index_is_a_column_where_it_says_something(data):
    assert data("pd.DataFrame({'a': [1, 2]}, index=[0, 1])") == {"a": [1, 2]}
    assert data("pd.DataFrame({'a': [1, 2]}, index=[1, 2])") == {"index": [1, 2], "a": [1, 2]}
    assert data("pd.DataFrame({'a': [1]}, index=pd.Index([0], name='n'))") == {"n": [0], "a": [1]}
    assert data("pd.DataFrame({'a': [1]}, index=pd.Index(['x'], name='a'))") == {"a": ["x"], "a.1": [1]}
    assert data("pd.DataFrame({'a': [1]}, index=pd.MultiIndex.from_tuples([('x', 2)], names=['k', None]))") == {"k": ["x"], "level_1": [2], "a": [1]}
    assert data("pd.DataFrame({'a': [1]}, index=pd.date_range('2024-01-02', periods=1))") == {"index": ["2024-01-02T00:00:00"], "a": [1]}


def test_columns_have_one_name_each(data):
    assert data("pd.DataFrame([[1, 2, 3]], columns=['a', 'a', 'a.1'])") == {"a": [1], "a.1": [2], "a.1.1": [3]}
    assert data("pd.DataFrame([[1, 2]], columns=[1, 2])") == {"1": [1], "2": [2]}
    assert data("pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([('x', 'y')]))") == {"x_y": [1]}


def test_a_long_frame_is_cut_and_says_so(result):
    shown = result("import pandas as pd\npd.DataFrame({'a': range(10_001)})")
    assert shown["data"] == {"a": list(range(10_000))} and shown["extra"] == {ROWS: 10_001}
    assert "extra" not in result("pd.DataFrame({'a': range(10_000)})")


def test_cells_that_hold_too_much_cost_neither_the_frame_nor_the_kernel(result):
    shown = result("import pandas as pd\npd.DataFrame({'a': [[0] * 600_000] * 2})")
    assert "data" not in shown and "0, 0" in shown["text"]
    held = result("held = [7]; held.append(held)\npd.DataFrame({'a': [held]})")["data"]["a"][0]
    for _ in range(30):
        assert held[0] == 7
        held = held[1]


def test_frames_of_polars_have_data(data):
    assert data("import polars, datetime\npolars.DataFrame({'a': [1, None], 'b': [float('nan'), 0.5], 'c': ['x', 'y'], 'd': [datetime.date(2024, 1, 2)] * 2, "
                "'e': [[1], [2, 3]], 'f': [datetime.timedelta(seconds=1)] * 2})") == {
        "a": [1, None], "b": [None, 0.5], "c": ["x", "y"], "d": ["2024-01-02"] * 2, "e": [[1], [2, 3]], "f": ["PT1S"] * 2,
    }  # fmt: skip


def test_objects_can_give_their_own_data(result):
    shown = result("class Own:\n  def _repr_e2b_data_(self): return {'a': [1]}\nOwn()")
    assert shown["data"] == {"a": [1]} and "extra" not in shown


def test_a_plain_list_or_dict_is_json_too(result):
    for code in ("[1, 'ü', None, True, 0.5, {'a': [{}]}]", "{'a': {'b': []}}", "[]", "{}", "list(range(9_000))"):
        shown = result(code)
        assert shown["json"] == eval(code) and shown["text"]


NO_JSON = ["(1,)", "{1: 2}", "[float('nan')]", "[object]", "[b'x']", "['\\ud83d']", "[{1}]", "list(range(20_000))", "['x' * (2 << 20)]", "[1 << 70]",
           "l = []; l.append(l); l", "d = {}; d['d'] = d; d", "class L(list): pass\nL([1])"]  # fmt: skip


@pytest.mark.parametrize("code", NO_JSON)
def test_anything_else_is_not(result, code):
    assert result(code)["json"] is None


def test_a_list_that_is_displayed_is_not_json(run):
    [shown] = run("display([1])").succeeded().results
    assert shown["json"] is None and shown["text"] == "[1]"
