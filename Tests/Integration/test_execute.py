"""POST /execute: the response, its timing and its order."""

import datetime
import json
import os
import socket
import time

import pytest

from support.client import at_once, check_error
from support.ndjson import RESULT_FIELDS
from support.waiting import wait_until


def test_a_value_comes_back_as_the_main_result(run):
    execution = run("1 + 1").succeeded()
    assert execution.types == ["number_of_executions", "result", "end_of_execution"]
    assert execution.count == 1
    assert execution.main == {
        "type": "result", "is_main_result": True, **dict.fromkeys(RESULT_FIELDS), "text": "2",
    }  # fmt: skip


def test_the_response_is_a_stream_that_proxies_do_not_buffer(client, context):
    stream = client.stream("1", context_id=context["id"])
    headers = stream.response.headers
    stream.finish()
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Transfer-Encoding"] == "chunked"
    assert headers["Content-Length"] is None
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"


def test_executions_are_counted_and_state_is_kept(run):
    assert run("x = 20").succeeded().count == 1
    execution = run("x + 1").succeeded()
    assert (execution.count, execution.text) == (2, "21")


def test_a_cell_without_value_has_no_result(run):
    assert run("x = 1").types == ["number_of_executions", "end_of_execution"]
    assert run("1;").types == ["number_of_executions", "end_of_execution"]
    assert run("None").types == ["number_of_executions", "end_of_execution"]


@pytest.mark.parametrize("code", ["", "   \n", "# only a comment"])
def test_code_that_does_nothing_ends(run, code):
    assert run(code).succeeded().types[-1] == "end_of_execution"
    assert run("1").text == "1"


def test_output_has_its_stream_and_the_kernels_time(run):
    before = datetime.datetime.now(datetime.timezone.utc)
    execution = run("import sys\nprint('out')\nprint('err', file=sys.stderr)").succeeded()
    after = datetime.datetime.now(datetime.timezone.utc)
    assert (execution.stdout, execution.stderr) == ("out\n", "err\n")
    for line in execution.of("stdout", "stderr"):
        stamp = datetime.datetime.fromisoformat(line["timestamp"])
        slack = datetime.timedelta(seconds=1)
        assert before - slack <= stamp <= after + slack


def test_a_line_is_sent_at_once(client, context, gate):
    stream = client.stream("print('first', flush=True)\n" + gate.code + "'second'", context_id=context["id"])
    assert stream.until("number_of_executions")["execution_count"] == 1
    assert stream.until("stdout")["text"] == "first\n"
    gate.open()
    assert stream.finish().text == "second"


def test_unflushed_output_is_sent_while_the_cell_runs(client, context, gate):
    stream = client.stream("print('a line'); print('not a line', end='')\n" + gate.code, context_id=context["id"])
    seen = ""
    while seen != "a line\nnot a line":
        seen += stream.until("stdout")["text"]
    gate.open()
    assert stream.finish().succeeded().stdout == "a line\nnot a line"


def test_the_first_line_does_not_wait_for_output(client, context, gate):
    stream = client.stream(gate.code, context_id=context["id"])
    stream.until("number_of_executions")
    gate.open()
    stream.finish().succeeded()


def test_headers_arrive_while_the_execution_waits_for_its_turn(client, context, gate):
    first = client.stream(gate.code + "'first'", context_id=context["id"])
    first.until("number_of_executions")
    second = client.stream("'second'", context_id=context["id"])
    assert second.response.status == 200
    gate.open()
    assert first.finish().text == "first"
    assert second.finish().text == "second"


def test_a_context_runs_one_at_a_time_in_order_of_arrival(client, context, gate):
    run_here = {"context_id": context["id"]}
    streams = [client.stream(gate.code + "seen = [0]", **run_here)]
    streams[0].until("number_of_executions")
    # Each has its headers, and so its place in the queue, before the next request.
    streams += [client.stream(f"seen.append({index})", **run_here) for index in range(1, 8)]
    gate.open()
    counts = [stream.finish().succeeded().count for stream in streams]
    assert counts == list(range(1, 9))
    assert client.execute("seen", **run_here).text == str(list(range(8)))


def test_contexts_run_side_by_side(client, context, gate):
    other = client.create_context()
    waiting = client.stream(gate.code + "'released'", context_id=context["id"])
    waiting.until("number_of_executions")
    client.execute(f"open({str(gate.path)!r}, 'w').close()", context_id=other["id"]).succeeded()
    assert waiting.finish().text == "released"


def test_an_error_has_its_name_its_value_and_a_plain_traceback(run):
    execution = run("def f():\n    return 1 / 0\n\nf()")
    assert execution.types == ["number_of_executions", "error", "end_of_execution"]
    error = execution.error
    assert (error["name"], error["value"]) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in error["traceback"]
    assert error["traceback"].splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_an_error_is_reported_once_whichever_message_comes_first(run):
    for _ in range(150):
        assert run("1 / 0").types == ["number_of_executions", "error", "end_of_execution"]


@pytest.mark.parametrize(
    "code, name",
    [
        ("x = = 1", "SyntaxError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("input()", "StdinNotImplementedError"),
        ("raise ValueError('\\x1b[31mred\\x1b[0m')", "ValueError"),
        ("raise type('Ü\"ber', (Exception,), {})('many\\nlines')", 'Ü"ber'),
        ("import sys; sys.exit(3)", "SystemExit"),
    ],
)
def test_every_kind_of_error_is_reported_and_the_kernel_survives(run, code, name):
    assert run(code).error["name"] == name
    assert run("'alive'").succeeded().text == "alive"


def test_an_error_does_not_affect_waiting_executions(client, context, gate):
    run_here = {"context_id": context["id"]}
    failing = client.stream(gate.code + "1 / 0", **run_here)
    failing.until("number_of_executions")
    waiting = [client.stream(f"{index}", **run_here) for index in range(5)]
    gate.open()
    assert failing.finish().error["name"] == "ZeroDivisionError"
    assert [stream.finish().succeeded().text for stream in waiting] == ["0", "1", "2", "3", "4"]


def test_displays_and_output_keep_their_order(run):
    execution = run(
        "print('a', flush=True)\ndisplay('b')\nprint('c', flush=True)\ndisplay({'d': 1}, 'e')\nprint('f', flush=True)\n7"
    ).succeeded()
    # A line and its end may come in two pieces.
    told = [text for value in execution.of("stdout", "result") if (text := value["text"].strip())]
    assert told == ["a", "b", "c", "{'d': 1}", "e", "f", "7"]
    assert [value["is_main_result"] for value in execution.results] == [False, False, False, True]


def test_a_display_with_an_id_is_updated_and_others_have_none(run):
    execution = run(
        "handle = display('one', display_id=True)\nhandle.update('two')\ndisplay('plain')\n"
        "named = display('three', display_id='it')\nfrom IPython.display import update_display\n"
        "update_display({'a': 1}, display_id='it')\nprint(handle.display_id)\n5"
    ).succeeded()
    told = [(line["type"], line["text"], line.get("display_id")) for line in execution.of("result", "display_update")]
    name = execution.stdout.strip()
    assert told == [
        ("result", "one", name), ("display_update", "two", name), ("result", "plain", None),
        ("result", "three", "it"), ("display_update", "{'a': 1}", "it"), ("result", "5", None),
    ]  # fmt: skip
    assert not any("display_id" in line for line in execution.results if line["text"] in ("plain", "5"))
    assert not any(line["is_main_result"] for line in execution.of("display_update"))


def test_a_display_id_is_valid_in_later_executions(run):
    run("handle = display('one', display_id='it')").succeeded()
    (update,) = run("handle.update('two')").succeeded().of("display_update")
    assert (update["display_id"], update["text"]) == ("it", "two")


def test_output_is_cleared_in_its_place(run):
    execution = run(
        "from IPython.display import clear_output\nprint('a', flush=True)\nclear_output()\nprint('b', flush=True)\n"
        "display('c')\nclear_output(wait=True)\ndisplay('d')"
    ).succeeded()
    told = [line["text"].strip() if "text" in line else line["wait"] for line in execution.of("stdout", "result", "clear_output")]
    # A line and its end may come in two pieces.
    assert [one for one in told if one != ""] == ["a", False, "b", "c", True, "d"]


def test_later_output_of_a_thread_goes_to_the_running_execution(client, context, gate):
    run_here = {"context_id": context["id"]}
    later = (
        "from IPython.display import display, clear_output\nimport threading, time\n"
        "handle = display('one', display_id='it')\n"
        f"def later():\n    import os\n    while not os.path.exists({str(gate.path)!r}): time.sleep(0.01)\n"
        "    handle.update('two'); clear_output(wait=True); display('three', display_id='other')\n"
        "thread = threading.Thread(target=later); thread.start()"
    )
    client.execute(later, **run_here).succeeded()
    stream = client.stream("thread.join()\nprint('done')", **run_here)
    stream.until("number_of_executions")
    gate.open()
    lines = stream.finish().succeeded().of("display_update", "clear_output", "result")
    assert [(line["type"], line.get("display_id")) for line in lines] == [
        ("display_update", "it"), ("clear_output", None), ("result", "other"),
    ]  # fmt: skip


def test_javascript_updates_and_clears_too(client):
    code = (
        "await Deno.jupyter.broadcast('display_data', {data: {'text/plain': 'one'}, metadata: {}, transient: {display_id: 'it'}});\n"
        "await Deno.jupyter.broadcast('update_display_data', {data: {'text/plain': 'two'}, metadata: {}, transient: {display_id: 'it'}});\n"
        "await Deno.jupyter.broadcast('clear_output', {wait: true});\nundefined"
    )
    lines = client.execute(code, language="javascript").succeeded().of("result", "display_update", "clear_output")
    told = [(line["type"], line.get("text"), line.get("display_id")) for line in lines]
    assert told == [("result", "one", "it"), ("display_update", "two", "it"), ("clear_output", None, None)]


@pytest.mark.parametrize(
    "code, text",
    [
        ("'a'", "a"),
        ('"it\'s"', "it's"),
        ("'say \"a\"'", 'say "a"'),
        ("'\"a\"'", '"a"'),
        ("''", ""),
        ("'a\\\\b'", "a\\\\b"),
        ("'two\\nlines'", "two\\nlines"),
        ("'ü 😀'", "ü 😀"),
        ("b'a'", "b'a'"),
        ("['a']", "['a']"),
        ("type('T', (), {'__repr__': lambda self: chr(39)})()", "'"),
    ],
)
def test_the_text_of_a_string_loses_one_pair_of_quotes(run, code, text):
    assert run(code).text == text


def test_long_values_are_not_shortened(run):
    assert json.loads(run("list(range(20_000))").text) == list(range(20_000))


BINARY_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "pdf": "application/pdf"}
TEXT_TYPES = {
    "html": "text/html", "markdown": "text/markdown", "svg": "image/svg+xml", "latex": "text/latex",
    "javascript": "application/javascript", "text": "text/plain",
}  # fmt: skip


@pytest.mark.parametrize("name, mime", [*TEXT_TYPES.items(), *BINARY_TYPES.items()])
def test_each_mime_type_has_its_field(run, name, mime):
    content = "Zm9vYmFy" if name in BINARY_TYPES else '<b title="ü">\\ \U0001f600\n</b>'
    execution = run(f"display({{{mime!r}: {content!r}}}, raw=True)").succeeded()
    assert execution.results == [
        {"type": "result", "is_main_result": False, **dict.fromkeys(RESULT_FIELDS), name: content}
    ]


def test_json_is_json_and_not_a_string(run):
    value = {"a": [1, 2.5, None, True, "ü"], "b": {"c": "\n"}}
    execution = run(f"display({{'application/json': {value!r}, 'text/plain': 'x'}}, raw=True)").succeeded()
    (result,) = execution.results
    assert (result["json"], result["text"]) == (value, "x")


def test_other_mime_types_are_extra(run):
    bundle = {"application/vnd.test+json": {"deep": [1]}, "text/x-own": "own", "text/plain": "x"}
    (result,) = run(f"display({bundle!r}, raw=True)").succeeded().results
    assert result["extra"] == {"application/vnd.test+json": {"deep": [1]}, "text/x-own": "own"}
    assert "extra" not in run("1").main


def test_a_data_frame_is_sent_as_text_and_html(run):
    main = run("import pandas\npandas.DataFrame({'a': [1, 2]})").succeeded().main
    assert "<table" in main["html"]
    assert "a" in main["text"]


def test_a_figure_is_sent_as_png_without_set_up(run):
    import base64

    execution = run("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()").succeeded()
    (picture,) = [base64.b64decode(result["png"]) for result in execution.results if result["png"]]
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")


def test_output_of_child_processes_and_file_descriptors_is_sent(run):
    execution = run("!echo from a shell\nimport os\nos.write(1, b'from below\\n')\nNone").succeeded()
    assert "from a shell" in execution.stdout and "from below" in execution.stdout


def test_the_last_output_of_a_program_is_not_lost(run):
    """It passes a pipe that another thread reads at the end of the cell."""
    numbers = "".join(f"{number}\n" for number in range(1, 20_001))
    for _ in range(5):
        assert run("import subprocess; subprocess.run(['seq', '20000']); None").succeeded().stdout == numbers


def test_an_unusable_stdout_breaks_nothing(run):
    execution = run("import sys\nwith open('/dev/null', 'w') as sys.stdout: print('x')")
    assert "replaced by the kernel's own" in execution.stderr
    assert run("print(6 * 7)").succeeded().stdout == "42\n"


def test_any_text_arrives_unchanged(run):
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000), 0x1F600, 0x10FFFF]))
    assert run("import sys\nsys.stdout.write(''.join(map(chr, [*range(0xD800), *range(0xE000, 0x11000), "
               "0x1F600, 0x10FFFF])))\nNone").succeeded().stdout == text  # fmt: skip


ALL_KINDS = """
import sys
text = TEXT
print(text)
print(text, file=sys.stderr)
handle = display({'text/plain': text, 'text/html': text, 'application/json': {text: [text]}, 'x/' + text: text},
                 raw=True, display_id=text)
handle.update({'text/markdown': text}, raw=True)
raise ValueError(text)
"""


def test_no_read_ends_inside_a_character(client, context):
    """A client that decodes each read separately loses nothing."""
    text = "\u6c49\xe9\U0001f600" * 30_000
    code = ALL_KINDS.replace("TEXT", "'\\u6c49\\xe9\\U0001f600' * 30_000")
    stream = client.stream(code, context_id=context["id"])
    pieces = []
    while piece := stream.response.read1(1000):
        pieces.append(piece.decode("utf-8", "replace"))
    told = "".join(pieces)
    assert "\ufffd" not in told
    lines = [json.loads(line) for line in told.splitlines()]
    assert "".join(line["text"] for line in lines if line["type"] == "stdout") == text + "\n"
    assert "".join(line["text"] for line in lines if line["type"] == "stderr") == text + "\n"
    (shown,) = [line for line in lines if line["type"] == "result"]
    assert (shown["text"], shown["html"], shown["json"], shown["extra"]) == (text, text, {text: [text]}, {"x/" + text: text})
    assert shown["display_id"] == text
    (update,) = [line for line in lines if line["type"] == "display_update"]
    assert (update["display_id"], update["markdown"]) == (text, text)
    (error,) = [line for line in lines if line["type"] == "error"]
    assert error["value"] == text and text in error["traceback"]


def test_a_lone_surrogate_in_output_breaks_nothing(run):
    run("print('\\ud800 lone')")
    run("'\\udfff'")
    assert run("'alive'").succeeded().text == "alive"


def test_code_that_is_not_ascii_arrives_unchanged(run):
    assert run("'ü 😀 \u2028 \\N{SNOWMAN}'").text == "ü 😀 \\u2028 ☃"


def test_a_lone_surrogate_in_a_request_is_refused(client, context):
    body = b'{"code": "\'\\ud800\'", "context_id": "%s"}' % context["id"].encode()
    reply = client.request("POST", "/execute", body, {"Content-Type": "application/json"})
    assert reply.status == 422 and reply.text == "`code` should be text, but contains a lone surrogate\n"
    assert client.execute("1", context_id=context["id"]).text == "1"


def test_long_code_is_run(run):
    assert run(f"len({'x' * 5_000_000!r})").succeeded().text == "5000000"


# Quantity


def test_five_thousand_displays_arrive_in_order(run):
    execution = run("for index in range(5000): display(index)").succeeded()
    assert [result["text"] for result in execution.results] == [str(index) for index in range(5000)]


def test_six_thousand_flushed_lines_arrive_in_order(run):
    execution = run("for index in range(6000): print(index, flush=True)").succeeded()
    assert execution.stdout == "".join(f"{index}\n" for index in range(6000))


def test_two_hundred_thousand_prints_arrive_complete(run):
    execution = run("for index in range(200_000): print(index)").succeeded()
    assert execution.stdout == "".join(f"{index}\n" for index in range(200_000))


def test_both_outputs_and_displays_together_lose_nothing(run):
    execution = run(
        "import sys\nfor index in range(1500):\n"
        "    print(index, flush=True)\n    print(index, file=sys.stderr, flush=True)\n    display(index)"
    ).succeeded()
    expected = "".join(f"{index}\n" for index in range(1500))
    assert execution.stdout == execution.stderr == expected
    assert [int(result["text"]) for result in execution.results] == list(range(1500))


@pytest.mark.timeout(240)
def test_a_line_of_96_mebibytes_arrives_complete(run):
    size = 96 << 20
    execution = run(f"print('0123456789abcdef' * {size // 16})").succeeded()
    assert execution.stdout == "0123456789abcdef" * (size // 16) + "\n"


def test_an_image_of_48_mebibytes_arrives_complete(run):
    size = 48 << 20
    execution = run(f"display({{'image/png': 'QUJD' * {size // 4}}}, raw=True)").succeeded()
    assert execution.results[0]["png"] == "QUJD" * (size // 4)


def test_a_stalled_reader_loses_nothing_and_blocks_nobody(client, context, server):
    other = client.create_context()
    count, length = 400, 100_000
    stalled = client.stream(
        f"for index in range({count}): print(str(index).ljust({length}, '.'), flush=True)", context_id=context["id"]
    )
    stalled.until("number_of_executions")
    # 40 MB are more than any socket buffer holds. Meanwhile nothing is read, and others are served.
    for index in range(20):
        assert client.execute(f"{index}", context_id=other["id"]).succeeded().text == str(index)
    expected = "".join(str(index).ljust(length, ".") + "\n" for index in range(count))
    assert stalled.finish().succeeded().stdout == expected


def test_a_stalled_reader_does_not_block_a_restart(client, context):
    stalled = client.stream("while True: print('.' * 100_000, flush=True)", context_id=context["id"])
    stalled.until("number_of_executions")
    # Meanwhile it writes more than any socket buffer holds.
    for index in range(20):
        assert client.execute(f"{index}").succeeded().text == str(index)
    client.restart_context(context["id"]).expect(200)
    assert client.execute("6 * 7", context_id=context["id"]).succeeded().text == "42"
    assert stalled.finish().error["name"] == "KernelRestarted"


@pytest.mark.backends("any")
@pytest.mark.slow
def test_a_silent_cell_sends_one_space_every_15_seconds(client, context, gate):
    stream = client.stream("print('a', flush=True)\n" + gate.code, context_id=context["id"])
    stream.until("stdout")
    silent_since = time.monotonic()
    spaces = [stream.read_some(), stream.read_some()]
    elapsed = time.monotonic() - silent_since
    gate.open()
    assert spaces == [b" ", b" "]
    # Two spaces take 30 s; any other rate is far off these bounds. (Nor may a request time-out end the execution in
    # that time.)
    assert 25 < elapsed < 60
    stream.finish().succeeded()


# Languages and contexts


@pytest.mark.parametrize("language", ["python", "py", "python3", " PyThOn ", "PY", None])
def test_python_is_found_by_each_of_its_names(client, language):
    assert client.execute("x = 1 if 'x' not in globals() else 2; x", language=language).succeeded().text == "1"
    assert client.execute("x = 1 if 'x' not in globals() else 2; x").succeeded().text == "2"
    assert [context["language"] for context in client.contexts()] == ["python"]


@pytest.mark.parametrize("language", ["bash", "sh", " Bash"])
def test_bash_runs(client, language):
    assert client.execute("echo $((6 * 7))", language=language).succeeded().stdout == "42\n"
    assert client.contexts()[-1]["language"] == "bash"


PAUSE = "await new Promise((done) => setTimeout(done, 200));"
"""In Deno, the last output may arrive after `idle`. A pause avoids that."""


@pytest.mark.parametrize("language, declared", [("javascript", "javascript"), ("JS", "javascript"),
                                                 ("ts", "typescript"), ("typescript", "typescript"),
                                                 ("deno", "typescript")])  # fmt: skip
def test_javascript_and_typescript_run(client, language, declared):
    code = f"console.log(6 * 7); await Deno.jupyter.display({{'text/plain': '2'}}, {{raw: true}}); {PAUSE}"
    execution = client.execute(code, language=language).succeeded()
    assert execution.stdout == "42\n"
    assert "2" in [result["text"] for result in execution.results]
    assert client.contexts()[-1]["language"] == declared


def test_an_error_in_javascript_has_no_colours(client):
    # Every line is checked for escapes; this kernel colours its errors itself.
    error = client.execute("throw new TypeError('wrong')", language="javascript").error
    assert "TypeError" in error["name"] + error["traceback"]
    assert "wrong" in error["value"] + error["traceback"]


def test_an_unknown_language_is_refused_with_a_list(client):
    body = {"code": "1", "language": "cobol"}
    response = check_error(client.post("/execute", body), 400, "cobol", "bash", "javascript", "python")
    assert "No kernel for language 'cobol'" in response.text
    check_error(client.post("/execute", {**body, "language": ""}), 400)


def test_an_unknown_context_is_not_found(client):
    check_error(client.post("/execute", {"code": "1", "context_id": "no-such"}), 404, "context", "no-such", "not found")
    check_error(client.post("/execute", {"code": "1", "context_id": ""}), 404)


def test_a_context_and_a_language_together_are_refused(client, context):
    refusal = client.post("/execute", {"code": "1", "context_id": context["id"], "language": "python"})
    assert check_error(refusal, 400).text.startswith("Only one of context_id or language")


def test_concurrent_requests_create_a_default_context_once(client):
    executions = at_once(20, lambda _: client.execute("echo $$", language="bash").succeeded())
    assert len({execution.stdout for execution in executions}) == 1
    assert sorted(execution.count for execution in executions) == list(range(1, 21))
    assert [context["language"] for context in client.contexts()].count("bash") == 1


def test_concurrent_requests_create_the_default_python_context_once(client):
    executions = at_once(20, lambda _: client.execute("import os; os.getpid()").succeeded())
    assert len({execution.text for execution in executions}) == 1
    assert len(client.contexts()) == 1


# The request


def test_unknown_fields_and_nulls_are_ignored(client):
    execution = client.execute("1", context_id=None, language=None, env_vars=None, unknown={"a": [1]}, type="x")
    assert execution.succeeded().text == "1"


@pytest.mark.backends("any")
@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "code"),
        ({"code": None}, "code"),
        ({"code": 1}, "code"),
        ({"code": ["1"]}, "code"),
        ({"code": "1", "context_id": 5}, "context_id"),
        ({"code": "1", "language": {"name": "python"}}, "language"),
        ({"code": "1", "env_vars": ["A=1"]}, "env_vars"),
        ({"code": "1", "env_vars": "A=1"}, "env_vars"),
        ({"code": "1", "env_vars": {"A": 1}}, "env_vars"),
        ({"code": "1", "env_vars": {"A": None}}, "env_vars"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(client, body, field):
    check_error(client.post("/execute", body), 422, field)


@pytest.mark.backends("any")
@pytest.mark.parametrize("body", [b"[]", b'"code"', b"null", b"1"])
def test_json_that_is_not_an_object_is_refused(client, body):
    check_error(client.request("POST", "/execute", body, {"Content-Type": "application/json"}), 422, "object")


@pytest.mark.backends("any")
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b'{"code": "1"', b'{"code": "1"} x', b'{"code": "1",}', b"{'code': '1'}", b'{"code": "\n"}',
        b'{"code": "\xff"}', b'{"code": "\\x"}', b'{"code": NaN}', b"\xff\xfe{\x00}\x00", b"[" * 100_000,
        b'{"code": "\\u12"}', b'{"code": "1", "n": 01}',
    ],
)  # fmt: skip
def test_bytes_that_are_not_json_are_refused(client, body):
    check_error(client.request("POST", "/execute", body, {"Content-Type": "application/json"}), 400)
    assert client.is_healthy()


@pytest.mark.backends("any")
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", None]
)
@pytest.mark.parametrize("path", ["/execute", "/contexts"])
def test_a_form_cannot_run_code(client, media_type, path):
    headers = {} if media_type is None else {"Content-Type": media_type}
    check_error(client.request("POST", path, b'{"code": "1"}', headers), 415)


@pytest.mark.backends("any")
@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"])
def test_parameters_and_case_of_the_media_type_do_not_matter(client, media_type):
    reply = client.request("POST", "/execute", b'{"code": "1"}', {"Content-Type": media_type})
    assert reply.expect(200).body.endswith(b'"end_of_execution"}\n') or b"end_of_execution" in reply.body


@pytest.mark.backends("any")
def test_other_methods_are_refused(client):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert "POST" in check_error(client.request(method, "/execute"), 405).headers["Allow"]


# A client that goes away


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
def test_a_client_that_disconnects_frees_the_kernel(client, context, reset):
    run_here = {"context_id": context["id"]}
    client.execute("kept = 'kept'", **run_here).succeeded()
    stream = client.stream("import time\nwhile True: time.sleep(0.01)", **run_here)
    stream.until("number_of_executions")
    stream.vanish(reset)
    # The kernel was interrupted, not killed: its memory is kept.
    assert client.execute("kept", **run_here).succeeded().text == "kept"


def test_a_client_that_disconnects_during_output_frees_the_kernel(client, context):
    stream = client.stream("while True: print('x' * 1000)", context_id=context["id"])
    stream.until("stdout")
    stream.vanish()
    assert client.execute("'next'", context_id=context["id"]).succeeded().text == "next"


def test_the_next_execution_runs_when_a_client_disconnects(client, context):
    stream = client.stream("import time\nwhile True: time.sleep(0.01)", context_id=context["id"])
    stream.until("number_of_executions")
    waiting = client.stream("'waited'", context_id=context["id"])
    stream.vanish()
    assert waiting.finish().succeeded().text == "waited"


def test_code_whose_client_disconnected_in_the_queue_never_runs(server, client, context, gate):
    run_here = {"context_id": context["id"]}
    first = client.stream("ran = []\n" + gate.code, **run_here)
    first.until("number_of_executions")
    leaver = client.stream("ran.append('leaver')", **run_here)
    stayer = client.stream("ran.append('stayer')", **run_here)
    logged = server.log.count("path=/execute")
    leaver.vanish()
    wait_until(lambda: server.log.count("path=/execute") > logged, "the request of the one that left is over")
    gate.open()
    first.finish().succeeded()
    stayer.finish().succeeded()
    assert client.execute("ran", **run_here).text == "['stayer']"


def test_many_clients_that_disconnect_leave_a_free_kernel(client, context):
    for _ in range(10):
        client.stream("import time\nwhile True: time.sleep(0.01)", context_id=context["id"]).vanish()
    assert client.execute("'free'", context_id=context["id"]).succeeded().text == "free"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("moment", ["headers", "number_of_executions"])
def test_clients_that_disconnect_at_once_leave_a_free_kernel(client, context, moment):
    """An interrupt before the code has started must not be lost."""
    run_here = {"context_id": context["id"]}
    client.execute("kept = 'kept'", **run_here).succeeded()
    for _ in range(20):
        stream = client.stream("import time; time.sleep(1000)", **run_here)
        if moment != "headers":
            stream.until(moment)
        stream.vanish()
        assert client.execute("kept", **run_here).succeeded().text == "kept"


def test_code_that_ignores_interrupts_is_ended_by_a_restart(client, context):
    stubborn = "import time\nwhile True:\n    try: time.sleep(0.01)\n    except KeyboardInterrupt: print('no', flush=True)"
    client.stream(stubborn, context_id=context["id"]).until("number_of_executions")
    client.restart_context(context["id"]).expect(200)
    assert client.execute("1", context_id=context["id"]).succeeded().text == "1"


def test_code_that_ignores_interrupts_loses_its_kernel_when_its_client_disconnects(client, context):
    client.execute("kept = 1", context_id=context["id"]).succeeded()
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(1000)"
    stream = client.stream(code, context_id=context["id"])
    stream.until("stdout")
    waiting = client.stream("'kept' in globals()", context_id=context["id"])
    stream.vanish()
    execution = waiting.finish().succeeded()
    assert (execution.count, execution.text) == (1, "False")


def test_a_client_that_disconnects_after_the_last_line_interrupts_nothing(client, server, context):
    """An interrupt would also hit background work of earlier cells."""
    code = "import subprocess; child = subprocess.Popen(['sleep', '1000'])"
    client.execute(code, context_id=context["id"]).succeeded()
    body = json.dumps({"code": "1", "context_id": context["id"]}).encode()
    head = "POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(request)
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += connection.recv(65536)
    assert client.execute("child.poll()", context_id=context["id"]).succeeded().results == []


def test_bash_is_interrupted_too(client):
    context = client.create_context(language="bash")
    client.execute("kept=kept", context_id=context["id"]).succeeded()
    client.stream("sleep 1000", context_id=context["id"]).vanish()
    assert client.execute("echo $kept", context_id=context["id"]).succeeded().stdout == "kept\n"


@pytest.mark.parametrize("code", ["while (true) {}", "await new Promise(() => {})"])
def test_javascript_frees_the_context_too(client, code):
    """An interrupt ends Deno: another kernel replaces it, and that is reported."""
    context = client.create_context(language="javascript")
    stream = client.stream(code, context_id=context["id"])
    stream.until("number_of_executions")
    stream.vanish()
    execution = client.execute("6 * 7", context_id=context["id"]).succeeded()
    assert execution.text == "42" and "SIGINT" in execution.restart


@pytest.mark.parametrize("fields", [{}, {"env_vars": {"V": "a"}}], ids=["code", "variables"])
def test_background_code_in_javascript_blocks_nobody(client, fields, gate):
    """A client that waits behind it may leave.

    The loop begins when the cell has ended. Deno answers in the thread that runs timers: where a timer begins to loop before
    the answer is sent, no client ever hears that the cell has ended, and for the kernel itself it has not.
    """
    context = client.create_context(language="javascript")
    started = gate.path.with_suffix(".started")
    code = f"""
setInterval(() => {{
  try {{ Deno.statSync({json.dumps(str(gate.path))}); }} catch {{ return; }}
  Deno.writeTextFileSync({json.dumps(str(started))}, "");
  while (true) {{}}
}}, 10);
undefined
"""
    client.execute(code, context_id=context["id"]).succeeded()
    gate.open()
    wait_until(started.exists, "the loop has begun")
    client.stream("1", context_id=context["id"], **fields).vanish()
    assert client.execute("6 * 7", context_id=context["id"]).succeeded().text == "42"


def test_a_reply_that_is_not_valid_json_ends_the_execution(run):
    """A message with too much nesting, which code can make its kernel send."""
    code = "value = 1\nfor _ in range(600): value = [value]\n"
    code += "get_ipython().payload_manager.write_payload({'source': 'page', 'data': value})\n"
    code += "import json; get_ipython().kernel.session.pack = lambda value: json.dumps(value, default=str).encode()"
    assert run(code).error["name"] == "ConnectionLost"
    assert run("6 * 7").succeeded().text == "42"


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1, 0])
def test_a_cell_that_fakes_the_death_of_its_kernel_harms_nobody_else(client, context, number):
    code = f"""
kernel = get_ipython().kernel
kernel.session.send(kernel.iopub_socket, "status", {{"execution_state": "dead", "exit_code": {number}}})
"""
    client.execute(code, context_id=context["id"])
    assert client.execute("6 * 7").succeeded().text == "42"


def test_executions_reuse_a_connection(client, context):
    connection = client.connect()
    for index in range(20):
        body = json.dumps({"code": f"{index}", "context_id": context["id"]})
        connection.request("POST", "/execute", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        lines = [json.loads(line) for line in response.read().splitlines()]
        assert lines[1]["text"] == str(index)
        assert connection.sock is not None, "the connection was closed after an execution"
    connection.close()


def test_code_does_not_learn_how_to_reach_the_back_end(run):
    names = json.loads(run("import os, json; print(json.dumps(list(os.environ)))").succeeded().stdout)
    assert not [name for name in names if "TOKEN" in name.upper() and name not in os.environ]
