"""The measured programs: how each is started, and how its readiness is detected."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

from support.ports import reserve_port

from .clients.http import ExecuteClient, HTTPClient, encode
from .clients.websocket import WebSocketClient
from .family import Family
from .processes import Program, StartFailed, output

HARNESS = Path(__file__).resolve().parent
REPOSITORY = HARNESS.parent.parent
START_TIMEOUT = 60  # Seconds.
LISTENING = "Listening on http://127.0.0.1:"
LISTENING_SECURELY = "Listening on https://127.0.0.1:"
JSON_FIELDS = (("Content-Type", "application/json"),)


def knows_option(option):
    """Whether the server has an option, by its help."""
    return option in (output(server_binary(), "serve", "--help") or "")


def as_our_kernel():
    """Options with which the server uses a benchmark kernel like its own."""
    return ("--zeromq", "direct") if knows_option("--zeromq") else ()


def server_binary():
    return Path(os.environ.get("CODE_INTERPRETER_BINARY", REPOSITORY / ".build/release/code-interpreter")).absolute()


def kernel_environment():
    """The Python environment that has Jupyter Server and ipykernel."""
    return Path(os.environ.get("CODE_INTERPRETER_PYTHON_ENVIRONMENT", REPOSITORY / ".venv")).absolute()


def until_answered(port, request, program=None, interval=0.002, tls=None):
    """Polls until the response is 200; returns the time (`time.perf_counter`)."""
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        try:
            client = HTTPClient(port, tls=tls)
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
    """Variables that exclude the user's configuration and files in the home directory."""
    names = {"IPYTHONDIR": "ipython", "JUPYTER_CONFIG_DIR": "configuration", "JUPYTER_RUNTIME_DIR": "runtime"}
    return {name: str(Path(directory) / place) for name, place in names.items()}


class JupyterServer:
    """A bare Jupyter Server with its output limits off."""

    def __init__(self, scratch):
        self.port, self.token = reserve_port(), secrets.token_hex(16)
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
                method, target, body, [("Authorization", f"token {self.token}"), *JSON_FIELDS]
            )
        finally:
            client.close()
        if status >= 300:
            raise StartFailed(f"{method} {target}: {status} {answer[:200]}")
        return json.loads(answer) if answer else None

    def start_kernel(self):
        return self.request("POST", "/api/kernels", b'{"name": "python3"}')["id"]

    def client(self, kernel=None, quick_acknowledge=True, port=None):
        """A client of a kernel, or of a new one; `port` is that of a relay to this server."""
        return WebSocketClient(port or self.port, self.token, kernel or self.start_kernel(), quick_acknowledge)

    def stop(self):
        for kernel in self.request("GET", "/api/kernels"):
            self.request("DELETE", f"/api/kernels/{kernel['id']}")
        self.program.stop()


class CodeInterpreter:
    """Ours. `options` say where its kernels come from: `LOCAL`, `OVER_JUPYTER`, or those of `over(jupyter)`."""

    LOCAL = ("--backend", "local")
    OVER_JUPYTER = ("--backend", "jupyter")

    @staticmethod
    def over(jupyter):
        """The options for a Jupyter Server that is there already."""
        return ("--jupyter-url", jupyter.url, "--jupyter-token", jupyter.token)

    def __init__(self, scratch, options=LOCAL, name="ours", environment=None, tls=None):
        """
        tls: an ssl.SSLContext of clients, where `options` make the server speak https.
        """
        self.tls = tls
        self.workspace = Path(scratch) / f"workspace-{uuid.uuid4().hex}"
        self.workspace.mkdir()
        command = [server_binary(), "serve", "--host", "127.0.0.1", "--port", "0", "--workspace", self.workspace]
        self.program = Program(
            name,
            [*command, *options],
            scratch,
            environment={"CODE_INTERPRETER_PYTHON_ENVIRONMENT": str(kernel_environment()), **(environment or {})},
            announce=LISTENING_SECURELY if tls else LISTENING,
        )
        try:
            self.port = int(self.program.announcement)
            self.ready = until_answered(self.port, encode("GET", "/health"), self.program, tls=tls)
        except BaseException:
            self.program.stop()
            raise
        self.start_seconds = self.ready - self.program.started
        self.family = Family(self.pid)

    @property
    def pid(self):
        return self.program.pid

    def client(self, context_id=None):
        return ExecuteClient(self.port, context_id, self.tls)

    def new_context(self, **wanted):
        """The id of a new context; the server may still be filling its pool."""
        client = HTTPClient(self.port)
        try:
            status, answer = client.request("POST", "/contexts", json.dumps(wanted).encode(), JSON_FIELDS)
        finally:
            client.close()
        if status != 200:
            raise StartFailed(f"POST /contexts: {status} {answer[:200]}")
        return json.loads(answer)["id"]

    def stop(self):
        self.program.stop()


class FastAPIServer:
    """The opponent for the HTTP part."""

    def __init__(self, scratch, access_log=False):
        self.workspace = Path(scratch) / f"fastapi-{uuid.uuid4().hex}"
        self.workspace.mkdir()
        self.port = reserve_port()
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


def compiled(source, scratch, *flags):
    """A program from one C file next to the harness; None if it cannot be compiled."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    binary = Path(scratch) / Path(source).stem
    if compiler is None:
        return None
    command = [compiler, "-O2", HARNESS.parent / source, "-o", binary, *flags]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode != 0:
        print(f"{source} cannot be compiled: {built.stderr[:500]}", file=sys.stderr, flush=True)
        return None
    return binary


class Floor:
    """The C program that the load generator is measured against; `None` where it cannot be built."""

    @classmethod
    def built(cls, scratch):
        binary = compiled("floor.c", scratch, "-pthread")
        return cls(binary, scratch) if binary else None

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


class Relay:
    """The C program that only passes on what goes to a Jupyter Server and comes from it; `None` where it cannot be built."""

    @classmethod
    def built(cls, scratch, jupyter):
        binary = compiled("relay.c", scratch, "-pthread")
        return cls(binary, scratch, jupyter) if binary else None

    def __init__(self, binary, scratch, jupyter):
        self.jupyter = jupyter
        self.program = Program("relay", [binary, jupyter.port], scratch, announce=LISTENING)
        self.port = int(self.program.announcement)

    def client(self):
        return self.jupyter.client(port=self.port)

    def stop(self):
        self.program.stop()
