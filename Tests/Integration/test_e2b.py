"""The popular client e2b-code-interpreter from PyPI in its debug mode, in which it uses localhost, port 49999."""

import asyncio
import base64

import pytest

from support.ports import is_taken
from support.server import Server

PORT = 49999


@pytest.fixture(scope="module")
def e2b_server(backend, tmp_path_factory):
    # The system may have given that port to a kernel.
    server = Server(tmp_path_factory.mktemp("e2b"), port=0 if is_taken(PORT) else PORT, backend=backend)
    yield server
    server.stop()


@pytest.fixture
def sandbox(e2b_server, monkeypatch):
    monkeypatch.setenv("E2B_DEBUG", "true")
    monkeypatch.setenv("E2B_API_KEY", "e2b_0000000000000000000000000000000000000000")
    from e2b_code_interpreter import Sandbox, code_interpreter_async, code_interpreter_sync

    for module in (code_interpreter_async, code_interpreter_sync):
        monkeypatch.setattr(module, "JUPYTER_PORT", e2b_server.port)

    yield Sandbox.create()
    for context in e2b_server.client.contexts():
        e2b_server.client.delete_context(context["id"])


def test_code_runs_and_returns_its_result(sandbox):
    execution = sandbox.run_code("x = 20\nx + 1")
    assert (execution.text, execution.error, execution.execution_count) == ("21", None, 1)
    assert sandbox.run_code("x").text == "20"


def test_callbacks_are_called_as_it_runs(sandbox):
    seen = []
    execution = sandbox.run_code(
        "import sys\nprint('out')\nsys.stdout.flush()\nprint('err', file=sys.stderr)\ndisplay('shown')\n1 / 0",
        on_stdout=lambda message: seen.append(("stdout", message.line, message.error)),
        on_stderr=lambda message: seen.append(("stderr", message.line, message.error)),
        on_result=lambda result: seen.append(("result", result.text, result.is_main_result)),
        on_error=lambda error: seen.append(("error", error.name, error.value)),
    )
    assert sorted(seen) == sorted([
        ("stdout", "out\n", False), ("stderr", "err\n", True), ("result", "shown", False),
        ("error", "ZeroDivisionError", "division by zero"),
    ])  # fmt: skip
    assert (execution.logs.stdout, execution.logs.stderr) == (["out\n"], ["err\n"])
    assert "1 / 0" in execution.error.traceback


def test_a_figure_is_a_picture(sandbox):
    execution = sandbox.run_code("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    (png,) = [result.png for result in execution.results if result.png]
    assert base64.b64decode(png).startswith(b"\x89PNG")


def test_a_figure_is_a_chart(sandbox):
    from e2b_code_interpreter.charts import BarChart, BoxAndWhiskerChart, LineChart, PieChart, ScatterChart, SuperChart

    code = """
import matplotlib.pyplot as plt
def draw(axes, kind):
    if kind == 'plot': axes.plot(['a', 'b'], [1, 2])
    if kind == 'scatter': axes.scatter([1], [2])
    if kind == 'bar': axes.bar(['a'], [1])
    if kind == 'pie': axes.pie([1], labels=['a'])
    if kind == 'boxplot': axes.boxplot([[1, 2, 3]])
for kind in ('plot', 'scatter', 'bar', 'pie', 'boxplot'):
    draw(plt.figure().subplots(), kind)
    plt.title(kind); plt.show()
draw(plt.figure().add_subplot(1, 2, 1), 'bar'); draw(plt.subplot(1, 2, 2), 'pie')
plt.show()
"""
    charts = [result.chart for result in sandbox.run_code(code).results]
    assert [type(chart) for chart in charts] == [LineChart, ScatterChart, BarChart, PieChart, BoxAndWhiskerChart, SuperChart]
    line, scatter, bar, pie, box, both = charts
    assert (line.title, line.x_scale, line.elements[0].points) == ("plot", "categorical", [("a", 1.0), ("b", 2.0)])
    assert (scatter.elements[0].points, bar.elements[0].value, pie.elements[0].angle, box.elements[0].median) == ([(1.0, 2.0)], 1.0, 360.0, 2.0)
    assert [chart.elements[0].label for chart in both.elements] == ["a", "a"]


def test_variables_are_for_one_execution(sandbox):
    code = "import os\nos.environ.get('V')"
    assert sandbox.run_code(code, envs={"V": "it's\n\"here\""}).text == "it\\'s\\n\"here\""
    assert sandbox.run_code(code).results == []


def test_languages(sandbox):
    assert sandbox.run_code("echo $((6 * 7))", language="bash").logs.stdout == ["42\n"]
    code = "console.log(1 + 1); await new Promise((done) => setTimeout(done, 200));"
    assert sandbox.run_code(code, language="js").logs.stdout == ["2\n"]


def test_contexts(sandbox, e2b_server):
    context = sandbox.create_code_context(cwd=str(e2b_server.workspace), language="python")
    assert (context.language, context.cwd) == ("python", str(e2b_server.workspace))
    assert sandbox.run_code("kept = 1", context=context).error is None
    assert sandbox.run_code("kept").error.name == "NameError"
    assert context.id in [one.id for one in sandbox.list_code_contexts()]
    sandbox.restart_code_context(context)
    assert sandbox.run_code("kept", context=context).error.name == "NameError"
    sandbox.remove_code_context(context)
    assert context.id not in [one.id for one in sandbox.list_code_contexts()]


def test_a_missing_context_is_its_not_found_error(sandbox):
    from e2b import NotFoundException

    context = sandbox.create_code_context()
    sandbox.remove_code_context(context)
    with pytest.raises(NotFoundException):
        sandbox.run_code("1", context=context)
    with pytest.raises(NotFoundException):
        sandbox.remove_code_context(context)


def test_a_timeout_frees_the_kernel(sandbox):
    from e2b import TimeoutException

    sandbox.run_code("kept = 'kept'")
    with pytest.raises(TimeoutException):
        sandbox.run_code("import time\nwhile True: time.sleep(0.01)", timeout=1)
    assert sandbox.run_code("kept", timeout=30).text == "kept"


@pytest.mark.parametrize("text", ["\u2028", "\u2029", "\x85", "\x0b\x0c\x1c\x1d\x1e", "\r", "a\u2028b\u2029c\x85d"], ids=ascii)
def test_line_separators_in_output_do_not_break_lines(sandbox, text):
    """The client splits lines as Python's `splitlines`, so also at these characters if they are unescaped."""
    execution = sandbox.run_code(f"print({text!r})\ndisplay({{'text/html': {text!r}}}, raw=True)")
    assert "".join(execution.logs.stdout) == text + "\n"
    assert execution.results[0].html == text


def test_long_output_arrives_complete(sandbox):
    execution = sandbox.run_code("for index in range(3000): display(index)\nprint('x' * 5_000_000)")
    assert [result.text for result in execution.results] == [str(index) for index in range(3000)]
    assert "".join(execution.logs.stdout) == "x" * 5_000_000 + "\n"


def test_the_asynchronous_client_runs_several_at_once(e2b_server, sandbox):
    from e2b_code_interpreter import AsyncSandbox

    async def work():
        asynchronous = await AsyncSandbox.create()
        contexts = await asyncio.gather(*(asynchronous.create_code_context() for _ in range(3)))
        executions = await asyncio.gather(
            *(asynchronous.run_code(f"import time; time.sleep(0.2); {index}", context=context)
              for index, context in enumerate(contexts))
        )  # fmt: skip
        return [execution.text for execution in executions]

    assert asyncio.run(work()) == ["0", "1", "2"]
