"""Output: when it is sent, in how many messages, in what order, and without loss."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

import pytest
from client import Spawned, text
from conftest import Kept, wait


@pytest.fixture
def kernel(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Spawned:
    return kept.get(lambda: Spawned(tmp_path_factory.mktemp("kernel")))


def streams(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [m["content"] for m in messages if m["type"] == "stream"]


#: Code that computes for a while without a pause.
SPIN = "end = time.monotonic() + 0.3\nwhile time.monotonic() < end: pass"


@pytest.mark.parametrize(
    "code",
    [
        "print('seen'); time.sleep(0.3)",
        f"print('seen')\n{SPIN}",
        # Only the second one comes soon after another.
        f"print('first'); print('seen')\n{SPIN}",
        f"print('seen', end=' ')\n{SPIN}",
        # One call, during which no other thread of the kernel runs unless Python switches threads.
        "print('seen'); sum(number for number in range(8_000_000))",
        f"print('seen', file=__import__('sys').stderr)\n{SPIN}",
    ],
)
def test_output_is_sent_while_the_cell_runs(kernel: Spawned, code: str) -> None:
    kernel.run("import time")
    # The machine may be busy and delay the test.
    assert any(is_seen_while_it_works(kernel, code) for _ in range(9))


def is_seen_while_it_works(kernel: Spawned, code: str) -> bool:
    messages = list(kernel.messages(kernel.execute(f"{code}\nprint('ended', time.monotonic())")))
    written = [(m["at"], m["content"]["text"]) for m in messages if m["type"] == "stream"]
    seen = next(at for at, text in written if "seen" in text)
    ended = float("".join(text for _, text in written).split("ended")[1])
    return seen < ended


def test_many_prints_are_few_messages(kernel: Spawned) -> None:
    messages = streams(kernel.run("for i in range(200_000): print(i)"))
    assert "".join(m["text"] for m in messages).split() == [str(i) for i in range(200_000)]
    assert len(messages) < 20_000


def test_streams_threads_and_displays_keep_their_order(kernel: Spawned) -> None:
    code = """
import sys, threading
from IPython.display import display
for i in range(300):
    print(i, file=sys.stderr if i % 3 else sys.stdout)
    if i % 5 == 0: display(str(i))
def work(name):
    for n in range(300): print(f"{name}-{n}", file=sys.stderr if n % 2 else sys.stdout)
threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    output = text(kernel.run(code))
    assert output.startswith("".join(f"{i}\n" + (f"'{i}'" if i % 5 == 0 else "") for i in range(300)))
    for name in "abc":
        assert re.findall(rf"{name}-\d+", output) == [f"{name}-{n}" for n in range(300)]


def test_large_and_small_messages_keep_their_order(kernel: Spawned) -> None:
    code = """
from IPython.display import display
for i in range(60):
    print(f"before {i}")
    display({"text/plain": f"shown {i}", "x/y": "x" * (3_000_000 if i % 3 == 0 else 10)}, raw=True)
    print(f"after {i}", flush=i % 2 == 0)
"""
    assert text(kernel.run(code)) == "".join(f"before {i}\nshown {i}after {i}\n" for i in range(60))


def test_interrupts_do_not_split_lose_or_repeat_output(kernel: Spawned) -> None:
    code = """
import signal, sys, time
OURS = tuple(f"/{name}.py" for name in ("output", "output_queue", "send_queue", "descriptors", "publisher"))
def interrupt(number, frame):
    while frame:
        if frame.f_code.co_filename.endswith(OURS): raise KeyboardInterrupt
        frame = frame.f_back
# The kernel sends those again that hit a finalizer, where Python ignores them: this code must outlive them.
own = signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
hits = []
try:
    for n in range(20_000):
        try:
            sys.stdout.write(f"{n}\\n")
            if n % 10 == 0: sys.stdout.flush()
        except KeyboardInterrupt:
            hits.append(n)
finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(0.1)
    signal.signal(signal.SIGINT, own)
print("hits", len(hits), *hits)
"""
    messages = kernel.run(code)
    assert not [m["content"] for m in messages if m["type"] == "error"]
    # Python reports exceptions inside its own code on the other stream.
    written, hits = "".join(m["text"] for m in streams(messages) if m["name"] == "stdout").split("hits")
    count, *hit = map(int, hits.split())
    assert count > 20
    numbers = [int(word) for word in written.split()]
    # The interrupted `write` itself may be lost; no earlier one is, and none is repeated.
    assert all(a < b for a, b in zip(numbers, numbers[1:]))
    assert set(range(20_000)) - set(numbers) <= set(hit)
    assert kernel.text("6 * 7") == "42"


def test_text_written_while_the_thread_wakes_up_does_not_stop_it(kernel: Spawned) -> None:
    code = """
sender = get_ipython().parent.iopub_thread.output_queue.wake.__self__
clear = sender._clear
def write_meanwhile(event):
    if event == sender._text:
        del sender._clear
        sender.wake()
    clear(event)
sender._clear = write_meanwhile
import sys, threading
sys.stdout.write("first")
while "_clear" in vars(sender): threading.Event().wait(0.01)
"""
    assert kernel.text(code) == "first"
    request = kernel.execute("sys.stdout.write('second')\nwhile True: pass")
    for message in kernel.messages(request):
        if message["type"] == "stream":
            assert message["content"]["text"] == "second"
            break
    os.kill(kernel.pid, signal.SIGINT)
    kernel.reply(kernel.execute("6 * 7"))


def test_signal_handlers_and_finalizers_may_print_inside_a_print(kernel: Spawned) -> None:
    code = """
import gc, signal
class Talker:
    def __init__(self): self.me = self
    def __del__(self): print("gone", flush=True)
signal.signal(signal.SIGALRM, lambda *_: print("tick", flush=True))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for i in range(5000):
    Talker()
    print(i, flush=i % 7 == 0)
signal.setitimer(signal.ITIMER_REAL, 0)
gc.collect()
"""
    output = "".join(m["text"] for m in streams(kernel.run(code)) if m["name"] == "stdout")
    assert re.findall(r"\d+", output) == [str(i) for i in range(5000)]
    assert output.count("gone") == 5000


def test_forked_children_print_their_own_output(kernel: Spawned) -> None:
    code = """
import multiprocessing, os, threading
stop = threading.Event()
def talk():
    while not stop.is_set(): print("parent", end=" ")
thread = threading.Thread(target=talk); thread.start()
def child(n): print(f"child{n}")
for n in range(20):
    process = multiprocessing.get_context("fork").Process(target=child, args=(n,))
    process.start(); process.join(10)
    assert process.exitcode == 0
stop.set(); thread.join()
"""
    output = text(kernel.run(code))
    assert sorted(re.findall(r"child\d+", output)) == sorted(f"child{n}" for n in range(20))


def test_a_lone_surrogate_is_replaced_and_blocks_nothing(kernel: Spawned) -> None:
    code = "print('\\ud800 a \\udfff\\ud83d\\ude00')\nprint('b')"
    assert kernel.text(code) == "\ufffd a \ufffd\U0001f600\nb\n"


def test_a_stream_accepts_text_only(kernel: Spawned) -> None:
    assert "TypeError" in kernel.text("import sys; sys.stdout.write(b'x')")
    assert kernel.text("print(sys.stdout.write('four'), sys.stdout.isatty(), sys.stdout.writable())") == "four4 False True\n"
    assert kernel.text("sys.stdout.writelines(['a', 'b'])") == "ab"


def test_output_of_threads_goes_to_the_request_that_started_them(kernel: Spawned) -> None:
    code = "import threading, time\ndef late(): time.sleep(0.3); print('late')\nthreading.Thread(target=late).start()"
    request = kernel.execute(code)
    list(kernel.messages(request))
    seen = []
    deadline = time.monotonic() + 5
    while not seen and time.monotonic() < deadline:
        if kernel.iopub.poll(100):
            message = kernel._parse(kernel.iopub.recv_multipart(), "iopub")
            if message["type"] == "stream":
                seen.append((message["parent"], message["content"]["text"]))
    assert seen == [(request, "late\n")]


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("import subprocess; subprocess.run(['seq', '20000']);", "".join(f"{n}\n" for n in range(1, 20_001))),
        ("import os; os.write(1, b'a'); os.write(2, b'b');", "ab"),
        ("import os; os.system('echo c; echo d >&2');", "c\nd\n"),
        ("import ctypes; ctypes.CDLL(None).puts(b'e'); ctypes.CDLL(None).fflush(None);", "e\n"),
        ("import os\nif os.fork() == 0: os.write(1, b'f'); os._exit(0)\nos.wait();", "f"),
        ("import os\nfor n in range(100): os.write(1, b'%d ' % n)", "".join(f"{n} " for n in range(100))),
        ("print('before'); os.write(1, b'behind');", "before\nbehind"),
        ("%%bash\necho g", "g\n"),
        ("!echo h", "h\n"),
    ],
    ids=lambda value: value[:30],
)
def test_output_to_descriptors_comes_before_the_reply(kernel: Spawned, code: str, output: str) -> None:
    for _ in range(20):
        messages = [m for m in kernel.run(code) if m["channel"] == "iopub"]
        assert sorted(text(messages).replace("\r", "")) == sorted(output)
        # The streams are two pipes.
        if not any(both in code for both in ("write(2", ">&2")):
            assert text(messages).replace("\r", "") == output
        assert messages[-1]["content"]["execution_state"] == "idle"


def test_output_to_a_descriptor_comes_before_an_error(kernel: Spawned) -> None:
    for _ in range(20):
        assert kernel.text("import os; os.write(1, b'written'); 1 / 0").startswith("written")


def test_characters_written_in_parts_are_joined(kernel: Spawned) -> None:
    assert kernel.text("import os; os.write(1, ('a' + 'é' * 1000).encode());") == "a" + "é" * 1000
    assert kernel.text("for byte in 'ü🙂'.encode(): os.write(1, bytes([byte])); __import__('time').sleep(0.01)") == "ü🙂"
    assert kernel.text("os.write(1, b'\\xff!');") == "\ufffd!"


def test_output_to_descriptors_is_logged(kernel: Spawned) -> None:
    # Both the thread and the end of the cell read the descriptors.
    for number in range(50):
        kernel.run(f"import os; os.write(1, b'to be found in the log: {number}.');")
        wait(lambda: f"to be found in the log: {number}.".encode() in kernel.log.read_bytes())


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def test_a_log_that_nobody_reads_blocks_nothing(tmp_path: Path, pipe: list[int]) -> None:
    kernel = Spawned(tmp_path, output=pipe[1])
    began = time.monotonic()
    for _ in range(5):
        assert kernel.text("import os; os.write(1, b'x' * 60_000);") == "x" * 60_000
    assert time.monotonic() - began < 10
    os.set_blocking(pipe[0], False)

    def is_written_again() -> bool:
        # Earlier output may reach the log now and fill it again.
        assert kernel.text("os.write(1, b'behind');") == "behind"
        with suppress(BlockingIOError):
            return b"behind" in os.read(pipe[0], 1 << 20)
        return False

    wait(is_written_again)
    kernel.close()


def test_a_closed_log_does_not_stop_output(tmp_path: Path, pipe: list[int]) -> None:
    kernel = Spawned(tmp_path, output=pipe[1])
    os.close(pipe.pop(0))
    for _ in range(3):
        assert kernel.text("import os; os.write(1, b'x');") == "x"
    kernel.close()


def test_a_finalizer_may_flush_while_a_program_writes(kernel: Spawned) -> None:
    code = """
import gc, os
class Talker:
    def __init__(self): self.me = self
    def __del__(self): os.write(1, b"-"); print("gone", flush=True)
for i in range(2000): Talker(); print(i)
gc.collect()
"""
    began = time.monotonic()
    output = kernel.text(code)
    assert output.count("gone") == 2000 and output.count("-") == 2000
    assert time.monotonic() - began < 10


BROKEN = {
    "closed": "import sys\nwith open('/dev/null', 'w') as file: sys.stdout = file; print('lost')",
    "closed error": "import sys\nwith open('/dev/null', 'w') as file: sys.stderr = file",
    "tee": "import sys\nclass Tee:\n    def write(self, text): own.write(text)\nown = sys.stdout; sys.stdout = Tee(); print('seen')",
    "exit": "import sys\nclass Tee:\n    def flush(self): raise SystemExit\nsys.stdout = Tee();",
    "deleted": "import sys; del sys.stdout",
    "none": "import sys; sys.stdout = None",
    "slots": "import sys\nclass Fixed:\n    __slots__ = ()\n    write = flush = lambda *_: None\nsys.stdout = Fixed()",
    "both": "import sys; sys.stdout = sys.stderr = 5;",
    "then an error": "import sys; sys.stdout = 5; 1 / 0",
    "then a wait": "import asyncio, sys; sys.stdout = 5; await asyncio.sleep(0)",
}


@pytest.mark.parametrize("code", BROKEN.values(), ids=BROKEN)
def test_a_stream_that_cannot_be_flushed_is_replaced(kernel: Spawned, code: str) -> None:
    output = kernel.text(code)
    assert output.count("is replaced by the kernel's own") == (2 if "sys.stderr = 5" in code else 1)
    assert ("seen\n" in output) == ("seen" in code)
    assert ("ZeroDivisionError" in output) == ("1 / 0" in code)
    assert kernel.text("import sys; print('out'); print('err', file=sys.stderr)") == "out\nerr\n"


def test_output_forwarded_to_the_original_stream_belongs_to_its_cell(kernel: Spawned) -> None:
    code = """
import sys
class Tee:
    def write(self, text): kept.append(text); own.write(text)
    def flush(self): own.flush()
kept = []; own = sys.stdout; sys.stdout = Tee()
"""
    assert kernel.text(code) == ""
    assert kernel.text("print('printed')") == "printed\n"
    assert kernel.text("sys.stdout = own; print(kept)") == "['printed', '\\n']\n"


def test_a_usable_stream_of_code_is_kept(kernel: Spawned) -> None:
    kernel.run("import io, os, sys; own, sys.stdout = sys.stdout, io.StringIO(); print('kept')")
    # Output to other streams is sent nevertheless.
    assert kernel.text("print('kept too'); own.write('own'); os.write(1, b'written');") == "ownwritten"
    assert kernel.text("kept, sys.stdout = sys.stdout, own; print(kept.getvalue())") == "kept\nkept too\n\n"
    assert kernel.text("print('again')") == "again\n"
