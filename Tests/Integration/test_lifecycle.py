"""How the server starts, drains and ends, without leaving anything behind."""

import os
import signal
import subprocess

import pytest

from support import processes
from support.client import check_error
from support.code import ENDLESS
from support.raw import RawConnection
from support.server import BINARY, KERNEL_ENVIRONMENT
from support.waiting import wait_until


def command(*arguments, **environment):
    """Runs the program until it exits."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CODE_INTERPRETER_")}
    return subprocess.run([BINARY, *arguments], env={**inherited, **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)  # fmt: skip


def jupyter_of(server):
    """The Jupyter Server of the server."""

    def found():
        return processes.running(processes.descendants(server.pid), "code_interpreter_kernel.jupyter")

    return wait_until(found, "our server has a Jupyter Server")[-1]


# The command line


def test_help_lists_every_option_and_its_variable():
    text = command("serve", "--help").stdout
    options = ["zeromq", "max-message", "max-unread-output", "host", "port", "workspace", "jupyter-url", "jupyter-token", "kernel-env", "max-contexts", "max-body",
               "max-queued", "grace", "log-level", "log-format", "python-environment", "backend", "warm"]  # fmt: skip
    for option in options:
        assert f"--{option}" in text
    assert "CODE_INTERPRETER_PORT" in text and "CODE_INTERPRETER_MAX_BODY" in text
    assert "serve" in command("--help").stdout


def test_version_is_a_version():
    result = command("--version")
    assert result.returncode == 0 and result.stdout.strip()[0].isdigit()


@pytest.mark.parametrize(
    "arguments",
    [["--no-such-option"], ["--port", "many"], ["--port", "70000"], ["--port", "-1"], ["--log-format", "xml"],
     ["--max-contexts", "-1"], ["--kernel-env", "NOEQUALS"], ["--jupyter-url", "no url"], ["--log-level", "loud"]],
    ids=" ".join,
)  # fmt: skip
def test_invalid_options_are_refused_with_a_reason(arguments, tmp_path):
    result = command("serve", "--workspace", str(tmp_path), *arguments)
    assert result.returncode != 0
    assert arguments[0] in result.stderr or arguments[-1] in result.stderr


ELSEWHERE = ["--jupyter-url", "http://127.0.0.1:1"]


@pytest.mark.parametrize(
    "arguments, option",
    [([*ELSEWHERE, "--warm", "1"], "warm"), ([*ELSEWHERE, "--warm", "0"], "warm"), ([*ELSEWHERE, "--preload", "numpy"], "preload"),
     ([*ELSEWHERE, "--preload", ""], "preload"), ([*ELSEWHERE, "--no-fork-server"], "no-fork-server"),
     (["--jupyter-token", "secret"], "jupyter-token"), (["--jupyter-ca", "/ca.pem"], "jupyter-ca"),
     ([*ELSEWHERE, "--jupyter-ca", "/ca.pem"], "jupyter-ca"), (["--backend", "jupyter", "--warm", "2"], "warm"),
     (["--backend", "jupyter", "--preload", "numpy"], "preload"), (["--backend", "jupyter", "--no-fork-server"], "no-fork-server"),
     (["--no-fork-server", "--preload", "numpy"], "preload"), ([*ELSEWHERE, "--zeromq", "library"], "zeromq"),
     (["--backend", "jupyter", "--zeromq", "auto"], "zeromq")],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)  # fmt: skip
def test_conflicting_options_are_refused(arguments, option, tmp_path):
    result = command("serve", "--workspace", str(tmp_path), "--port", "0", *arguments)
    assert result.returncode != 0
    assert f"--{option} is for" in result.stderr, result.stderr
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    "variables, option",
    [({"WARM": "1"}, "warm"), ({"PRELOAD": "numpy"}, "preload"), ({"PRELOAD": ""}, "preload"), ({"NO_FORK_SERVER": "true"}, "no-fork-server"),
     ({"ZEROMQ": "direct"}, "zeromq")],
    ids=str,
)  # fmt: skip
def test_conflicting_variables_are_refused(variables, option, tmp_path):
    variables = {f"CODE_INTERPRETER_{name}": value for name, value in {**variables, "JUPYTER_URL": "http://127.0.0.1:1"}.items()}
    result = command("serve", "--workspace", str(tmp_path), "--port", "0", **variables)
    assert result.returncode != 0
    name = "CODE_INTERPRETER_" + option.upper().replace("-", "_")
    assert f"--{option} is for" in result.stderr and name in result.stderr and "--jupyter-url" in result.stderr, result.stderr


def test_no_warm_kernels_is_accepted_with_a_jupyter_server(start_server):
    assert start_server("--warm", "0", "--preload", "").client.execute("1").succeeded().text == "1"


@pytest.mark.backends("any")
def test_a_port_in_use_is_a_clear_error(server, tmp_path):
    result = command("serve", "--port", str(server.port), "--workspace", str(tmp_path), "--python-environment", str(KERNEL_ENVIRONMENT))
    assert result.returncode != 0
    assert str(server.port) in result.stderr + result.stdout


def test_an_invalid_workspace_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    result = command("serve", "--port", "0", "--workspace", str(tmp_path / "file"))
    assert result.returncode != 0
    assert str(tmp_path / "file") in result.stderr + result.stdout


@pytest.mark.backends("any")
def test_options_can_be_set_by_variables(start_server):
    server = start_server(environment={"CODE_INTERPRETER_MAX_CONTEXTS": "1", "CODE_INTERPRETER_LOG_FORMAT": "json"})
    server.client.execute("1").succeeded()
    check_error(server.client.post("/contexts", {}), 429)
    assert any(line.startswith("{") for line in server.log.splitlines())


@pytest.mark.backends("any")
def test_an_option_overrides_its_variable(start_server):
    server = start_server("--max-contexts", "3", environment={"CODE_INTERPRETER_MAX_CONTEXTS": "1"})
    server.client.create_context()


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_with_code_0_and_nothing_left(start_server, number):
    server = start_server()
    server.client.create_context()
    server.client.create_context(language="bash")
    server.client.execute("import subprocess; subprocess.Popen(['sleep', '1000'])").succeeded()
    assert len(server.leftovers()) >= 4, "the test does not see the server's processes"
    server.signal(number)
    assert server.wait() == 0
    server.check_nothing_is_left()


def test_a_signal_during_the_start_ends_it_with_nothing_left(start_server):
    for _ in range(3):
        server = start_server(wait=False)
        server.signal()
        assert server.wait() == 0
        server.check_nothing_is_left()


def test_running_executions_may_finish(start_server, gate):
    server = start_server("--grace", "60")
    idle = RawConnection(server.port)
    stream = server.client.stream(gate.code + "'finished'")
    stream.until("number_of_executions")
    server.signal()

    wait_until(lambda: not server.client.is_healthy(), "it has heard the signal")
    reply = check_error(server.client.post("/execute", {"code": "1"}), 503)
    assert "Retry-After" in reply.headers
    check_error(server.client.get("/health"), 503)
    check_error(server.client.post("/contexts", {}), 503)
    gate.open()
    assert stream.finish().succeeded().text == "finished"
    # An idle connection does not delay the shutdown.
    assert server.wait(30) == 0
    assert idle.is_closed()
    server.check_nothing_is_left()


def test_executions_queued_before_the_signal_still_run(start_server, gate):
    server = start_server("--grace", "60")
    streams = [server.client.stream(gate.code), server.client.stream("'waited'")]
    streams[0].until("number_of_executions")
    server.signal()
    gate.open()
    streams[0].finish().succeeded()
    assert streams[1].finish().types[-1] == "end_of_execution"
    assert server.wait() == 0


def test_an_execution_longer_than_the_grace_period_is_interrupted(start_server):
    server = start_server("--grace", "1")
    streams = [server.client.stream(ENDLESS), server.client.stream("'never'")]
    streams[0].until("number_of_executions")
    server.signal()
    assert streams[0].finish().error["name"] in ("KeyboardInterrupt", "ExecutionInterrupted")
    assert streams[1].finish().types[-1] == "end_of_execution"
    assert server.wait() == 0
    server.check_nothing_is_left()


def test_code_that_ignores_the_interrupt_does_not_block_the_shutdown(start_server):
    server = start_server("--grace", "1")
    code = "import time\nwhile True:\n    try: time.sleep(0.01)\n    except BaseException: pass"
    stream = server.client.stream(code)
    stream.until("number_of_executions")
    server.signal()
    assert server.wait() == 0
    server.check_nothing_is_left()


def test_a_second_signal_ends_it_at_once(start_server, gate):
    server = start_server("--grace", "600")
    stream = server.client.stream(f"{gate.code}print('goes on', flush=True)\n{ENDLESS}")
    stream.until("number_of_executions")
    server.signal()
    wait_until(lambda: not server.client.is_healthy(), "it has heard the signal")
    # It waits for what runs.
    gate.open()
    stream.until("stdout")
    server.signal()
    server.wait()
    server.check_nothing_is_left()


def test_sigkill_leaves_no_process_behind(start_server):
    server = start_server()
    server.client.create_context()
    server.client.execute("1").succeeded()
    tree = processes.descendants(server.pid)
    assert len(tree) >= 3, processes.describe(tree)
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(map(processes.is_alive, tree)), "its tree is gone")
    server.check_nothing_is_left()


def test_sigkill_leaves_no_descendants_of_kernels(start_server):
    server = start_server()
    code = """
import subprocess
child = subprocess.Popen("sleep 1000 & sleep 1000", shell=True)
stray = subprocess.Popen("sleep 1000 & sleep 1000", shell=True, start_new_session=True)
"""
    context = server.client.create_context()
    for identifier in (None, context["id"]):
        server.client.execute(code, context_id=identifier).succeeded()
    assert sum(map(len, server.kernels())) >= 10, processes.describe(server.leftovers())
    server.process.kill()
    server.process.wait()
    server.check_nothing_is_left()


def test_sigkill_during_an_execution_leaves_no_process(start_server):
    server = start_server()
    server.client.stream(ENDLESS).until("number_of_executions")
    server.process.kill()
    server.process.wait()
    server.check_nothing_is_left()


@pytest.mark.backends("any")
def test_the_port_is_free_for_the_next_server_at_once(start_server):
    first = start_server()
    with RawConnection(first.port) as connection:
        connection.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").response()
        first.stop()
    second = start_server(port=first.port)
    assert second.port == first.port


# The Jupyter Server that it has started


@pytest.mark.backends("jupyter")
def test_a_jupyter_server_that_dies_is_restarted(start_server):
    server = start_server()
    client = server.client
    context = client.create_context()
    streams = [client.stream(ENDLESS, context_id=context["id"]), client.stream(ENDLESS)]
    for stream in streams:
        stream.until("number_of_executions")
    default = client.contexts()[0]
    os.kill(jupyter_of(server), signal.SIGKILL)
    for stream in streams:
        assert stream.finish().error["name"] == "ConnectionLost"
    server.wait_until_healthy()
    execution = client.execute("import time; 'time' in dir()", context_id=context["id"]).succeeded()
    assert execution.count == 1
    assert client.execute("1").succeeded().count == 1
    assert context in client.contexts() and default in client.contexts()


@pytest.mark.backends("jupyter")
def test_a_jupyter_server_that_dies_while_idle_is_restarted(start_server):
    server = start_server()
    client = server.client
    client.execute("x = 1").succeeded()
    for _ in range(2):
        old = jupyter_of(server)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: not processes.is_alive(old), "it is dead")

        def fresh():
            reply = client.post("/execute", {"code": "'x' in globals()"})
            return reply.status == 200 and b"False" in reply.body

        wait_until(fresh, "the default context is there again, and fresh", pause=0.1)


@pytest.mark.backends("jupyter")
def test_the_kernels_of_a_dead_jupyter_server_end(start_server):
    server = start_server()
    pid = int(server.client.execute("import os; os.getpid()").text)
    os.kill(jupyter_of(server), signal.SIGKILL)
    wait_until(lambda: not processes.is_alive(pid), "its kernel is gone")
    server.wait_until_healthy()


@pytest.mark.backends("jupyter")
def test_a_jupyter_server_loads_the_users_configuration(start_server, tmp_path):
    (tmp_path / "jupyter_server_config.py").write_text("c.KernelSpecManager.allowed_kernelspecs = {'python3'}\nc.ServerApp.token = 'theirs'\n")
    server = start_server(environment={"JUPYTER_CONFIG_DIR": str(tmp_path)})
    assert server.client.execute("6 * 7").text == "42"
    check_error(server.client.post("/execute", {"code": "1", "language": "bash"}), 400, "bash")


@pytest.mark.backends("jupyter")
def test_a_broken_jupyter_configuration_is_told_until_it_is_mended(start_server, tmp_path):
    file = tmp_path / "jupyter_server_config.py"
    file.write_text("c.ServerApp.(")
    server = start_server(environment={"JUPYTER_CONFIG_DIR": str(tmp_path)}, wait=False)
    reply = server.client.post("/execute", {"code": "1"})
    check_error(reply, 503, "Jupyter configuration", str(tmp_path), "jupyter_server_config.py, line 1")
    file.write_text("")
    server.wait_until_healthy()
    assert server.client.execute("6 * 7").text == "42"
