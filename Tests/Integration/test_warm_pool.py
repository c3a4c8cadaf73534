"""`--warm`: warm kernels, which behave like kernels that were started for their context."""

import os
import signal

import pytest

from support import processes
from support.client import at_once, check_error
from support.code import pid_of
from support.portrait import portrait
from support.waiting import wait_until

pytestmark = pytest.mark.backends("local")


class Pool:
    """A server's warm kernels: those of no context."""

    def __init__(self, server, size):
        self.server, self.size = server, size

    def pids(self):
        contexts = [context for context in self.server.client.contexts() if context["language"] == "python"]
        taken = {pid_of(self.server.client, context) for context in contexts}
        return {kernel[0] for kernel in self.server.kernels()} - taken

    def full(self):
        """Waits until the pool is full; returns their process ids."""
        return wait_until(lambda: pids if len(pids := self.pids()) == self.size else None, "the pool is full", pause=0.1)


def are_forked(server):
    kernels, fork_server = server.kernels(), server.fork_server()
    return kernels and fork_server and all(kernel[0] in processes.descendants(fork_server) for kernel in kernels)


@pytest.fixture
def start_pool(start_server):
    def start(size, *options, **settings):
        server = start_server("--warm", str(size), *options, **settings)
        if "--no-fork-server" not in options:
            # The default kernel is upgraded to one that is forked. Meanwhile it would be counted twice.
            wait_until(lambda: are_forked(server), "all kernels are forked")
        for context in server.client.contexts():
            server.client.delete_context(context["id"]).expect(200)
        return Pool(server, size)

    return start


def test_a_context_gets_a_warm_kernel(start_pool):
    pool = start_pool(1)
    client = pool.server.client
    (warm,) = pool.full()
    context = client.create_context()
    assert pid_of(client, context) == warm
    assert pool.full() != {warm}


def test_without_a_pool_only_contexts_have_kernels(start_server):
    server = start_server("--warm", "0")
    [default] = [context for context in server.client.contexts() if context["language"] == "python"]
    contexts = [default, server.client.create_context()]
    pids = [pid_of(server.client, context) for context in contexts]
    wait_until(lambda: sorted(kernel[0] for kernel in server.kernels()) == sorted(pids), "there are these two")
    for context in contexts:
        server.client.delete_context(context["id"]).expect(200)
    wait_until(lambda: not server.kernels(), "there is none")


@pytest.mark.parametrize("name", ["", "a ü 'b' \"c\" {d} %e \\f"], ids=["the same directory", "another directory"])
def test_a_warm_kernel_looks_like_a_new_one(start_pool, start_server, tmp_path, name):
    workspace = tmp_path / "workspace"
    directory = workspace / name
    directory.mkdir(parents=True)
    (directory / "neighbour.py").write_text("value = 'imported'")
    pool = start_pool(1, workspace=workspace)
    fresh = start_server("--warm", "0", workspace=workspace)
    fresh.wait_until_forking()
    client = pool.server.client
    (warm,) = pool.full()
    context = client.create_context(cwd=str(directory))
    seen, expected = portrait(client, context), portrait(fresh.client, fresh.client.create_context(cwd=str(directory)))
    assert seen == expected
    assert seen["directory"] == seen["directories"][0] == str(directory).rstrip("/")
    execution = client.execute("import neighbour; neighbour.value", context_id=context["id"]).succeeded()
    assert (execution.count, execution.text) == (2, "imported")
    assert pid_of(client, context) == warm


ISOLATED = {"isolated": True, "network": False}


@pytest.fixture
def start_isolated_pool(start_pool):
    """A pool with one warm kernel for plain contexts, and one for isolated ones."""

    def start(*options, **settings):
        pool = start_pool(1, *options, **settings)
        # There are warm ones since a context has asked.
        pool.server.client.delete_context(pool.server.client.create_context(**ISOLATED)["id"]).expect(200)
        pool.size = 2
        pool.full()
        return pool

    return start


@pytest.mark.parametrize("options", [(), ("--no-fork-server",)], ids=["forked", "started"])
@pytest.mark.parametrize("name", ["", "a ü 'b' \"c\" {d}"], ids=["the same directory", "another directory"])
def test_a_warm_isolated_kernel_looks_like_a_new_one(start_isolated_pool, start_server, tmp_path, name, options):
    workspace = tmp_path / "workspace"
    directory = workspace / name
    directory.mkdir(parents=True)
    (directory / "neighbour.py").write_text("value = 'imported'")
    pool = start_isolated_pool(*options, workspace=workspace)
    fresh = start_server("--warm", "0", *options, workspace=workspace)
    if not options:
        fresh.wait_until_forking()
    client = pool.server.client
    warm = pool.full()
    context = client.create_context(cwd=str(directory), **ISOLATED)
    assert portrait(client, context) == portrait(fresh.client, fresh.client.create_context(cwd=str(directory), **ISOLATED))
    code = "import neighbour; open('made', 'w').write(neighbour.value); open('made').read()"
    assert client.execute(code, context_id=context["id"]).succeeded().text == "imported"
    assert client.execute("open('../made', 'w')", context_id=context["id"]).error["name"] == "PermissionError"
    assert client.execute("!echo $((6*7)); touch ../made", context_id=context["id"]).succeeded().stdout.startswith("42")
    assert not (directory.parent / "made").exists()
    assert pid_of(client, context) in warm
    # What it has started is not out of the server's reach.
    client.execute("import subprocess; subprocess.Popen(['sleep', '1000'])", context_id=context["id"]).succeeded()
    client.restart_context(context["id"]).expect(200)
    assert client.execute("open('../made', 'w')", context_id=context["id"]).error["name"] == "PermissionError"


def test_a_link_to_what_is_out_of_reach_is_no_directory_of_a_warm_kernel(start_isolated_pool, tmp_path):
    pool = start_isolated_pool()
    (tmp_path / "link").symlink_to("/etc")
    check_error(pool.server.client.post("/contexts", {"cwd": str(tmp_path / "link"), **ISOLATED}), 400, "link")
    check_error(pool.server.client.post("/contexts", {"cwd": str(tmp_path / "none"), **ISOLATED}), 400)
    pool.full()


def test_the_other_threads_of_a_warm_isolated_kernel_reach_no_more(start_isolated_pool, tmp_path):
    pool = start_isolated_pool()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "own").mkdir()
    context = pool.server.client.create_context(cwd=str(tmp_path / "own"), **ISOLATED)
    code = f"""
import queue, threading
answers = queue.Queue()
def attempt(path, mode):
    try: open(path, mode).close(); return "open"
    except OSError as error: return type(error).__name__
def attempts(): answers.put([attempt({str(tmp_path / "secret")!r}, "r"), attempt({str(tmp_path / "made")!r}, "w"), attempt("/etc/passwd", "r")])
def deeper(): attempts(); threading.Thread(target=attempts).start()
get_ipython().kernel.control_thread.io_loop.add_callback(deeper)
threading.Thread(target=deeper).start()
print([answers.get(timeout=30) for _ in range(4)])
"""
    assert pool.server.client.execute(code, context_id=context["id"]).succeeded().stdout == f"{[['PermissionError', 'PermissionError', 'open']] * 4}\n"


def test_modules_in_the_workspace_are_not_imported_elsewhere(start_pool, tmp_path):
    pool = start_pool(1)
    (pool.server.workspace / "neighbour.py").write_text("")
    pool.full()
    context = pool.server.client.create_context(cwd=str(tmp_path))
    assert pool.server.client.execute("import neighbour", context_id=context["id"]).error["name"] == "ModuleNotFoundError"


def test_random_numbers_differ_from_context_to_context(start_pool):
    pool = start_pool(2)
    pool.full()
    client = pool.server.client
    code = "import random, uuid, tempfile, numpy\nprint(random.random(), numpy.random.rand(), uuid.uuid4(), tempfile.mktemp())"
    contexts = [client.create_context() for _ in range(5)]
    drawn = [client.execute(code, context_id=context["id"]).succeeded().stdout.split() for context in contexts]
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == len(contexts), numbers


def test_contexts_do_not_see_each_others_state(start_pool):
    pool = start_pool(1)
    client = pool.server.client
    code = "import os, sys, builtins\nos.environ['LEFT'] = builtins.left = 'left'; os.chdir('/'); sys.path.append('/left'); left = 1"
    for context in (client.create_context(), client.create_context()):
        client.execute(code, context_id=context["id"], env_vars={"FOR_ONE": "1"}).succeeded()
    pool.full()
    context = client.create_context()
    code = "import os, sys\n('LEFT' in os.environ, 'FOR_ONE' in os.environ, 'left' in dir(__builtins__), '/left' in sys.path, 'left' in globals())"
    assert client.execute(code, context_id=context["id"]).succeeded().text == str((False,) * 5)


def test_kernel_env_reaches_warm_kernels(start_pool):
    pool = start_pool(1, "--kernel-env", "GIVEN=a=b c")
    (warm,) = pool.full()
    context = pool.server.client.create_context()
    execution = pool.server.client.execute("import os; os.environ['GIVEN'], os.getpid()", context_id=context["id"])
    assert execution.succeeded().text == str(("a=b c", warm))


def test_a_pool_of_three_is_refilled(start_pool):
    pool = start_pool(3)
    client = pool.server.client
    for _ in range(2):
        warm = pool.full()
        contexts = [client.create_context() for _ in range(3)]
        assert {pid_of(client, context) for context in contexts} == warm
    assert not pool.full() & warm
    for context in client.contexts():
        client.delete_context(context["id"]).expect(200)
    assert len(pool.full()) == 3


def test_more_contexts_than_warm_kernels_all_get_a_kernel(start_pool):
    pool = start_pool(2)
    client = pool.server.client
    pool.full()
    contexts = at_once(7, lambda _: client.create_context())
    pids = at_once(7, lambda index: pid_of(client, contexts[index]))
    assert len(set(pids)) == 7
    counts = at_once(7, lambda index: client.execute("1", context_id=contexts[index]["id"]).succeeded().count)
    assert counts == [2] * 7
    assert not pool.full() & set(pids)


@pytest.mark.parametrize("size", [1, 3])
def test_a_warm_kernel_that_dies_is_replaced(start_pool, size):
    pool = start_pool(size)
    client = pool.server.client
    dead = pool.full()
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(processes.is_alive, dead)), "they are dead", pause=0)
    # Contexts created before the replacements are ready do not get a dead kernel.
    context = client.create_context()
    assert client.execute("'alive'", context_id=context["id"]).succeeded().text == "alive"
    assert pid_of(client, context) not in dead
    assert not pool.full() & dead
    assert client.is_healthy()


def test_a_restart_takes_a_warm_kernel(start_pool, tmp_path):
    pool = start_pool(1)
    client = pool.server.client
    context = client.create_context(cwd=str(tmp_path))
    client.execute("left = 1", context_id=context["id"]).succeeded()
    old, (warm,) = pid_of(client, context), pool.full()
    client.restart_context(context["id"]).expect(200)
    execution = client.execute("import os; print('left' in globals(), os.getcwd(), os.getpid())", context_id=context["id"])
    assert (execution.succeeded().count, execution.stdout) == (1, f"False {tmp_path} {warm}\n")
    assert not processes.is_alive(old)


def test_a_dead_kernel_is_replaced_by_a_warm_one(start_pool):
    pool = start_pool(1)
    client = pool.server.client
    context = client.create_context()
    (warm,) = pool.full()
    assert client.execute("import os; os._exit(1)", context_id=context["id"]).error["name"] == "KernelDied"
    assert pid_of(client, context) == warm


def test_warm_kernels_are_not_contexts(start_pool):
    pool = start_pool(1, "--max-contexts", "1")
    client = pool.server.client
    pool.full()
    assert client.contexts() == []
    client.create_context()
    assert len(client.contexts()) == 1
    check_error(client.post("/contexts", {}), 429)


def test_other_languages_take_no_warm_kernel(start_pool):
    pool = start_pool(1)
    warm = pool.full()
    context = pool.server.client.create_context(language="bash")
    assert warm < pool.pids()
    pool.server.client.delete_context(context["id"]).expect(200)
    assert pool.pids() == warm


@pytest.mark.parametrize("arguments", [["--warm", "-1"], ["--warm", "many"], ["--warm", "1000"]], ids=" ".join)
def test_an_invalid_pool_size_is_refused(start_server, arguments):
    with pytest.raises(AssertionError, match="the server ended with [1-9]"):
        start_server(*arguments)


def test_contexts_with_warm_kernels_leave_no_descriptor_open(start_pool):
    pool = start_pool(1)
    client = pool.server.client

    def use():
        pool.full()
        client.delete_context(client.create_context()["id"]).expect(200)

    use()
    # Connected, too: a kernel counts as soon as there is its process.
    processes.wait_until_still(pool.server.pid, *pool.full())
    before = processes.open_descriptors(pool.server.pid)
    for _ in range(4):
        use()
    wait_until(lambda: processes.open_descriptors(pool.server.pid) <= before + 2, "the descriptors are closed again")
