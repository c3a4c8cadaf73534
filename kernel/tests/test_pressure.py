"""A client that reads slowly or not at all slows its kernel down: nothing is lost, and memory does not grow."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest
import zmq
from client import PYTHON, Spawned, text
from conftest import wait, wait_until_still

#: The allowed growth of a kernel, in bytes.
GROWTH = 64 << 20


class Slow(Spawned):
    """A kernel whose client reads only on request."""

    def __init__(self, directory: Path, **env: str):
        super().__init__(directory, **env)
        self.run("import atexit, os, subprocess, sys, time; from IPython.display import display")
        self.iopub.close()
        self.iopub = self._context.socket(zmq.SUB)
        self.iopub.linger, self.iopub.rcvhwm = 0, 10
        self.iopub.connect(f"ipc://{self.name}-2")
        self.iopub.subscribe(b"")
        self.wait_until_ready()

    def status(self, name: str) -> int:
        """A value of /proc/PID/status."""
        found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    def wait_until_blocked(self) -> None:
        """Waits until the kernel is idle."""
        wait_until_still(self.pid)

    def output_to_its_end(self) -> str:
        """What is still to be read of a kernel that ends."""
        output = ""
        while self.iopub.poll(100) or self.process.poll() is None or self.iopub.poll(1_000):
            while self.iopub.poll(0):
                output += text([self._parse(self.iopub.recv_multipart(), "iopub")])
        return output


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Slow]:
    kernel = Slow(tmp_path)
    yield kernel
    kernel.close()


FLOODS = {
    "print": "while True: print('x' * 1000)",
    "short prints": "while True: print('x')",
    "displays": "while True: display({'text/plain': 'x' * 100}, raw=True)",
    "large displays": "while True: display({'image/png': 'x' * 8_000_000}, raw=True)",
    "displays of a middle size": "while True: display({'image/png': 'x' * 60_000}, raw=True)",
    "a long text": "while True: print('x' * 10_000_000)",
    "os.write": "while True: os.write(1, b'x' * 1000)",
    "a program": "subprocess.run(['yes'])",
    "a forked child": "child = os.fork()\nif child == 0:\n    while True: print('x' * 1000)\n"
    "try: os.wait()\nfinally: os.kill(child, 9)",
    "messages": "k = get_ipython().kernel\nwhile True: k.session.send(k.iopub_socket, 'custom', {'x': 'x' * 1000})",
}


@pytest.mark.parametrize("code", FLOODS.values(), ids=FLOODS)
def test_unread_output_stays_small_and_can_be_interrupted(kernel: Slow, code: str) -> None:
    before = kernel.status("VmRSS")
    request = kernel.execute(code)
    kernel.wait_until_blocked()
    assert (kernel.status("VmRSS") - before) << 10 < GROWTH
    os.kill(kernel.pid, signal.SIGINT)
    # The reply does not wait for a client that does not read its output.
    assert kernel.shell.poll(60_000), "no reply"
    assert "KeyboardInterrupt" in [m["content"].get("ename") for m in kernel.messages(request)]
    assert kernel.text("6 * 7").endswith("42")


def test_memory_does_not_grow_from_flood_to_flood(kernel: Slow) -> None:
    def flood() -> int:
        request = kernel.execute("for i in range(60_000): print('x' * 1000)")
        kernel.wait_until_blocked()
        assert text(list(kernel.messages(request))).count("x") == 60_000_000
        return kernel.status("VmRSS")

    first = flood()
    assert max(flood() for _ in range(4)) - first << 10 < GROWTH


def test_an_interrupt_of_waiting_code_loses_nothing(kernel: Slow) -> None:
    code = """
n = 0
def write(text):
    global n
    print(text); n += 1
for _ in range(5):
    try:
        while True: write(f"{n}-" + "x" * 1000)
    except KeyboardInterrupt: pass
"""
    request = kernel.execute(code)
    for _ in range(5):
        kernel.wait_until_blocked()
        os.kill(kernel.pid, signal.SIGINT)
    output = text(list(kernel.messages(request)))
    numbers = list(map(int, re.findall(r"(\d+)-x{1000}\n", output)))
    # A line may appear twice if it was printed and interrupted before it was counted.
    assert sorted(set(numbers)) == list(range(numbers[-1] + 1))
    assert numbers == sorted(numbers) and len(numbers) <= numbers[-1] + 1 + 5
    assert numbers[-1] + 1 >= int(kernel.text("print(n)"))


def test_a_client_that_resumes_reading_gets_everything(kernel: Slow) -> None:
    request = kernel.execute("for i in range(50_000): print(i, 'x' * 1000); i % 1000 or display({'text/plain': '-'}, raw=True)")
    kernel.wait_until_blocked()
    output = text(list(kernel.messages(request)))
    assert list(map(int, re.findall(r"(\d+) x{1000}\n", output))) == list(range(50_000))
    assert output.count("-") == 50


def test_a_program_that_never_stops_writing_does_not_block_cells(kernel: Slow) -> None:
    kernel.run("import subprocess; process = subprocess.Popen(['yes'])")
    began = time.monotonic()
    for _ in range(5):
        kernel.run("1")
    assert time.monotonic() - began < 20
    kernel.run("process.kill(); process.wait()")
    # Earlier output may arrive first.
    assert kernel.text("6 * 7").endswith("42")


def test_requests_on_the_control_channel_are_answered_while_code_waits(kernel: Slow) -> None:
    kernel.execute("while True: print('x' * 1000)")
    kernel.wait_until_blocked()
    request = kernel.send("kernel_info_request", {}, socket=kernel.control)
    assert kernel.control.poll(60_000)
    assert kernel._parse(kernel.control.recv_multipart(), "control")["parent"] == request


ENDS = {
    "asked to": "",
    "exit()": "exit()",
    "with something to say": "atexit.register(lambda: [print('x' * 1000) for _ in range(100_000)])",
}


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_a_kernel_ends_when_nobody_reads(kernel: Slow, code: str) -> None:
    kernel.execute(f"{code}\nfor i in range(200): display({{'image/png': 'x' * 1_000_000}}, raw=True)")
    kernel.wait_until_blocked()
    os.kill(kernel.pid, signal.SIGINT)
    assert kernel.shell.poll(60_000)
    kernel.send("shutdown_request", {"restart": False}, socket=kernel.control)
    began = time.monotonic()
    kernel.process.wait(20)
    assert time.monotonic() - began < 10


def test_a_slow_client_gets_output_printed_late_at_exit(kernel: Slow) -> None:
    kernel.run("atexit.register(lambda: (time.sleep(1.5), [print(f'{i}-' + 'x' * 1000) for i in range(40_000)]))")
    kernel.send("shutdown_request", {"restart": False}, socket=kernel.control)
    output = kernel.output_to_its_end()
    assert list(map(int, re.findall(r"(\d+)-x{1000}\n", output))) == list(range(40_000))


class Subscriber:
    """A subscriber that reads byte by byte, as our server does; libzmq reads whole messages."""

    def __init__(self, kernel: Spawned):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(f"{kernel.name}-2")
        # ZMTP 3.0: greeting, READY, and a subscription to everything. libzmq disconnects if these come early.
        self._socket.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 1 + 31))
        self._socket.recv(64, socket.MSG_WAITALL)
        ready = b"\x05READY\x0bSocket-Type" + (3).to_bytes(4, "big") + b"SUB"
        self._socket.sendall(b"\x04" + bytes([len(ready)]) + ready)
        self._socket.recv(2 + len(ready), socket.MSG_WAITALL)
        self._socket.sendall(b"\x00\x01\x01")
        wait(lambda: kernel.run("pass") and select.select([self._socket], [], [], 0)[0])

    def read(self, per_second: int) -> bytes:
        """All bytes until the kernel ends, read at a limited rate (bytes per second)."""
        read = bytearray()
        while chunk := self._socket.recv(per_second // 20):
            read += chunk
            time.sleep(len(chunk) / per_second)
        return bytes(read)

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("count, size", [(1, 40_000_000), (30, 1_000_000), (400, 50_000)])
def test_the_kernel_waits_for_a_slow_client_at_exit(tmp_path: Path, count: int, size: int) -> None:
    kernel = Spawned(tmp_path)
    subscriber = Subscriber(kernel)
    try:
        kernel.run("import atexit; from IPython.display import display")
        kernel.iopub.close()
        kernel.execute(f"atexit.register(lambda: [display({{'a/b': 'Q' * {size}}}, raw=True) for _ in range({count})]); exit()")
        # This takes 8 s, longer than the limit for a client that reads nothing.
        output = subscriber.read(count * size // 8)
        assert output.count(b"Q" * 1_000) == count * size // 1_000, kernel.log.read_text()
    finally:
        subscriber.close()
        kernel.close()


@pytest.mark.parametrize("directory", ["lib/site-packages", "lib"])
def test_a_kernel_whose_packages_are_elsewhere_loses_nothing_at_its_end(tmp_path: Path, directory: str) -> None:
    elsewhere = tmp_path / directory
    elsewhere.mkdir(parents=True)
    found = subprocess.check_output([PYTHON, "-c", "import zmq; print(zmq.__path__[0])"], text=True).strip()
    (elsewhere / "zmq").symlink_to(found)
    kernel = Slow(tmp_path, PYTHONPATH=str(elsewhere))
    try:
        assert kernel.text("import zmq; zmq.__file__").endswith(f"{elsewhere}/zmq/__init__.py'")
        ending = tmp_path / "ending"
        kernel.execute(f"for _ in range(12): print('Q' * 1_000_000)\nopen({str(ending)!r}, 'w').close(); exit()")
        # Not until it is at rest: it waits for its client for some seconds only, and on a busy machine that takes longer.
        wait(ending.exists)
        output = kernel.output_to_its_end()
        assert output.count("Q") == 12_000_000
        assert kernel.process.wait(20) == 0
    finally:
        kernel.close()


def test_a_kernel_without_a_client_does_not_wait(kernel: Slow) -> None:
    kernel.iopub.close()
    kernel.execute("for i in range(100_000): print('x' * 1000)\nfor i in range(20): display({'a/b': 'x' * 8_000_000}, raw=True)")
    assert kernel.shell.poll(60_000)


FINITE_FLOODS = {
    "print": "for i in range(300_000): print('x' * 1000)",
    "short displays": "for i in range(5_000): display({'text/plain': 'x' * 100}, raw=True)",
    "large displays": "for i in range(20): display({'image/png': 'x' * 8_000_000}, raw=True)",
    "long texts": "for i in range(20): print('x' * 10_000_000)",
}


@pytest.mark.parametrize("code", FINITE_FLOODS.values(), ids=FINITE_FLOODS)
def test_a_client_that_disconnects_blocks_nobody(kernel: Slow, code: str) -> None:
    kernel.execute(code)
    kernel.wait_until_blocked()
    assert not kernel.shell.poll(0)
    kernel.iopub.close()
    assert kernel.shell.poll(60_000)
