"""`env_vars`: in the environment for one execution, and nowhere else."""

import json
import re

import pytest

from support.client import check_error

VALUES = {
    "empty": "",
    "spaces": "  a  ",
    "single quote": "it's",
    "double quote": 'say "a"',
    "all quotes": "'''\"\"\"'\"`",
    "newlines": "a\nb\r\nc\rd\n",
    "backslashes": "\\ \\n \\' \\\" \\\\",
    "backslash at the end": "a\\",
    "formats": "%s %(a)s {} {a} $HOME ${HOME} `ls` $(ls) !ls",
    "code": "'); import os; os._exit(1); ('",
    "magic": "%%bash\nexit 1",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x1b[31m",
    "unicode": "ü 😀 \u2028 \u0085 \ufeff \U0010ffff",
    "json": '{"a": ["\\u0041"]}',
    "100 kB": "0123456789" * 10_000,
    "100 kB of quotes": "'" * 50_000 + '"' * 50_000,
}
NAMES = ["lower", "A B", "a.b", "x-y", "Ü", "'; import os #", '"', "\\", "\n", "A{}", "%s"]

READ = "import os, json\nprint(json.dumps(os.environ.get({name!r})))"


def read(run, name, **fields):
    return json.loads(run(READ.format(name=name), **fields).succeeded().stdout)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_value_of_any_content_arrives_unchanged(run, value):
    assert read(run, "V", env_vars={"V": value}) == value
    assert read(run, "V") is None


def test_names_of_any_content_arrive_unchanged(run):
    variables = {name: f"value of {name}" for name in NAMES}
    listing = "import os, json\nprint(json.dumps(dict(os.environ)))"
    seen = json.loads(run(listing, env_vars=variables).succeeded().stdout)
    assert {name: seen.get(name) for name in NAMES} == variables
    after = json.loads(run(listing).succeeded().stdout)
    assert not set(NAMES) & set(after)


def test_a_hundred_variables_at_once(run):
    variables = {f"V{index}": str(index) for index in range(100)}
    code = "import os, json\nprint(json.dumps({n: v for n, v in os.environ.items() if n[0] == 'V' and n[1:].isdigit()}))"
    assert json.loads(run(code, env_vars=variables).succeeded().stdout) == variables
    assert json.loads(run(code).succeeded().stdout) == {}


def test_child_processes_get_them_and_later_ones_do_not(run):
    code = "import subprocess\nprint(subprocess.check_output('echo \"<$V>\"', shell=True, text=True), end='')"
    assert run(code, env_vars={"V": "a b"}).succeeded().stdout == "<a b>\n"
    assert run(code).succeeded().stdout == "<>\n"


@pytest.mark.parametrize("variables", [None, {}])
def test_an_empty_object_is_accepted(run, variables):
    assert run("1", env_vars=variables).succeeded().text == "1"


@pytest.mark.parametrize("variables", [{"": "a"}, {"A=B": "a"}, {"=": "a"}, {"A\0B": "a"}, {"A": "a\0b"}])
def test_invalid_variables_are_refused(client, context, variables):
    run_here = {"context_id": context["id"]}
    check_error(client.post("/execute", {"code": "ran = 1", "env_vars": variables, **run_here}), 422, "env_vars")
    assert client.execute("'ran' in globals()", **run_here).text == "False"


# Afterwards everything is as it was

BEFORE = "import os\nos.environ['KEPT'] = 'before'\nos.environ.pop('NEW', None)"
VARIABLES = {"KEPT": "during", "NEW": "during"}


def check_restored(run):
    assert read(run, "KEPT") == "before"
    assert read(run, "NEW") is None


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "1 / 0",
        "x = = 1",
        "raise KeyboardInterrupt",
        "import sys; sys.exit(1)",
        "import os\nos.environ['KEPT'] = os.environ['NEW'] = 'set by itself'",
        "import os\ndel os.environ['KEPT'], os.environ['NEW']",
        "import os\nos.environ.clear()",
        "import os\nos.unsetenv('KEPT'); os.putenv('NEW', 'below')",
        "%%time\npass",
        "%%no_such_magic\npass",
        "%env KEPT=by magic",
        "",
    ],
)
def test_every_variable_is_restored_whatever_the_code_did(run, code):
    run(BEFORE).succeeded()
    run(code, env_vars=VARIABLES)
    check_restored(run)
    shell = run("!echo \"<$KEPT> <$NEW>\"").succeeded().stdout
    assert "<before> <>" in shell


def test_variables_are_restored_when_the_client_goes_away(client, context, run):
    run(BEFORE).succeeded()
    stream = client.stream("import time\nwhile True: time.sleep(0.01)", context_id=context["id"], env_vars=VARIABLES)
    stream.until("number_of_executions")
    stream.vanish()
    check_restored(run)


def test_variables_are_gone_with_the_kernel_that_died(run):
    assert run("import os; os._exit(1)", env_vars=VARIABLES).error["name"] == "KernelDied"
    assert read(run, "NEW") is None


def test_waiting_executions_do_not_see_them(client, context, gate):
    run_here = {"context_id": context["id"]}
    first = client.stream(gate.code + "1 / 0", env_vars={"V": "first"}, **run_here)
    first.until("number_of_executions")
    code = "import os; os.environ.get('V')"
    waiting = [client.stream(code, **run_here), client.stream(code, env_vars={"V": "third"}, **run_here),
               client.stream(code, **run_here)]  # fmt: skip
    gate.open()
    first.finish()
    without, third, again = [stream.finish().succeeded() for stream in waiting]
    assert (without.results, third.text, again.results) == ([], "third", [])


def test_contexts_do_not_see_those_of_each_other(client, context, gate):
    other = client.create_context()
    code = gate.code + "os.environ['V']"
    streams = [client.stream(code, context_id=one["id"], env_vars={"V": one["id"]}) for one in (context, other)]
    for stream in streams:
        stream.until("number_of_executions")
    gate.open()
    assert [stream.finish().succeeded().text for stream in streams] == [context["id"], other["id"]]


# The code itself does not notice


def normal(traceback):
    """Without parts that differ between cells: cell numbers and names of pseudo-files."""
    return re.sub(r"In ?\[\d+\]|Cell In\[\d+\]|ipykernel_\d+/\d+\.py|<ipython-input-[^>]*>", "CELL", traceback)


@pytest.mark.parametrize("code", ["\n\n1 / 0", "def f():\n    raise ValueError(1)\n\n\nf()", "x = 1\ny = = 2", "  indented"])
def test_tracebacks_and_line_numbers_do_not_move(run, code):
    without, with_variables = run(code).error, run(code, env_vars={"V": "a\nb"}).error
    assert normal(with_variables["traceback"]) == normal(without["traceback"])
    assert with_variables["value"] == without["value"]


def test_the_line_number_is_that_of_the_code(run):
    code = "import inspect\n\ninspect.currentframe().f_lineno"
    assert run(code, env_vars={"V": "a\nb\nc"}).text == "3"


def test_the_execution_count_moves_by_one(run):
    counts = [run("1", env_vars=variables).count for variables in (None, {"V": "a"}, {"V": "b"}, None, {"V": "c"})]
    assert counts == [1, 2, 3, 4, 5]


def test_a_cell_magic_still_comes_first(run):
    assert run("%%bash\necho \"<$V>\"", env_vars={"V": "in bash"}).succeeded().stdout == "<in bash>\n"
    assert "Wall time" in run("%%time\npass", env_vars={"V": "a"}).succeeded().stdout


def test_a_future_import_still_comes_first(run):
    code = "from __future__ import annotations\ndef f(a: Undefined): pass\nf.__annotations__['a']"
    assert run(code, env_vars={"V": "a"}).succeeded().text == "Undefined"


def test_a_docstring_and_the_last_value_are_unchanged(run):
    run("41").succeeded()
    assert run("_ + 1", env_vars={"V": "a"}).succeeded().text == "42"
    assert run("Out[2], len(Out)", env_vars={"V": "a"}).succeeded().text == "(42, 2)"


def test_history_and_namespace_contain_nothing_of_ours(run):
    names = "sorted(name for name in globals() if not name.startswith('_'))"
    before = run(names).text
    assert run(names, env_vars={"V": "secret"}).text == before
    assert run("In[1] == In[2]").text == "True"
    assert run("'secret' in repr(In[:3])").text == "False"


def test_results_and_output_are_those_of_the_code_alone(run):
    execution = run("print('a')\ndisplay('b')\n'c'", env_vars={"V": "a"}).succeeded()
    assert execution.types == ["number_of_executions", "stdout", "result", "result", "end_of_execution"]


def test_too_many_variables_are_refused(client):
    variables = {f"V{index}": "" for index in range(5000)}
    check_error(client.post("/execute", {"code": "1", "env_vars": variables}), 422, "env_vars", "4096")


def test_names_that_look_alike_are_different(run):
    names = ["V\u00e9", "Ve\u0301"]
    execution = run(f"import os; [os.environ[name] for name in {names!r}]", env_vars={names[0]: "a", names[1]: "b"})
    assert execution.succeeded().text == "['a', 'b']"


# Other languages


@pytest.mark.parametrize("value", ["plain", "it's \"quoted\" $HOME `ls` \\", "two\nlines", "ü 😀", ""])
def test_bash_has_them_for_one_execution(client, value):
    code = "echo \"<${V-unset}>\""
    assert client.execute(code, language="bash", env_vars={"V": value}).succeeded().stdout == f"<{value}>\n"
    assert client.execute(code, language="bash").succeeded().stdout == "<unset>\n"


def test_a_restarted_bash_keeps_its_own_variables(client):
    """`exit` ends the shell, and its kernel starts another: there nothing is to be put back."""
    client.execute("exit", language="bash", env_vars={"PATH": "/nowhere"})
    execution = client.execute("ls -d /; echo \"<$PATH>\"", language="bash").succeeded()
    assert execution.stdout.startswith("/\n<") and "nowhere" not in execution.stdout


def test_variables_that_bash_cannot_set_are_refused_and_nothing_runs(client):
    for name in ("PS1", "PS2", "PROMPT_COMMAND"):
        # bash_kernel would wait for a prompt that never appears.
        check_error(client.post("/execute", {"code": "echo", "language": "bash", "env_vars": {name: "x"}}), 400, "bash")
    execution = client.execute("echo it ran", language="bash", env_vars={"UID": "5", "V": "a"})
    assert execution.error["name"] == "ExecutionInterrupted" and "env_vars" in execution.error["value"]
    assert execution.stdout == ""
    assert client.execute("echo \"<$V>\"", language="bash", env_vars={"V": "a"}).succeeded().stdout == "<a>\n"


@pytest.mark.parametrize("value", ["plain", "it's \"quoted\" ${a} `b` \\", "two\nlines", "ü 😀 \u2028", ""])
def test_javascript_has_them_for_one_execution(client, value):
    # In Deno, the last output may arrive after `idle`. The pause avoids that.
    code = "console.log(JSON.stringify(Deno.env.get('V') ?? null)); await new Promise((done) => setTimeout(done, 200));"
    with_it = client.execute(code, language="javascript", env_vars={"V": value}).succeeded()
    assert json.loads(with_it.stdout) == value
    assert json.loads(client.execute(code, language="javascript").succeeded().stdout) is None
