"""One execution: its variables, and interrupts."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from client import Spawned, text
from conftest import Kept

SCOPED = "import os; print(os.environ.get('A'), os.environ.get('OLD'))"


@pytest.fixture
def shared(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Spawned:
    def make() -> Spawned:
        kernel = Spawned(tmp_path_factory.mktemp("kernel"), OLD="old")
        kernel.run("import os")
        return kernel

    return kept.get(make)


@pytest.fixture
def kernel(shared: Spawned) -> Iterator[Spawned]:
    """A kernel whose state a test must not change."""
    before = shared.value("[dict(__import__('os').environ), __import__('os').getcwd()]")
    yield shared
    assert shared.value("[dict(__import__('os').environ), __import__('os').getcwd()]") == before


def status(messages: list[dict[str, Any]]) -> str:
    """The status of the only reply."""
    (content,) = [m["content"] for m in messages if m["type"] == "execute_reply"]
    return content["status"] if content["status"] == "ok" else content["ename"]


def test_the_kernel_reports_its_features(kernel: Spawned) -> None:
    assert {"code_interpreter.env_vars", "code_interpreter.keeps_output"} <= set(kernel.info["supported_features"])


def test_variables_last_for_one_execution(kernel: Spawned) -> None:
    for code in (SCOPED, f"await __import__('asyncio').sleep(0)\n{SCOPED}"):
        assert kernel.text(code, {"env_vars": {"A": "new", "OLD": "other"}}) == "new other\n"
        assert kernel.text(SCOPED) == "None old\n"
    assert kernel.text(SCOPED, {"env_vars": {"A": "only"}}) == "only old\n"
    for nothing in ({}, {"env_vars": {}}, {"env_vars": None}):
        assert kernel.text(SCOPED, nothing) == "None old\n"
    assert kernel.text("!echo $A", {"env_vars": {"A": "x"}}).split() == ["x"]


@pytest.mark.parametrize("value", ["", " ", "a=b", "'\"\\$`\n\r\t\x01", "grün 🙂", "x" * 100_000], ids=repr)
def test_a_value_may_be_any_text(kernel: Spawned, value: str) -> None:
    assert kernel.text("print(ascii(os.environ['A']))", {"env_vars": {"A": value}}) == ascii(value) + "\n"
    assert kernel.text("print('A' in os.environ, os.getenv('A'))") == "False None\n"


@pytest.mark.parametrize(
    "code",
    [
        "1 / 0",
        "syntax error",
        "os.environ['A'] = os.environ['OLD'] = 'mine'",
        "del os.environ['A'], os.environ['OLD']; os.putenv('A', 'mine'); os.putenv('OLD', 'mine')",
        "os.environ.clear() if False else os.environ.pop('OLD')",
        "raise SystemExit(3)",
        "raise KeyboardInterrupt",
        "os.kill(os.getpid(), 2); __import__('time').sleep(9)",
        "await __import__('asyncio').sleep(0); os.kill(os.getpid(), 2); await __import__('asyncio').sleep(9)",
        "await __import__('asyncio').sleep(0); 1 / 0",
        "raise __import__('asyncio').CancelledError",
        "%env A=mine",
        "",
    ],
)
def test_variables_are_restored_whatever_code_does(kernel: Spawned, code: str) -> None:
    kernel.run("import subprocess")
    before = kernel.value("subprocess.check_output('echo $A/$OLD', shell=True).decode()")
    kernel.run(code, {"env_vars": {"A": "new", "OLD": "new"}}, stop_on_error=False)
    assert kernel.value("subprocess.check_output('echo $A/$OLD', shell=True).decode()") == before


def test_other_variables_that_code_sets_are_kept(kernel: Spawned) -> None:
    kernel.run("os.environ['B'] = 'stays'", {"env_vars": {"A": "goes"}})
    assert kernel.text("print(os.environ.pop('B'), os.environ.get('A'))") == "stays None\n"


def test_count_lines_and_magics_are_those_of_the_code(kernel: Spawned) -> None:
    scope = {"env_vars": {"A": "x"}}
    count = kernel.value("get_ipython().execution_count")
    assert "x" in kernel.text("%%bash\necho $A", scope)
    assert "line 3" in kernel.text("def f():\n  1\n  raise ValueError\nimport traceback\ntry: f()\n"
                                   "except ValueError: traceback.print_exc()", scope)  # fmt: skip
    assert kernel.text("from __future__ import annotations\nprint(1)", scope) == "1\n"
    assert kernel.value("get_ipython().execution_count") == count + 4
    assert kernel.value("In[-3]").startswith("from __future__")


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        ({"env_vars": {"A": "set", "B": "a\0b"}}, "ValueError"),
        ({"env_vars": {"A": "set", "": "x"}}, "OSError"),
        ({"env_vars": {"A": "set", "B=C": "x"}}, "ValueError"),
        ({"env_vars": {"A": "set", "B": 5}}, "TypeError"),
        ({"env_vars": {"A": "\ud800"}}, "UnicodeEncodeError"),
        ({"env_vars": ["A"]}, "AttributeError"),
    ],
)
def test_an_invalid_variable_is_an_error_and_the_code_does_not_run(kernel: Spawned, scope: Any, error: str) -> None:
    for code in ("print('ran')", "await __import__('asyncio').sleep(0); print('ran')", "%%time\nprint('ran')"):
        messages = kernel.run(code, scope, stop_on_error=False)
        if error == "ValueError" and "B=C" in str(scope):
            assert status(messages) in ("ValueError", "OSError")
        else:
            assert status(messages) == error
        assert not [m for m in messages if m["type"] == "stream"]
        assert len([m for m in messages if m["type"] == "error"]) == 1


def test_a_cell_is_transformed_once_each_time_it_is_run(kernel: Spawned) -> None:
    kernel.run("seen = []\nget_ipython().input_transformers_cleanup.append(lambda lines: seen.append(len(lines)) or lines)")
    for code in ("1 + 1", "await __import__('asyncio').sleep(0)", "%%time\n1", "get_ipython().run_cell('2')", "1 +"):
        kernel.run("seen.clear()", stop_on_error=False)
        kernel.run(code, stop_on_error=False)
        # The cell that counts is included, and nested cells are.
        assert kernel.value("len(seen)") == (3 if "run_cell" in code or "%%" in code else 2), code
    kernel.run("get_ipython().input_transformers_cleanup.pop()")


def test_what_a_cell_is_transformed_to_may_change(kernel: Spawned) -> None:
    for name, result in (("a", "1"), ("b", "2")):
        kernel.run(f"get_ipython().input_transformers_cleanup.append(lambda lines: ['print({result})' if 'marked' in lines[0] else lines[0]])")
        assert kernel.text("marked") == result + "\n"
        kernel.run("get_ipython().input_transformers_cleanup.pop()")
    assert kernel.text("await_ = 1\nprint(await_)") == "1\n"
    assert kernel.text("%autoawait False\nprint(1)") == "1\n"
    assert "SyntaxError" in kernel.text("await __import__('asyncio').sleep(0)")
    kernel.run("%autoawait True")
    assert kernel.text("print(await __import__('asyncio').sleep(0, 5))") == "5\n"


# Interrupts at a place that the kernel chooses.

AT = """
import os, signal
class At:
    '''A SIGINT that comes when a method of an object is called for the next time.'''
    def __init__(self, owner, name, times=1):
        self.owner, self.name, self.method, self.times = owner, name, getattr(owner, name), times
        setattr(owner, name, self)
    def __call__(self, *arguments, **options):
        if self.times:
            self.times -= 1
            os.kill(os.getpid(), signal.SIGINT)
        else:
            delattr(self.owner, self.name)
        return self.method(*arguments, **options)
ip = get_ipython()
kernel = ip.kernel
"""


def interrupted_at(kernel: Spawned, where: str, code: str, **options: Any) -> list[dict[str, Any]]:
    """The messages of code that gets a SIGINT at that place."""
    kernel.run(AT)
    # Not before the cell that requests it is done.
    kernel.run(f"ip.events.register('post_run_cell', once := lambda result: (ip.events.unregister('post_run_cell', once), At({where})))")
    return kernel.run(code, stop_on_error=False, **options)


BEFORE = [
    "kernel, 'init_metadata'",
    "kernel, '_publish_execute_input'",
    "kernel, '_forward_input'",
    "kernel, 'do_execute'",
    "ip, 'transform_cell'",
    "ip, 'transform_ast'",
    "ip, 'should_run_async'",
    "ip.input_transformer_manager, 'transform_cell'",
    "ip.display_pub, 'set_parent'",
    "ip.logger, 'log'",
]
BEHIND = [
    "kernel, '_restore_input'",
    "ip.payload_manager, 'read_payload'",
    "kernel, 'finish_metadata'",
    "kernel, '_publish_status_and_flush'",
    "kernel, 'post_handler_hook'",
]
LONG = {
    "sync": "print('began'); import time; time.sleep(5); print('ended')",
    "async": "print('began'); import asyncio; await asyncio.sleep(5); print('ended')",
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("where", BEFORE)
def test_an_interrupt_before_the_code_interrupts_it(kernel: Spawned, where: str, kind: str) -> None:
    scope = {"env_vars": {"A": "x"}}
    began = time.monotonic()
    messages = interrupted_at(kernel, where, LONG[kind], code_interpreter=scope)
    assert status(messages) in ("KeyboardInterrupt", "CancelledError")
    assert text([m for m in messages if m["type"] == "stream"]) == ""
    assert [m["content"]["ename"] for m in messages if m["type"] == "error"] == [status(messages)]
    assert time.monotonic() - began < 4
    assert kernel.text("6 * 7") == "42"


@pytest.mark.parametrize("code", ["print('done')", "print('done'); await __import__('asyncio').sleep(0)", "1 / 0"])
@pytest.mark.parametrize("where", BEHIND)
def test_an_interrupt_after_the_code_does_not_lose_the_reply(kernel: Spawned, where: str, code: str) -> None:
    scope = {"env_vars": {"A": "x"}}
    messages = interrupted_at(kernel, where, code, code_interpreter=scope)
    assert status(messages) == ("ZeroDivisionError" if "0" in code and "print" not in code else "ok")
    assert kernel.text("6 * 7") == "42"


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("where", ["ip, '_showtraceback'", "sys.stdout, 'write'"])
def test_an_interrupt_while_a_failed_callback_is_reported_ends_only_the_cell(kernel: Spawned, where: str, kind: str) -> None:
    kernel.run(AT)
    code = "ip.events.unregister('pre_execute', fail); import sys; At({where}); raise ValueError"
    kernel.run(f"def fail(): {code.format(where=where)}\nip.events.register('pre_execute', fail)")
    count = kernel.reply(kernel.execute("", silent=True))["execution_count"]
    messages = kernel.run(LONG[kind], {"env_vars": {"A": "x"}}, stop_on_error=False)
    assert status(messages) == "KeyboardInterrupt"
    assert "began" not in text([m for m in messages if m["type"] == "stream"])
    assert kernel.reply(kernel.execute("6 * 7"))["execution_count"] == count + 2


ZONES = """
import os, signal
from datetime import date, datetime, time, timedelta, tzinfo
from dateutil import tz
class Zone(tzinfo):
    def utcoffset(self, date):
        raise ValueError
utcoffset = tz.tzutc.utcoffset
is_over = True
def interrupted(self, date):
    if not is_over:
        os.kill(os.getpid(), signal.SIGINT)
    return utcoffset(self, date)
tz.tzutc.utcoffset = interrupted
def show(**values):
    display({"text/plain": "shown"}, raw=True, metadata=values)
"""


def test_an_interrupt_or_error_of_a_time_zone_while_a_message_is_packed_does_no_harm(kernel: Spawned) -> None:
    kernel.run(ZONES)
    # Clients send a date in the header, which all messages about the request repeat.
    messages = kernel.run("is_over = False\nshow()\nis_over = True")
    assert status(messages) == "ok" and text(messages) == "shown"
    code = "is_over = False\ntry: show(date=datetime(2020, 1, 1, tzinfo=tz.tzutc()))\nfinally: is_over = True"
    assert status(kernel.run(code, stop_on_error=False)) == "KeyboardInterrupt"
    assert kernel.text("show(date=datetime(2020, 1, 1, tzinfo=Zone()))") == "shown"
    kernel.run("tz.tzutc.utcoffset = utcoffset")


def test_dates_are_packed_as_text(kernel: Spawned) -> None:
    kernel.run(ZONES)
    dates = {
        "datetime(2020, 1, 2, 3, 4, 5, 6)": "2020-01-02T03:04:05.000006Z",
        "datetime(2020, 1, 2, tzinfo=tz.tzutc())": "2020-01-02T00:00:00Z",
        "datetime(2020, 1, 2, tzinfo=tz.tzoffset(None, 3600))": "2020-01-02T00:00:00+01:00",
        "date(2020, 1, 2)": "2020-01-02",
        "time(3, 4)": "03:04:00",
    }
    for value, expected in dates.items():
        (shown,) = [m for m in kernel.run(f"show(value={value})") if m["type"] == "display_data"]
        assert shown["content"]["metadata"]["value"] == expected


def test_an_interrupt_while_idle_does_nothing(kernel: Spawned) -> None:
    for _ in range(3):
        os.kill(kernel.pid, signal.SIGINT)
        time.sleep(0.02)
        assert kernel.text("6 * 7") == "42"


def interrupt_when_it_prints(kernel: Spawned, code: str) -> list[dict[str, Any]]:
    messages = []
    for message in kernel.messages(kernel.execute(code, stop_on_error=False), 10):
        messages.append(message)
        if message["type"] == "stream" and "began" in message["content"]["text"]:
            os.kill(kernel.pid, signal.SIGINT)
    return messages


@pytest.mark.parametrize(
    "code",
    [
        "print('began')\nwhile True: pass",
        # Not at once: Python misses a signal that arrives just before it begins to wait.
        "import time; print('began')\nwhile True: time.sleep(0.2)",
        "event = __import__('threading').Event(); print('began')\nwhile True: event.wait(0.2)",
        "import asyncio; print('began')\nwhile True: await asyncio.sleep(0.2)",
        "await __import__('asyncio').sleep(0); print('began')\nwhile True: pass",
        "%%time\nprint('began')\nwhile True: pass",
        "import subprocess; print('began')\nwhile True: subprocess.run(['sleep', '0.2'])",
        "ip = get_ipython(); print('began'); ip.run_cell('while True: pass').raise_error()",
        "ip = get_ipython(); ip.run_cell('1'); print('began')\nwhile True: pass",
        # Python ignores exceptions in finalizers.
        "import time\nclass Slow:\n    def __del__(self):\n        print('began'); time.sleep(0.5)\nSlow()\nwhile True: pass",
    ],
)
def test_running_code_is_interrupted(kernel: Spawned, code: str) -> None:
    assert status(interrupt_when_it_prints(kernel, code)) in ("KeyboardInterrupt", "CancelledError")
    assert kernel.text("6 * 7") == "42"


SWEEP = """
exec('import os, signal, sys\\n'
     'class Sweep:\\n'
     '    def __init__(self, events):\\n'
     '        self.left, self.reached = events, []\\n'
     '    def __call__(self, frame, event, argument):\\n'
     '        self.reached.append((frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno, event))\\n'
     '        if not self.left:\\n'
     '            sys.settrace(None)\\n'
     '            os.kill(os.getpid(), signal.SIGINT)\\n'
     '            return None\\n'
     '        self.left -= 1\\n'
     '        return self\\n'
     '    def start(self):\\n'
     '        frame = sys._getframe(1)\\n'
     '        while frame is not None and frame.f_code.co_name not in ("do_execute", "run_cell"):\\n'
     '            frame.f_trace, frame = self, frame.f_back\\n'
     '        sys.settrace(self)\\n', namespace := {})
Sweep = namespace['Sweep']
"""


@pytest.mark.parametrize("code", ["while True: pass", "while True: await __import__('asyncio').sleep(0.01)"])
def test_an_interrupt_between_two_statements_interrupts_the_second(kernel: Spawned, code: str) -> None:
    kernel.run(SWEEP)
    for events in range(1000):
        messages = kernel.run(f"sweep = Sweep({events})\nsweep.start()\n{code}", stop_on_error=False)
        assert status(messages) in ("KeyboardInterrupt", "CancelledError")
        if kernel.value("any(name == '<module>' and number == 3 for _, name, number, _ in sweep.reached)"):
            # It came in the code itself.
            assert events > 10
            return
    raise AssertionError("the code was not reached")


def test_code_may_handle_its_interrupts(kernel: Spawned) -> None:
    code = "import signal, time\n"
    code += "try:\n    print('began')\n    while True: pass\nexcept KeyboardInterrupt: print('caught')"
    messages = interrupt_when_it_prints(kernel, code)
    assert status(messages) == "ok" and text(messages) == "began\ncaught\n"
    messages = interrupt_when_it_prints(
        kernel, "signal.signal(2, lambda *_: print('handled')); print('began'); time.sleep(0.5)"
    )
    assert status(messages) == "ok" and text(messages) == "began\nhandled\n"
    assert status(interrupt_when_it_prints(kernel, "print('began')\nwhile True: pass")) == "KeyboardInterrupt"


def test_drawing_after_the_code_can_be_interrupted(kernel: Spawned) -> None:
    code = """
def draw():
    ip.events.unregister("post_execute", draw); print("began")
    while True: time.sleep(0.2)
import time; ip = get_ipython(); ip.events.register("post_execute", draw)
"""
    began = time.monotonic()
    messages = interrupt_when_it_prints(kernel, code)
    assert status(messages) == "ok" and "KeyboardInterrupt" in text(messages)
    assert time.monotonic() - began < 5


def test_code_of_a_thread_may_run_cells(kernel: Spawned) -> None:
    code = "import threading; t = threading.Thread(target=lambda: get_ipython().run_cell('c = 5')); t.start(); t.join(); print(c)"
    assert "5" in kernel.text(code)


def test_a_reply_is_sent_however_often_and_whenever_it_is_interrupted(kernel: Spawned) -> None:
    """Interrupts at random times, several per cell."""
    done = threading.Event()
    randoms = random.Random(1)

    def bombard() -> None:
        while not done.is_set():
            os.kill(kernel.pid, signal.SIGINT)
            time.sleep(randoms.expovariate(1 / 0.002))

    thread = threading.Thread(target=bombard)
    thread.start()
    scope = {"env_vars": {"A": "x", "OLD": "new"}}
    codes = ["pass", "1 + 1", "for i in range(10000): pass", "print(1)", "1 / 0", ""]
    codes += ["import asyncio; await asyncio.sleep(0.05)", "import asyncio\nfor i in range(20): await asyncio.sleep(0)"]
    try:
        for n in range(600):
            messages = kernel.run(codes[n % len(codes)], scope, stop_on_error=False)
            errors = [message["content"] for message in messages if message["content"].get("traceback")]
            assert status(messages) in ("ok", "KeyboardInterrupt", "CancelledError", "ZeroDivisionError"), errors
            assert "Error in callback" not in text(messages)
    finally:
        done.set()
        thread.join()
    assert kernel.text("6 * 7") == "42"


@pytest.mark.parametrize(
    "code", ["exit()", "quit", "exit(); print('said')", "import asyncio; exit(); await asyncio.sleep(0.2); print('said')"]
)
def test_nothing_runs_after_an_exit(tmp_path: Path, code: str) -> None:
    kernel = Spawned(tmp_path)
    try:
        done = tmp_path / "done"
        request = kernel.execute(code)
        kernel.execute(f"open({str(done)!r}, 'w')")
        messages = list(kernel.messages(request))
        assert status(messages) == "ok"
        assert text(messages) == ("said\n" if "said" in code else "")
        kernel.execute(f"open({str(done)!r}, 'w')")
        assert kernel.process.wait(10) == 0
        assert not done.exists()
    finally:
        kernel.close()


@pytest.mark.parametrize("code", ["threading.Timer(0.2, exit).start()", "asyncio.get_running_loop().call_later(0.2, exit)"])
def test_an_exit_between_two_cells_ends_the_kernel(tmp_path: Path, code: str) -> None:
    kernel = Spawned(tmp_path)
    try:
        kernel.run(f"import asyncio, threading; {code}")
        assert kernel.process.wait(10) == 0
    finally:
        kernel.close()


def test_a_kernel_may_be_kept_at_an_exit(tmp_path: Path) -> None:
    kernel = Spawned(tmp_path)
    try:
        kernel.run("exit(keep_kernel=True)")
        assert kernel.text("6 * 7") == "42"
    finally:
        kernel.close()
