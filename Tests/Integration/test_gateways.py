"""Back ends that others run: `--jupyter-url` with Jupyter Server, Kernel Gateway and Enterprise Gateway."""

import json
import os
import time
from pathlib import Path

import pytest

from support import processes
from support.client import check_error
from support.code import ENDLESS
from support.gateways import Certificate, EnterpriseGateway, JupyterServer, KernelGateway
from support.ports import reserve_port
from support.proxy import Proxy
from support.waiting import wait_until

pytestmark = pytest.mark.backends("jupyter")


@pytest.fixture
def gateways():
    """The back ends of a test, which ends them."""
    started = []
    yield started
    for gateway in started:
        gateway.kill()


@pytest.fixture
def start_gateway(tmp_path, gateways):
    def start(kind, **settings):
        gateway = kind(tmp_path, **settings)
        gateways.append(gateway)
        return gateway

    return start


@pytest.fixture
def start_proxy():
    proxies = []

    def start(gateway, **settings):
        proxies.append(Proxy(gateway.port, **settings))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def start_on(start_proxy, start_server):
    """Starts our server on a back end, by way of a proxy where one is given (which then outlives the server)."""

    def start(gateway, *options, proxy=None, **settings):
        url = gateway.url_at(proxy.port) if proxy else gateway.url
        return start_server(
            "--jupyter-url", url, "--jupyter-token", gateway.token, *gateway.server_options, *options, **settings
        )

    return start


@pytest.mark.parametrize("base_url", ["/", "/base/path/"], ids=["at the root", "below a path"])
@pytest.mark.parametrize("kind", [JupyterServer, KernelGateway, EnterpriseGateway], ids=lambda kind: kind.name)
def test_everything_works_on_each_back_end(start_gateway, start_on, tmp_path, kind, base_url):
    gateway = start_gateway(kind, base_url=base_url)
    server = start_on(gateway)
    client = server.client

    execution = client.execute("import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay('shown')\n6 * 7").succeeded()
    assert (execution.stdout, execution.stderr, execution.text) == ("out\n", "err\n", "42")
    assert client.execute("1 / 0").error["name"] == "ZeroDivisionError"
    assert client.execute("import os; os.path.realpath(os.getcwd())").text == os.path.realpath(server.workspace)

    context = client.create_context(cwd=str(tmp_path))
    run_here = {"context_id": context["id"]}
    assert client.execute("import os; os.getcwd()", **run_here).succeeded().text == str(tmp_path)
    assert client.execute("os.environ['V']", env_vars={"V": "it's"}, **run_here).text == "it's"
    assert client.execute("'V' in os.environ", **run_here).text == "False"

    execution = client.execute("for index in range(3000): display(index)", **run_here).succeeded()
    assert [result["text"] for result in execution.results] == [str(index) for index in range(3000)]
    execution = client.execute("print('x' * 8_000_000)", **run_here).succeeded()
    assert execution.stdout == "x" * 8_000_000 + "\n"

    client.execute("kept = 1", **run_here).succeeded()
    stream = client.stream(ENDLESS, **run_here)
    stream.until("number_of_executions")
    stream.vanish()
    assert client.execute("kept", **run_here).succeeded().text == "1"

    client.restart_context(context["id"]).expect(200)
    execution = client.execute("import os; print('kept' in globals(), os.getcwd())", **run_here).succeeded()
    assert (execution.count, execution.stdout) == (1, f"False {tmp_path}\n")

    assert client.execute("import os; os._exit(1)", **run_here).error["name"] == "KernelDied"
    execution = client.execute("import os; os.getcwd()", **run_here).succeeded()
    assert (execution.count, execution.text) == (1, str(tmp_path))
    assert execution.restart

    pid = int(client.execute("os.getpid()", **run_here).text)
    client.delete_context(context["id"]).expect(200)
    assert not processes.is_alive(pid)

    # What we started there goes with us; the back end is not ours, and stays.
    server.stop()
    wait_until(lambda: not gateway.kernels(), "the back end has no kernels left")
    assert gateway.process.poll() is None


def test_the_token_of_the_gateway_is_removed_from_the_command_line_and_the_environment(start_gateway, start_server):
    gateway = start_gateway(KernelGateway)
    options = ("--jupyter-url", gateway.url, *gateway.server_options)
    for server in (
        start_server(*options, "--jupyter-token", gateway.token),
        start_server(*options, f"--jupyter-token={gateway.token}"),
        start_server(*options, environment={"CODE_INTERPRETER_JUPYTER_TOKEN": gateway.token}),
    ):
        assert server.client.execute("6 * 7").succeeded().text == "42"
        for name in ("cmdline", "environ"):
            assert gateway.token.encode() not in Path(f"/proc/{server.pid}/{name}").read_bytes()


@pytest.mark.parametrize("kind", [KernelGateway, EnterpriseGateway], ids=lambda kind: kind.name)
def test_kernel_env_reaches_the_kernels(start_gateway, start_on, kind):
    server = start_on(start_gateway(kind), "--kernel-env", "KERNEL_OWN=a=b c")
    assert server.client.execute("import os; os.environ['KERNEL_OWN']").succeeded().text == "a=b c"


@pytest.mark.backends("local", "jupyter")
def test_kernel_env_reaches_local_kernels(start_server):
    server = start_server("--kernel-env", "FIRST=a=b c", "--kernel-env", "SECOND=")
    code = "import os; (os.environ['FIRST'], os.environ['SECOND'])"
    assert server.client.execute(code).succeeded().text == str(("a=b c", ""))
    context = server.client.create_context()
    assert server.client.execute(code, context_id=context["id"]).succeeded().text == str(("a=b c", ""))


def test_the_json_framing_is_used_if_v1_is_not_offered(start_gateway, start_proxy, start_on):
    gateway = start_gateway(JupyterServer)
    proxy = start_proxy(gateway, hides_subprotocol=True)
    client = start_on(gateway, proxy=proxy).client
    execution = client.execute("print('ü 😀')\ndisplay({'application/json': {'a': [1, None]}}, raw=True)\n'\"'").succeeded()
    assert proxy.handshakes
    assert (execution.stdout, execution.text) == ("ü 😀\n", '"')
    assert execution.results[0]["json"] == {"a": [1, None]}
    assert client.execute("import os; os.environ['V']", env_vars={"V": "\"'\n"}).succeeded().text == "\"\\'\\n"
    execution = client.execute("for index in range(1000): display(index)\nprint('x' * 4_000_000)").succeeded()
    assert [result["text"] for result in execution.results] == [str(index) for index in range(1000)]
    assert execution.stdout == "x" * 4_000_000 + "\n"


def said(server, *words):
    """The server says these words, in its log or in what it answers."""

    def found():
        server_is_gone = server.process.poll() is not None
        answer = "" if server_is_gone else server.client.post("/contexts", {}).text
        return all(word.lower() in (server.log + answer).lower() for word in words)

    wait_until(found, f"the server says {words}; its log:\n{server.log}", pause=0.2)


@pytest.mark.parametrize("kind", [JupyterServer, KernelGateway, EnterpriseGateway], ids=lambda kind: kind.name)
def test_a_wrong_token_is_a_clear_error(start_gateway, start_server, kind):
    gateway = start_gateway(kind)
    server = start_server("--jupyter-url", gateway.url, "--jupyter-token", "wrong", *gateway.server_options, wait=False)
    said(server, "token")
    assert not server.client.is_healthy()
    server.kill()


def test_a_user_refused_by_the_gateway_is_a_clear_error(start_gateway, start_server):
    gateway = start_gateway(EnterpriseGateway)
    server = start_server("--jupyter-url", gateway.url, "--jupyter-token", gateway.token,
                          "--kernel-env", "KERNEL_USERNAME=stranger", wait=False)  # fmt: skip
    said(server, "stranger", "authorized")
    assert not server.client.is_healthy()
    server.kill()


def test_without_a_back_end_executions_are_refused_until_it_starts(start_gateway, start_server):
    port, token = reserve_port(), "a-token"
    server = start_server("--jupyter-url", f"http://127.0.0.1:{port}", "--jupyter-token", token, wait=False)
    client = server.client
    check_error(client.get("/health"), 503)
    for reply in (client.post("/execute", {"code": "1"}), client.post("/contexts", {})):
        assert int(check_error(reply, 503).headers["Retry-After"]) >= 0
    client.put("/files/a", b"files work all the same").expect(201)
    start_gateway(JupyterServer, port=port, token=token)
    server.wait_until_healthy()
    assert client.execute("1").succeeded().text == "1"


def test_a_back_end_that_was_down_for_long_is_found_again(start_gateway, start_on):
    """Who sends requests only where `/health` is well sends none meanwhile."""
    gateway = start_gateway(JupyterServer)
    server = start_on(gateway)
    gateway.kill()
    given_up = "the kernel did not outlive its connection"
    wait_until(lambda: not server.client.is_healthy() and given_up in server.log, "the kernel is lost")
    # Longer than anybody waits for a kernel.
    time.sleep(12)
    gateway.start()
    server.wait_until_healthy()
    assert server.client.execute("1").succeeded().text == "1"


def test_https_with_an_authority_of_our_own(start_gateway, start_on, tmp_path):
    certificate = Certificate(tmp_path)
    gateway = start_gateway(JupyterServer, certificate=certificate)
    for trusting in (
        start_on(gateway, "--jupyter-ca", certificate.authority),
        start_on(gateway, environment={"SSL_CERT_FILE": certificate.authority}),
    ):
        execution = trusting.client.execute("print('x' * 4_000_000)\n1").succeeded()
        assert (len(execution.stdout), execution.text) == (4_000_001, "1")

    doubting = start_on(gateway, wait=False)
    said(doubting, "certificate")
    assert not doubting.client.is_healthy()
    doubting.kill()


def test_a_certificate_for_another_name_is_refused(start_gateway, start_proxy, start_server, tmp_path):
    certificate = Certificate(tmp_path)
    gateway = start_gateway(JupyterServer, certificate=certificate)
    # 127.0.0.2 is this machine too, but not in the certificate.
    proxy = start_proxy(gateway, host="127.0.0.2")
    server = start_server("--jupyter-url", f"https://127.0.0.2:{proxy.port}", "--jupyter-token", gateway.token,
                          "--jupyter-ca", certificate.authority, wait=False)  # fmt: skip
    said(server, "certificate")
    assert not server.client.is_healthy()
    server.kill()


# Back ends that are lost


@pytest.mark.parametrize("kind", [JupyterServer, EnterpriseGateway], ids=lambda kind: kind.name)
def test_a_back_end_that_dies_during_an_execution_is_reported_and_found_again(start_gateway, start_on, kind):
    gateway = start_gateway(kind)
    server = start_on(gateway)
    client = server.client
    context = client.create_context()
    streams = [client.stream(ENDLESS, context_id=context["id"]), client.stream(ENDLESS)]
    for stream in streams:
        stream.until("number_of_executions")
    gateway.kill()
    for stream in streams:
        assert stream.finish().error["name"] == "ConnectionLost"
    gateway.start()
    server.wait_until_healthy()
    execution = client.execute("'fresh'", context_id=context["id"]).succeeded()
    assert (execution.count, execution.text) == (1, "fresh")
    assert "connection" in execution.restart
    assert client.execute("1").succeeded().text == "1"


def test_a_connection_that_breaks_while_idle_is_reopened_and_nothing_is_lost(start_gateway, start_proxy, start_on):
    gateway = start_gateway(JupyterServer)
    proxy = start_proxy(gateway)
    client = start_on(gateway, proxy=proxy).client
    client.execute("kept = 'kept'").succeeded()
    proxy.cut()
    execution = client.execute("kept").succeeded()
    assert (execution.text, execution.restart) == ("kept", None)


def test_a_kernel_restarted_by_another_client_is_reported(start_gateway, start_on):
    gateway = start_gateway(JupyterServer)
    client = start_on(gateway).client
    client.execute("kept = 'kept'").succeeded()
    gateway.restart_kernels()
    execution = client.execute("kept")
    if execution.restart is None:
        # It was sent before anybody could know.
        assert execution.error["name"] == "KernelDied"
        execution = client.execute("kept")
    assert execution.restart and execution.error["name"] == "NameError"
    assert client.execute("1").succeeded().restart is None


def test_a_kernel_restarted_while_disconnected_is_reported(start_gateway, start_proxy, start_on):
    gateway = start_gateway(JupyterServer)
    proxy = start_proxy(gateway)
    server = start_on(gateway, proxy=proxy)
    client = server.client
    client.execute("kept = 'kept'").succeeded()
    proxy.freeze()
    gateway.restart_kernels()
    proxy.cut()
    proxy.thaw()
    server.wait_until_healthy()
    execution = client.execute("kept")
    assert execution.restart and execution.error["name"] == "NameError"


@pytest.mark.parametrize("kind", [JupyterServer, KernelGateway], ids=lambda kind: kind.name)
def test_kernels_installed_later_are_found(start_gateway, start_on, tmp_path, kind):
    data = tmp_path / "data"
    gateway = start_gateway(kind, environment={"JUPYTER_PATH": str(data)})
    client = start_on(gateway).client
    check_error(client.post("/execute", {"code": "1", "language": "tester"}), 400, "tester")
    resources = data / "kernels" / "tester"
    resources.mkdir(parents=True)
    argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (resources / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "tester", "language": "tester"}))
    assert client.execute("6 * 7", language="tester").succeeded().text == "42"
    assert client.create_context(language="tester")["language"] == "tester"


@pytest.mark.parametrize("pieces", [0, 1], ids=["handshake", "kernel"])
def test_a_connection_to_a_kernel_that_starts_is_opened_anew_if_there_is_no_answer(start_gateway, start_proxy, start_on, pieces):
    """Jupyter Server may wait for a kernel on ports that are no longer its own."""
    gateway = start_gateway(JupyterServer)
    proxy = start_proxy(gateway, first_pieces=pieces)
    client = start_on(gateway, proxy=proxy).client
    assert client.execute("6 * 7").succeeded().text == "42"
    assert proxy.handshakes == 2


def test_a_connection_that_breaks_during_an_execution_ends_it_but_not_the_context(start_gateway, start_proxy, start_on):
    gateway = start_gateway(JupyterServer)
    proxy = start_proxy(gateway)
    client = start_on(gateway, proxy=proxy).client
    stream = client.stream(ENDLESS)
    stream.until("number_of_executions")
    proxy.cut()
    assert stream.finish().error["name"] == "ConnectionLost"
    assert client.execute("'next'").succeeded().text == "next"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_silent_network_failure_is_noticed(start_gateway, start_proxy, start_on):
    gateway = start_gateway(JupyterServer)
    proxy = start_proxy(gateway)
    server = start_on(gateway, proxy=proxy)
    client = server.client
    stream = client.stream(ENDLESS)
    stream.until("number_of_executions")
    proxy.freeze()
    assert stream.finish().error["name"] == "ConnectionLost"
    proxy.thaw()
    server.wait_until_healthy()
    assert client.execute("1").succeeded().text == "1"
