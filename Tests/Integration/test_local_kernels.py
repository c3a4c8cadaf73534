"""Local kernels: their files, sockets, signatures and ends."""

import json
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient

from support import processes
from support.client import at_once
from support.code import ENDLESS, pid_of
from support.ends import each_end_of_a_kernel
from support.waiting import wait_until

pytestmark = pytest.mark.backends("local")

CONNECTION_FILE = "from ipykernel.connect import get_connection_file\nprint(get_connection_file())"


def connection_file(client, context):
    return Path(client.execute(CONNECTION_FILE, context_id=context["id"]).succeeded().stdout.strip())


# Files


def test_connection_files_and_sockets_are_private(client, context):
    file = connection_file(client, context)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.parent.stat().st_uid == os.getuid()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    settings = json.loads(file.read_text())
    assert (settings["transport"], settings["signature_scheme"]) == ("ipc", "hmac-sha256")
    assert len(settings["key"]) >= 32
    sockets = [Path(f"{settings['ip']}-{settings[f'{name}_port']}") for name in ("shell", "iopub", "control")]
    for socket in sockets:
        assert socket.parent == file.parent and stat.S_ISSOCK(socket.stat().st_mode)


def test_kernels_share_no_key_and_no_file(client, context):
    files = [connection_file(client, one) for one in (context, client.create_context())]
    keys = [json.loads(file.read_text())["key"] for file in files]
    client.restart_context(context["id"]).expect(200)
    keys.append(json.loads(connection_file(client, context).read_text())["key"])
    assert len(set(keys)) == 3 and len(set(files)) == 2


@pytest.mark.parametrize("end", ["delete", "restart", "death"])
def test_the_files_of_a_kernel_are_removed_with_it(client, context, end):
    directory = connection_file(client, context).parent
    assert len(list(directory.iterdir())) > 1
    (directory / "made").mkdir()
    (directory / "made" / "by code").write_text("x")
    if end == "delete":
        client.delete_context(context["id"]).expect(200)
    elif end == "restart":
        client.restart_context(context["id"]).expect(200)
    else:
        client.execute("import os; os._exit(1)", context_id=context["id"])
    wait_until(lambda: not directory.exists(), "its directory is gone")
    assert directory.parent.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_the_run_directory_is_removed_with_the_server(start_server, number):
    server = start_server()
    directory = connection_file(server.client, server.client.create_context()).parent.parent
    server.signal(number)
    server.wait()
    wait_until(lambda: not directory.exists(), "the directory is gone")
    server.check_nothing_is_left()


# Signatures

FORGE = """
import os
from jupyter_client.session import Session
def say(text, key):
    kernel = get_ipython().kernel
    session = Session(key=key, username="somebody")
    session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": text}, parent=kernel.get_parent(), ident=b"stream")
say("forged ", b"another key")
say("unsigned ", b"")
say("signed", get_ipython().kernel.session.key)
"""


def test_messages_with_a_wrong_signature_are_discarded(client, context, server):
    execution = client.execute(FORGE, context_id=context["id"]).succeeded()
    assert execution.stdout == "signed"
    wait_until(
        lambda: any("signature" in line and "warning" in line for line in server.log_lines),
        "a warning that a signature is wrong",
    )
    assert client.execute("1", context_id=context["id"]).succeeded().text == "1"


NONSENSE = """
socket = get_ipython().kernel.iopub_socket
for parts in ([b""], [b"<IDS|MSG>"], [b"stream", b"<IDS|MSG>", b"signature"], [b"\\xff" * 100] * 20,
              [b"stream", b"<IDS|MSG>", b"0" * 64, b"{", b"{", b"{", b"{"]):
    socket.send_multipart(parts)
"""


def test_malformed_messages_are_discarded(client, context):
    assert client.execute(NONSENSE + "print('after')", context_id=context["id"]).succeeded().stdout == "after\n"
    assert client.execute("1", context_id=context["id"]).succeeded().text == "1"


@pytest.fixture
def connect():
    """Connects another client to a kernel, by its connection file; optionally with another key."""
    clients = []

    def start(file):
        other = BlockingKernelClient(connection_file=str(file))
        other.load_connection_file()
        other.start_channels()
        clients.append(other)
        return other

    yield start
    for other in clients:
        other.stop_channels()


def test_a_kernel_runs_only_requests_signed_with_its_key(client, context, connect):
    stranger = connect(connection_file(client, context))
    key, stranger.session.key = stranger.session.key, b"another key"
    for _ in range(3):
        stranger.execute("intruded = True")
        stranger.control_channel.send(stranger.session.msg("shutdown_request", {"restart": False}))
    # Behind these, on the same connections, requests that are answered.
    stranger.session.key = key
    stranger.execute("1")
    stranger.get_shell_msg(timeout=60)
    stranger.control_channel.send(stranger.session.msg("kernel_info_request", {}))
    stranger.get_control_msg(timeout=60)
    assert client.execute("'intruded' in globals()", context_id=context["id"]).succeeded().text == "False"


def test_output_of_other_clients_is_not_sent(client, context, connect, gate):
    guest = connect(connection_file(client, context))
    ours = client.stream(gate.code + "print('ours')", context_id=context["id"])
    ours.until("number_of_executions")
    theirs = guest.execute("print('theirs'); 'theirs'")
    gate.open()
    execution = ours.finish().succeeded()
    assert (execution.stdout, execution.results) == ("ours\n", [])
    assert guest.get_shell_msg(timeout=30)["parent_header"]["msg_id"] == theirs
    execution = client.execute("print('ours again')", context_id=context["id"]).succeeded()
    assert execution.stdout == "ours again\n"


# Ends


@each_end_of_a_kernel
def test_the_end_of_a_kernel_is_described(run, code, value):
    error = run(code).error
    assert (error["name"], error["value"]) == ("KernelDied", value)


def test_the_death_of_an_idle_kernel_is_noticed_at_once(client, context, server):
    """A replacement is ready before the next execution."""
    old = pid_of(client, context)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: [kernel for kernel in server.kernels() if kernel[0] != old], "another kernel is started")
    execution = client.execute("'back'", context_id=context["id"]).succeeded()
    assert (execution.count, execution.text) == (1, "back")


@pytest.mark.parametrize("language, code", [("python", "print(6 * 7)"), ("bash", "echo 42"), ("javascript", "console.log(42)")])
def test_code_sent_to_a_dead_kernel_runs_in_the_next(client, server, language, code):
    """It is sent before the server knows of the death, and has not run."""
    context = client.create_context(language=language)
    for _ in range(5):
        (pid, *_), = server.kernels()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes.is_alive(pid), "the kernel is dead", pause=0)
        assert client.execute(code, context_id=context["id"]).succeeded().stdout == "42\n"


def test_kernels_that_are_killed_together_are_all_replaced(client):
    contexts = at_once(6, lambda _: client.create_context())
    pids = at_once(6, lambda index: pid_of(client, contexts[index]))
    streams = [client.stream(ENDLESS, context_id=context["id"]) for context in contexts[:3]]
    for stream in streams:
        stream.until("number_of_executions")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for stream in streams:
        assert stream.finish().error["value"] == "killed by SIGKILL"
    wait_until(lambda: not any(map(processes.is_alive, pids)), "they are dead")
    for context in contexts:
        assert pid_of(client, context) not in pids


def test_output_of_any_length_before_the_death_is_not_lost(run):
    code = "import os\nfor index in range(20_000): print(index)\nimport sys; sys.stdout.flush()\n"
    code += "import time; time.sleep(0.5)\nos.kill(os.getpid(), 9)"
    execution = run(code)
    assert execution.stdout == "".join(f"{index}\n" for index in range(20_000))
    assert execution.error["value"] == "killed by SIGKILL"


def test_a_dead_kernel_is_noticed_though_a_child_holds_its_sockets(run):
    """A child with copies of the kernel's sockets keeps ZeroMQ from noticing their end."""
    code = "import os, time\nif not os.fork(): time.sleep(1000)\ntime.sleep(0.2)\nos._exit(4)"
    assert run(code).error["value"] == "exited with status 4"
    assert run("'back'").succeeded().text == "back"


# Many at once


def test_health_responds_while_thirty_contexts_start(start_server):
    client = start_server("--warm", "0").client
    waits, done = [], threading.Event()

    def watch():
        while not done.is_set():
            begun = time.monotonic()
            client.get("/health").expect(200)
            waits.append(time.monotonic() - begun)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    begun = time.monotonic()
    watcher.start()
    try:
        contexts = at_once(30, lambda _: client.create_context())
    finally:
        elapsed = time.monotonic() - begun
        done.set()
        watcher.join()
    assert len({context["id"] for context in contexts}) == 30
    # If the server were blocked until the kernels have started, one of these would wait for most of that time.
    assert max(waits) < elapsed / 4, f"/health took {max(waits)} of {elapsed} s"
    texts = at_once(30, lambda index: client.execute(f"{index}", context_id=contexts[index]["id"]).succeeded().text)
    assert texts == [str(index) for index in range(30)]
    at_once(30, lambda index: client.delete_context(contexts[index]["id"]).expect(200))
