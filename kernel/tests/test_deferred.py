"""A kernel that learns its directory late: which of its threads are isolated, and that one with a thread that is not refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from client import PYTHON

PRELUDE = """
import json, os, queue, sys, threading
import zmq
from code_interpreter_kernel import deferred, isolation

own, secret, directory = sys.argv[1:]
policy = isolation.Policy(isolated=True, network=False, directory=own)
isolation.enter(policy)
deferred.begin(policy)

def is_open(path=secret):
    try:
        os.close(os.open(path, os.O_RDONLY))
        return True
    except PermissionError:
        return False

def in_thread(function):
    results = queue.Queue()
    thread = threading.Thread(target=lambda: results.put(function()))
    thread.start()
    thread.join()
    return results.get()

def threads():
    return len(os.listdir("/proc/self/task"))
"""


def run(tmp_path: Path, code: str) -> list[object]:
    """Each value that the code appends to `found`."""
    for name in ("own", "directory", "secret"):
        (tmp_path / name).mkdir()
    arguments = [str(tmp_path / name) for name in ("own", "secret", "directory")]
    code = f"{PRELUDE}\nfound = []\n{code}\nprint(json.dumps(found))"
    process = subprocess.run([PYTHON, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, process.stderr
    return list(json.loads(process.stdout))


def test_threads_are_isolated_before_the_main_thread(tmp_path: Path) -> None:
    code = """
found += [is_open(), in_thread(is_open), in_thread(lambda: in_thread(is_open)), in_thread(lambda: is_open("/etc/passwd"))]
deferred.enter(directory)
found += [is_open(), is_open(directory), is_open("/etc/passwd"), in_thread(is_open), in_thread(lambda: is_open(directory))]
"""
    assert run(tmp_path, code) == [True, False, False, True, False, True, True, False, True]


def test_threads_of_zeromq_are_isolated(tmp_path: Path) -> None:
    code = """
before = threads()
context = zmq.Context()
socket = context.socket(zmq.PAIR)
found.append(threads() - before)
deferred.enter(directory)
found.append(is_open())
socket.close()
context.term()
"""
    assert run(tmp_path, code) == [2, False]


def test_a_thread_that_started_otherwise_is_noticed(tmp_path: Path) -> None:
    code = """
import _thread
wait = threading.Lock()
wait.acquire()
_thread.start_new_thread(wait.acquire, ())
found.append(in_thread(is_open))
try:
    deferred.enter(directory)
except RuntimeError as error:
    found.append(str(error))
"""
    assert run(tmp_path, code) == [False, "1 threads are not isolated"]


def test_a_directory_behind_a_link_is_refused(tmp_path: Path) -> None:
    code = """
os.symlink("/etc", f"{directory}/link")
for path in (f"{directory}/link", f"{directory}/none", directory):
    try:
        deferred.enter(path)
    except (OSError, RuntimeError) as error:
        found.append(type(error).__name__)
"""
    # It waits for its directory once only.
    assert run(tmp_path, code) == ["OSError", "RuntimeError", "RuntimeError"]


def test_a_failing_start_fails_where_it_was_asked_for(tmp_path: Path) -> None:
    code = """
context = zmq.Context()
context.max_sockets = 1
first = context.socket(zmq.PAIR)
try:
    context.socket(zmq.PAIR)
except zmq.ZMQError as error:
    found.append(type(error).__name__)
first.close()
"""
    assert run(tmp_path, code) == ["ZMQError"]
