"""What a kernel has started ends with the kernel, whatever it did to get away, and whatever ends the kernel."""

import os
import signal

import pytest

from support import processes
from support.waiting import wait_until

STRAYS = {
    "python": """
import subprocess
shell = "sleep 1000 & echo $!; exec >/dev/null; wait"
def start(code):
    return subprocess.Popen(["/bin/sh", "-c", code], env={}, start_new_session=True, stdout=subprocess.PIPE, text=True)
child = start(shell)
daemon = start(f"/usr/bin/setsid /bin/sh -c '{shell}' &")
print(child.pid, int(child.stdout.readline()), int(daemon.stdout.readline()))
daemon.wait()
""",
    "bash": "env -i /usr/bin/setsid --wait /bin/sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!'",
}
"""Code that starts processes with an empty environment in sessions of their own, and prints their process ids: a child of the
kernel and a child of that, and some whose parents have ended."""

ONE_STRAY = "import subprocess; print(subprocess.Popen(['sleep', '1000'], env={}, start_new_session=True).pid)"


def restart(server, context):
    server.client.restart_context(context["id"]).expect(200)


def death(server, context):
    code = {"python": "import os; os.kill(os.getpid(), 9)", "bash": "kill -9 $PPID"}[context["language"]]
    assert server.client.execute(code, context_id=context["id"]).error["name"] == "KernelDied"


def stop(server, context):
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def kill(server, context):
    server.signal(signal.SIGKILL)
    server.wait()


@pytest.fixture
def strays():
    """Starts strays in a context, and returns their process ids. Those that the server leaves are killed in the end."""
    started = []

    def start(client, context, code=None):
        code = code or STRAYS[context["language"]]
        pids = [int(pid) for pid in client.execute(code, context_id=context["id"]).succeeded().stdout.split()]
        started.extend(pids)
        assert pids and all(map(processes.is_alive, pids)), processes.describe(pids)
        return pids

    yield start
    for pid in filter(processes.is_alive, started):
        os.kill(pid, signal.SIGKILL)


def check_gone(pids):
    try:
        wait_until(lambda: not any(map(processes.is_alive, pids)), "the strays are gone")
    except AssertionError:
        raise AssertionError(f"left:\n{processes.describe(filter(processes.is_alive, pids))}") from None


@pytest.mark.parametrize("language", ["python", "bash"])
def test_strays_are_gone_when_delete_returns(client, strays, language):
    context = client.create_context(language=language)
    pids = strays(client, context)
    client.delete_context(context["id"]).expect(200)
    alive = [pid for pid in pids if processes.is_alive(pid)]
    assert not alive, processes.describe(alive)


@pytest.mark.parametrize("language", ["python", "bash"])
@pytest.mark.parametrize("end", [restart, death])
def test_strays_go_with_their_kernel_and_with_no_other(server, strays, end, language):
    client = server.client
    context = client.create_context(language=language)
    others = strays(client, client.create_context(), ONE_STRAY)
    pids = strays(client, context)
    end(server, context)
    check_gone(pids)
    assert all(map(processes.is_alive, others))


@pytest.mark.parametrize("end", [stop, kill])
def test_strays_go_with_the_server(start_server, strays, end):
    server = start_server()
    pids = []
    for language in (None, "python", "bash"):
        context = server.client.create_context(language=language) if language else server.client.contexts()[0]
        pids += strays(server.client, context)
    end(server, context)
    check_gone(pids)


@pytest.mark.backends("local")
def test_strays_of_forked_kernels_go_with_them(start_server, strays):
    server = start_server()
    server.wait_until_forking()
    context = server.client.create_context()
    pids = strays(server.client, context)
    server.client.delete_context(context["id"]).expect(200)
    check_gone(pids)
