"""Contexts: created, listed, restarted, deleted, and restored when their kernel dies."""

import os
import signal
import textwrap

import pytest

from support import processes
from support.client import at_once, check_error
from support.code import ENDLESS, pid_of
from support.raw import RawConnection
from support.waiting import wait_until


# Making and listing


def test_a_context_tells_its_state(client, backend):
    context = client.create_context()
    path = f"/contexts/{context['id']}"
    fresh = client.get(path).expect(200).json
    assert {name: fresh[name] for name in context} == context
    assert (fresh["state"], fresh["queued"], fresh["execution_count"], fresh["restarts"]) == ("idle", 0, None, 0)
    running = client.stream("print('began')\n" + ENDLESS, context_id=context["id"])
    running.until("stdout")
    waiting = client.stream("1", context_id=context["id"])
    busy = client.get(path).json
    assert (busy["state"], busy["queued"], busy["execution_count"]) == ("busy", 1, 1)
    assert busy["created"] == fresh["created"] <= fresh["last_active"] <= busy["last_active"]
    client.post(f"{path}/interrupt").expect(204)
    running.finish()
    waiting.finish()
    wait_until(lambda: client.get(path).json["state"] == "idle", "it is idle")
    client.restart_context(context["id"]).expect(200)
    assert client.get(path).json["restarts"] == 1
    check_error(client.get("/contexts/nobody"), 404, "nobody")


@pytest.mark.backends("local")
def test_memory_of_all_processes_of_a_context_counts(client, context):
    path = f"/contexts/{context['id']}"
    before = client.get(path).json
    assert before["processes"] == 1 and 1 << 20 < before["memory_bytes"] < 400 << 20
    code = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', \"x = b'x' * 100_000_000; print('there', flush=True); input()\"], stdin=-1, stdout=-1)\nchild.stdout.readline()"
    client.execute(code, context_id=context["id"]).succeeded()
    after = wait_until(lambda: (now := client.get(path).json)["processes"] == 2 and now, "the table is read again")
    assert after["memory_bytes"] > before["memory_bytes"] + 90_000_000


@pytest.mark.backends("jupyter")
def test_memory_at_a_jupyter_server_is_not_known(client, context):
    record = client.get(f"/contexts/{context['id']}").json
    assert record["memory_bytes"] is None and record["processes"] is None


def test_variables_of_a_context_last_as_long_as_it_does(client):
    context = client.create_context(env_vars={"A": "a 'b'\nc", "B": ""})
    code = "import os; (os.environ['A'], os.environ['B'])"
    for _ in range(2):
        assert client.execute(code, context_id=context["id"]).text == '("a \'b\'\\nc", \'\')'
        client.restart_context(context["id"]).expect(200)
    inner = client.execute("import os; os.environ['A']", context_id=context["id"], env_vars={"A": "x"})
    assert inner.text == "x"
    for variables in ({"": "x"}, {"a=b": "x"}, {"a": "\0"}, {"a": 1}):
        check_error(client.post("/contexts", {"env_vars": variables}), 422, "env_vars")


@pytest.mark.backends("any")
def test_unused_contexts_are_deleted(start_server):
    server = start_server("--idle-timeout", "2")
    client = server.client
    context = client.create_context()
    running = client.stream("import time; time.sleep(5); 1", context_id=context["id"])
    idle = client.create_context()
    wait_until(lambda: idle["id"] not in [one["id"] for one in client.contexts()], "the idle one is deleted")
    assert running.finish().text == "1"
    wait_until(lambda: context["id"] not in [one["id"] for one in client.contexts()], "the other one is deleted, too")
    check_error(client.post("/execute", {"code": "1", "context_id": context["id"]}), 404)
    assert client.execute("1").text == "1"


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"language": null, "cwd": null}', b'{"unknown": 1}'])
def test_a_context_needs_no_options(client, body):
    headers = {} if body is None else {"Content-Type": "application/json"}
    context = client.request("POST", "/contexts", body, headers).expect(200).json
    assert set(context) == {"id", "language", "cwd"}
    assert context["language"] == "python"
    assert client.execute("1", context_id=context["id"]).succeeded().text == "1"


def test_a_script_of_another_site_cannot_create_a_context(client):
    """A request without a body needs no media type, so a browser sends it without a CORS preflight."""
    check_error(client.request("POST", "/contexts", b"", {"Origin": "https://example.com"}), 403, "Origin")


def test_the_working_directory_is_the_workspace_unless_given(client, workspace):
    plain = client.create_context()
    (workspace / "a ü").mkdir()
    given = client.create_context(cwd=str(workspace / "a ü"))
    assert plain["cwd"] == str(workspace)
    assert given["cwd"] == str(workspace / "a ü")
    for context in (plain, given):
        code = "import os; os.path.realpath(os.getcwd())"
        assert client.execute(code, context_id=context["id"]).text == os.path.realpath(context["cwd"])


def test_a_working_directory_may_be_outside_the_workspace(client, tmp_path):
    context = client.create_context(cwd=str(tmp_path))
    assert client.execute("import os; os.getcwd()", context_id=context["id"]).text == str(tmp_path)


def test_a_relative_working_directory_is_one_of_the_workspace(client, workspace):
    (workspace / "sub").mkdir()
    context = client.create_context(cwd="sub")
    assert context["cwd"] == str(workspace / "sub")
    code = "import os; os.path.realpath(os.getcwd())"
    assert client.execute(code, context_id=context["id"]).text == os.path.realpath(workspace / "sub")


def test_the_default_context_works_in_the_workspace_too(client, workspace):
    client.execute("open('made.txt', 'w').write('a')").succeeded()
    assert (workspace / "made.txt").read_text() == "a"


def test_a_working_directory_must_exist(client, workspace):
    (workspace / "file").write_text("")
    for missing in ("/no/such/directory", str(workspace / "file")):
        check_error(client.post("/contexts", {"cwd": missing}), 400)
    assert client.contexts() == []


@pytest.mark.parametrize("language, declared", [("py", "python"), (" PYTHON3 ", "python"), ("sh", "bash"), ("js", "javascript")])
def test_languages_have_the_same_names_as_in_executions(client, language, declared):
    assert client.create_context(language=language)["language"] == declared


def test_an_unknown_language_is_refused(client):
    check_error(client.post("/contexts", {"language": "cobol"}), 400, "No kernel for language 'cobol'", "python")


@pytest.mark.parametrize("body, field", [({"language": 1}, "language"), ({"cwd": ["/"]}, "cwd"), ([], "object")])
def test_a_request_of_the_wrong_shape_names_the_field(client, body, field):
    check_error(client.post("/contexts", body), 422, field)


def test_the_list_is_oldest_first_with_the_default_contexts(client):
    first = client.create_context()
    client.execute("1")
    client.execute("echo", language="bash")
    last = client.create_context(language="bash")
    listed = client.contexts()
    assert [listed[0], listed[3]] == [first, last]
    assert [context["language"] for context in listed] == ["python", "python", "bash", "bash"]
    assert len({context["id"] for context in listed}) == 4


def test_contexts_have_separate_memory(client):
    one, other = client.create_context(), client.create_context()
    client.execute("x = 'one'", context_id=one["id"]).succeeded()
    assert client.execute("x", context_id=other["id"]).error["name"] == "NameError"
    assert client.execute("x").error["name"] == "NameError"
    assert client.execute("x", context_id=one["id"]).text == "one"


def test_several_can_be_made_at_once(client):
    contexts = at_once(6, lambda _: client.create_context())
    assert len({context["id"] for context in contexts}) == 6
    pids = at_once(6, lambda index: pid_of(client, contexts[index]))
    assert len(set(pids)) == 6


def test_methods_that_do_not_exist_are_refused_with_those_that_do(client, context):
    path = f"/contexts/{context['id']}"
    assert "DELETE" in check_error(client.put(path, b"{}"), 405).headers["Allow"]
    assert "POST" in check_error(client.get(path + "/restart"), 405).headers["Allow"]
    allowed = check_error(client.put("/contexts", b"{}"), 405).headers["Allow"]
    assert "GET" in allowed and "POST" in allowed


# Restart


def test_a_restart_forgets_everything_but_id_and_directory(client, tmp_path):
    context = client.create_context(cwd=str(tmp_path))
    old = pid_of(client, context)
    response = client.restart_context(context["id"]).expect(200)
    assert response.body == b"null" and response.headers["Content-Type"] == "application/json"
    execution = client.execute("import os; os.getcwd()", context_id=context["id"]).succeeded()
    assert (execution.count, execution.text) == (1, str(tmp_path))
    assert pid_of(client, context) != old
    assert not processes.is_alive(old)
    assert client.contexts() == [context]


def test_a_restart_ends_what_runs_and_what_waits_runs_after_it(client, context):
    stream = client.stream(ENDLESS, context_id=context["id"])
    stream.until("number_of_executions")
    waiting = client.stream("'waited'", context_id=context["id"])
    client.restart_context(context["id"]).expect(200)
    assert stream.finish().error["name"] == "KernelRestarted"
    execution = waiting.finish().succeeded()
    assert (execution.count, execution.text) == (1, "waited")


def test_a_restart_ends_the_children(client, context):
    children = start_children(client, context)
    client.restart_context(context["id"]).expect(200)
    wait_until(lambda: not any(map(processes.is_alive, children)), "the children are gone")


def test_consecutive_and_concurrent_restarts_leave_one_kernel(client, context):
    for _ in range(3):
        client.restart_context(context["id"]).expect(200)
    at_once(4, lambda _: client.restart_context(context["id"]).expect(200))
    assert client.execute("1", context_id=context["id"]).succeeded().count == 1


def test_an_unknown_context_cannot_be_restarted_or_deleted(client):
    check_error(client.restart_context("no-such"), 404, "no-such")
    check_error(client.delete_context("no-such"), 404, "no-such")


# Delete


def start_children(client, context):
    """A child of the kernel, a grandchild, and one that has left its session; their process ids."""
    code = """
import subprocess
child = subprocess.Popen(["sleep", "1000"])
shell = subprocess.Popen("sleep 1000 & echo $!; wait", shell=True, stdout=subprocess.PIPE, text=True)
stray = subprocess.Popen(["sleep", "1000"], start_new_session=True)
print(child.pid, shell.pid, int(shell.stdout.readline()), stray.pid)
"""
    pids = [int(pid) for pid in client.execute(code, context_id=context["id"]).succeeded().stdout.split()]
    assert len(pids) == 4 and all(map(processes.is_alive, pids))
    return pids


def test_the_process_is_gone_when_delete_returns(client, context):
    pid = pid_of(client, context)
    response = client.delete_context(context["id"]).expect(200)
    assert response.body == b"null" and response.headers["Content-Type"] == "application/json"
    assert not processes.is_alive(pid)
    assert client.contexts() == []
    check_error(client.post("/execute", {"code": "1", "context_id": context["id"]}), 404)
    check_error(client.delete_context(context["id"]), 404)


def test_all_children_are_gone_when_delete_returns(client, context):
    children = start_children(client, context)
    client.delete_context(context["id"]).expect(200)
    alive = [pid for pid in children if processes.is_alive(pid)]
    assert not alive, processes.describe(alive)


def test_delete_in_mid_execution_ends_the_stream_with_an_error(client, context):
    pid = pid_of(client, context)
    stream = client.stream(ENDLESS, context_id=context["id"])
    stream.until("number_of_executions")
    waiting = client.stream("1", context_id=context["id"])
    client.delete_context(context["id"]).expect(200)
    assert not processes.is_alive(pid)
    assert stream.finish().error["name"]
    assert waiting.finish().error["name"]


def test_a_kernel_that_ignores_signals_is_gone_when_delete_returns(client, context):
    pid = pid_of(client, context)
    stubborn = (
        "import signal, time\nfor number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
        "while True:\n    try: time.sleep(0.01)\n    except BaseException: pass"
    )
    client.stream(stubborn, context_id=context["id"]).until("number_of_executions")
    client.delete_context(context["id"]).expect(200)
    assert not processes.is_alive(pid)


def test_exit_functions_run_when_many_contexts_are_deleted_at_once(client, tmp_path):
    contexts = [client.create_context() for _ in range(16)]
    for number, context in enumerate(contexts):
        code = f"import atexit; file = open('{tmp_path}/{number}', 'w'); atexit.register(file.write, 'at exit')"
        client.execute(code, context_id=context["id"]).succeeded()
    statuses = at_once(len(contexts), lambda number: client.delete_context(contexts[number]["id"]).status)
    assert statuses == [200] * len(contexts)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["at exit"] * len(contexts)


def test_a_deleted_default_context_comes_back_on_next_use(client):
    client.execute("x = 1").succeeded()
    (default,) = client.contexts()
    client.delete_context(default["id"]).expect(200)
    assert client.contexts() == []
    assert client.execute("x").error["name"] == "NameError"
    assert [context["language"] for context in client.contexts()] == ["python"]


def test_concurrent_deletes_delete_a_context_once(client, context):
    statuses = at_once(5, lambda _: client.delete_context(context["id"]).status)
    assert sorted(set(statuses)) in ([200], [200, 404])
    assert client.contexts() == []


# Default contexts


def test_default_contexts_are_listed_before_they_are_used(start_server):
    server = start_server("--warm", "0", "--max-contexts", "2")
    client = server.client
    python, javascript = client.contexts()
    assert (python["language"], javascript["language"]) == ("python", "javascript")
    assert javascript["cwd"] == str(server.workspace)
    assert client.execute("1 + 1", language="js").succeeded().text == "2"
    assert client.execute("globalThis.kept = 5; kept", context_id=javascript["id"]).succeeded().text == "5"
    assert client.execute("kept", language="javascript").succeeded().text == "5"
    assert client.contexts() == [python, javascript]
    client.delete_context(javascript["id"]).expect(200)
    assert client.contexts() == [python]


def test_a_listed_context_can_be_used_restarted_and_deleted_by_its_id(start_server):
    client = start_server("--warm", "0").client
    (javascript,) = [context for context in client.contexts() if context["language"] == "javascript"]
    client.restart_context(javascript["id"]).expect(200)
    assert client.execute("1 + 1", context_id=javascript["id"]).succeeded().text == "2"


def test_a_context_that_is_only_listed_does_not_count(start_server):
    client = start_server("--warm", "0", "--max-contexts", "1").client
    (javascript,) = [context for context in client.contexts() if context["language"] == "javascript"]
    check_error(client.post("/execute", {"code": "1", "context_id": javascript["id"]}), 429)
    check_error(client.post("/execute", {"code": "1", "language": "js"}), 429)
    client.delete_context(javascript["id"]).expect(200)
    check_error(client.post("/contexts", {"language": "js"}), 429)


# Memory that is gone


@pytest.mark.parametrize("code", ["exit()", "quit()", "print('bye'); exit()", "exit"])
def test_the_execution_after_an_exit_reports_the_loss_of_memory(client, context, code):
    run_here = {"context_id": context["id"]}
    assert client.execute("x = 1", **run_here).restart is None
    assert client.execute(code, **run_here).restart is None
    execution = client.execute("x", **run_here)
    assert (execution.restart, execution.error["name"]) == ("exit() was called", "NameError")
    assert execution.types[0] == "context_restarted" and execution.count == 1
    assert client.execute("1", **run_here).succeeded().restart is None


@pytest.mark.parametrize(
    "code, words",
    [("os._exit(3)", ["3"]), ("os.kill(os.getpid(), 9)", ["SIGKILL"]), ("os.abort()", ["SIGABRT"])],
    ids=["exit", "SIGKILL", "SIGABRT"],
)
def test_an_execution_that_kills_its_kernel_and_the_next_one_report_it(client, context, code, words):
    run_here = {"context_id": context["id"]}
    dying = client.execute("import os\n" + code, **run_here)
    assert (dying.error["name"], dying.restart) == ("KernelDied", None)
    execution = client.execute("1", **run_here).succeeded()
    assert all(word in execution.restart for word in words), execution.restart
    assert client.execute("1", **run_here).succeeded().restart is None


@pytest.mark.parametrize("end", ["os._exit(5)", "os.kill(os.getpid(), 9)", "exit()"])
def test_a_kernel_that_ends_between_executions_is_reported(client, context, gate, end):
    run_here = {"context_id": context["id"]}
    later = "import threading\nexit = get_ipython().ask_exit\ndef later():\n" + textwrap.indent(gate.code + end, "    ")
    code = f"{later}\nthreading.Thread(target=later).start()\nimport os; os.getpid()"
    pid = int(client.execute(code, **run_here).succeeded().text)
    gate.open()
    wait_until(lambda: not processes.is_alive(pid), "the kernel has ended")
    execution = client.execute("1", **run_here)
    if execution.of("error"):
        # Over a Jupyter Server the code was sent before the death was known.
        assert (execution.error["name"], execution.restart) == ("KernelDied", None)
        execution = client.execute("1", **run_here)
    assert execution.succeeded().restart
    assert client.execute("1", **run_here).succeeded().restart is None


def test_only_the_first_waiting_execution_reports_it(client, context, gate):
    run_here = {"context_id": context["id"]}
    dying = client.stream(gate.code + "os._exit(1)", **run_here)
    dying.until("number_of_executions")
    waiting = [client.stream(f"{index}", **run_here) for index in range(4)]
    gate.open()
    assert dying.finish().error["name"] == "KernelDied"
    executions = [stream.finish().succeeded() for stream in waiting]
    assert [execution.restart is not None for execution in executions] == [True, False, False, False]
    assert [execution.text for execution in executions] == ["0", "1", "2", "3"]


def test_neither_a_requested_restart_nor_a_new_context_is_reported(client, context):
    run_here = {"context_id": context["id"]}
    assert client.execute("1", **run_here).restart is None
    client.restart_context(context["id"]).expect(200)
    assert client.execute("1", **run_here).restart is None
    client.execute("import os; os._exit(1)", **run_here)
    client.restart_context(context["id"]).expect(200)
    assert client.execute("1", **run_here).restart is None
    client.delete_context(context["id"]).expect(200)
    assert client.execute("1", context_id=client.create_context()["id"]).restart is None


def test_a_kernel_that_ignored_interrupts_is_reported(client, context):
    run_here = {"context_id": context["id"]}
    client.execute("x = 1", **run_here).succeeded()
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(1000)"
    stream = client.stream(deaf, **run_here)
    stream.until("stdout")
    stream.vanish()
    execution = client.execute("x", **run_here)
    assert (execution.restart, execution.error["name"]) == ("the code ignored all interrupts", "NameError")


def test_the_death_of_a_kernel_of_another_language_is_reported(client):
    context = client.create_context(language="javascript")
    assert client.execute("Deno.exit(4)", context_id=context["id"]).error["name"] == "KernelDied"
    assert "4" in client.execute("1", context_id=context["id"]).succeeded().restart


# Kernels that die


@pytest.mark.parametrize(
    "code, words",
    [
        ("import os; os._exit(3)", ["3"]),
        ("import os; os._exit(0)", ["0"]),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", ["SIGKILL", "9"]),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", ["SIGTERM", "15"]),
        ("import ctypes; ctypes.string_at(0)", ["SIGSEGV", "11"]),
        ("import os; os.abort()", ["SIGABRT", "6"]),
    ],
    ids=["exit 3", "exit 0", "SIGKILL", "SIGTERM", "segfault", "abort"],
)
def test_the_death_of_a_kernel_is_described_and_its_context_gets_another(client, tmp_path, code, words):
    context = client.create_context(cwd=str(tmp_path))
    client.execute("x = 1", context_id=context["id"]).succeeded()
    error = client.execute(code, context_id=context["id"]).error
    assert error["name"] == "KernelDied"
    assert any(word in error["value"] for word in words), error["value"]
    execution = client.execute("import os; print('x' in globals(), os.getcwd())", context_id=context["id"]).succeeded()
    assert (execution.count, execution.stdout) == (1, f"False {tmp_path}\n")
    assert client.contexts() == [context]


def test_output_before_the_death_is_not_lost(client, context):
    code = "import os, sys\nprint('last words', flush=True)\nimport time; time.sleep(0.5)\nos._exit(1)"
    execution = client.execute(code, context_id=context["id"])
    assert execution.stdout == "last words\n"
    assert execution.error["name"] == "KernelDied"


def test_executions_that_wait_run_in_the_new_kernel(client, context, gate):
    run_here = {"context_id": context["id"]}
    dying = client.stream(gate.code + "os._exit(1)", **run_here)
    dying.until("number_of_executions")
    waiting = [client.stream(f"{index}", **run_here) for index in range(3)]
    gate.open()
    assert dying.finish().error["name"] == "KernelDied"
    executions = [stream.finish().succeeded() for stream in waiting]
    assert [(execution.count, execution.text) for execution in executions] == [(1, "0"), (2, "1"), (3, "2")]


def test_a_kernel_that_is_killed_while_idle_is_replaced(client, context, backend):
    pid = pid_of(client, context)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_alive(pid), "the kernel is dead")
    execution = client.execute("'back'", context_id=context["id"])
    if backend == "jupyter" and execution.of("error"):
        # The code was sent before the Jupyter Server knew: this execution reports the death, and the next one runs.
        assert execution.error["name"] == "KernelDied"
        execution = client.execute("'back'", context_id=context["id"])
    assert execution.succeeded().text == "back"


def test_a_kernel_killed_during_an_execution_is_reported(client, context):
    pid = pid_of(client, context)
    stream = client.stream(ENDLESS, context_id=context["id"])
    stream.until("number_of_executions")
    os.kill(pid, signal.SIGKILL)
    error = stream.finish().error
    assert error["name"] == "KernelDied"
    assert "SIGKILL" in error["value"] or "9" in error["value"]
    assert client.execute("1", context_id=context["id"]).succeeded().text == "1"


def test_a_kernel_that_dies_repeatedly_is_replaced_each_time(client, context):
    for _ in range(4):
        assert client.execute("import os; os._exit(1)", context_id=context["id"]).error["name"] == "KernelDied"
    assert client.execute("1", context_id=context["id"]).succeeded().text == "1"


@pytest.mark.parametrize("code", ["exit()", "quit()", "print('bye'); exit()", "exit"])
def test_an_execution_right_after_an_exit_runs_in_the_next_kernel(client, context, code):
    pids = [pid_of(client, context)]
    for _ in range(5):
        assert not client.execute(code, context_id=context["id"]).of("error")
        pids.append(pid_of(client, context))
    assert len(set(pids)) == 6


def test_an_exit_that_keeps_the_kernel_keeps_its_memory(client, context):
    client.execute("x = 1\nexit(keep_kernel=True)", context_id=context["id"]).succeeded()
    assert client.execute("x", context_id=context["id"]).succeeded().text == "1"


def test_a_context_works_after_its_code_has_shut_down_the_kernel(client, context):
    client.execute("get_ipython().kernel.do_shutdown(False)", context_id=context["id"])
    last = client.execute("'alive'", context_id=context["id"])
    if last.of("error"):
        assert last.error["name"] == "KernelDied"
        last = client.execute("'alive'", context_id=context["id"])
    assert last.succeeded().text == "alive"


@pytest.mark.parametrize("code", ["import os; os._exit(1)", "import os; os.kill(os.getpid(), 9)"], ids=["exit", "SIGKILL"])
def test_the_death_of_a_kernel_ends_its_children(client, context, code):
    children = start_children(client, context)
    assert client.execute(code, context_id=context["id"]).error["name"] == "KernelDied"
    wait_until(lambda: not any(map(processes.is_alive, children)), "the children are gone")


def test_the_death_of_one_kernel_does_not_affect_another(client, context):
    other = client.create_context()
    client.execute("x = 'kept'", context_id=other["id"]).succeeded()
    client.execute("import os; os._exit(1)", context_id=context["id"])
    assert client.execute("x", context_id=other["id"]).succeeded().text == "kept"


def test_a_kernel_of_another_language_that_dies_is_replaced(client):
    context = client.create_context(language="javascript")
    assert client.execute("Deno.exit(4)", context_id=context["id"]).error["name"] == "KernelDied"
    assert client.execute("1 + 1", context_id=context["id"]).succeeded().text == "2"


def test_a_context_whose_client_has_disconnected_is_deleted(server):
    for _ in range(3):
        connection = RawConnection(server.port)
        connection.send(b"POST /contexts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Type: application/json\r\n\r\n")
        connection.close()
    wait_until(lambda: not server.client.contexts() and not server.kernels(), "they are gone")


@pytest.mark.backends("local")
def test_a_removed_working_directory_is_reported(client, tmp_path):
    directory = tmp_path / "there for now"
    directory.mkdir()
    context = client.create_context(cwd=str(directory))
    directory.rmdir()
    check_error(client.post(f"/contexts/{context['id']}/restart"), 400, str(directory), "does not exist")
    assert "does not exist" in client.execute("1", context_id=context["id"]).error["value"]
    directory.mkdir()
    client.restart_context(context["id"]).expect(200)
    assert client.execute("1", context_id=context["id"]).succeeded().text == "1"
