"""Code may patch public modules; output still works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

import pytest
from client import Spawned


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Spawned]:
    kernel = Spawned(tmp_path)
    yield kernel
    kernel.close()


#: Functions of public modules that the output path might call.
PATCHED = [
    "time.sleep",
    "time.monotonic",
    "time.time",
    "time.perf_counter",
    "os.read",
    "os.write",
    "os.dup",
    "os.eventfd_write",
    "select.poll",
    "select.select",
    "select.epoll",
    "fcntl.ioctl",
    "threading.Event",
    "threading.Lock",
    "threading.RLock",
    "threading.Condition",
    "threading.current_thread",
    "threading.get_ident",
    "threading.Thread",
    "queue.SimpleQueue",
    "codecs.getincrementaldecoder",
    "io.StringIO",
    "json.dumps",
    "orjson.dumps",
    "contextvars.copy_context",
    "math.ceil",
]

#: Prints, without a pause and with one, writes to the descriptor, and displays.
CODE = """
for n in range(200):
    print("print", n); sys.stderr.write(f"error {n}\\n"); write(1, f"write {n}\\n".encode())
    if n % 50 == 0: pause(0.02); display({"text/plain": f"show {n} "}, raw=True)
pause(0.05); print("print 200")
"""


@pytest.mark.parametrize("name", PATCHED)
def test_a_failing_function_does_not_stop_output(kernel: Spawned, name: str) -> None:
    module = name.partition(".")[0]
    kernel.run(f"import os, sys, time, {module}; from unittest import mock; from IPython.display import display")
    kernel.run("write, pause = os.write, time.sleep")
    patched = f"with mock.patch('{name}', side_effect=Exception('patched')):\n" + "".join(
        f"    {line}\n" for line in CODE.splitlines()
    )
    output = kernel.text(patched)
    for word, numbers in (("print", 201), ("error", 200), ("write", 200)):
        assert re.findall(rf"{word} (\d+)", output) == [str(n) for n in range(numbers)]
    assert re.findall(r"show (\d+)", output) == ["0", "50", "100", "150"]
    # Afterwards everything works as before, including output sent by the thread.
    request = kernel.execute("pause(0.02); print('seen', end=''); pause(0.3); print('.')")
    texts = [m["content"]["text"] for m in kernel.messages(request) if m["type"] == "stream"]
    assert texts == ["seen", ".\n"]


@pytest.mark.parametrize("how", ["return_value=1.0", "side_effect=Exception('patched')"])
@pytest.mark.parametrize("name", ["time.sleep", "time.monotonic", "json.dumps"])
def test_a_function_that_stays_patched_does_not_stop_output(kernel: Spawned, name: str, how: str) -> None:
    kernel.run(f"import time, {name.partition('.')[0]}; pause = time.sleep")
    kernel.run(f"import asyncio; from unittest import mock; mock.patch('{name}', {how}).start()")
    for _ in range(3):
        request = kernel.execute("pause(0.02); print('seen', end=''); pause(0.3); print('.')")
        texts = [m["content"]["text"] for m in kernel.messages(request) if m["type"] == "stream"]
        assert texts == ["seen", ".\n"]
    assert kernel.text("await asyncio.sleep(0.01); print('slept')") == "slept\n"


def test_frozen_time_does_not_stop_output(kernel: Spawned) -> None:
    # As freezegun does: in all modules, under any name.
    code = """
import sys, time
pause, real = time.sleep, (time.monotonic, time.time, time.perf_counter)
held = [(m, n, v) for m in list(sys.modules.values()) for n, v in list(getattr(m, "__dict__", {}).items()) if v in real]
for module, name, value in held: setattr(module, name, lambda: 1.0)
"""
    kernel.run(code)
    for _ in range(3):
        request = kernel.execute("pause(0.02); print('seen', end=''); pause(0.3); print('.')")
        texts = [m["content"]["text"] for m in kernel.messages(request) if m["type"] == "stream"]
        assert texts == ["seen", ".\n"]
    assert kernel.text("for module, name, value in held: setattr(module, name, value)\nprint(len(held) > 2)") == "True\n"
