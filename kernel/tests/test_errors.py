"""Errors of code: exactly one, with a name, a text and a traceback, whatever the exception."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from client import Spawned, text
from conftest import Kept


@pytest.fixture
def kernel(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Spawned:
    return kept.get(lambda: Spawned(tmp_path_factory.mktemp("kernel")))


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def failure(kernel: Spawned, code: str, **options: Any) -> dict[str, Any]:
    """The content of the only error, which the reply repeats."""
    messages = kernel.run(code, stop_on_error=False, **options)
    errors = [m["content"] for m in messages if m["type"] == "error"]
    (reply,) = [m["content"] for m in messages if m["type"] == "execute_reply"]
    assert len(errors) == 1, text(messages)
    assert reply["status"] == "error"
    for key in ("ename", "evalue", "traceback"):
        assert reply[key] == errors[0][key]
    assert not [m for m in messages if m["type"] == "stream"], text(messages)
    error: dict[str, Any] = errors[0]
    return {**error, "text": "\n".join(error["traceback"])}


def test_a_traceback_names_the_lines_and_shows_those_around(kernel: Spawned) -> None:
    error = failure(kernel, "def f(x, *more):\n    y = x\n    return y / 0\n\n\nf(1)")
    assert (error["ename"], error["evalue"]) == ("ZeroDivisionError", "division by zero")
    lines = error["text"].splitlines()
    assert "Traceback (most recent call last)" in lines[1]
    assert any(line.startswith("Cell In[") and line.endswith(", line 6") for line in lines)
    assert any(line.endswith(", line 3, in f(x, *more)") or line.endswith(", in f(x, *more)") for line in lines)
    assert "----> 6 f(1)" in lines
    assert "----> 3     return y / 0" in lines
    assert "      2     y = x" in lines
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "\x1b" not in error["text"]
    assert "IPython/" not in error["text"] and "ipykernel" not in error["text"]


def test_a_traceback_includes_frames_of_modules(kernel: Spawned, tmp_path: Path) -> None:
    (tmp_path / "broken_module.py").write_text("import json\n\ndef broken():\n    # reads\n    json.loads('{')\n")
    error = failure(kernel, f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom broken_module import broken\nbroken()")
    assert error["ename"] == "JSONDecodeError"
    assert f"{tmp_path}/broken_module.py:5, in broken()" in error["text"]
    assert "----> 5     json.loads('{')" in error["text"]
    assert "json/decoder.py:" in error["text"]


def test_a_traceback_shows_the_current_source_of_a_module(kernel: Spawned, tmp_path: Path) -> None:
    module = tmp_path / "changing_module.py"
    module.write_text("def broken():\n    1 / 0\n")
    code = f"import sys, importlib; sys.path.insert(0, {str(tmp_path)!r})\nimport changing_module as m; importlib.reload(m); m.broken()"
    assert "1 / 0" in failure(kernel, code)["text"]
    module.write_text("# A comment\ndef broken():\n    2 / 0  # now\n")
    assert "2 / 0  # now" in failure(kernel, code)["text"]


def test_causes_and_contexts_are_shown(kernel: Spawned) -> None:
    code = "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('second') {}"
    shown = failure(kernel, code.format("from e"))["text"]
    assert shown.index("ZeroDivisionError: division by zero") < shown.index("direct cause") < shown.index("ValueError: second")
    shown = failure(kernel, code.format(""))["text"]
    assert shown.index("ZeroDivisionError") < shown.index("During handling") < shown.index("ValueError: second")
    assert "ZeroDivisionError" not in failure(kernel, code.format("from None"))["text"]
    circle = "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__cause__ = b, a\nraise a"
    assert failure(kernel, circle)["evalue"] == "a"


def test_the_traceback_of_a_recursion_is_short_and_fast(kernel: Spawned) -> None:
    began = processor_seconds(kernel.pid)
    messages = kernel.run("def again(n):\n    return again(n + 1)\nagain(0)", stop_on_error=False)
    # IPython by itself took 4 to 8 s.
    assert processor_seconds(kernel.pid) - began < 3
    (error,) = [m["content"] for m in messages if m["type"] == "error"]
    shown = "\n".join(error["traceback"])
    assert error["ename"] == "RecursionError"
    assert "return again(n + 1)" in shown
    assert "similar frames" in shown and "again" in shown.split("similar frames")[1].splitlines()[0]
    assert len(shown) < 5000


def test_a_long_chain_of_errors_is_shown_in_part(kernel: Spawned) -> None:
    code = "def f(n):\n    try:\n        f(n + 1) if n < 200 else 1 / 0\n    except Exception:\n        raise ValueError(n)\nf(0)"
    error = failure(kernel, code)
    assert error["evalue"] == "0"
    assert len(error["text"]) < 200_000


def test_notes_are_shown(kernel: Spawned) -> None:
    assert "look there" in failure(kernel, "e = ValueError('x'); e.add_note('look there')\nraise e")["text"]
    assert failure(kernel, "e = ValueError('x'); e.__notes__ = 5\nraise e")["ename"] == "ValueError"


HALF = "chr(0xd83d)"


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        (f"raise ValueError('half: ' + {HALF})", "ValueError", "half: \ufffd"),
        (f"raise KeyError({HALF})", "KeyError", "'\\ud83d'"),
        (f"e = ValueError('x'); e.add_note('note ' + {HALF})\nraise e", "ValueError", "x"),
        (f"{{}}['half ' + {HALF}]", "KeyError", "'half \\ud83d'"),
        (f"exec('1 +' + {HALF})", "UnicodeEncodeError", None),
        (f"raise ValueError(chr(0xd83d) + chr(0xde00))", "ValueError", "\U0001f600"),
        (f"raise ExceptionGroup('g' + {HALF}, [ValueError({HALF})])", "ExceptionGroup", "g\ufffd (1 sub-exception)"),
    ],
)
def test_a_lone_surrogate_does_not_hide_an_error(kernel: Spawned, code: str, name: str, value: str | None) -> None:
    error = failure(kernel, code)
    assert error["ename"] == name
    assert value is None or error["evalue"] == value
    assert name in error["text"] and "Cell In[" in error["text"]


def test_a_lone_surrogate_does_not_hide_a_result(kernel: Spawned) -> None:
    kernel.run("class Half:\n    def __repr__(self): return 'half ' + chr(0xd83d)\n    def _repr_html_(self): return '<b>' + chr(0xd83d) + '</b>'")
    messages = kernel.run("Half()")
    (result,) = [m["content"]["data"] for m in messages if m["type"] == "execute_result"]
    assert result == {"text/plain": "half \ufffd", "text/html": "<b>\ufffd</b>"}
    (shown,) = [m for m in kernel.run("display(Half(), metadata={'note' + chr(0xd83d): chr(0xd83d)})") if m["type"] == "display_data"]
    assert shown["content"]["data"] == result and shown["content"]["metadata"] == {"note\ufffd": "\ufffd"}
    frame = "import pandas as pd\npd.DataFrame({'name' + chr(0xd83d): ['a' + chr(0xd83d)]})"
    (shown,) = [m["content"]["data"] for m in kernel.run(frame) if m["type"] == "execute_result"]
    assert "name\ufffd" in shown["text/html"] and "a\ufffd" in shown["text/plain"]


@pytest.mark.parametrize(
    "data",
    ["{'application/json': {'big': 2 ** 70, 'nan': float('nan'), 5: {1, 2}, 'self': object()}}", "{'application/json': {(1, 2): b'x'}}",
     "{'application/json': (loop := {}) if loop.__setitem__('a', loop) is None else 0}"],
)  # fmt: skip
def test_data_that_json_cannot_represent_does_not_stop_the_kernel(kernel: Spawned, data: str) -> None:
    kernel.run("from IPython.display import display; loop = {}")
    kernel.run(f"display({data}, raw=True)", stop_on_error=False)
    assert kernel.text("6 * 7") == "42"


def test_a_reply_that_json_cannot_represent_is_sent(kernel: Spawned) -> None:
    reply = kernel.reply(kernel.execute("get_ipython().payload_manager.write_payload({'source': 'x', 'object': object(), 'half': chr(0xd83d)})"))
    assert reply["status"] == "ok" and reply["payload"][0]["half"] == "\ufffd"


GROUP = """
import asyncio
async def fail(error):
    await asyncio.sleep(0)
    raise error
async with asyncio.TaskGroup() as group:
    group.create_task(fail(ValueError('one')))
    group.create_task(fail(KeyError('two')))
"""


def test_an_exception_group_is_shown_with_its_members(kernel: Spawned) -> None:
    error = failure(kernel, GROUP)
    assert error["ename"] == "ExceptionGroup"
    assert error["evalue"] == "unhandled errors in a TaskGroup (2 sub-exceptions)"
    for part in ("ValueError: one", "KeyError: 'two'", "raise error", "group.create_task(fail(KeyError('two')))"):
        assert part in error["text"], part


def test_nested_groups_and_groups_as_causes_are_shown(kernel: Spawned) -> None:
    nested = "ExceptionGroup('outer', [ExceptionGroup('inner', [ValueError('deep')]), TypeError('flat')])"
    error = failure(kernel, f"raise {nested}")
    assert error["ename"] == "ExceptionGroup"
    for part in ("outer (2 sub-exceptions)", "inner (1 sub-exception)", "ValueError: deep", "TypeError: flat"):
        assert part in error["text"]
    error = failure(kernel, f"try:\n    raise {nested}\nexcept* TypeError:\n    1 / 0")
    assert "ZeroDivisionError" in error["text"] and "ValueError: deep" in error["text"]
    error = failure(kernel, f"try:\n    raise {nested}\nexcept BaseException:\n    raise OSError('last')")
    assert error["ename"] == "OSError" and "ValueError: deep" in error["text"]
    many = failure(kernel, "raise BaseExceptionGroup('many', [ValueError(n) for n in range(1000)])")
    assert "ValueError: 0" in many["text"] and len(many["text"]) < 100_000
    deep = "e = ValueError('x')\nfor n in range(300): e = ExceptionGroup(str(n), [e])\nraise e"
    assert failure(kernel, deep)["ename"] == "ExceptionGroup"


def test_tb_shows_a_group_again(kernel: Spawned) -> None:
    failure(kernel, "raise ExceptionGroup('again', [ValueError('inside')])")
    assert "ValueError: inside" in kernel.text("%tb")


BROKEN = {
    "__str__": "def __str__(self): raise RuntimeError('no text')",
    "__str__ that is no text": "def __str__(self): return 5",
    "__str__ that exits": "def __str__(self): raise SystemExit",
    "__repr__": "def __repr__(self): raise RuntimeError('no text')\n    __str__ = __repr__",
    "__class__": "@property\n    def __class__(self): raise RuntimeError('no class')",
    "__getattr__": "def __getattr__(self, name): raise RuntimeError('no attribute')",
    "__getattribute__": "def __getattribute__(self, name): raise RuntimeError('no attribute')",
    "_render_traceback_": "def _render_traceback_(self): raise RuntimeError('no traceback')",
    "_render_traceback_ that is no list": "def _render_traceback_(self): return 5",
    "__notes__": "__notes__ = [5, None, object()]",
    "__eq__": "def __eq__(self, other): raise RuntimeError('not equal')\n    __hash__ = None",
    "__bool__": "def __bool__(self): raise RuntimeError('no truth')",
    "__len__": "def __len__(self): raise RuntimeError('no length')",
    "__traceback__": "__traceback__ = property(lambda self: 1 / 0)",
    "__cause__": "__cause__ = property(lambda self: 1 / 0)",
    "__context__": "__context__ = property(lambda self: 5)",
    "a metaclass": "",
}


@pytest.mark.parametrize("base", ["Exception", "BaseException", "SyntaxError"])
@pytest.mark.parametrize("part", BROKEN)
def test_a_broken_exception_is_one_error_with_its_name(kernel: Spawned, part: str, base: str) -> None:
    bases = base
    if part == "a metaclass":
        kernel.run("class Meta(type):\n    __name__ = property(lambda self: 1 / 0)\n    def __getattribute__(self, name): raise RuntimeError")
        bases += ", metaclass=Meta"
    kernel.run(f"class Broken({bases}):\n    {BROKEN[part] or 'pass'}")
    error = failure(kernel, "raise Broken('text')")
    assert error["ename"] == "Broken"
    assert "Broken" in error["text"]
    assert "Broken" in failure(kernel, "try:\n    raise Broken('text')\nexcept BaseException as e:\n    raise ValueError('after') from e")["text"]
    assert "Broken" in failure(kernel, "await __import__('asyncio').sleep(0)\nraise Broken('text')")["text"]
    assert kernel.text("6 * 7") == "42"


def test_a_value_whose_repr_fails_is_one_error(kernel: Spawned) -> None:
    kernel.run("class Bad:\n    def __repr__(self): raise RuntimeError('no repr')\n    def _repr_html_(self): raise ValueError('no html')")
    messages = kernel.run("Bad()", stop_on_error=False)
    errors = [m["content"] for m in messages if m["type"] == "error"]
    (reply,) = [m["content"] for m in messages if m["type"] == "execute_reply"]
    assert len(errors) == 1 and "no repr" in text(messages) and "no html" in text(messages)
    assert reply["status"] == "error" and reply["ename"] == errors[0]["ename"]
    assert kernel.text("6 * 7") == "42"


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal", "Docs"])
def test_every_mode_of_tracebacks_works(kernel: Spawned, mode: str) -> None:
    kernel.run(f"%xmode {mode}")
    for code, name in (("1 / 0", "ZeroDivisionError"), ("raise ExceptionGroup('g', [ValueError('inside')])", "ExceptionGroup")):
        error = failure(kernel, code)
        assert error["ename"] == name and name in error["text"] and "\x1b" not in error["text"]
    kernel.run("%xmode Context")


def test_errors_are_kept_for_the_history(kernel: Spawned) -> None:
    count = kernel.value("get_ipython().execution_count")
    error = failure(kernel, "1 / 0")
    assert kernel.value(f"get_ipython().history_manager.exceptions[{count}]['traceback']") == error["traceback"]


def test_an_error_is_formatted_once(kernel: Spawned) -> None:
    kernel.run("formatted = []\nip = get_ipython(); own = ip.InteractiveTB.structured_traceback\n"
               "ip.InteractiveTB.structured_traceback = lambda *a, **b: formatted.append(1) or own(*a, **b)")  # fmt: skip
    kernel.run("1 / 0", stop_on_error=False)
    kernel.run("await __import__('asyncio').sleep(0); 1 / 0", stop_on_error=False)
    assert kernel.value("len(formatted)") == 2
    kernel.run("del ip.InteractiveTB.structured_traceback")


def test_an_exit_is_reported_as_system_exit(kernel: Spawned) -> None:
    messages = kernel.run("import sys; sys.exit(3)", stop_on_error=False)
    (error,) = [m["content"] for m in messages if m["type"] == "error"]
    assert (error["ename"], error["evalue"]) == ("SystemExit", "3")


def test_syntax_errors_contain_their_position(kernel: Spawned) -> None:
    error = failure(kernel, "a = 1\nb = = 2")
    assert error["ename"] == "SyntaxError" and "b = = 2" in error["text"] and "^" in error["text"]
    error = failure(kernel, "def f():\n    exec('1 +')\nf()")
    assert error["ename"] == "SyntaxError" and "line 2" in error["text"]
    error = failure(kernel, "if True:\n1")
    assert error["ename"] == "IndentationError"


def test_custom_handlers_of_exceptions_work(kernel: Spawned) -> None:
    kernel.run("def handler(self, etype, value, tb, tb_offset=None): print('handled', value); return []\nget_ipython().set_custom_exc((ValueError,), handler)")
    assert "handled x" in text(kernel.run("raise ValueError('x')", stop_on_error=False))
    kernel.run("get_ipython().set_custom_exc((), None)")


def test_code_with_a_lone_surrogate_is_an_error(kernel: Spawned) -> None:
    # JSON can contain it as an escape.
    assert failure(kernel, "x = '\ud83d'")["ename"] in ("UnicodeEncodeError", "SyntaxError")
    assert kernel.text("6 * 7") == "42"
