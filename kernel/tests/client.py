"""A ZeroMQ client for kernels, and classes that start them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator

import zmq

#: The Python of the tested environment: `$KERNEL_PYTHON`, or this one.
PYTHON = os.environ.get("KERNEL_PYTHON", sys.executable)

#: The time-out of every wait, in seconds.
SECONDS = 60


class Client:
    """A connection to the kernel of a connection file, which need not listen yet."""

    def __init__(self, name: Path):
        self.name = name
        self.connection_file = name.with_suffix(".json")
        self.session = uuid.uuid4().hex
        self._key = uuid.uuid4().hex
        self._context = zmq.Context()
        ports = {f"{channel}_port": n for n, channel in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)}
        connection = {"transport": "ipc", "ip": str(name), "key": self._key, "signature_scheme": "hmac-sha256", **ports}
        self.connection_file.write_text(json.dumps(connection))
        self.shell = self._connect(zmq.DEALER, 1)
        self.iopub = self._connect(zmq.SUB, 2)
        self.control = self._connect(zmq.DEALER, 4)
        self.iopub.subscribe(b"")

    def _connect(self, kind: int, port: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger, socket.rcvhwm, socket.sndhwm = 0, 0, 0
        socket.reconnect_ivl, socket.reconnect_ivl_max = 1, 5
        socket.connect(f"ipc://{self.name}-{port}")
        return socket

    def close(self) -> None:
        """Closes the sockets."""
        self._context.destroy(linger=0)

    def send(self, kind: str, content: dict[str, Any], metadata: Any = {}, socket: zmq.Socket[bytes] | None = None) -> str:
        """Sends a request; returns its id."""
        identifier = uuid.uuid4().hex
        header = {
            "msg_id": identifier,
            "msg_type": kind,
            "session": self.session,
            "username": "u",
            "version": "5.3",
            "date": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        }
        parts = [json.dumps(part).encode() for part in (header, {}, metadata, content)]
        signature = hmac.new(self._key.encode(), b"".join(parts), hashlib.sha256).hexdigest().encode()
        (socket or self.shell).send_multipart([b"<IDS|MSG>", signature, *parts])
        return identifier

    @staticmethod
    def _parse(parts: list[bytes], channel: str) -> dict[str, Any]:
        header, parent, metadata, content = (json.loads(part) for part in parts[parts.index(b"<IDS|MSG>") + 2 :][:4])
        return {
            "channel": channel,
            "type": header["msg_type"],
            "parent": parent.get("msg_id"),
            "metadata": metadata,
            "content": content,
            "at": time.monotonic(),
        }

    def messages(self, request: str, seconds: float = SECONDS) -> Iterator[dict[str, Any]]:
        """The messages of a request, until its reply and the idle status."""
        poller = zmq.Poller()
        channels = {self.shell: "shell", self.iopub: "iopub", self.control: "control"}
        for socket in channels:
            poller.register(socket, zmq.POLLIN)
        left = {"reply", "idle"}
        while left:
            ready = poller.poll(seconds * 1000)
            assert ready, f"no {left} after {seconds} s"
            for socket, _ in ready:
                message = self._parse(socket.recv_multipart(), channels[socket])
                if message["parent"] != request:
                    continue
                if message["type"].endswith("_reply"):
                    left.discard("reply")
                if message["content"].get("execution_state") == "idle":
                    left.discard("idle")
                yield message

    def reply(self, request: str, seconds: float = SECONDS) -> dict[str, Any]:
        return next(m["content"] for m in list(self.messages(request, seconds)) if m["type"].endswith("_reply"))

    def wait_until_ready(self) -> dict[str, Any]:
        """Waits until the kernel replies and its output arrives; returns the kernel's information."""
        deadline = time.monotonic() + SECONDS
        while True:
            # Status messages are lost until the subscription has arrived.
            try:
                return self.reply(self.send("kernel_info_request", {}), 0.5)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise

    def execute(self, code: str, code_interpreter: dict[str, Any] | None = None, **content: Any) -> str:
        """Sends an `execute_request`; returns its id."""
        metadata = {} if code_interpreter is None else {"code_interpreter": code_interpreter}
        return self.send("execute_request", {"code": code, "silent": False, **content}, metadata)

    def run(self, code: str, code_interpreter: dict[str, Any] | None = None, **content: Any) -> list[dict[str, Any]]:
        """Runs code; returns the messages."""
        return list(self.messages(self.execute(code, code_interpreter, **content)))

    def text(self, code: str, code_interpreter: dict[str, Any] | None = None) -> str:
        """Runs code; returns its output, its value and its error as text."""
        return text(self.run(code, code_interpreter))

    def value(self, expression: str) -> Any:
        """The value of an expression that JSON can represent."""
        return json.loads(self.text(f"import json; print(json.dumps({expression}))"))


def text(messages: list[dict[str, Any]]) -> str:
    """The text in messages."""
    result = ""
    for message in messages:
        content = message["content"]
        if message["type"] == "stream":
            result += content["text"]
        elif message["type"] in ("execute_result", "display_data"):
            result += content["data"].get("text/plain", "")
        elif message["type"] == "error":
            result += "\n".join(content["traceback"])
    return result


def environment(directory: Path) -> dict[str, str]:
    """The environment of kernels, which keep their files out of the home directory."""
    # With this variable, ipykernel does not capture descriptors.
    variables = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {**variables, "IPYTHONDIR": f"{directory}/ipython", "MPLCONFIGDIR": f"{directory}/matplotlib"}


class Spawned(Client):
    """A kernel that is started by exec."""

    def __init__(
        self,
        directory: Path,
        *,
        module: str = "code_interpreter_kernel.kernel",
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        output: int | None = None,
        **env: str,
    ):
        super().__init__(directory / f"kernel-{uuid.uuid4().hex[:8]}")
        self.log = self.name.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", module, "-f", str(self.connection_file)],
                cwd=cwd or directory,
                env={**environment(directory), **env},
                stdin=stdin,
                stdout=log if output is None else output,
                stderr=log if output is None else output,
                start_new_session=True,
            )
        self.pid = self.process.pid
        self.info = self.wait_until_ready()

    def close(self) -> None:
        super().close()
        self.process.kill()
        self.process.wait()
