"""Executions as resources: records, kept lines, readers that come back, time-outs, interrupts, and requests that are sent
twice."""

import json

import pytest

from support.client import at_once, check_error, reset_when_closed
from support.code import ENDLESS
from support.executions import lines_of, until_ended
from support.processes import is_alive, open_files
from support.raw import RawConnection, post
from support.waiting import wait_until

RECORD = {
    "id", "context_id", "language", "state", "created", "started", "finished", "execution_count", "first_line", "lines",
    "error",
}  # fmt: skip
COUNT_SLOWLY = "import time\nfor i in range({}):\n    print(i, flush=True)\n    time.sleep({})"


# Records


def test_every_execution_has_a_record(client, context):
    stream = client.stream("print('a')\n1", context_id=context["id"])
    execution = stream.finish()
    record = client.record(stream.response.headers["X-Execution-ID"])
    assert set(record) == RECORD
    assert record["context_id"] == context["id"] and record["language"] == "python"
    assert record["state"] == "succeeded" and record["error"] is None
    assert record["execution_count"] == execution.count and record["lines"] == len(execution.lines)
    assert record["first_line"] is None
    assert record["created"] <= record["started"] <= record["finished"]


@pytest.mark.parametrize(
    "code, state, name",
    [
        ("1", "succeeded", None),
        ("1 / 0", "failed", "ZeroDivisionError"),
        ("import os; os._exit(3)", "lost", "KernelDied"),
        ("raise ValueError('x' * 100_000)", "failed", "ValueError"),
    ],
)
def test_the_state_says_how_it_ended(client, context, code, state, name):
    record = until_ended(client, client.start(code, context_id=context["id"])["id"])
    assert record["state"] == state
    assert (record["error"] or {}).get("name") == name
    assert len(json.dumps(record)) < 4096


def test_a_record_stays_short_and_its_text_whole(client, context):
    record = until_ended(client, client.start("raise ValueError('漢' * 10_000)", context_id=context["id"])["id"])
    assert set(record["error"]["value"].rstrip("…")) == {"漢"} and len(record["error"]["value"]) > 100


def test_records_are_listed_oldest_first(client):
    contexts = [client.create_context() for _ in range(2)]
    started = [client.start("1", context_id=contexts[index % 2]["id"])["id"] for index in range(6)]
    for identifier in started:
        until_ended(client, identifier)
    everything = [record["id"] for record in client.get("/executions").expect(200).json]
    assert [identifier for identifier in everything if identifier in started] == started
    some = client.get(f"/executions?context_id={contexts[0]['id']}").expect(200).json
    assert [record["id"] for record in some] == started[::2]


def test_an_unknown_execution_is_not_found(client):
    for method, path in (
        ("GET", "/executions/nobody"),
        ("GET", "/executions/nobody/events"),
        ("POST", "/executions/nobody/interrupt"),
        ("DELETE", "/executions/nobody"),
        ("GET", "/executions/" + "x" * 1000),
        ("GET", "/executions/%ff%fe"),
    ):
        response = client.request(method, path)
        assert response.status == 404 or "%ff" in path and response.status == 400, (path, response.status)


@pytest.mark.backends("any")
def test_ended_executions_are_forgotten_after_a_time_and_beyond_a_number(start_server):
    server = start_server("--keep-executions", "5", "--max-executions", "3")
    client = server.client
    identifiers = [client.start("1")["id"] for _ in range(5)]
    wait_until(
        lambda: [record["id"] for record in client.get("/executions").json if record["state"] == "succeeded"]
        == identifiers[2:],
        "the oldest are forgotten",
    )
    wait_until(lambda: client.get("/executions").json == [], "all are forgotten")


@pytest.mark.backends("any")
def test_clients_that_keep_no_lines_do_not_push_out_the_lines_of_others(start_server):
    client = start_server("--max-executions", "3").client
    kept = client.start("print('kept')")["id"]
    wait_until(lambda: client.record(kept)["state"] == "succeeded", "the code has run")
    for number in range(5):
        client.execute(str(number)).succeeded()
    counts = [record["execution_count"] for record in client.get("/executions").json]
    assert counts == [1, 5, 6]
    assert b"kept" in b"".join(lines_of(client, kept))


# Lines that are kept


def test_lines_are_the_same_for_everybody(client, context):
    code = "import sys\nfor i in range(300): print(i, file=sys.stderr if i % 2 else sys.stdout)\n'é' * 10"
    stream = client.stream(code, context_id=context["id"], on_disconnect="continue")
    first = [line.raw for line in stream.finish().lines]
    identifier = stream.response.headers["X-Execution-ID"]
    assert lines_of(client, identifier) == first
    for after in (0, 1, len(first) - 1, len(first)):
        assert lines_of(client, identifier, after=after) == first[after:]
    assert client.record(identifier)["lines"] == len(first)
    # Beyond the end nothing comes.
    assert lines_of(client, identifier, after=len(first) + 5) == []


def test_code_goes_on_without_its_client(client, context):
    stream = client.stream(COUNT_SLOWLY.format(20, 0.05), context_id=context["id"], on_disconnect="continue")
    while "3\n" not in stream.execution.stdout:
        stream.next()
    seen = [line.raw for line in stream.execution.lines]
    stream.vanish(reset=True)
    identifier = stream.response.headers["X-Execution-ID"]
    rest = lines_of(client, identifier, after=len(seen))
    assert seen + rest == lines_of(client, identifier)
    assert b"".join(seen + rest).count(b'"stdout"') >= 1 and until_ended(client, identifier)["state"] == "succeeded"


def test_readers_follow_at_their_own_speed(client, context):
    record = client.start(COUNT_SLOWLY.format(30, 0.03), context_id=context["id"])
    assert record["state"] in ("queued", "running")
    alone = client.events(record["id"])
    alone.until("stdout")
    # Without waiting there is what there is.
    some = lines_of(client, record["id"], follow="false")
    assert 1 <= len(some)
    readers = at_once(5, lambda index: lines_of(client, record["id"], after=index))
    whole = [line.raw for line in alone.finish().lines]
    assert some == whole[: len(some)]
    assert readers == [whole[index:] for index in range(5)]


def test_an_execution_that_keeps_no_lines_says_so(client, context):
    stream = client.stream("1", context_id=context["id"])
    stream.finish()
    identifier = stream.response.headers["X-Execution-ID"]
    check_error(client.get(f"/executions/{identifier}/events"), 409, "not kept", "on_disconnect")


@pytest.mark.backends("any")
def test_long_output_goes_through_a_file_and_the_oldest_lines_are_dropped(start_server):
    server = start_server("--max-journal", str(4 << 20))
    client = server.client
    code = "for i in range(200): print(i, 'x' * 100_000)"
    identifier = client.start(code)["id"]
    record = until_ended(client, identifier)
    assert record["state"] == "succeeded" and record["first_line"] > 0
    refused = client.get(f"/executions/{identifier}/events?after=0")
    check_error(refused, 410, f"after={record['first_line']}")
    kept = lines_of(client, identifier, after=record["first_line"])
    assert len(kept) == record["lines"] - record["first_line"]
    assert 2 << 20 < sum(map(len, kept)) <= 4 << 20


@pytest.mark.backends("any")
@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=-0", "after=%2B1", "after=", "after=x", "after=1e3", "after=%D9%A1", "after=" + "9" * 30, "follow=maybe"],
)
def test_a_malformed_query_is_refused(client, query):
    identifier = client.start("1")["id"]
    check_error(client.get(f"/executions/{identifier}/events?{query}"), 422, query.split("=")[0])


@pytest.mark.backends("any")
def test_more_than_64_readers_are_refused(client, context):
    identifier = client.start(ENDLESS, context_id=context["id"])["id"]
    readers = [client.events(identifier) for _ in range(64)]
    refused = client.get(f"/executions/{identifier}/events")
    check_error(refused, 429, "64")
    assert refused.headers["Retry-After"]
    readers.pop().vanish()
    wait_until(lambda: client.get(f"/executions/{identifier}/events?follow=false").status == 200, "one more may read")
    client.delete(f"/executions/{identifier}").expect(204)
    for reader in readers:
        assert reader.finish().error["name"] == "KeyboardInterrupt"


@pytest.mark.backends("any")
def test_the_number_of_readers_can_be_chosen(start_server):
    client = start_server("--max-readers", "2").client
    identifier = client.start(ENDLESS)["id"]
    readers = [client.events(identifier) for _ in range(2)]
    check_error(client.get(f"/executions/{identifier}/events"), 429, "2 clients", "--max-readers")
    # Each execution has its own.
    client.events(client.start("1", context_id=client.create_context()["id"])["id"]).finish().succeeded()
    client.delete(f"/executions/{identifier}").expect(204)
    for reader in readers:
        assert reader.finish().error["name"] == "KeyboardInterrupt"


@pytest.mark.backends("any")
def test_long_requests_of_detached_executions_are_bounded(start_server):
    server = start_server("--max-body", "1000000", "--max-body-memory", "1000000")
    client = server.client
    running = client.start("print('began')\n" + ENDLESS)["id"]
    client.events(running).until("stdout")
    waiting = [client.start("#" + "x" * 300_000)["id"] for _ in range(3)]
    refused = client.post("/executions", {"code": "#" + "x" * 300_000})
    check_error(refused, 503, "--max-body-memory")
    assert refused.headers["Retry-After"]
    # Short ones are not held up by long ones.
    waiting.append(client.start("1")["id"])
    client.delete(f"/executions/{running}").expect(204)
    for identifier in waiting:
        assert until_ended(client, identifier)["state"] == "succeeded"
    assert until_ended(client, client.start("#" + "x" * 900_000)["id"])["state"] == "succeeded"


@pytest.mark.backends("any")
def test_ended_executions_are_forgotten_where_all_lines_together_are_too_long(start_server):
    server = start_server("--max-journal", str(1 << 20))
    client = server.client
    identifiers = [client.start("for i in range(9): print('x' * 100_000)")["id"] for _ in range(7)]
    until_ended(client, identifiers[-1])
    wait_until(
        lambda: [record["id"] for record in client.get("/executions").json] == identifiers[-4:], "the oldest are gone"
    )


# Interrupts


def test_an_execution_is_interrupted_by_its_identifier(client, context):
    identifier = client.start("print('began')\n" + ENDLESS, context_id=context["id"])["id"]
    stream = client.events(identifier)
    stream.until("stdout")
    client.post(f"/executions/{identifier}/interrupt").expect(204)
    assert stream.finish().error["name"] == "KeyboardInterrupt"
    assert until_ended(client, identifier)["state"] == "interrupted"
    # It has ended: that does nothing more.
    client.post(f"/executions/{identifier}/interrupt").expect(204)
    assert client.execute("1", context_id=context["id"]).text == "1"


def test_an_execution_that_waits_is_called_off_at_once(client, context):
    running = client.start("print('began')\n" + ENDLESS, context_id=context["id"])["id"]
    client.events(running).until("stdout")
    waiting = [client.start("open('ran', 'w')", context_id=context["id"])["id"] for _ in range(3)]
    client.post(f"/executions/{waiting[1]}/interrupt").expect(204)
    record = until_ended(client, waiting[1])
    assert record["state"] == "interrupted" and record["started"] is None
    assert record["error"]["name"] == "ExecutionInterrupted"
    assert [client.record(identifier)["state"] for identifier in (running, waiting[0], waiting[2])] == [
        "running", "queued", "queued",
    ]  # fmt: skip
    for identifier in (waiting[0], waiting[2], running):
        client.delete(f"/executions/{identifier}").expect(204)


def test_a_deleted_execution_ends_and_is_forgotten(client, context):
    identifier = client.start("print('began')\n" + ENDLESS, context_id=context["id"])["id"]
    stream = client.events(identifier)
    stream.until("stdout")
    client.delete(f"/executions/{identifier}").expect(204)
    check_error(client.get(f"/executions/{identifier}"), 404, identifier)
    assert stream.finish().error["name"] == "KeyboardInterrupt"
    assert client.execute("1", context_id=context["id"]).text == "1"


def test_a_context_is_interrupted(client, context):
    client.post(f"/contexts/{context['id']}/interrupt").expect(204)
    client.execute("x = 1", context_id=context["id"])
    stream = client.stream("print('began')\n" + ENDLESS, context_id=context["id"])
    stream.until("stdout")
    client.post(f"/contexts/{context['id']}/interrupt").expect(204)
    assert stream.finish().error["name"] == "KeyboardInterrupt"
    assert client.execute("x", context_id=context["id"]).text == "1"
    check_error(client.post("/contexts/nobody/interrupt"), 404)


# Time-outs


@pytest.mark.parametrize(
    "code",
    [
        ENDLESS,
        "while True: pass",
        "import asyncio\nwhile True: await asyncio.sleep(0.01)",
        "import subprocess; subprocess.run(['sleep', '1000'])",
        "!sleep 1000",
    ],
)
def test_code_that_is_over_its_time_is_interrupted_and_keeps_its_memory(client, context, code):
    client.execute("x = 5", context_id=context["id"]).succeeded()
    stream = client.stream(code, context_id=context["id"], timeout=0.3)
    execution = stream.finish()
    assert execution.error["name"] == "ExecutionTimeout"
    assert "0.3 s" in execution.error["value"] and "memory is kept" in execution.error["value"]
    assert "KeyboardInterrupt" in execution.error["traceback"] or "CancelledError" in execution.error["traceback"]
    assert client.record(stream.response.headers["X-Execution-ID"])["state"] == "timed_out"
    assert client.execute("x", context_id=context["id"]).text == "5"


def test_code_that_handles_the_interrupt_is_over_its_time_all_the_same(client, context):
    # CPython 3.11 raises an interrupt at a jump back as if it came from the line before the loop: that one must be inside.
    code = "try:\n    x = 1\n    while True: abs(x)\nexcept KeyboardInterrupt: print('cleaned up')\n'done'"
    execution = client.execute(code, context_id=context["id"], timeout=0.3)
    assert execution.stdout == "cleaned up\n"
    assert execution.error["name"] == "ExecutionTimeout"


@pytest.mark.backends("any")
def test_code_that_obeys_no_interrupt_loses_its_kernel(start_server):
    server = start_server("--interrupt-grace", "1")
    client = server.client
    context = client.create_context()
    client.execute("x = 5", context_id=context["id"]).succeeded()
    code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    execution = client.execute(code, context_id=context["id"], timeout=0.2)
    assert execution.error["name"] == "ExecutionTimeout"
    assert "memory is gone" in execution.error["value"]
    after = client.execute("'x' in globals()", context_id=context["id"])
    assert after.text == "False" and after.restart
    for words in ("over its time", "ignores the interrupt", "kernel is replaced"):
        wait_until(lambda: words in server.log, f"the log has: {words}")


@pytest.mark.backends("local")
def test_a_child_that_ignores_interrupts_is_ended_before_the_kernel(start_server):
    server = start_server("--interrupt-grace", "1")
    client = server.client
    context = client.create_context()
    client.execute("x = 5", context_id=context["id"]).succeeded()
    code = """
        import os, signal, subprocess
        child = subprocess.Popen(['sh', '-c', 'trap "" INT TERM; sleep 1000'])
        print(child.pid, flush=True)
        while child.returncode is None:
            try: child.wait()
            except KeyboardInterrupt: pass
        """
    stream = client.stream("if True:" + code, context_id=context["id"], timeout=0.2)
    child = int(stream.until("stdout")["text"])
    assert stream.finish().error["name"] == "ExecutionTimeout"
    assert not is_alive(child)
    wait_until(lambda: "the processes that it has started are killed" in server.log, "the log says so")
    assert client.execute("x", context_id=context["id"]).text == "5"


def test_time_counts_from_when_the_kernel_takes_the_code(client, context):
    first = client.start("import time; time.sleep(3)", context_id=context["id"])["id"]
    second = client.execute("'done'", context_id=context["id"], timeout=2)
    assert second.text == "done"
    assert client.record(first)["state"] == "succeeded"


@pytest.mark.backends("any")
def test_a_default_holds_for_code_without_a_timeout(start_server):
    server = start_server("--execution-timeout", "0.3")
    assert server.client.execute(ENDLESS).error["name"] == "ExecutionTimeout"
    assert server.client.execute("import time; time.sleep(0.5); 1", timeout=60).text == "1"


# Input


def test_input_reads_the_lines_that_came_with_the_request(client, context):
    code = "a = input('name? ')\nb = input()\nprint([a, b])\ntry: input()\nexcept EOFError: print('at the end')"
    execution = client.execute(code, context_id=context["id"], stdin="é \"x\"\nlast").succeeded()
    assert execution.stdout == "name? ['é \"x\"', 'last']\nat the end\n"
    again = client.execute("import getpass\n[input(), getpass.getpass('secret: '), input()]", context_id=context["id"], stdin="1\n\n3\n")
    assert again.succeeded().text == "['1', '', '3']"
    assert client.execute("input()", context_id=context["id"], stdin="").error["name"] == "EOFError"


def test_the_client_answers_questions(client, context):
    code = "import getpass\nprint('before')\na = input('one? ')\nprint(a)\nb = getpass.getpass('two? ')\n(a, b)"
    stream = client.stream(code, context_id=context["id"], allow_stdin=True)
    identifier = stream.response.headers["X-Execution-ID"]
    assert stream.until("input_request") == {"type": "input_request", "prompt": "one? ", "password": False}
    assert stream.execution.stdout == "before\n"
    assert client.record(identifier)["state"] == "waiting_for_input"
    client.post(f"/executions/{identifier}/stdin", {"text": "first é"}).expect(204)
    assert stream.until("input_request") == {"type": "input_request", "prompt": "two? ", "password": True}
    client.post(f"/executions/{identifier}/stdin", {"text": ""}).expect(204)
    execution = stream.finish().succeeded()
    assert execution.text == "('first é', '')" and execution.stdout == "before\nfirst é\n"
    check_error(client.post(f"/executions/{identifier}/stdin", {"text": "x"}), 409, "does not wait")


def test_code_that_asks_too_much_at_once_finds_the_input_at_its_end(client, context):
    # As 40 threads would that call input() at the same time.
    code = """
kernel = get_ipython().kernel
for number in range(40):
    content = {'prompt': str(number), 'password': False}
    kernel.session.send(kernel.stdin_socket, 'input_request', content, kernel.get_parent('shell'), ident=kernel._parent_ident['shell'])
def answers(count):
    return [kernel.session.recv(kernel.stdin_socket, mode=0)[1]['content']['value'] for _ in range(count)]

refused = answers(24)
print('refused')
set(refused), answers(16) == ['answer'] * 16
"""
    stream = client.stream(code, context_id=context["id"], allow_stdin=True)
    identifier = stream.response.headers["X-Execution-ID"]
    stream.until("stdout")
    assert [question["prompt"] for question in stream.execution.of("input_request")] == [str(number) for number in range(16)]
    for _ in range(16):
        client.post(f"/executions/{identifier}/stdin", {"text": "answer"}).expect(204)
    assert stream.finish().succeeded().text == "({'\\x04'}, True)"


def test_without_input_code_that_asks_fails_at_once(client, context):
    assert client.execute("input()", context_id=context["id"]).error["name"] == "StdinNotImplementedError"


def test_a_question_can_be_interrupted(client, context):
    stream = client.stream("input('?')", context_id=context["id"], allow_stdin=True)
    identifier = stream.response.headers["X-Execution-ID"]
    stream.until("input_request")
    client.post(f"/executions/{identifier}/interrupt").expect(204)
    assert stream.finish().error["name"] == "KeyboardInterrupt"
    check_error(client.post(f"/executions/{identifier}/stdin", {"text": "late"}), 409)
    # A late answer is no answer to the next question.
    assert client.execute("input()", context_id=context["id"], stdin="right").text == "right"


def test_a_client_that_goes_away_with_a_question_open_interrupts_it(client, context):
    stream = client.stream("input('?')", context_id=context["id"], allow_stdin=True)
    stream.until("input_request")
    stream.vanish(reset=True)
    assert client.execute("1", context_id=context["id"]).text == "1"


def test_a_question_waits_for_a_client_that_comes_back(client, context):
    identifier = client.start("input('?')", context_id=context["id"], allow_stdin=True)["id"]
    first = client.events(identifier)
    first.until("input_request")
    first.vanish(reset=True)
    second = client.events(identifier)
    second.until("input_request")
    client.post(f"/executions/{identifier}/stdin", {"text": "yes"}).expect(204)
    assert second.finish().text == "yes"


def test_a_question_that_nobody_answers_ends_with_its_time(client, context):
    execution = client.execute("input('?')", context_id=context["id"], allow_stdin=True, timeout=0.3)
    assert execution.error["name"] == "ExecutionTimeout" and "memory is kept" in execution.error["value"]


@pytest.mark.backends("any")
def test_an_answer_of_the_wrong_shape_is_refused(client, context):
    identifier = client.start("input('?')", context_id=context["id"], allow_stdin=True)["id"]
    client.events(identifier).until("input_request")
    for body in ({}, {"text": 1}, {"text": None}, []):
        check_error(client.post(f"/executions/{identifier}/stdin", body), 422)
    client.delete(f"/executions/{identifier}").expect(204)


# Their order


def test_executions_run_in_the_order_of_their_requests(server, client, context):
    # Requests that arrive together are read in one turn of the server's loop.
    client.execute("seen = []", context_id=context["id"]).succeeded()
    requests = []
    for index in range(20):
        path = "/executions" if index % 3 else "/execute"
        body = json.dumps({"code": f"seen.append({index})", "context_id": context["id"]}).encode()
        requests.append(post(path, body))
    with RawConnection(server.port) as connection:
        connection.send(b"".join(requests))
        for _ in requests:
            assert connection.response().status in (200, 202)
    assert client.execute("seen", context_id=context["id"]).text == str(list(range(20)))


# Limits of output


@pytest.mark.parametrize("limit", [1, 100, 1000, 20_000])
def test_output_over_its_limit_keeps_beginning_and_end(client, context, limit):
    code = "import sys\nfor i in range(3000): print(i, 'é漢😀', file=sys.stderr if i % 3 == 0 else sys.stdout)\n'value'"
    streams = {"stdout": "", "stderr": ""}
    for i in range(3000):
        streams["stderr" if i % 3 == 0 else "stdout"] += f"{i} é漢😀\n"
    execution = client.execute(code, context_id=context["id"], max_output=limit).succeeded()
    assert execution.text == "value"
    told = execution.stdout.encode() + execution.stderr.encode()
    # A character that would be cut is left out.
    assert limit - 8 < len(told) + 8 and len(told) <= limit
    omitted = {value["stream"]: value["omitted_bytes"] for value in execution.of("output_truncated")}
    for name, whole in streams.items():
        values = execution.of(name)
        assert omitted.get(name, 0) + sum(len(value["text"].encode()) for value in values) == len(whole.encode())
        position = execution.types.index("output_truncated")
        before = "".join(line.value["text"] for line in execution.lines[:position] if line.type == name)
        behind = "".join(line.value["text"] for line in execution.lines[position:] if line.type == name)
        assert whole.startswith(before) and whole.endswith(behind)


def test_output_within_its_limit_is_whole(client, context):
    execution = client.execute("print('x' * 999)", context_id=context["id"], max_output=1000).succeeded()
    assert execution.stdout == "x" * 999 + "\n" and not execution.of("output_truncated")


@pytest.mark.backends("any")
def test_a_default_holds_for_output_without_a_limit(start_server):
    server = start_server("--max-output", "100")
    execution = server.client.execute("print('x' * 1000)")
    assert len(execution.stdout) == 100 and execution.of("output_truncated")[0]["omitted_bytes"] == 901
    assert len(server.client.execute("print('x' * 1000)", max_output=5000).stdout) == 1001


# Requests that are sent twice


def test_a_request_that_is_sent_again_runs_nothing(client, context):
    code = "count = globals().get('count', 0) + 1\nprint(count)"
    streams = [client.stream(code, context_id=context["id"], execution_id="my-run.1_A") for _ in range(3)]
    texts = [[line.raw for line in stream.finish().lines] for stream in streams]
    assert texts[0] == texts[1] == texts[2]
    assert streams[0].response.headers["X-Execution-ID"] == "my-run.1_A"
    assert client.execute("count", context_id=context["id"]).text == "1"
    again = client.post("/executions", {"code": code, "context_id": context["id"], "execution_id": "my-run.1_A"})
    assert again.expect(202).json["state"] == "succeeded"
    other = client.post("/execute", {"code": "2", "context_id": context["id"], "execution_id": "my-run.1_A"})
    check_error(other, 409, "my-run.1_A")
    client.delete("/executions/my-run.1_A").expect(204)


def test_a_request_that_is_sent_many_times_at_once_runs_once(client):
    # The default context is made for the first of them.
    code = "import time\ncount = globals().get('count', 0) + 1\ntime.sleep(0.2)\nprint(count)"
    texts = at_once(8, lambda _: [line.raw for line in client.execute(code, execution_id="at-once").lines])
    assert all(text == texts[0] for text in texts)
    assert client.execute("count").text == "1"
    client.delete("/executions/at-once").expect(204)


def test_a_request_that_failed_may_be_sent_again(client):
    for _ in range(2):
        body = {"code": "1", "context_id": "nobody", "execution_id": "failing"}
        check_error(client.post("/execute", body), 404, "nobody")
    assert client.execute("1", execution_id="failing").text == "1"
    client.delete("/executions/failing").expect(204)


def test_code_is_interrupted_when_the_last_of_its_readers_leaves(client, context):
    body = {"context_id": context["id"], "execution_id": "shared"}
    streams = [client.stream("print('began')\n" + ENDLESS, **body) for _ in range(2)]
    for stream in streams:
        stream.until("stdout")
    streams[0].vanish(reset=True)
    client.execute("1")
    assert client.record("shared")["state"] == "running"
    streams[1].vanish(reset=True)
    assert until_ended(client, "shared")["state"] == "interrupted"
    client.delete("/executions/shared").expect(204)


def test_code_is_interrupted_whose_client_resets_the_connection_behind_its_request(client, context):
    # The reset is read together with the request.
    for index in range(20):
        body = json.dumps({"code": ENDLESS, "context_id": context["id"], "execution_id": f"reset-{index}"})
        connection = client.connect()
        connection.request("POST", "/execute", body, {"Content-Type": "application/json"})
        reset_when_closed(connection.sock)
        connection.close()
    assert client.execute("1", context_id=context["id"]).text == "1"
    for index in range(20):
        # A request that was reset before it was read is none.
        response = client.get(f"/executions/reset-{index}")
        assert response.status == 404 or response.json["state"] == "interrupted"


@pytest.mark.parametrize(
    "field, value",
    [
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", "1"),
        ("max_output", 0),
        ("stdin", 1),
        ("allow_stdin", "yes"),
        ("max_output", 1.5),
        ("on_disconnect", "stop"),
        ("on_disconnect", 1),
        ("execution_id", ""),
        ("execution_id", "a b"),
        ("execution_id", "é"),
        ("execution_id", "x" * 65),
        ("execution_id", 1),
    ],
)
@pytest.mark.backends("any")
def test_a_field_of_the_wrong_shape_is_named(client, field, value):
    check_error(client.post("/execute", {"code": "1", field: value}), 422, field)


# The end of the server


@pytest.mark.backends("any")
def test_detached_executions_get_the_grace_and_are_interrupted_then(start_server):
    server = start_server("--grace", "0.5")
    client = server.client
    identifier = client.start("print('began')\n" + ENDLESS)["id"]
    stream = client.events(identifier)
    stream.until("stdout")
    server.stop()
    assert stream.finish().error["name"] == "KeyboardInterrupt"


@pytest.mark.backends("any")
def test_files_of_journals_vanish_with_the_server(temporary, start_server):
    server = start_server(environment={"TMPDIR": str(temporary)})
    identifier = server.client.start("print('x' * 5_000_000)")["id"]
    until_ended(server.client, identifier)
    links = open_files(server.pid)
    assert any(link.startswith(str(temporary)) and link.endswith("(deleted)") for link in links), links
    server.stop()
    assert list(temporary.iterdir()) == []
