"""Programs that code starts: their standard input, their output, and interrupts."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from client import Spawned, text
from conftest import Kept, alive, wait


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Spawned]:
    kernel = Spawned(tmp_path)
    yield kernel
    kernel.close()


@pytest.fixture
def shared(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Spawned:
    return kept.get(lambda: Spawned(tmp_path_factory.mktemp("kernel")))


def status(messages: list[dict[str, Any]]) -> str:
    (content,) = [m["content"] for m in messages if m["type"] == "execute_reply"]
    return content["status"] if content["status"] == "ok" else content["ename"]


WAYS = {
    "!": "!{}",
    "! in code": "if True:\n    !{}",
    "assigned": "lines = !{}",
    "!!": "!!{}",
    "%system": "%system {}",
    "%sx": "%sx {}",
    "%%system": "%%system\n{}",
    "%%bash": "%%bash\n{}",
    "%%sh": "%%sh --no-raise-error\n{}",
    "%%script": "%%script bash --out captured\n{}",
    "system": "get_ipython().system({!r})",
    "system_raw": "get_ipython().system_raw({!r})",
    "getoutput": "get_ipython().getoutput({!r})",
    "os.system": "import os; os.system({!r})",
    "os.popen": "import os; os.popen({!r}).read()",
    "subprocess": "import subprocess; subprocess.run({!r}, shell=True)",
    "in await": "await __import__('asyncio').sleep(0); get_ipython().system({!r})",
}


#: Who is told of an interrupt. These two leave it to the group to tell the child, as in any Python.
TOLD = [(way, told) for way in WAYS for told in ("group", "process") if told == "group" or way not in ("os.popen", "subprocess")]


@pytest.mark.parametrize(("way", "told"), TOLD)
def test_an_interrupt_of_a_command_ends_the_cell(shared: Spawned, tmp_path: Path, way: str, told: str) -> None:
    pid = tmp_path / "pid"
    command = f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 3604"
    code = WAYS[way].format(command)
    went_on = tmp_path / "went-on"
    if not code.startswith("%%"):
        code += f"\nopen({str(went_on)!r}, 'w').close()"
    request = shared.execute(code, stop_on_error=False)
    wait(pid.exists)
    # The shell becomes the program.
    wait(lambda: Path(f"/proc/{int(pid.read_text())}/cmdline").read_bytes().startswith(b"sleep"))
    if told == "group":
        os.killpg(shared.pid, signal.SIGINT)
    else:
        os.kill(shared.pid, signal.SIGINT)
    messages = list(shared.messages(request))
    assert status(messages) == "KeyboardInterrupt", text(messages)
    assert len([m for m in messages if m["type"] == "error"]) == 1
    assert not went_on.exists()
    wait(lambda: not alive(int(pid.read_text())))
    assert shared.text("6 * 7") == "42"


#: The next program is interrupted when it runs already and the code that starts it does not know that yet.
INTERRUPTED_START = """
import os, signal
from code_interpreter_kernel.system import System
popen = System.popen

def interrupted(*arguments, **options):
    process = popen(*arguments, **options)
    open({!r}, "w").write(str(process.pid))
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100):
        "Python raises an interrupt at a jump."
    return process

System.popen = staticmethod(interrupted)
"""


@pytest.mark.parametrize("way", ["!", "!!", "system_raw", "os.system"])
def test_an_interrupt_ends_a_program_that_is_just_being_started(kernel: Spawned, tmp_path: Path, way: str) -> None:
    pid = tmp_path / "pid"
    assert status(list(kernel.messages(kernel.execute(INTERRUPTED_START.format(str(pid)))))) == "ok"
    messages = kernel.run(WAYS[way].format("exec sleep 3605"), stop_on_error=False)
    assert status(messages) == "KeyboardInterrupt", text(messages)
    wait(lambda: not alive(int(pid.read_text())))


@pytest.mark.parametrize("command", ["!true", "lines = !true", "__import__('os').system('true')", "get_ipython().run_cell_magic('bash', '', 'true')"])
def test_a_loop_of_commands_is_interrupted(kernel: Spawned, command: str) -> None:
    for _ in range(5):
        request = kernel.execute(f"print('began')\nwhile True:\n    {command}", stop_on_error=False)
        done = threading.Event()

        def interrupt() -> None:
            # As the server does: repeatedly, until the execution has ended.
            while not done.wait(1):
                os.killpg(kernel.pid, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            messages = list(kernel.messages(request))
        finally:
            done.set()
            thread.join()
        assert status(messages) == "KeyboardInterrupt"
    assert kernel.text("6 * 7") == "42"


def test_a_command_that_ignores_interrupts_is_killed(kernel: Spawned, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    request = kernel.execute(f"!trap '' INT TERM; echo $$ >{pid}; while true; do sleep 0.1; done", stop_on_error=False)
    wait(lambda: pid.exists() and pid.read_text())
    os.killpg(kernel.pid, signal.SIGINT)
    assert status(list(kernel.messages(request))) == "KeyboardInterrupt"
    wait(lambda: not alive(int(pid.read_text())))


def test_a_command_may_clean_up_when_it_is_interrupted(kernel: Spawned) -> None:
    request = kernel.execute("!trap 'echo cleaned; exit 0' INT; echo began; while true; do sleep 0.1; done", stop_on_error=False)
    messages = []
    for message in kernel.messages(request):
        messages.append(message)
        if message["type"] == "stream" and "began" in message["content"]["text"]:
            os.killpg(kernel.pid, signal.SIGINT)
    assert status(messages) == "KeyboardInterrupt"
    assert "cleaned\n" in text(messages)


@pytest.mark.parametrize("way", WAYS)
def test_programs_read_an_empty_standard_input(shared: Spawned, way: str) -> None:
    # Standard input would otherwise be the script itself.
    command = "cat; echo read" if not way.startswith("%%") or way == "%%system" else "cat </dev/null; echo read"
    request = shared.execute(WAYS[way].format(command) if way != "!!" else f"!!{command}")
    assert status(list(shared.messages(request))) == "ok"


@pytest.mark.parametrize(
    "code",
    ["import sys; print(repr(sys.stdin.read()))", "import subprocess; print(repr(subprocess.run('cat', capture_output=True, text=True).stdout))",
     "import os; print(repr(os.read(0, 10).decode()))"],
)  # fmt: skip
def test_code_reads_an_empty_standard_input(tmp_path: Path, code: str) -> None:
    # Whatever standard input the kernel was started with.
    reading, writing = os.pipe()
    kernel = Spawned(tmp_path, stdin=reading)
    try:
        assert text(list(kernel.messages(kernel.execute(code)))) == "''\n"
        messages = kernel.run("input('name? ')", stop_on_error=False, allow_stdin=False)
        assert status(messages) == "StdinNotImplementedError"
    finally:
        kernel.close()
        os.close(reading)
        os.close(writing)


def test_code_sees_no_command_line_arguments(shared: Spawned) -> None:
    assert shared.value("__import__('sys').argv") == [""]
    code = "import argparse\np = argparse.ArgumentParser(); p.add_argument('--n', type=int, default=5)\nprint(p.parse_args().n)"
    assert shared.text(code) == "5\n"


def test_a_command_writes_as_to_a_terminal(shared: Spawned) -> None:
    assert shared.text("!echo out; echo err >&2; printf '\\303\\244\\n'") == "out\nerr\nä\n"
    assert shared.text("!python3 -c 'import sys; print(sys.stdout.isatty(), sys.stdin.isatty())'") == "True False\n"
    assert shared.text("name = 'x y'\n!echo {name} $name") == "x y x y\n"
    assert shared.text("with __import__('contextlib').redirect_stdout(__import__('io').StringIO()) as f:\n    !echo caught\nprint(f.getvalue().upper())") == "CAUGHT\n\n"
    assert shared.text("%%capture c\n!echo caught") == "" and shared.text("print(c.stdout)") == "caught\n\n"
    lines = shared.text("!seq 100000").split()
    assert lines == [str(n) for n in range(1, 100001)]


def test_lines_of_a_command_arrive_while_it_runs(shared: Spawned, tmp_path: Path) -> None:
    # A program buffers its output when it writes to a pipe.
    seen = tmp_path / "seen"
    wait_for_it = f"[time.sleep(0.01) for _ in iter(lambda: os.path.exists({str(seen)!r}), True)]"
    request = shared.execute(f'!python3 -c "import os, time; print(1); {wait_for_it}; print(2)"')
    shown = ""
    for message in shared.messages(request):
        if message["type"] == "stream":
            shown += message["content"]["text"]
            seen.touch()
    assert shown.split() == ["1", "2"]


def test_the_exit_status_of_a_command_is_reported(shared: Spawned) -> None:
    for command, code in (("true", 0), ("exit 5", 5), ("kill -9 $$", -9), ("exit 137", -9), ("no-such-program", 127)):
        shared.run(f"!{command}")
        assert shared.value("_exit_code") == code, command
    assert shared.value("get_ipython().getoutput('echo a; echo b >&2')") == ["a", "b"]
    assert shared.value("get_ipython().getoutput('echo a', split=False)") == "a\n"
    shared.run("import os")
    for command in ("true", "exit 5", "kill -9 $$", "kill -2 $$"):
        assert shared.value(f"[os.system({command!r}), os.waitstatus_to_exitcode(os.system({command!r}))]") == \
            [os.system(command), os.waitstatus_to_exitcode(os.system(command))]  # fmt: skip
    assert shared.value("os.system(b'exit 3')") == 3 << 8
    assert "CalledProcessError" in shared.text("get_ipython().system_raise_on_error = True\n!false")
    assert "CalledProcessError" in shared.text("x = !false")
    shared.run("get_ipython().system_raise_on_error = False")
    assert "Background processes not supported" in shared.text("!sleep 1 &")


def test_background_processes_of_a_command_are_not_waited_for(shared: Spawned, tmp_path: Path) -> None:
    began = time.monotonic()
    assert "started" in shared.text("!sleep 90 & echo started")
    assert time.monotonic() - began < 90


def test_a_command_that_cannot_be_started_is_an_error(shared: Spawned) -> None:
    assert status(shared.run("!echo \0", stop_on_error=False)) == "ValueError"
    assert status(shared.run("import os; os.system('echo ' + 'x' * 200_000)", stop_on_error=False)) == "OSError"
    assert shared.text("!echo on") == "on\n"


def test_commands_leave_no_descriptors(shared: Spawned) -> None:
    count = "len(__import__('os').listdir('/proc/self/fd'))"
    shared.run("!true")
    before = shared.value(count)
    shared.run("for _ in range(5):\n    !true\n    lines = !true")
    assert shared.value(count) == before
