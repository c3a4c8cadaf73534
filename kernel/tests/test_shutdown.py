"""The shutdown of a kernel: exit functions run, objects are finalized, and the process ends soon."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from client import Spawned
from conftest import Kept, alive, wait
from test_fork_server import PRELOAD, ForkServer

#: Longer than any shutdown takes.
HANG = 60

#: Each piece of code creates a file with its name, and writes to it at the kernel's end.
LEFT = {
    "atexit": "import atexit; atexit.register(mark, 'atexit')",
    "atexit_after_errors": "atexit.register(mark, 'atexit_after_errors'); atexit.register(lambda: 1 / 0); atexit.register(sys.exit, 3)",
    "finalize": "import weakref\nclass W: pass\nw = W(); weakref.finalize(w, mark, 'finalize')",
    "object": "o = Object('object')",
    "object_in_a_cycle": "c = W(); c.self = c; c.object = Object('object_in_a_cycle')",
    "object_in_a_list": "l = [Object('object_in_a_list')]",
    "object_in_an_exception": "try: 1 / 0\nexcept Exception as e: error = e; error.object = Object('object_in_an_exception')",
    "object_of_a_library": "import json; json.object = Object('object_of_a_library')",
    "object_of_a_function": "import functools\n@functools.cache\ndef cached(): return Object('object_of_a_function')\ncached();",
    "result": "Object('result')",
    "file": "f1 = open(path('file'), 'w'); f1.write('x')",
    "binary_file": "f2 = open(path('binary_file'), 'wb'); f2.write(b'x')",
    "file_of_a_library": "json.file = open(path('file_of_a_library'), 'w'); json.file.write('x')",
    "gzip": "import gzip; f3 = gzip.open(path('gzip'), 'wt'); f3.write('x')",
    "gzip_of_a_library": "json.gzip = gzip.open(path('gzip_of_a_library'), 'wt'); json.gzip.write('x')",
    "zip": "import zipfile; f4 = zipfile.ZipFile(path('zip'), 'w'); f4.writestr('a', 'x')",
    "zip_of_a_library": "json.zip = zipfile.ZipFile(path('zip_of_a_library'), 'w'); json.zip.writestr('a', 'x')",
    "memory_handler": """
import logging.handlers
logging.getLogger('l').addHandler(logging.handlers.MemoryHandler(100, target=logging.FileHandler(path('memory_handler'))))
logging.getLogger('l').error('x')""",
    "stdio": """
import ctypes; c = ctypes.CDLL(None); c.fopen.restype = ctypes.c_void_p; c.fputs.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
c.fputs(b'x', c.fopen(path('stdio').encode(), b'w'));""",
    "generator": "def g(name):\n  try: yield\n  finally: mark(name)\ng1 = g('generator'); next(g1)",
    "generator_of_a_library": "json.generator = g('generator_of_a_library'); next(json.generator)",
    "thread": """
import threading, time
def run():
    try: time.sleep(0.2)
    finally: mark('thread')
threading.Thread(target=run).start()""",
    "executor": "from concurrent.futures import ThreadPoolExecutor\nfor s in (0.2, 0): ThreadPoolExecutor(1).submit(lambda s=s: [time.sleep(s), mark('executor')])",
    "module": "import of_user",
    "module_file": "",
    "module_generator": "",
    "child": "import subprocess\np = subprocess.Popen(['sh', '-c', f\"echo up; trap 'echo x > {path('child')}; exit' TERM; while :; do sleep .01; done\"], stdout=subprocess.PIPE); p.stdout.readline();",
}  # fmt: skip

BEGINNING = """
import os, sys
def path(name): return os.path.join({directory!r}, name)
def mark(name):
    with open(path(name), 'w') as file: file.write('x')
class Object:
    def __init__(self, name): self.name = name
    def __del__(self): mark(self.name)
"""

OF_USER = """
import os
def path(name): return os.path.join({directory!r}, name)
class Object:
    def __del__(self):
        with open(path("module"), "w") as file: file.write("x")
held = Object()
file = open(path("module_file"), "w"); file.write("x")
def g():
    try: yield
    finally: open(path("module_generator"), "w").write("x")
generator = g(); next(generator)
"""


@pytest.fixture
def fork_server(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> ForkServer:
    return kept.get(lambda: ForkServer(tmp_path_factory.mktemp("forks"), PRELOAD))


@pytest.fixture(params=["forked", "spawned"])
def start(request: pytest.FixtureRequest, fork_server: ForkServer, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts kernels by fork or by exec."""
    spawned: list[Spawned] = []

    def start() -> Any:
        if request.param == "forked":
            return fork_server.start(tmp_path)
        spawned.append(Spawned(tmp_path))
        return spawned[-1]

    yield start
    for kernel in spawned:
        kernel.close()


def end(kernel: Any) -> None:
    """Sends a `shutdown_request` and waits for the end."""
    kernel.send("shutdown_request", {"restart": False}, socket=kernel.control)
    wait_for_end(kernel)


def wait_for_end(kernel: Any) -> None:
    try:
        descriptor = os.pidfd_open(kernel.pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], HANG)[0], "it has not ended"
    finally:
        os.close(descriptor)


def test_objects_and_exit_functions_of_code_are_finalized(start: Callable[[], Any], tmp_path: Path) -> None:
    directory = tmp_path / "left"
    directory.mkdir()
    (tmp_path / "of_user.py").write_text(OF_USER.format(directory=str(directory)))
    kernel = start()
    kernel.run(BEGINNING.format(directory=str(directory)))
    for name, code in LEFT.items():
        assert "Error" not in kernel.text(code), name
    end(kernel)
    done = {file.name for file in directory.iterdir() if file.stat().st_size > 0}
    assert set(LEFT) - done == set()


def test_temporary_files_and_directories_are_removed(start: Callable[[], Any], tmp_path: Path) -> None:
    directory = tmp_path / "temporary"
    directory.mkdir()
    kernel = start()
    kernel.run(f"import tempfile, json; a = tempfile.TemporaryDirectory(dir={str(directory)!r})")
    kernel.run(f"b = tempfile.NamedTemporaryFile(dir={str(directory)!r}); json.c = tempfile.NamedTemporaryFile(dir={str(directory)!r})")
    assert len(list(directory.iterdir())) == 3
    end(kernel)
    assert list(directory.iterdir()) == []


def test_output_at_exit_is_sent_and_the_request_is_answered(start: Callable[[], Any]) -> None:
    kernel = start()
    kernel.run("import atexit, sys; atexit.register(print, 'at exit')")
    kernel.run("class P:\n  def __del__(self): print('finalized', file=sys.stderr)\np = P()")
    request = kernel.send("shutdown_request", {"restart": False}, socket=kernel.control)
    awaited = {"at exit", "finalized", "idle"}
    while awaited:
        assert kernel.iopub.poll(HANG * 1000), f"not heard: {awaited}"
        message = kernel._parse(kernel.iopub.recv_multipart(), "iopub")
        if message["type"] == "stream":
            awaited -= set(message["content"]["text"].splitlines())
        elif message["parent"] == request:
            awaited.discard(message["content"].get("execution_state"))
    assert kernel.control.poll(HANG * 1000)
    reply = kernel._parse(kernel.control.recv_multipart(), "control")
    assert reply["type"] == "shutdown_reply" and reply["content"]["status"] == "ok"
    wait_for_end(kernel)


def test_the_last_output_is_sent(start: Callable[[], Any]) -> None:
    kernel = start()
    size = 3 << 20
    assert kernel.text(f"print('x' * {size}); exit()") == "x" * size + "\n"
    wait_for_end(kernel)


@pytest.mark.parametrize(
    "code",
    [
        "import builtins, sys, os\nsys.stdout = sys.stderr = None",
        "import sys, atexit\ndel sys.modules['json'], sys.stdout; atexit.unregister = None; threading = atexit._run_exitfuncs = None",
        "class M(type):\n  def __getattribute__(cls, name): raise RuntimeError('no')\nclass C(metaclass=M): pass\nc = C()",
        "class F:\n  @property\n  def __class__(self): raise RuntimeError('no')\nf = [F()]",
        "class D:\n  def __del__(self): raise SystemExit(3)\nimport json; json.d = D(); d = D()",
        "import io\nclass B(io.RawIOBase):\n  def close(self): raise KeyboardInterrupt\nimport json; json.b = B()",
        "import os; os.close(1); os.close(2)",
        "import os; os.closerange(3, 30)",
    ],
)
def test_a_kernel_ends_whatever_code_has_done(start: Callable[[], Any], tmp_path: Path, code: str) -> None:
    kernel = start()
    done = tmp_path / "done"
    kernel.execute(f"{code}\nopen({str(done)!r}, 'w').close()")
    # libzmq aborts the process when it finds its descriptors closed.
    wait(lambda: done.exists() or not alive(kernel.pid))
    end(kernel)


def test_a_child_that_ignores_sigterm_is_killed(start: Callable[[], Any]) -> None:
    kernel = start()
    pid = int(kernel.text("""
import subprocess
p = subprocess.Popen(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"], stdout=subprocess.PIPE)
p.stdout.readline(); print(p.pid)
"""))
    descriptor = os.pidfd_open(pid)
    end(kernel)
    assert select.select([descriptor], [], [], HANG)[0], "it lives"
    os.close(descriptor)


def test_exit_handlers_of_libraries_that_code_has_loaded_run(start: Callable[[], Any], tmp_path: Path) -> None:
    source = tmp_path / "library.c"
    source.write_text("""
#include <stdio.h>
#include <stdlib.h>
static char path[1000];
static void done(void) { fclose(fopen(path, "w")); }
void prepare(const char *name) { snprintf(path, sizeof path, "%s", name); atexit(done); }
""")
    library = tmp_path / "library.so"
    compiler = next((name for name in ("cc", "gcc", "clang") if any(os.access(f"{d}/{name}", os.X_OK) for d in os.get_exec_path())), None)
    assert compiler, "there is no C compiler; Swift brings one"
    assert os.spawnlp(os.P_WAIT, compiler, compiler, "-shared", "-fPIC", "-o", str(library), str(source)) == 0
    kernel = start()
    done = tmp_path / "done"
    kernel.run(f"import ctypes; ctypes.CDLL({str(library)!r}).prepare({str(done)!r}.encode())")
    end(kernel)
    assert done.exists()


def test_a_forked_child_of_code_that_ends_does_not_end_the_kernel(start: Callable[[], Any]) -> None:
    kernel = start()
    kernel.run("import os\nif (pid := os.fork()) == 0: os._exit(0)\nos.waitpid(pid, 0)")
    assert kernel.text("1 + 1") == "2"
    os.kill(kernel.pid, signal.SIGKILL)
    wait_for_end(kernel)
