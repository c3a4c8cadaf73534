"""The programs that are measured: how each is started, and what tells that it is ready."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

from .clients.http import ExecuteClient, HTTPClient, encode
from .clients.websocket import WebSocketClient
from .clients.zeromq import ZeroMQClient
from .processes import Program, StartFailed

HARNESS = Path(__file__).resolve().parent
REPOSITORY = HARNESS.parent.parent
START_TIMEOUT = 60  # Seconds.
LISTENING = "Listening on http://127.0.0.1:"


def server_binary():
    return Path(os.environ.get("CODE_INTERPRETER_BINARY", REPOSITORY / ".build/release/code-interpreter")).absolute()


def kernel_environment():
    """The Python environment that has Jupyter Server and ipykernel."""
    return Path(os.environ.get("CODE_INTERPRETER_PYTHON_ENVIRONMENT", REPOSITORY / ".venv")).absolute()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until_answered(port, request, program=None, interval=0.002):
    """Asks again and again until the answer is 200, and says when that was (`time.perf_counter`)."""
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        try:
            client = HTTPClient(port)
            try:
                client.socket.sendall(request)
                if client.socket.recv(65536).startswith(b"HTTP/1.1 200"):
                    return time.perf_counter()
            finally:
                client.close()
        except OSError:
            pass
        if program:
            program.check_alive()
        time.sleep(interval)
    log = program.log_tail() if program else ""
    raise StartFailed(f"port {port} did not answer {request[:20]} with 200 within {START_TIMEOUT} s\n{log}")


def jupyter_directories(directory):
    """Variables that keep the user's own configuration out, and what is written out of their home."""
    names = {"IPYTHONDIR": "ipython", "JUPYTER_CONFIG_DIR": "configuration", "JUPYTER_RUNTIME_DIR": "runtime"}
    return {name: str(Path(directory) / place) for name, place in names.items()}


class JupyterServer:
    """A bare Jupyter Server with its output limits off."""

    def __init__(self, scratch):
        self.port, self.token = free_port(), secrets.token_hex(16)
        root = Path(scratch) / f"jupyter-{self.port}"
        root.mkdir()
        limits = "ZMQChannelsWebsocketConnection.iopub_{}_rate_limit=0"
        self.program = Program(
            "jupyter-server",
            [
                kernel_environment() / "bin/python",
                *("-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
                *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"),
                *(f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={self.token}"),
                *(f"--{limits.format(kind)}" for kind in ("msg", "data")),
            ],
            scratch,
            environment=jupyter_directories(root),
        )
        try:
            self.ready = until_answered(self.port, encode("GET", "/api"), self.program, 0.005)
        except BaseException:
            self.program.stop()
            raise
        self.start_seconds = self.ready - self.program.started

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self, method, target, body=None):
        client = HTTPClient(self.port)
        try:
            status, answer = client.request(
                method, target, body, [("Authorization", f"token {self.token}"), ("Content-Type", "application/json")]
            )
        finally:
            client.close()
        if status >= 300:
            raise StartFailed(f"{method} {target}: {status} {answer[:200]}")
        return json.loads(answer) if answer else None

    def start_kernel(self):
        return self.request("POST", "/api/kernels", b'{"name": "python3"}')["id"]

    def client(self, kernel=None, quick_acknowledge=True):
        return WebSocketClient(self.port, self.token, kernel or self.start_kernel(), quick_acknowledge)

    def stop(self):
        for kernel in self.request("GET", "/api/kernels"):
            self.request("DELETE", f"/api/kernels/{kernel['id']}")
        self.program.stop()


class CodeInterpreter:
    """Ours. `jupyter`: the server that it shall use; without it, it gets its kernels as it does by default."""

    def __init__(self, scratch, jupyter=None, options=(), name="ours"):
        self.workspace = Path(scratch) / f"workspace-{uuid.uuid4().hex}"
        self.workspace.mkdir()
        command = [server_binary(), "serve", "--host", "127.0.0.1", "--port", "0", "--workspace", self.workspace]
        if jupyter:
            command += ["--jupyter-url", jupyter.url, "--jupyter-token", jupyter.token]
        self.program = Program(
            name,
            [*command, *options],
            scratch,
            environment={"CODE_INTERPRETER_PYTHON_ENVIRONMENT": str(kernel_environment())},
            announce=LISTENING,
        )
        try:
            self.port = int(self.program.announcement)
            self.ready = until_answered(self.port, encode("GET", "/health"), self.program)
        except BaseException:
            self.program.stop()
            raise
        self.start_seconds = self.ready - self.program.started

    @property
    def pid(self):
        return self.program.pid

    def client(self, context_id=None):
        return ExecuteClient(self.port, context_id)

    def new_context(self):
        client = HTTPClient(self.port)
        try:
            status, answer = client.request("POST", "/contexts", b"{}", [("Content-Type", "application/json")])
        finally:
            client.close()
        if status != 200:
            raise StartFailed(f"POST /contexts: {status} {answer[:200]}")
        return json.loads(answer)["id"]

    def stop(self):
        self.program.stop()


class StockKernel:
    """An ipykernel as it comes, on Unix sockets, and its one client."""

    CHANNELS = ("shell", "iopub", "stdin", "control", "hb")

    def __init__(self, scratch, verify=False):
        begin = time.perf_counter()
        name = Path(scratch) / f"kernel-{uuid.uuid4().hex[:8]}"
        self.connection = {
            "transport": "ipc",
            "ip": str(name),
            "key": secrets.token_hex(16),
            "signature_scheme": "hmac-sha256",
            "kernel_name": "python3",
            **{f"{channel}_port": number for number, channel in enumerate(self.CHANNELS, 1)},
        }
        file = name.with_suffix(".json")
        file.write_text(json.dumps(self.connection))
        # Our environment turns the history off for all kernels; by itself ipykernel has it.
        command = [kernel_environment() / "bin/python", "-m", "ipykernel_launcher", "-f", file]
        self.program = Program(
            "kernel", [*command, "--HistoryManager.enabled=True"], scratch, environment=jupyter_directories(scratch)
        )
        try:
            self.client = ZeroMQClient(self.connection, verify)
        except BaseException:
            self.program.stop()
            raise
        self.start_seconds = time.perf_counter() - begin

    def stop(self):
        self.client.close()
        self.program.stop(grace=2)


class FastAPIServer:
    """The opponent for the HTTP part."""

    def __init__(self, scratch, access_log=False):
        self.workspace = Path(scratch) / f"fastapi-{uuid.uuid4().hex}"
        self.workspace.mkdir()
        self.port = free_port()
        command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--host", "127.0.0.1", "--port", self.port]
        command += ["--loop", "uvloop", "--http", "httptools", "--backlog", "4096"]
        self.program = Program(
            "fastapi",
            command if access_log else [*command, "--no-access-log"],
            scratch,
            environment={"WORKSPACE": str(self.workspace), "TMPDIR": str(self.workspace)},
            directory=HARNESS.parent,
        )
        try:
            until_answered(self.port, encode("GET", "/health"), self.program)
        except BaseException:
            self.program.stop()
            raise

    @property
    def pid(self):
        return self.program.pid

    def stop(self):
        self.program.stop()


class Floor:
    """The C program that the load generator is measured against; `None` where there is no compiler."""

    @classmethod
    def built(cls, scratch):
        compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
        if compiler is None:
            return None
        binary = Path(scratch) / "floor"
        subprocess.run([compiler, "-O2", "-pthread", HARNESS.parent / "floor.c", "-o", binary], check=True)
        return cls(binary, scratch)

    def __init__(self, binary, scratch):
        self.program = Program("floor", [binary], scratch, announce=LISTENING)
        self.port = int(self.program.announcement)

    @property
    def pid(self):
        return self.program.pid

    def client(self):
        return ExecuteClient(self.port)

    def stop(self):
        self.program.stop()
