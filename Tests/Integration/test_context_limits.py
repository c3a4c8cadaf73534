"""What a context may use: memory and processes.

Everything runs with control groups, where this machine lets the server make some, and without.
"""

import signal
import subprocess
from pathlib import Path

import pytest

from support import processes
from support.client import check_error
from support.kept import Kept
from support.server import BINARY, KERNEL_ENVIRONMENT, Server
from support.waiting import HANG, wait_until

pytestmark = pytest.mark.backends("local")

MIB = 1 << 20
LIMIT = 256 * MIB

#: Memory that is asked for at once, in pieces, and in objects of a few bytes.
TOO_MUCH = {
    "at once": "kept = bytearray(1 << 30)",
    "numpy": "import numpy; kept = numpy.ones(10**9)",
    "pieces": "kept = []\nwhile True: kept.append(bytearray(1 << 20))",
    "objects": "kept = []\nwhile True: kept.append(object())",
    "texts": "kept = {}\nfor i in range(10**9): kept[i] = str(i)",
    "doubled": "kept = 'x'\nwhile True: kept += kept",
    "output": "print('x' * (1 << 30))",
}


@pytest.fixture(scope="session", params=[(), ("--no-cgroups",)], ids=["groups", "no-groups"])
def shared_server(request, backend, tmp_path_factory):
    options = request.param if backend == "local" else ()
    kept = Kept(lambda: Server(tmp_path_factory.mktemp("workspace"), "--warm", "0", *options, backend=backend), Server.stop)
    yield kept
    kept.close()


def uses_groups(server):
    """True if the server limits contexts by control groups."""
    return 'processes="control group' in server.log


@pytest.fixture
def has_groups(server):
    return uses_groups(server)


def groups_of(pid):
    """The directories of the control groups that a server has made."""
    return [path for path in Path("/sys/fs/cgroup").rglob(f"code-interpreter.{pid}.*") if path.is_dir()]


@pytest.fixture
def limited(server):
    """Makes contexts with limits, and runs code in them."""

    def make(**limits):
        identifier = server.client.create_context(**limits)["id"]
        return lambda code, **fields: server.client.execute(code, context_id=identifier, **fields)

    return make


def state(client, identifier):
    return client.get(f"/contexts/{identifier}").expect(200).json


@pytest.mark.parametrize("code", TOO_MUCH.values(), ids=TOO_MUCH)
def test_python_raises_memory_error_and_lives(limited, code):
    run = limited(memory_limit=LIMIT)
    run("before = 6 * 7").succeeded()
    for _ in range(2):
        assert run(code).error["name"] == "MemoryError"
        assert run("before").succeeded().text == "42"
        assert run("print('still here'); 1 / 0").error["name"] == "ZeroDivisionError"
    # Not more: what lies between pieces that are still in use is not given back to the system.
    run("kept = None").succeeded()
    assert run("len(bytearray(16 << 20))").succeeded().text == str(16 * MIB)


def test_ordinary_work_fits_into_little_memory(limited):
    """What all kernels share, such as loaded modules, is not charged to a context."""
    run = limited(memory_limit=96 * MIB)
    run("import numpy, pandas, matplotlib.pyplot as plt").succeeded()
    run("plt.plot([1, 2]); pandas.DataFrame({'a': range(100_000)}).describe()").succeeded()
    assert run("import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout").succeeded().text


@pytest.mark.parametrize(
    "code",
    ["held = bytearray(100 << 20)\nfor i in range(0, len(held), 4096): held[i] = 1\n"
     "for _ in range(4):\n    if os.fork() == 0:\n        for i in range(0, len(held), 4096): held[i] = 2\n        time.sleep(60)\ntime.sleep(60)",
     "program = 'x = b\"x\" * (120 << 20); import time; time.sleep(60)'\n"
     "all = [subprocess.Popen([sys.executable, '-c', program], start_new_session=True) for _ in range(4)]\ntime.sleep(60)"],
    ids=["forks", "programs"],
)  # fmt: skip
def test_many_processes_together_end_the_kernel(server, limited, code):
    run = limited(memory_limit=LIMIT)
    error = run(f"import os, subprocess, sys, time\n{code}").error
    assert (error["name"], error["value"]) == ("KernelDied", "over the memory limit of 256 MiB")
    execution = run("1 + 1")
    assert execution.lines[0].type == "context_restarted" and "over the memory limit" in execution.lines[0].value["reason"]
    assert run(TOO_MUCH["at once"]).error["name"] == "MemoryError"


def test_a_limit_that_code_has_raised_is_watched(limited):
    run = limited(memory_limit=LIMIT)
    code = """import resource, time
for limit in (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_DATA)[1]):
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        break
    except ValueError:  # Only root may go beyond the hard limit.
        pass
kept = b"x" * (500 << 20)
time.sleep(60)"""
    error = run(code).error
    assert (error["name"], error["value"]) in (("KernelDied", "over the memory limit of 256 MiB"), ("MemoryError", "")), error


#: The kernel itself starts more than a limit of 20 allows, with one more for each processor: however slow its children are, it is refused.
#: They end with it.
FORKS = """import os, time
read, write = os.pipe()
children = []
try:
    for _ in range(40 + os.cpu_count()):
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        children.append(child)
    time.sleep(60)
finally:
    os.close(write)
    for child in children: os.waitpid(child, 0)"""


def test_too_many_processes_end_the_kernel_or_are_refused_and_harm_no_other(server, limited, has_groups):
    run = limited(process_limit=20)
    other = limited()
    other("x = 1").succeeded()
    error = run(FORKS).error
    assert (error["name"], error["value"].startswith("over the process limit of 20")) == (
        ("BlockingIOError", False) if has_groups else ("KernelDied", True)
    )
    assert other("x").succeeded().text == "1"
    assert run("1 + 1").succeeded().text == "2"
    assert run("import subprocess; subprocess.run(['true']).returncode").succeeded().text == "0"
    wait_until(lambda: len(server.leftovers()) < 20, "nothing of the bomb is left")


def test_kernels_of_other_languages_are_ended(server, limited, has_groups):
    context = server.client.create_context(language="bash", memory_limit=LIMIT)
    assert [method for method in state(server.client, context["id"])["limited_by"] if method != "cgroup"] == ["watch"]
    # A control group may end the program before the watch has seen it.
    execution = server.client.execute("python3 -c 'x = b\"x\" * (500 << 20); import time; time.sleep(60)'", context_id=context["id"])
    if execution.of("error"):
        assert (execution.error["name"], execution.error["value"]) == ("KernelDied", "over the memory limit of 256 MiB")
    else:
        assert has_groups and "Killed" in execution.stdout + execution.stderr


def test_threads_count_in_a_control_group(limited, has_groups):
    run = limited(process_limit=20)
    code = "import os, threading\nend = threading.Event()\nfor _ in range(40 + os.cpu_count()): threading.Thread(target=end.wait).start()"
    errors = [error["name"] for error in run(code).of("error")]
    run("end.set()").succeeded()
    assert errors == ["RuntimeError"] * has_groups
    assert run("1 + 1").succeeded().text == "2"


def test_libraries_have_their_threads_however_few_processes_there_may_be(limited):
    """OpenBLAS waits for ever for a thread that it cannot start."""
    run = limited(process_limit=1)
    assert run("import numpy; numpy.linalg.svd(numpy.random.rand(500, 500))[1].shape").succeeded().text == "(500,)"


#: A program whose main thread ends, and not the other one, which takes 400 MB.
HEADLESS = """import ctypes, threading, time
def work():
    kept = b'x' * (400 << 20)
    time.sleep(600)
threading.Thread(target=work).start()
time.sleep(1)
ctypes.CDLL(None).syscall(60, 0)"""


def test_a_process_whose_main_thread_has_ended_is_seen(server, limited):
    start = f"import subprocess, sys; process = subprocess.Popen([sys.executable, '-c', {HEADLESS!r}], start_new_session=True); process.pid"
    identifier = server.client.create_context()["id"]
    pid = int(server.client.execute(start, context_id=identifier).succeeded().text)
    wait_until(lambda: processes.state(pid) == "Z", "its main thread has ended")
    wait_until(lambda: state(server.client, identifier)["memory_bytes"] > 400 * MIB, "its memory counts", pause=0.2)
    assert state(server.client, identifier)["processes"] == 2
    server.client.delete_context(identifier).expect(200)
    assert not Path(f"/proc/{pid}").exists()
    error = limited(memory_limit=LIMIT)(f"{start}\nimport time; time.sleep(60)").error if "--no-cgroups" in processes.arguments(server.pid) else None
    assert error is None or error["value"] == "over the memory limit of 256 MiB"


def test_control_groups_end_with_their_context(server, has_groups):
    contexts = [server.client.create_context(process_limit=20, memory_limit=LIMIT)["id"] for _ in range(3)]
    assert bool(groups_of(server.pid)) == has_groups
    server.client.restart_context(contexts[0]).expect(200)
    assert server.client.execute("import os; os._exit(1)", context_id=contexts[1]).error["name"] == "KernelDied"
    # The kernel that took its place is limited as well.
    for context in contexts:
        server.client.execute("1", context_id=context).succeeded()
        assert state(server.client, context)["limited_by"] == ["cgroup", "rlimit", "watch"][not has_groups :]
    count = len(groups_of(server.pid))
    for context in contexts:
        server.client.execute("import subprocess; kept = subprocess.Popen(['sleep', '60'])", context_id=context).succeeded()
        server.client.delete_context(context).expect(200)
    wait_until(lambda: not groups_of(server.pid), "no group is left")
    assert count % 3 == 0 and bool(count) == has_groups


def test_control_groups_end_with_a_server_that_is_killed(start_server):
    server = start_server("--context-processes", "20")
    assert bool(groups_of(server.pid)) == uses_groups(server)
    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: not groups_of(server.pid), "the reaper has removed the groups")


def test_control_groups_of_servers_that_are_gone_are_removed(start_server):
    gone = start_server("--context-processes", "20")
    forgotten = [path.with_name(f"code-interpreter.{gone.pid}.1") for path in groups_of(gone.pid)]
    assert bool(forgotten) == uses_groups(gone)
    gone.stop()
    for path in forgotten:
        path.mkdir()
    assert start_server("--context-processes", "20").client.execute("1 + 1").succeeded().text == "2"
    assert not groups_of(gone.pid)


def test_the_limits_of_a_context_are_shown_and_kept(server, has_groups):
    client = server.client
    plain = state(client, client.create_context()["id"])
    assert (plain["memory_limit"], plain["process_limit"], plain["limited_by"]) == (None, None, [])
    identifier = client.create_context(memory_limit=LIMIT, process_limit=30)["id"]
    for _ in range(2):
        shown = state(client, identifier)
        assert (shown["memory_limit"], shown["process_limit"]) == (LIMIT, 30)
        assert shown["limited_by"] == ["cgroup", "rlimit", "watch"][not has_groups :]
        client.restart_context(identifier).expect(200)
    assert client.execute(TOO_MUCH["at once"], context_id=identifier).error["name"] == "MemoryError"


def test_the_server_has_limits_for_contexts_that_name_none(start_server):
    client = start_server("--context-memory", str(LIMIT), "--context-processes", "20").client
    assert client.execute(TOO_MUCH["at once"]).error["name"] == "MemoryError"
    named = client.create_context(memory_limit=2 * LIMIT)["id"]
    shown = state(client, named)
    assert (shown["memory_limit"], shown["process_limit"]) == (2 * LIMIT, 20)
    assert client.execute("len(bytearray(300 << 20))", context_id=named).succeeded().text == str(300 * MIB)


@pytest.mark.parametrize("field", ["memory_limit", "process_limit", "disk_limit"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True, [], 1 << 70])
def test_limits_are_whole_numbers(client, field, value):
    check_error(client.post("/contexts", {field: value}), 422, field)


def test_the_largest_numbers_limit_nothing(client):
    identifier = client.create_context(memory_limit=2**63 - 1, process_limit=2**63 - 1)["id"]
    assert client.execute("len(bytearray(1 << 29))", context_id=identifier).succeeded().text == str(1 << 29)
    assert state(client, identifier)["memory_limit"] == 2**63 - 1


def test_a_limit_below_what_the_kernel_takes_is_refused(client, has_groups):
    check_error(client.post("/contexts", {"memory_limit": 1}), 422, "memory_limit", "too low")
    alone = client.create_context(process_limit=1)["id"]
    assert client.execute("1 + 1", context_id=alone).succeeded().text == "2"
    error = client.execute(FORKS, context_id=alone).error
    assert error["name"] == ("BlockingIOError" if has_groups else "KernelDied")


@pytest.mark.backends("jupyter")
def test_kernels_of_a_jupyter_server_have_no_limits(client):
    for field in ("memory_limit", "process_limit", "disk_limit"):
        check_error(client.post("/contexts", {field: LIMIT}), 501, field, "--backend local")
    shown = state(client, client.create_context(memory_limit=None)["id"])
    assert (shown["memory_limit"], shown["limited_by"]) == (None, [])


def test_limits_that_would_have_no_effect_are_refused(tmp_path):
    for option in ("--context-memory", "--context-processes", "--context-disk"):
        command = [BINARY, "serve", "--port", "0", "--workspace", tmp_path, "--python-environment", KERNEL_ENVIRONMENT, option]
        for others in ([LIMIT, "--backend", "jupyter"], [LIMIT, "--jupyter-url", "http://127.0.0.1:1"], [0]):
            done = subprocess.run([*command, *map(str, others)], capture_output=True, text=True, timeout=HANG)
            assert done.returncode != 0 and option in done.stderr, done
