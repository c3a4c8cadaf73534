"""A Jupyter Server, started as our server starts it, and its client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import websocket
from client import PYTHON, text

TOKEN = "secret"

V1 = "v1.kernel.websocket.jupyter.org"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix domain socket."""

    def __init__(self, path: str):
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Server:
    """The server's process and its API."""

    def __init__(self, directory: Path, **environment: str):
        self.path = str(directory / "jupyter.sock")
        self.log = directory / "jupyter.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-X", "faulthandler", "-m", "code_interpreter_kernel.jupyter", f"--sock={self.path}"],
                env={**os.environ, "JUPYTER_TOKEN": TOKEN, **environment},
                stderr=log,
            )
        wait(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.call("GET", "/api/status")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
        """Sends a request; returns the status and the JSON of the response."""
        connection = UnixConnection(self.path)
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, json.loads(data) if data else None

    def start_kernel(self, **body: Any) -> Kernel:
        """Starts a kernel and connects to it."""
        status, model = self.call("POST", "/api/kernels", {"name": "python3", **body})
        assert status == 201, model
        return Kernel(self, model["id"])

    def stop(self) -> int:
        """Sends SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG)

    def close(self) -> None:
        """Ends it, in order or, where that fails, at once."""
        try:
            assert self.stop() == 0
        finally:
            self.process.kill()
            self.process.wait()


class Kernel:
    """A WebSocket to a kernel."""

    def __init__(self, server: Server, identifier: str):
        self.id = identifier
        self.server = server
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(server.path)
        stream.settimeout(60)
        self.socket = websocket.create_connection(
            f"ws://localhost/api/kernels/{identifier}/channels?session_id={uuid.uuid4().hex}",
            socket=stream,
            subprotocols=[V1],
            header=[f"Authorization: token {TOKEN}"],
        )
        assert self.socket.subprotocol == V1

    def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        """Sends a message; returns its id."""
        identifier = uuid.uuid4().hex
        header = {"msg_id": identifier, "msg_type": kind, "session": "s", "username": "u", "version": "5.3"}
        parts = [channel.encode(), *(json.dumps(part).encode() for part in (header, {}, {}, content))]
        count = len(parts) + 1
        offsets = [8 * (count + 1)]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        head = b"".join(number.to_bytes(8, "little") for number in [count, *offsets])
        self.socket.send_binary(head + b"".join(parts))
        return identifier

    def receive(self) -> dict[str, Any]:
        """Receives the next message."""
        data = self.socket.recv()
        assert data, "the connection was closed"
        count = int.from_bytes(data[:8], "little")
        offsets = [int.from_bytes(data[8 * (i + 1) : 8 * (i + 2)], "little") for i in range(count)]
        parts = [data[a:b] for a, b in zip(offsets, offsets[1:])]
        header, parent, _, content = (json.loads(part) for part in parts[1:5])
        return {"channel": parts[0].decode(), "type": header["msg_type"], "parent": parent, "content": content}

    def messages(self, parent: str) -> Iterator[dict[str, Any]]:
        """The messages of a request, until its reply and the idle status."""
        left = {"reply", "idle"}
        while left:
            message = self.receive()
            if message["content"].get("execution_state") == "dead":
                yield message
                return
            if message["parent"].get("msg_id") != parent:
                continue
            yield message
            if message["type"].endswith("_reply"):
                left.discard("reply")
            if message["content"].get("execution_state") == "idle":
                left.discard("idle")

    def run(self, code: str) -> list[dict[str, Any]]:
        """Runs code; returns the messages."""
        return list(self.messages(self.send("execute_request", {"code": code, "silent": False})))

    def text(self, code: str) -> str:
        """Runs code; returns its output and its value as text."""
        return text(self.run(code))

    def wait_until_heard(self) -> None:
        """Waits until messages on iopub arrive: a new subscriber, as after a restart, misses earlier ones."""
        limit = self.socket.gettimeout()
        self.socket.settimeout(0.2)
        for _ in range(200):
            request = self.send("kernel_info_request", {})
            try:
                for _ in self.messages(request):
                    pass
            except websocket.WebSocketTimeoutException:
                continue
            self.socket.settimeout(limit)
            return
        raise AssertionError("the kernel is not heard")

    def delete(self) -> None:
        """Deletes the kernel."""
        self.socket.close()
        assert self.server.call("DELETE", f"/api/kernels/{self.id}")[0] == 204


def threads_at_rest(pid: int) -> bool:
    """Whether no thread of a process runs, or would if others left it a processor."""
    states = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return "R" not in states


def wait_until_still(*pids: int) -> None:
    """Waits until these processes wait for something: of many looks nearly all find them at rest."""

    def still() -> bool:
        looks = []
        for _ in range(20):
            looks.append(all(map(threads_at_rest, pids)))
            time.sleep(0.02)
        return sum(looks) >= 18

    wait(still)


def alive(pid: int) -> bool:
    """Whether the process is alive; a zombie is not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


#: Longer than anything takes, on however busy a machine, in seconds; only what hangs takes longer.
HANG = 60


def wait(condition: Any, seconds: float = HANG) -> None:
    """Waits until the condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


class Kept:
    """Something that takes long to make, and that many tests use: after a test has failed, the next one gets a new one."""

    failures = 0

    def __init__(self) -> None:
        self._kept: Any = None
        self._failures = 0

    def get(self, make: Callable[[], Any]) -> Any:
        """What `make` has made for an earlier test, or makes now."""
        if self._kept is not None and self._failures != Kept.failures:
            # Whatever state the test has left it in; that is no failure of the next test.
            with suppress(Exception):
                self.close()
            self._kept = None
        if self._kept is None:
            self._kept, self._failures = make(), Kept.failures
        return self._kept

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """The report of a failed test contains what its Jupyter Server has logged, and whether that has ended."""
    report = yield
    Kept.failures += report.failed
    server = item.funcargs.get("server")  # type: ignore[attr-defined]
    if report.failed and isinstance(server, Server):
        log = server.log.read_text(errors="replace")[-6000:]
        report.sections.append((f"Jupyter Server {server.process.pid}, exit code {server.process.poll()}", log))
    return report


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """For what the tests of one file share."""
    kept = Kept()
    yield kept
    kept.close()


@pytest.fixture(scope="session")
def kept_server() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.close()


@pytest.fixture
def server(kept_server: Kept, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return kept_server.get(lambda: Server(tmp_path_factory.mktemp("jupyter")))


@pytest.fixture
def kernel(server: Server) -> Iterator[Kernel]:
    kernel = server.start_kernel()
    yield kernel
    kernel.socket.close()
    server.call("DELETE", f"/api/kernels/{kernel.id}")
