"""The descendants of a kernel end with it, however they try to escape and however the kernel ends."""

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
"""Code that starts processes with an empty environment in their own sessions, and prints their process ids: a child of
the kernel, a grandchild, and orphans.
"""

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
def descendants():
    """Starts such processes in a context and returns their process ids. Kills the remaining ones at the end."""
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
        wait_until(lambda: not any(map(processes.is_alive, pids)), "the descendants are gone")
    except AssertionError:
        raise AssertionError(f"left:\n{processes.describe(filter(processes.is_alive, pids))}") from None


@pytest.mark.parametrize("language", ["python", "bash"])
def test_descendants_are_gone_when_delete_returns(client, descendants, language):
    context = client.create_context(language=language)
    pids = descendants(client, context)
    client.delete_context(context["id"]).expect(200)
    alive = [pid for pid in pids if processes.is_alive(pid)]
    assert not alive, processes.describe(alive)


@pytest.mark.parametrize("language", ["python", "bash"])
@pytest.mark.parametrize("end", [restart, death])
def test_descendants_end_with_their_kernel_and_no_other(server, descendants, end, language):
    client = server.client
    context = client.create_context(language=language)
    others = descendants(client, client.create_context(), ONE_STRAY)
    pids = descendants(client, context)
    end(server, context)
    check_gone(pids)
    assert all(map(processes.is_alive, others))


@pytest.mark.parametrize("end", [stop, kill])
def test_descendants_end_with_the_server(start_server, descendants, end):
    server = start_server()
    pids = []
    for language in (None, "python", "bash"):
        context = server.client.create_context(language=language) if language else server.client.contexts()[0]
        pids += descendants(server.client, context)
    end(server, context)
    check_gone(pids)


@pytest.mark.backends("local")
def test_descendants_of_forked_kernels_end_with_them(start_server, descendants):
    server = start_server()
    server.wait_until_forking()
    context = server.client.create_context()
    pids = descendants(server.client, context)
    server.client.delete_context(context["id"]).expect(200)
    check_gone(pids)
