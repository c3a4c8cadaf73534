"""Kernels with five implementations of ZeroMQ, over libzmq and over the server's own ZMTP."""

import os
import signal

import pytest

from support import processes
from support.kept import Kept
from support.makes import MAKES
from support.server import Server
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

MIB = 1 << 20
DROPPED = "output is dropped"


@pytest.fixture(scope="module", params=["library", "direct"])
def zeromq_server(request, tmp_path_factory):
    server = Server(
        tmp_path_factory.mktemp("zeromq"), "--warm", "0", "--zeromq", request.param,
        backend="local",
        # Java does not collect garbage while it has memory. With little memory, unread messages in the kernel show.
        environment={"JDK_JAVA_OPTIONS": "-Xmx96m"},
    )  # fmt: skip
    yield server
    server.stop()


def pytest_generate_tests(metafunc):
    """A test runs for all makes, or for those that its mark `makes` chooses."""
    if "make" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("makes")
        chosen = [name for name, make in MAKES.items() if mark is None or mark.args[0](make)]
        metafunc.parametrize("make", chosen, indirect=True, scope="module")


@pytest.fixture(scope="module")
def make(request):
    return MAKES[request.param]


@pytest.fixture(scope="module")
def kept_context(zeromq_server, make):
    client = zeromq_server.client
    kept = Kept(
        lambda: client.create_context(language=make.kernel),
        lambda context: client.delete_context(context["id"]).expect(200),
    )
    yield kept
    kept.close()


@pytest.fixture
def kernel_context(kept_context):
    return kept_context.get()


@pytest.fixture
def run(zeromq_server, kernel_context):
    return lambda code, **fields: zeromq_server.client.execute(code, context_id=kernel_context["id"], **fields)


def process_of(run, make):
    # Output of the interrupted cell may come first.
    return int(run(make.process).succeeded().stdout.split()[-1])


def test_hello(run, make):
    assert run(make.hello).succeeded().stdout == "hello\n"


@pytest.mark.makes(lambda make: make.result is not None)
def test_result(run, make):
    (result,) = run(make.result).succeeded().results
    assert "42" in result["text"]


def test_error(run, make):
    execution = run(make.error)
    shown = "".join(str(line.value) for line in execution.lines)
    assert "boom" in shown
    if make.kernel != "bash":
        assert execution.error


def test_state(run, make):
    run(make.remember).succeeded()
    assert run(make.recall).succeeded().stdout.strip() == "kept"


@pytest.mark.makes(lambda make: make.variable is not None)
def test_variables_of_one_execution(run, make):
    execution = run(make.variable, env_vars={"GREETING": "hel'lo"})
    assert execution.stdout.strip() == "hel'lo"
    assert "hel'lo" not in run(make.variable).stdout


@pytest.mark.makes(lambda make: make.ask is not None)
def test_code_asks_its_client(zeromq_server, kernel_context, run, make):
    client = zeromq_server.client
    stream = client.stream(make.ask, context_id=kernel_context["id"], allow_stdin=True)
    identifier = stream.response.headers["X-Execution-ID"]
    for answer in ("first", "second"):
        stream.until("input_request")
        client.post(f"/executions/{identifier}/stdin", {"text": answer}).expect(204)
    assert stream.finish().succeeded().stdout == "firstsecond\n"
    assert run(make.ask, stdin="1\n2\n").succeeded().stdout.endswith("12\n")


@pytest.mark.makes(lambda make: make.ask is None)
def test_code_that_reads_a_terminal_ends_with_its_time(run, make):
    run(make.remember).succeeded()
    assert run("read line", timeout=1, allow_stdin=True).error["name"] == "ExecutionTimeout"
    assert run(make.recall).succeeded().stdout.strip() == "kept"


def test_nothing_of_much_output_is_lost(run, make):
    # A terminal's line endings, if bash_kernel has read one in two pieces.
    lines = run(make.lines).succeeded().stdout.replace("\r\n", "\n").split("\n")
    assert lines[: make.count] == [str(number) for number in range(1, make.count + 1)]


@pytest.mark.makes(lambda make: make.can_be_interrupted)
def test_a_client_that_disconnects_interrupts(zeromq_server, kernel_context, run, make):
    run(make.remember).succeeded()
    stream = zeromq_server.client.stream(make.flood, context_id=kernel_context["id"])
    stream.until("stdout")
    stream.vanish()
    # Output from before the interrupt may still arrive.
    assert run(make.recall).succeeded().stdout.strip().endswith("kept")


def unread_flood(zeromq_server, kernel_context, process, make):
    """Code that prints without end, whose client has read one line; its kernel is stopped."""
    stream = zeromq_server.client.stream(make.flood, context_id=kernel_context["id"])
    stream.until("stdout")

    def is_stopped():
        assert zeromq_server.client.is_healthy()
        return processes.state(process) == "T"

    wait_until(is_stopped, "the kernel waits for its client", 120)
    return stream


def test_a_client_that_stops_reading_stops_its_kernel(zeromq_server, kernel_context, run, make):
    process = process_of(run, make)
    run(make.lines).succeeded()
    before = [processes.resident_bytes(pid) for pid in (zeromq_server.pid, process)]
    dropped = zeromq_server.log.count(DROPPED)
    stream = unread_flood(zeromq_server, kernel_context, process, make)
    grown = [processes.resident_bytes(pid) - size for pid, size in zip((zeromq_server.pid, process), before)]
    assert grown[0] < 64 * MIB
    if make.kernel != "deno":
        # Deno grows by 200 MB a second while it prints, however fast it is read.
        assert grown[1] < 64 * MIB
    read = 0
    while read < 8 * MIB:
        read += len(stream.until("stdout")["text"])
    assert zeromq_server.log.count(DROPPED) == dropped
    stream.vanish()
    assert run(make.hello).succeeded().stdout.endswith("hello\n")


@pytest.mark.makes(lambda make: make.can_be_interrupted)
def test_a_stopped_kernel_can_be_interrupted(zeromq_server, kernel_context, run, make):
    run(make.remember).succeeded()
    stream = unread_flood(zeromq_server, kernel_context, process_of(run, make), make)
    identifier = stream.response.headers["X-Execution-ID"]
    zeromq_server.client.post(f"/executions/{identifier}/interrupt").expect(204)
    assert len(stream.finish().of("error")) == 1
    assert run(make.recall).succeeded().stdout.strip().endswith("kept")


def test_a_stopped_kernel_can_be_restarted(zeromq_server, kernel_context, run, make):
    stream = unread_flood(zeromq_server, kernel_context, process_of(run, make), make)
    zeromq_server.client.restart_context(kernel_context["id"]).expect(200)
    assert [error["name"] for error in stream.finish().of("error")] == ["KernelRestarted"]
    assert run(make.hello).succeeded().stdout == "hello\n"


def test_a_kernel_that_dies_is_reported_and_replaced(zeromq_server, kernel_context, run, make):
    process = process_of(run, make)
    stream = zeromq_server.client.stream(make.flood, context_id=kernel_context["id"])
    stream.until("stdout")
    os.kill(process, signal.SIGKILL)
    error = stream.finish().error
    # Java code runs in a child of the kernel, and the kernel exits as it did.
    how = "exited with status 137" if make.kernel == "java" else "killed by SIGKILL"
    assert (error["name"], error["value"]) == ("KernelDied", how)
    assert run(make.hello).succeeded().stdout == "hello\n"


def test_restart(zeromq_server, kernel_context, run, make):
    run(make.remember).succeeded()
    process = process_of(run, make)
    zeromq_server.client.restart_context(kernel_context["id"]).expect(200)
    wait_until(lambda: not processes.is_alive(process), "the old kernel is gone")
    shown = run(make.recall).stdout
    assert shown.strip() != "kept"
    assert run(make.hello).succeeded().stdout == "hello\n"


def test_libzmq_is_loaded_for_kernels_of_this_machine_alone(client, server, backend):
    client.execute("1").succeeded()
    with open(f"/proc/{server.pid}/maps") as maps:
        assert ("/libzmq.so" in maps.read()) == (backend == "local")
