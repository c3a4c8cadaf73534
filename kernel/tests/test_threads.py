"""Output of threads: it does not hang, and belongs to the execution that started the thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
from client import Spawned, text


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Spawned]:
    kernel = Spawned(tmp_path)
    kernel.run("import _thread, threading, time, traceback; from concurrent.futures import ThreadPoolExecutor")
    yield kernel
    kernel.close()


def test_nested_threads_do_not_hang(kernel: Spawned) -> None:
    code = """
def leaf(): print('x')
def branch(): t = threading.Thread(target=leaf); t.start(); t.join()
for _ in range(50): t = threading.Thread(target=branch); t.start(); t.join()
"""
    for _ in range(15):
        assert text(kernel.run(code)) == "x\n" * 50


STARTS = {
    "target": "threading.Thread(target=late).start()",
    "run": "class Worker(threading.Thread):\n    def run(self): late()\nWorker().start()",
    "timer": "threading.Timer(0.01, late).start()",
    "thread of a thread": "threading.Thread(target=lambda: threading.Thread(target=late).start()).start()",
    "pool": "pool = ThreadPoolExecutor(); pool.submit(late)",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_output_belongs_to_the_execution_that_started_the_thread(kernel: Spawned, start: str) -> None:
    kernel.run("go = threading.Event()\ndef late(): go.wait(); print('late'); said.set()")
    first = kernel.execute(f"said = threading.Event()\n{start}")
    list(kernel.messages(first))
    second = kernel.execute("print('second'); go.set(); said.wait(10); time.sleep(0.1)")
    seen: list[tuple[Any, str]] = []
    while not any(m == (second, "idle") for m in seen):
        assert kernel.iopub.poll(60_000)
        message = kernel._parse(kernel.iopub.recv_multipart(), "iopub")
        if message["type"] == "stream":
            seen.append((message["parent"], message["content"]["text"]))
        elif message["content"].get("execution_state") == "idle":
            seen.append((message["parent"], "idle"))
    assert "".join(said for parent, said in seen if parent == first) == "late\n"
    assert "".join(said for parent, said in seen if parent == second) == "second\nidle"


def test_a_thread_unknown_to_threading_may_print(kernel: Spawned) -> None:
    code = "done = _thread.allocate_lock(); done.acquire()\ndef work(): print('seen'); done.release()\n"
    assert text(kernel.run(f"{code}_thread.start_new_thread(work, ()); done.acquire(timeout=10);")) == "seen\n"


def test_a_traceback_of_a_thread_shows_no_internal_frames(kernel: Spawned) -> None:
    output = text(kernel.run("t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()"))
    assert "ZeroDivisionError" in output
    assert "code_interpreter_kernel" not in output


def test_a_thread_is_freed_with_its_last_reference(kernel: Spawned) -> None:
    code = """
import gc, weakref
gc.disable()
class Worker(threading.Thread):
    def run(self): pass
worker = Worker(); gone = weakref.ref(worker); worker.start(); worker.join(); del worker
print(gone()); gc.enable()
"""
    assert text(kernel.run(code)) == "None\n"


def test_a_thread_that_cannot_start_raises_and_is_unchanged(kernel: Spawned) -> None:
    code = """
def work(): print('work')
thread = threading.Thread(target=work); thread.start(); thread.join()
try: thread.start()
except RuntimeError as error: print(error)
print('run' in vars(thread))
"""
    assert text(kernel.run(code)) == "work\nthreads can only be started once\nFalse\n"
