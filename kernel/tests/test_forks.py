"""Child processes that code forks: each ends where a child of a script would, and none becomes a second kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from client import Spawned, text
from conftest import HANG, Kept, alive, wait


@pytest.fixture
def kernel(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Spawned:
    return kept.get(lambda: Spawned(tmp_path_factory.mktemp("kernel")))


def children(kernel: Spawned) -> list[int]:
    """The live children that the kernel has forked."""
    pids = []
    for task in Path(f"/proc/{kernel.pid}/task").iterdir():
        pids += map(int, (task / "children").read_text().split())
    return [pid for pid in pids if alive(pid)]


def run(kernel: Spawned, code: str, **content: Any) -> list[dict[str, Any]]:
    """Runs code; checks that none of its children is left."""
    messages = kernel.run(code, stop_on_error=False, **content)
    wait(lambda: not children(kernel))
    # A child that is forked after the cell may print only now, or only the end of its line.
    assert kernel.text("6 * 7").replace("child", "").strip() == "42"
    return messages


def once(shown: str) -> bool:
    """Whether the child and the parent have each printed one word."""
    return shown.count("child") == shown.count("parent") == 1


END = """
import os
pid = os.fork()
if pid == 0:
    {}
else:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print('ended', code)
"""

ENDS = {
    "print('child')": 0,
    "pass": 0,
    "1 / 0": 1,
    "raise SystemExit": 0,
    "import sys; sys.exit()": 0,
    "import sys; sys.exit(7)": 7,
    "import sys; sys.exit('a reason')": 1,
    "exit()": 0,
    "exit(7)": 7,
    "quit()": 0,
    "raise KeyboardInterrupt": -2,
    "os._exit(9)": 9,
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()": 0,
}


@pytest.mark.parametrize("wait_first", [False, True], ids=["plain", "await"])
@pytest.mark.parametrize("code", ENDS)
def test_a_child_ends_where_its_code_ends(kernel: Spawned, code: str, wait_first: bool) -> None:
    cell = ("await __import__('asyncio').sleep(0)\n" if wait_first else "") + END.format(code)
    messages = run(kernel, cell)
    assert f"ended {ENDS[code]}" in text(messages), text(messages)
    (reply,) = [m["content"] for m in messages if m["type"] == "execute_reply"]
    assert reply["status"] == "ok"
    # The error of a child goes to its standard error, as for any program.
    assert not [m for m in messages if m["type"] == "error"]
    for shown in ("child", "a reason", "late"):
        assert text(messages).count(shown) == code.count(shown)
    assert ("ZeroDivisionError" in text(messages)) == ("1 / 0" in code)


def test_nothing_runs_after_the_exit_of_a_child(kernel: Spawned) -> None:
    code = "import os, sys\npid = os.fork()\nif pid == 0:\n    print('child'); {}\nos.waitpid(pid, 0); print('parent')"
    for exit in ("exit()", "quit()", "sys.exit()", "exit(3)"):
        assert once(text(run(kernel, code.format(exit))))


def test_a_child_that_is_not_waited_for_ends_too(kernel: Spawned) -> None:
    run(kernel, "import os\nif os.fork() == 0: print('child')")
    run(kernel, "import os\nfor _ in range(5): os.fork()")
    run(kernel, "import os\nif os.fork() == 0: raise ValueError")
    run(kernel, "await __import__('asyncio').sleep(0)\nif os.fork() == 0: print('child')")
    run(kernel, "pid, terminal = os.forkpty()\nif pid == 0: print('child')")


def test_a_child_continues_to_the_end_of_its_cell(kernel: Spawned) -> None:
    code = "import os\npid = os.fork()\nwho = 'parent' if pid else 'child'\nif pid: os.waitpid(pid, 0)\nprint(who)\nwho"
    messages = run(kernel, code)
    assert once(re.sub(r"'\w+'", "", text(messages)))
    nested = "get_ipython().run_cell('pid = os.fork()')\nif pid: os.waitpid(pid, 0)\nprint('child' if pid == 0 else 'parent')"
    assert once(text(run(kernel, nested)))


@pytest.mark.parametrize(
    "code",
    ["if os.fork() == 0: await asyncio.sleep(0); print('child')",
     "if os.fork() == 0: await asyncio.sleep(0.1); print('child')",
     "async def fork():\n    if os.fork() == 0: print('child')\nasyncio.create_task(fork()); await asyncio.sleep(0.2)",
     "asyncio.get_running_loop().call_later(0.05, lambda: os.fork() or print('child'))",
     "async def fork():\n    await asyncio.sleep(0.05)\n    if os.fork() == 0:\n        for _ in range(3): await asyncio.sleep(0)\n        print('child')\n"
     "task = asyncio.create_task(fork())",
     "__import__('threading').Thread(target=lambda: os.fork() or print('child')).start()",
     "get_ipython().events.register('post_run_cell', f := lambda result: (get_ipython().events.unregister('post_run_cell', f), os.fork()))"],
)  # fmt: skip
def test_a_child_that_is_forked_elsewhere_ends_too(kernel: Spawned, code: str) -> None:
    kernel.run("import asyncio, os, time")
    run(kernel, code)
    kernel.run("time.sleep(0.2)")
    run(kernel, "pass")


def test_exit_functions_run_once(tmp_path: Path) -> None:
    kernel = Spawned(tmp_path)
    done = tmp_path / "done"
    code = f"import atexit, os\ndef note(what): open({str(done)!r}, 'a').write(what + ' ')\natexit.register(note, 'kernel')"
    kernel.run(code)
    run(kernel, "if os.fork() == 0: atexit.register(note, 'child')")
    run(kernel, "if os.fork() == 0: atexit.register(note, 'child'); exit()")
    assert done.read_text() == "child child "
    kernel.execute("exit()")
    kernel.process.wait(HANG)
    assert done.read_text() == "child child kernel "
    kernel.close()


def test_processes_of_multiprocessing_and_subprocess_work(kernel: Spawned) -> None:
    kernel.run("import multiprocessing, subprocess, concurrent.futures, os\ncontext = multiprocessing.get_context('fork')\ndef square(n): return n * n")
    assert kernel.text("with context.Pool(2) as pool: print(pool.map(square, range(4)))") == "[0, 1, 4, 9]\n"
    assert kernel.text("with concurrent.futures.ProcessPoolExecutor(2, context) as pool: print(list(pool.map(square, range(4))))") == "[0, 1, 4, 9]\n"
    assert kernel.text("print(subprocess.run(['echo', 'x'], preexec_fn=os.getpid, capture_output=True, text=True).stdout)") == "x\n\n"
    process = "p = context.Process(target=lambda: (print('child'), exit(4))); p.start(); p.join(); print(p.exitcode)"
    shown = kernel.text(process)
    assert "child" in shown and "4" in shown
    run(kernel, "pass")
