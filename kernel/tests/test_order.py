"""Output that takes different paths arrives in the order in which a terminal shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from client import Spawned, text
from conftest import Kept

#: The repetitions of each test: a race is won by chance most of the time.
TIMES = 20


def make(directory: Path) -> Spawned:
    kernel = Spawned(directory)
    kernel.run("import ctypes, multiprocessing, os, subprocess, sys, threading, time; from IPython.display import display")
    return kernel


@pytest.fixture
def kernel(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Spawned:
    return kept.get(lambda: make(tmp_path_factory.mktemp("kernel")))


PRINT_AND = "".join(f"print {n}\nother {n}\n" for n in range(30))

ORDER = {
    "a program between prints": (
        "for i in range(5): print('begin', i); subprocess.run(['echo', str(i)]); print('end', i)",
        "".join(f"begin {i}\n{i}\nend {i}\n" for i in range(5)),
    ),
    "os.write": ("for i in range(30): print('print', i); os.write(1, b'other %d\\n' % i)", PRINT_AND),
    "os.write within a line": (
        "for i in range(30): print(i, end=' '); os.write(1, b'other '); print('.')",
        "".join(f"{i} other .\n" for i in range(30)),
    ),
    "a C library": ("for i in range(30): print('print', i); ctypes.CDLL(None).printf(b'other %d\\n', i)", PRINT_AND),
    "a C library, no end of line": ("ctypes.CDLL(None).printf(b'half a line');", "half a line"),
    "sys.__stdout__": ("for i in range(30): print('print', i); print('other', i, file=sys.__stdout__)", PRINT_AND),
    "sys.stdout.buffer": (
        "for i in range(30): print('print', i); sys.stdout.buffer.write(b'other %d\\n' % i)",
        PRINT_AND,
    ),
    "a file of the descriptor": (
        "for i in range(30):\n    print('print', i)\n    with open('/dev/stdout', 'w') as file: file.write(f'other {i}\\n')",
        PRINT_AND,
    ),
    "os.fork": (
        "for i in range(10):\n    print('print', i)\n    if os.fork() == 0: print('other', i); os._exit(0)\n    os.wait()",
        "".join(f"print {n}\nother {n}\n" for n in range(10)),
    ),
    "os.fork, in the midst of a line": (
        "for i in range(10):\n    print(i, end='')\n    if os.fork() == 0: print('a', end=''); os._exit(0)\n"
        "    os.wait(); print('b', end='')",
        "".join(f"{n}ab" for n in range(10)),
    ),
    "multiprocessing": (
        "def work(i): print('other', i)\nfork = multiprocessing.get_context('fork')\nfor i in range(10):\n"
        "    print('print', i); process = fork.Process(target=work, args=(i,)); process.start(); process.join()",
        "".join(f"print {n}\nother {n}\n" for n in range(10)),
    ),
    "the other descriptor": (
        "for i in range(15): print(i); os.write(2, b'other\\n'); print(i, file=sys.stderr); os.write(1, b'another\\n')",
        "".join(f"{i}\nother\n{i}\nanother\n" for i in range(15)),
    ),
    "one descriptor, then the other": (
        "for i in range(10): subprocess.run(['sh', '-c', 'echo out; echo err >&2']); print('-')",
        "out\nerr\n-\n" * 10,
    ),
    "the other one first": (
        "for i in range(10): subprocess.run(['sh', '-c', 'echo err >&2; echo out']); print('-')",
        "err\nout\n-\n" * 10,
    ),
    "displays": (
        "for i in range(15): os.write(1, b'before '); display({'text/plain': f'shown {i} '}, raw=True); os.write(1, b'after ')",
        "".join(f"before shown {i} after " for i in range(15)),
    ),
    "a message that nobody has flushed for": (
        "import comm\nfor i in range(9):\n    print(i)\n    get_ipython().kernel.session.send(get_ipython().kernel.iopub_socket,"
        " 'display_data', {'data': {'text/plain': 'shown '}, 'metadata': {}}, parent=get_ipython().parent_header)",
        "".join(f"{i}\nshown " for i in range(9)),
    ),
    "threads that take turns": (
        "def work(i): print('thread', i); os.write(1, b'other\\n')\nfor i in range(15):\n"
        "    thread = threading.Thread(target=work, args=(i,)); thread.start(); thread.join(); print('main', i)",
        "".join(f"thread {i}\nother\nmain {i}\n" for i in range(15)),
    ),
}


@pytest.mark.parametrize(("code", "output"), ORDER.values(), ids=ORDER)
def test_the_order_is_that_of_a_terminal(kernel: Spawned, code: str, output: str) -> None:
    for _ in range(TIMES):
        assert text(kernel.run(code)) == output


GIVEN = {
    "both": (
        "subprocess.run(['sh', '-c', 'echo out; echo err >&2'], stdout=sys.stdout, stderr=sys.stderr);",
        {"stdout": "out\n", "stderr": "err\n"},
    ),
    "one for both": (
        "subprocess.run(['sh', '-c', 'echo out; echo err >&2'], stdout=sys.stderr, stderr=subprocess.STDOUT);",
        {"stderr": "out\nerr\n"},
    ),
    "fileno": ("os.write(sys.stdout.fileno(), b'a'); os.write(sys.stderr.fileno(), b'b');", {"stdout": "a", "stderr": "b"}),
}


@pytest.mark.parametrize(("code", "output"), GIVEN.values(), ids=GIVEN)
def test_a_program_can_write_to_the_streams(kernel: Spawned, code: str, output: dict[str, str]) -> None:
    for _ in range(TIMES):
        told: dict[str, str] = {}
        for message in kernel.run(code):
            if message["type"] == "stream":
                told[message["content"]["name"]] = told.get(message["content"]["name"], "") + message["content"]["text"]
        assert told == output


def test_nothing_is_lost_when_threads_print_and_programs_write(kernel: Spawned) -> None:
    code = """
def work(name):
    for n in range(300):
        print(f"{name}-{n}-print")
        os.write(1, f"{name}-{n}-write\\n".encode())
threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
for thread in threads: thread.start()
program = subprocess.run(["sh", "-c", "for i in $(seq 0 299); do echo c-$i-print; echo c-$i-write; done"])
for thread in threads: thread.join()
"""
    for _ in range(3):
        output = text(kernel.run(code))
        for name in "abc":
            expected = [f"{name}-{n}-{how}" for n in range(300) for how in ("print", "write")]
            assert re.findall(rf"{name}-\d+-(?:print|write)", output) == expected


def test_children_of_a_pool_print_each_line_once(kernel: Spawned) -> None:
    code = """
def work(n): print(f"[{n}]"); return n
with multiprocessing.get_context("fork").Pool(4) as pool: print(sum(pool.map(work, range(200))))
"""
    for _ in range(5):
        output = text(kernel.run(code))
        assert output.endswith("19900\n")
        assert sorted(map(int, re.findall(r"\[(\d+)\]", output))) == list(range(200))


def test_a_child_does_not_send_the_queued_output_of_its_parent(kernel: Spawned) -> None:
    code = "print('parent', end=' ')\nif os.fork() == 0: sys.stdout.flush(); os._exit(0)\nos.wait(); print('.')"
    for _ in range(TIMES):
        assert text(kernel.run(code)) == "parent .\n"


def test_a_computing_thread_does_not_slow_down_prints(kernel: Spawned) -> None:
    # A poll of the descriptors that releases the GIL would take 5 ms each time.
    code = """
stop = False
def compute():
    while not stop: pass
thread = threading.Thread(target=compute); thread.start()
began = time.monotonic()
for i in range(3000): print(i)
took = time.monotonic() - began
stop = True; thread.join(); print("took", took)
"""
    assert float(text(kernel.run(code)).split("took")[1]) < 15


def test_a_chatty_script_makes_few_messages(kernel: Spawned, tmp_path: Path) -> None:
    for code in (
        "%%bash\nseq 100000",
        "for i in range(20_000): print(i, flush=True)",
    ):
        messages = [m for m in kernel.run(code) if m["type"] == "stream"]
        assert len("".join(m["content"]["text"] for m in messages).split()) in (100_000, 20_000)
        assert len(messages) < 2_000


def test_the_first_flushes_are_sent_at_once(kernel: Spawned) -> None:
    # Even if the process dies next: no other thread has to run before.
    code = "time.sleep(0.2)\nfor i in range(10): print(i, flush=True)\nprint(len(sys.stdout._output_queue.entries))"
    assert text(kernel.run(code)).split()[-1] == "0"
