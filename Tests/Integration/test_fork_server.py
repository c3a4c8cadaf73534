"""The fork server: kernels start faster, and nothing else differs."""

import os
import re
import signal
from pathlib import Path

import pytest

from support import processes
from support.client import at_once
from support.code import ENDLESS, pid_of
from support.ends import each_end_of_a_kernel
from support.portrait import portrait
from support.server import KERNEL_ENVIRONMENT
from support.waiting import wait_until

pytestmark = pytest.mark.backends("local")

PRELOADED = ["numpy", "pandas", "matplotlib.pyplot"]


@pytest.fixture
def forking(server):
    """The shared server, once its kernels are forked."""
    server.wait_until_forking()
    return server


@pytest.fixture
def expendable(start_server):
    """Another server, for tests that kill it or its fork server."""
    server = start_server("--warm", "0")
    server.wait_until_forking()
    return server


@pytest.fixture
def spawning(start_server):
    """A server without a fork server."""
    return start_server("--warm", "0", "--no-fork-server")


def test_it_logs_nothing_without_errors(expendable):
    assert not [line for line in expendable.log_lines if "fork" in line]


def test_kernels_are_forked_from_one_process(forking):
    contexts = [forking.client.create_context() for _ in range(2)]
    pids = [pid_of(forking.client, context) for context in contexts]
    assert {processes.parent(pid) for pid in pids} == {forking.fork_server()}
    assert set(pids) <= {kernel[0] for kernel in forking.kernels()}


def test_without_a_fork_server_kernels_are_started_by_exec(spawning):
    context = spawning.client.create_context()
    assert processes.parent(pid_of(spawning.client, context)) == spawning.pid
    assert spawning.fork_server() is None


@pytest.mark.parametrize("name", ["", "a ü 'b' \"c\" {d} %e \\f"], ids=["the workspace", "another directory"])
def test_a_forked_kernel_looks_like_one_started_by_exec(start_server, tmp_path, name):
    workspace = tmp_path / "workspace"
    (workspace / name).mkdir(parents=True)
    # Preloaded modules would be visible: here there are none.
    forking = start_server("--warm", "0", "--preload", "", workspace=workspace)
    spawning = start_server("--warm", "0", "--no-fork-server", workspace=workspace)
    forking.wait_until_forking()
    seen, expected = [
        portrait(server.client, server.client.create_context(cwd=str(workspace / name))) for server in (forking, spawning)
    ]
    assert set(seen.pop("modules")) >= set(expected.pop("modules"))
    # Its log is a FIFO; other descriptors are checked below.
    assert seen.pop("descriptors") and expected.pop("descriptors")
    assert seen == expected


def test_a_forked_kernel_has_no_descriptors_of_the_fork_server(forking):
    contexts = [forking.client.create_context() for _ in range(2)]

    def held(pid):
        targets = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        return {target for target in targets if re.match(r"(pipe|socket):\[|/.*kernel", target)}

    first, second = (held(pid_of(forking.client, context)) for context in contexts)
    assert first and not first & second
    assert not first & held(forking.fork_server())


def test_random_numbers_differ_from_kernel_to_kernel(forking):
    code = "import random, uuid, secrets, tempfile, numpy\nprint(random.random(), numpy.random.rand(), uuid.uuid4(), "
    code += "uuid.uuid1(), secrets.token_hex(), tempfile.mktemp(), numpy.random.default_rng().random(), sep='\\n')"
    contexts = [forking.client.create_context() for _ in range(4)]
    drawn = [forking.client.execute(code, context_id=context["id"]).succeeded().stdout.splitlines() for context in contexts]
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == len(contexts), numbers


# What is loaded beforehand

IMPORT = """
import sys, time
loaded = [name for name in NAMES if name in sys.modules]
begun = time.perf_counter()
for name in NAMES: __import__(name)
print(len(loaded), time.perf_counter() - begun)
""".replace("NAMES", str(PRELOADED))  # fmt: skip


def test_preloaded_modules_are_imported_fast_and_without_side_effects(forking, spawning):
    def imported(server):
        context = server.client.create_context()
        names = server.client.execute("'numpy' in globals() or 'np' in globals()", context_id=context["id"]).succeeded()
        count, seconds = server.client.execute(IMPORT, context_id=context["id"]).succeeded().stdout.split()
        return names.text, int(count), float(seconds)

    visible, count, seconds = imported(forking)
    assert (visible, count) == ("False", len(PRELOADED))
    _, without, seconds_without = imported(spawning)
    assert without == 0
    assert seconds < seconds_without / 10, f"{seconds} s in place of {seconds_without} s"


def test_preloaded_modules_work(forking):
    context = forking.client.create_context()
    code = "import matplotlib.pyplot as plt, numpy as np, pandas\nplt.plot(np.arange(9) ** 2)\nplt.show()\npandas.DataFrame({'a': [1]})"
    picture, frame = forking.client.execute(code, context_id=context["id"]).succeeded().results
    assert picture["png"] and "<table" in frame["html"]


def test_the_preloaded_modules_can_be_chosen(start_server):
    server = start_server("--warm", "0", "--preload", " wave, no_such_module ,json.tool")
    server.wait_until_forking()
    context = server.client.create_context()
    code = "import sys; print([name in sys.modules for name in ('wave', 'json.tool', 'no_such_module', 'numpy')])"
    assert server.client.execute(code, context_id=context["id"]).succeeded().stdout == "[True, True, False, False]\n"


@pytest.mark.parametrize(
    "code", ["1 / 0", "import os; os._exit(3)", "import sys; sys.exit(3)", "import os; os.kill(os.getpid(), 9)"],
    ids=["error", "exit", "sys.exit", "SIGKILL"],
)  # fmt: skip
def test_a_module_that_fails_to_preload_harms_nobody(start_server, tmp_path, code):
    (tmp_path / "unbearable.py").write_text(code)
    server = start_server("--preload", "unbearable", environment={"PYTHONPATH": str(tmp_path)})
    context = server.client.create_context()
    assert server.client.execute("6 * 7", context_id=context["id"]).succeeded().text == "42"
    assert server.client.is_healthy()


# The end of kernels, and of the fork server


@each_end_of_a_kernel
def test_the_end_of_a_kernel_that_outlived_its_fork_server_is_described(expendable, code, value):
    client = expendable.client
    context = client.create_context()
    os.kill(expendable.fork_server(), signal.SIGKILL)
    error = client.execute(code, context_id=context["id"]).error
    assert (error["name"], error["value"]) == ("KernelDied", value)
    assert client.execute("'back'", context_id=context["id"]).succeeded().text == "back"


def test_the_end_of_the_fork_server_harms_no_kernel(expendable):
    client = expendable.client
    running, idle = client.create_context(), client.create_context()
    for context in (running, idle):
        client.execute("kept = 'kept'", context_id=context["id"]).succeeded()
    stream = client.stream(ENDLESS, context_id=running["id"])
    stream.until("number_of_executions")
    old = expendable.fork_server()
    os.kill(old, signal.SIGKILL)
    # Contexts created before the next fork server is ready get kernels too.
    context = client.create_context()
    assert client.execute("6 * 7", context_id=context["id"]).succeeded().text == "42"
    assert client.execute("kept", context_id=idle["id"]).succeeded().text == "kept"
    stream.vanish()
    assert client.execute("kept", context_id=running["id"]).succeeded().text == "kept"
    pids = [pid_of(client, one) for one in (running, idle, context)]
    client.restart_context(idle["id"]).expect(200)
    assert client.execute("'kept' in globals()", context_id=idle["id"]).succeeded().text == "False"
    for one in (running, idle, context):
        client.delete_context(one["id"]).expect(200)
    assert not any(map(processes.is_alive, pids))
    expendable.wait_until_forking(other_than=old)


def test_contexts_can_be_created_while_the_fork_server_ends(expendable):
    client = expendable.client

    def work(index):
        if index == 0:
            os.kill(expendable.fork_server(), signal.SIGKILL)
            return "0"
        context = client.create_context()
        return client.execute(f"{index}", context_id=context["id"]).succeeded().text

    for _ in range(2):
        fork_server = expendable.wait_until_forking()
        assert at_once(6, work) == [str(index) for index in range(6)]
        wait_until(lambda: not processes.is_alive(fork_server), "the fork server is gone")


def test_all_kernels_and_the_fork_server_may_die_together(start_server):
    """As when code kills all processes named python."""
    server = start_server("--warm", "2")
    client = server.client
    fork_server = server.wait_until_forking()
    context = client.create_context()
    pids = [fork_server, *(kernel[0] for kernel in server.kernels())]
    assert len(pids) >= 3
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(processes.is_alive, pids)), "they are dead")
    assert client.execute("'back'", context_id=context["id"]).succeeded().text == "back"
    assert client.execute("'back'", context_id=client.create_context()["id"]).succeeded().text == "back"
    server.wait_until_forking(other_than=fork_server)


def test_a_fork_server_that_hangs_is_replaced(expendable):
    fork_server = expendable.fork_server()
    os.kill(fork_server, signal.SIGSTOP)
    context = expendable.client.create_context()
    assert expendable.client.execute("6 * 7", context_id=context["id"]).succeeded().text == "42"
    wait_until(lambda: not processes.is_alive(fork_server), "the fork server is gone")


@pytest.fixture
def own_packages(tmp_path):
    """A virtual environment like the kernels', with packages that may be changed, and its package directory."""
    original = KERNEL_ENVIRONMENT.resolve()
    (site,) = original.glob("lib/python3*/site-packages")
    copy = tmp_path / "environment"
    packages = copy / site.relative_to(original)
    packages.mkdir(parents=True)
    for directory, target in ((original, copy), (site, packages)):
        for entry in directory.iterdir():
            if entry.name not in ("lib", "lib64"):
                (target / entry.name).symlink_to(entry)
    return copy, packages


def test_changed_packages_are_loaded_again(start_server, own_packages):
    """As after `%pip install -U` and a restart, even if the module was preloaded."""
    environment, packages = own_packages

    def install(version):
        (packages / "new.py").write_text(f"version = {version}")
        (packages / "new.py").rename(packages / "preloaded.py")

    install(1)
    server = start_server("--python-environment", str(environment), "--preload", "preloaded")
    client = server.client
    fork_server = server.wait_until_forking()
    context = client.create_context()
    version = "import preloaded; preloaded.version"
    assert client.execute(version, context_id=context["id"]).succeeded().text == "1"
    wait_until(lambda: len(server.kernels()) >= 3, "a warm kernel is there")
    install(2)
    client.restart_context(context["id"]).expect(200)
    assert client.execute(version, context_id=context["id"]).succeeded().text == "2"
    server.wait_until_forking(other_than=fork_server)
    assert client.execute(version, context_id=client.create_context()["id"]).succeeded().text == "2"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_nothing_of_forked_kernels_is_left_when_the_server_ends(expendable, number):
    code = "import subprocess; subprocess.Popen('sleep 1000 & sleep 1000', shell=True, start_new_session=True)"
    context = expendable.client.create_context()
    expendable.client.execute(code, context_id=context["id"]).succeeded()
    # The shell may not have started its child yet.
    wait_until(lambda: len(expendable.leftovers()) >= 6, "all processes are there")
    expendable.signal(number)
    expendable.wait()
    expendable.check_nothing_is_left()
