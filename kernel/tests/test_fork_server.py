"""The fork server: its protocol, and forked kernels."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from client import Client, Spawned, environment
from conftest import HANG, PYTHON, Kept, alive, wait

MARK = "CODE_INTERPRETER_KERNEL"
PRELOAD = "numpy,pandas,matplotlib.pyplot"


class Forked(Client):
    """A requested kernel."""

    pid: int

    def __init__(self, directory: Path, cwd: Path, env: dict[str, str]):
        super().__init__(directory / f"kernel-{uuid.uuid4().hex[:8]}")
        self.log = self.name.with_suffix(".log")
        self.cwd = cwd
        self.mark = f"host/{uuid.uuid4()}"
        self.env = {**env, MARK: self.mark}
        os.mkfifo(self.log)
        self.log_reader = os.open(self.log, os.O_RDONLY | os.O_NONBLOCK)

    def request(self, identifier: int) -> dict[str, Any]:
        argv = ["-f", str(self.connection_file)]
        return {"id": identifier, "argv": argv, "cwd": str(self.cwd), "env": self.env, "log": str(self.log)}

    def read_log(self) -> str:
        """Its output so far."""
        try:
            return os.read(self.log_reader, 1 << 16).decode()
        except BlockingIOError:
            return ""

    def close(self) -> None:
        super().close()
        os.close(self.log_reader)


class ForkServer:
    """The fork server's process, its requests and replies."""

    def __init__(self, directory: Path, preload: str = "", **variables: str):
        self.directory = directory
        self.env = {**environment(directory), **variables}
        self.replies: list[dict[str, Any]] = []
        self.kernels: list[Forked] = []
        self._replies = b""
        with open(directory / "fork-server.log", "wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "code_interpreter_kernel.fork_server", "--preload", preload],
                cwd=directory,
                env={**self.env, MARK: f"host/{uuid.UUID(int=0)}"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.next(lambda reply: reply.get("ready"))

    @property
    def log(self) -> str:
        return (self.directory / "fork-server.log").read_text()

    def send(self, *requests: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
        self.process.stdin.flush()

    def next(self, matches: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first matching reply that was not returned before."""
        assert self.process.stdout
        while True:
            for reply in self.replies:
                if matches(reply):
                    self.replies.remove(reply)
                    return reply
            line = self.process.stdout.readline()
            assert line, f"the fork server ended: {self.log}"
            self.replies.append(json.loads(line))

    def ask(self, cwd: Path | None = None, **variables: str) -> Forked:
        """Forks a kernel, which may not be ready yet."""
        kernel = Forked(self.directory, cwd or self.directory, {**self.env, **variables})
        self.kernels.append(kernel)
        identifier = len(self.kernels)
        self.send(kernel.request(identifier))
        kernel.pid = self.next(lambda reply: reply.get("id") == identifier)["pid"]
        return kernel

    def start(self, cwd: Path | None = None, **variables: str) -> Forked:
        """Forks a kernel and waits until it replies."""
        kernel = self.ask(cwd, **variables)
        kernel.wait_until_ready()
        return kernel

    def exit(self, kernel: Forked) -> dict[str, int]:
        """Waits for the end of a kernel; returns its exit."""
        identifier = self.kernels.index(kernel) + 1
        return self.next(lambda reply: reply.get("id") == identifier and "exit" in reply)["exit"]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for kernel in self.kernels:
            kernel.close()
            if alive(kernel.pid):
                os.kill(kernel.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ForkServer]]:
    made: list[ForkServer] = []

    def make(preload: str = "", **variables: str) -> ForkServer:
        made.append(ForkServer(tmp_path_factory.mktemp("forks"), preload, **variables))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def server(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> ForkServer:
    return kept.get(lambda: ForkServer(tmp_path_factory.mktemp("forks"), PRELOAD))


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def test_a_forked_kernel_uses_the_requested_directory_and_environment(server: ForkServer, tmp_path: Path) -> None:
    kernel = server.start(tmp_path, COLOUR="grün", EMPTY="")
    assert kernel.text("1 + 1") == "2"
    assert kernel.value("__import__('os').getcwd()") == str(tmp_path)
    variables = kernel.value("dict(__import__('os').environ)")
    of_ipython = {"TERM", "CLICOLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PAGER", "GIT_PAGER"}
    assert {name: variables[name] for name in kernel.env.keys() - of_ipython}.items() <= kernel.env.items()
    assert "PLOTLY_RENDERER" in variables
    # Its children see the same.
    assert kernel.value("__import__('subprocess').check_output('echo $COLOUR; pwd', shell=True).decode().split()") == ["grün", str(tmp_path)]


@pytest.mark.parametrize("is_forked", [False, True])
def test_modules_of_the_directory_come_after_those_of_python(server: ForkServer, tmp_path: Path, is_forked: bool) -> None:
    for name in ("calendar", "random", "typing", "json"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not this one')")
    (tmp_path / "neighbour.py").write_text("value = 'found'")
    kernel = server.start(tmp_path) if is_forked else Spawned(tmp_path)
    assert kernel.text("import calendar, random, typing, json; calendar.__name__") == "'calendar'"
    assert kernel.text("import neighbour; neighbour.value") == "'found'"
    code = """
import multiprocessing
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.apply(eval, ["__import__('neighbour').value"]))
"""
    assert kernel.text(code) == "found\n"
    if not is_forked:
        kernel.close()


def test_a_forked_kernel_has_its_own_session_and_arguments(server: ForkServer) -> None:
    kernel = server.start()
    assert kernel.value("[__import__('os').getsid(0), __import__('os').getpgrp()]") == [kernel.pid] * 2
    arguments = ["-f", str(kernel.connection_file)]
    assert kernel.value("__import__('sys').argv") == [""]
    command = [PYTHON, "-m", "code_interpreter_kernel.kernel", *arguments]
    assert kernel.value("__import__('sys').orig_argv") == command
    # Truncated to the available space.
    shown = Path(f"/proc/{kernel.pid}/cmdline").read_text().rstrip("\0").replace("\0", " ")
    assert shown and " ".join(command).startswith(shown) and "code_interpreter_kernel.kernel -f" in shown


def test_a_kernel_leads_its_session_when_it_is_reported(server: ForkServer) -> None:
    for _ in range(20):
        kernel = server.ask()
        os.killpg(kernel.pid, signal.SIGKILL)
        assert server.exit(kernel) == {"signal": signal.SIGKILL}


def test_the_mark_is_visible_in_proc(server: ForkServer) -> None:
    kernel = server.start(OTHER="value")
    variables = Path(f"/proc/{kernel.pid}/environ").read_text().split("\0")
    own = Path(f"/proc/{server.process.pid}/environ").read_text().split("\0")
    assert f"{MARK}={kernel.mark}" in variables
    assert [v for v in variables if not v.startswith(MARK)] == [v for v in own if not v.startswith(MARK)]
    assert kernel.value(f"__import__('os').environ['{MARK}']") == kernel.mark
    assert kernel.text(f"%%bash\necho ${MARK}") == f"{kernel.mark}\n"


def test_marks_of_another_length_are_not_written_to_proc(servers: Callable[..., ForkServer]) -> None:
    server = servers()
    kernel = Forked(server.directory, server.directory, server.env)
    kernel.env[MARK] = "host/short"
    server.kernels.append(kernel)
    server.send(kernel.request(1))
    kernel.pid = server.next(lambda reply: reply.get("id") == 1)["pid"]
    kernel.wait_until_ready()
    assert f"{MARK}=host/{uuid.UUID(int=0)}" in Path(f"/proc/{kernel.pid}/environ").read_text().split("\0")
    assert kernel.value(f"__import__('os').environ['{MARK}']") == "host/short"


def test_programs_that_code_starts_have_the_locale_that_python_chose(servers: Callable[..., ForkServer]) -> None:
    server = servers(LC_ALL="", LANG="C")
    spawned_anew = [PYTHON, "-c", "import os; print(os.environ['LC_CTYPE'])"]
    expected = subprocess.run(spawned_anew, env=server.env, capture_output=True, text=True, check=True).stdout
    assert server.start().text("import os; print(os.environ['LC_CTYPE'])") == expected


def test_preloaded_modules_are_imported(server: ForkServer) -> None:
    kernel = server.start()
    code = "import sys; print({'numpy', 'pandas', 'matplotlib.pyplot'} <= set(sys.modules))"
    assert kernel.text(code) == "True\n"


def test_figures_are_shown_at_the_end_of_their_cell(server: ForkServer) -> None:
    for code in (
        "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]);",
        "from matplotlib import pyplot; pyplot.plot([1, 2]); pyplot.show()",
        "import pandas; pandas.DataFrame({'a': [1, 2]}).plot();",
    ):
        kernel = server.start()
        for _ in range(2):
            (picture,) = [m["content"]["data"]["image/png"] for m in kernel.run(code) if m["type"] == "display_data"]
            assert base64.b64decode(picture).startswith(b"\x89PNG")


def test_random_numbers_differ_from_kernel_to_kernel(server: ForkServer) -> None:
    code = (
        "[__import__('random').random(), __import__('numpy').random.rand(), __import__('numpy').random.default_rng().random(),"
        " str(__import__('uuid').uuid4()), str(__import__('uuid').uuid1()), __import__('tempfile').mktemp(),"
        " __import__('secrets').token_hex()]"
    )
    several = [server.start().value(code) for _ in range(3)]
    for values in zip(*several):
        assert len(set(values)) == 3


def test_a_forked_kernel_has_only_its_own_descriptors(server: ForkServer) -> None:
    kernel = server.start()

    def targets(pid: int) -> dict[str, str]:
        found = {}
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found[entry.name] = os.readlink(entry)
            except FileNotFoundError:
                pass
        return found

    mine, parents = targets(kernel.pid), targets(server.process.pid)
    assert mine["0"] == os.devnull
    shared = set(mine.values()) & set(parents.values())
    assert shared <= {os.devnull}


def test_standard_output_and_error_of_its_process_go_to_its_log(server: ForkServer) -> None:
    kernel = server.start()
    # Output to these descriptors is also copied to the process's own.
    kernel.run("import os; os.write(1, b'to the'); os.write(2, b' log')")
    seen: list[str] = []
    wait(lambda: seen.append(kernel.read_log()) or set("to the log") <= set("".join(seen)))


def test_output_of_programs_comes_before_the_reply(server: ForkServer) -> None:
    kernel = server.start()
    for _ in range(20):
        assert kernel.text("import subprocess; subprocess.run(['seq', '100']);") == "".join(f"{n}\n" for n in range(1, 101))


def test_how_a_kernel_ended_is_reported(server: ForkServer) -> None:
    def ended(code: str) -> dict[str, int]:
        kernel = server.start()
        kernel.execute(code)
        return server.exit(kernel)

    assert ended("import os; os._exit(3)") == {"status": 3}
    assert ended("import os; os._exit(0)") == {"status": 0}
    assert ended("import os; os.kill(os.getpid(), 9)") == {"signal": 9}
    assert ended("import ctypes; ctypes.string_at(0)") == {"signal": signal.SIGSEGV}
    assert ended("import os; os.abort()") == {"signal": signal.SIGABRT}
    kernel = server.start()
    assert "SystemExit" in kernel.text("import sys; sys.exit(3)")
    assert kernel.text("1") == "1"
    kernel.send("shutdown_request", {"restart": False}, socket=kernel.control)
    assert server.exit(kernel) == {"status": 0}


def test_a_missing_directory_fails_only_the_kernel(server: ForkServer, tmp_path: Path) -> None:
    kernel = server.ask(tmp_path / "nowhere")
    assert server.exit(kernel) == {"status": 1}
    log = kernel.read_log()
    assert "nowhere" in log and "FileNotFoundError" in log


def test_an_invalid_request_is_logged_and_ignored(server: ForkServer) -> None:
    assert server.process.stdin
    server.process.stdin.write(b'nonsense\n{"id": 1}\n[]\n\n')
    server.process.stdin.flush()
    assert server.start().text("1 + 1") == "2"
    assert server.log.count("not a request") == 4


def test_many_are_forked_while_others_start(server: ForkServer) -> None:
    before = len(server.kernels)
    kernels = [Forked(server.directory, server.directory, server.env) for _ in range(8)]
    server.kernels += kernels
    server.send(*(kernel.request(before + n) for n, kernel in enumerate(kernels, 1)))
    for n, kernel in enumerate(kernels, 1):
        kernel.pid = server.next(lambda reply: reply.get("id") == before + n)["pid"]
    for kernel in kernels:
        kernel.wait_until_ready()
        assert kernel.value("__import__('os').getpid()") == kernel.pid
        assert parent_of(kernel.pid) == server.process.pid


def test_missing_modules_are_skipped_and_failing_ones_are_reported(
    servers: Callable[..., ForkServer], tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("print('partly')\n1 / 0")
    (tmp_path / "lacking.py").write_text("import not_there_either")
    server = servers("not_there,not.there,broken,lacking,json", PYTHONPATH=str(tmp_path))
    lines = [line for line in server.log.splitlines() if "not preloaded" in line]
    assert [line.split()[0] for line in lines] == ["broken", "lacking"]
    assert "ZeroDivisionError" in lines[0] and "not_there_either" in lines[1]
    # The output of the module is not a reply.
    assert "partly" in server.log
    kernel = server.start()
    assert kernel.text("1 + 1") == "2"
    assert "Error" not in kernel.read_log()


def test_nothing_is_imported_from_the_working_directory(servers: Callable[..., ForkServer]) -> None:
    server = servers("numpy")
    (server.directory / "random.py").write_text("raise SystemExit('the wrong one')")
    (server.directory / "neighbour.py").write_text("here = True")
    kernel = server.start()
    assert kernel.value("__import__('neighbour').here") is True


def test_the_end_of_input_ends_the_fork_server_but_not_its_kernels(servers: Callable[..., ForkServer]) -> None:
    server = servers()
    kernel = server.start()
    assert server.process.stdin
    server.process.stdin.close()
    assert server.process.wait(HANG) == 0
    assert kernel.text("1 + 1") == "2"


def test_kernels_outlive_a_killed_fork_server(servers: Callable[..., ForkServer]) -> None:
    server = servers()
    kernel = server.start()
    server.process.send_signal(signal.SIGINT)
    assert server.start().text("1 + 1") == "2"
    server.process.kill()
    server.process.wait()
    assert kernel.text("1 + 1") == "2"


def test_an_interrupt_reaches_the_code_of_a_forked_kernel(server: ForkServer) -> None:
    kernel = server.start()
    # Not a sleep: Python misses a signal that arrives just before it begins to sleep.
    request = kernel.execute("print('began')\nwhile True: pass")
    for message in (messages := kernel.messages(request)):
        if message["type"] == "stream":
            os.kill(kernel.pid, signal.SIGINT)
            break
    assert any(m["content"].get("ename") == "KeyboardInterrupt" for m in list(messages))
    assert kernel.text("1 + 1") == "2"


def test_processes_threads_and_libraries_work_in_a_fork(server: ForkServer) -> None:
    kernel = server.start()
    code = """
import asyncio, multiprocessing, os, subprocess, sys, threading
import numpy
matrix = numpy.random.rand(400, 400)
print(numpy.allclose(matrix @ numpy.linalg.inv(matrix), numpy.eye(400)))
with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(abs, [-1, -2]))
with multiprocessing.get_context("spawn").Pool(1) as pool: print(pool.map(abs, [-3]))
print(subprocess.check_output([sys.executable, "-c", "print(4)"]).decode().strip())
print(threading.current_thread() is threading.main_thread())
await asyncio.sleep(0)
thread = threading.Thread(target=print, args=("in a thread",)); thread.start(); thread.join()
print(await asyncio.to_thread(lambda: "to a thread"))
"""
    assert kernel.text(code).split("\n") == [
        "True", "[1, 2]", "[3]", "4", "True", "in a thread", "to a thread", "",
    ]  # fmt: skip


def test_exit_functions_run_in_their_kernel_only(servers: Callable[..., ForkServer], tmp_path: Path) -> None:
    """Exit functions registered in the kernel run at its end, not at that of the fork server."""
    server = servers()
    kernel = server.start()
    kernel.run(f"import atexit; atexit.register(lambda: open({str(tmp_path / 'done')!r}, 'a').write('x'))")
    kernel.send("shutdown_request", {"restart": False}, socket=kernel.control)
    assert server.exit(kernel) == {"status": 0}
    assert server.process.stdin
    server.process.stdin.close()
    assert server.process.wait(HANG) == 0
    assert (tmp_path / "done").read_text() == "x"


def test_an_idle_kernel_uses_little_memory(server: ForkServer) -> None:
    kernel = server.start()

    def is_small() -> bool:
        rollup = Path(f"/proc/{kernel.pid}/smaps_rollup").read_text()
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
        return sizes["Private_Dirty"] + sizes["Private_Clean"] < 35 * 1024

    wait(is_small)


#: The properties of the process that code can observe.
SEEN = """
import atexit, asyncio, builtins, faulthandler, gc, json, locale, logging, multiprocessing, os, random, re, resource, signal, sys
import tempfile, threading, time, warnings
ip = get_ipython()
print(json.dumps({
    "names": sorted(globals()),
    "In": In, "Out": repr(Out), "_ih": _ih, "_dh": [str(d) for d in _dh], "count": ip.execution_count,
    "history": ip.history_manager.session_number, "history enabled": ip.history_manager.enabled,
    "sys.path": sys.path, "cwd": os.getcwd(), "PWD": os.path.realpath("."), "argv": sys.argv, "orig_argv": sys.orig_argv,
    "environ": dict(os.environ), "umask": os.umask(0o22),
    "threads": sorted(t.name for t in threading.enumerate()), "main": threading.current_thread().name,
    "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
    "flags": repr(sys.flags), "executable": sys.executable, "prefix": [sys.prefix, sys.exec_prefix, sys.base_prefix],
    "warnings": sorted(map(repr, set(warnings.filters))),
    "signals": {s.name: str(signal.getsignal(s)).split(" at ")[0] for s in signal.valid_signals() if isinstance(s, signal.Signals)},
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "wakeup": signal.set_wakeup_fd(-1) >= 0,
    "locale": [locale.getlocale(), locale.setlocale(locale.LC_ALL), locale.getpreferredencoding()],
    "config": repr(ip.config), "class": repr(type(ip)), "magics": sorted(ip.magics_manager.magics["line"]),
    "events": {name: len(callbacks) for name, callbacks in ip.events.callbacks.items()},
    "colors": ip.colors, "dir": ip.profile_dir.location,
    "main module": sorted(vars(sys.modules["__main__"])) == sorted(globals()), "name": __name__,
    "spec": repr(sys.modules["__main__"].__spec__), "file": "__file__" in globals(),
    "fault": faulthandler.is_enabled(), "loggers": [repr(h) for h in logging.getLogger().handlers],
    "level": logging.getLogger().level, "recursion": sys.getrecursionlimit(), "switch": sys.getswitchinterval(),
    "streams": [type(sys.__stdout__).__name__, sys.__stdout__.encoding, sys.__stdout__.line_buffering,
                sys.__stderr__.line_buffering, sys.__stdin__.fileno(), sys.__stdin__.encoding, sys.__stdout__.fileno()],
    "excepthook": repr(sys.excepthook).split(" at ")[0], "displayhook": type(sys.displayhook).__name__,
    "limits": [resource.getrlimit(n) for n in range(16)], "nice": os.nice(0), "affinity": sorted(os.sched_getaffinity(0)),
    "leader": os.getpid() == os.getsid(0) == os.getpgrp(), "tempdir": tempfile.gettempdir(),
    "multiprocessing": [multiprocessing.get_start_method(), multiprocessing.current_process().name, multiprocessing.parent_process()],
    "policy": type(asyncio.get_event_loop_policy()).__name__, "loop": type(asyncio.get_running_loop()).__name__,
    "tracing": [sys.gettrace(), sys.getprofile()], "builtins": sorted(vars(builtins)), "young": time.process_time() < 60,
    "bytecode": [sys.dont_write_bytecode, sys.pycache_prefix], "hooks": len(sys.meta_path), "path hooks": len(sys.path_hooks),
    "linesep": os.linesep, "tty": [sys.stdout.isatty(), sys.stderr.isatty()],
}, default=repr))
"""


def test_a_forked_kernel_looks_like_one_started_by_exec(server: ForkServer, tmp_path: Path) -> None:
    mark = {MARK: "host/the-same"}
    spawned = Spawned(server.directory, cwd=tmp_path, **mark)
    forked = Forked(server.directory, tmp_path, server.env)
    forked.env |= mark
    server.kernels.append(forked)
    server.send(forked.request(len(server.kernels)))
    forked.pid = server.next(lambda reply: reply.get("id") == len(server.kernels))["pid"]
    forked.wait_until_ready()
    imports = "import numpy, pandas, matplotlib.pyplot"
    options = "[pandas.get_option(f'display.{name}') for name in ('max_columns', 'width', 'max_rows', 'min_rows')]"
    try:
        seen = []
        for kernel in (spawned, forked):
            # In addition to `sys.modules`, the effects of importing these modules.
            kernel.run(imports, silent=True)
            words = kernel.text(SEEN).replace(str(kernel.connection_file), "CONNECTION")
            seen.append(json.loads(words) | {"pandas": kernel.value(options)})
        assert seen[0].keys() == seen[1].keys()
        assert {key: (seen[0][key], seen[1][key]) for key in seen[0] if seen[0][key] != seen[1][key]} == {}
        assert {**spawned.info, "banner": ""} == {**forked.wait_until_ready(), "banner": ""}  # Which ends in a tip.
    finally:
        spawned.close()
