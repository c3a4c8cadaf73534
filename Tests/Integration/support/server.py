"""The server's process."""

import os
import re
import signal
import subprocess
import threading
import uuid
from pathlib import Path

from . import processes
from .client import Client
from .waiting import HANG, wait_until

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("CODE_INTERPRETER_BINARY", ROOT / ".build/release/code-interpreter"))
KERNEL_ENVIRONMENT = Path(os.environ.get("CODE_INTERPRETER_PYTHON_ENVIRONMENT", ROOT / ".venv"))
TEST_ENVIRONMENT = ROOT / ".venv-tests"
GATEWAY_ENVIRONMENT = ROOT / ".venv-gateways"
LISTENING = re.compile(r"Listening on https?://(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|localhost):(\d+)")


class Server:
    """Starts the server. `client` is its client; `stop` ends it as an operator would, and checks what is left."""

    def __init__(
        self, workspace, *options, backend, environment=None, port=0, wait=True, before_start=None, token=None,
        authority=None, prefix=(), cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=(),
    ):  # fmt: skip
        self.workspace = Path(workspace)
        self.authority = authority
        self.mark = uuid.uuid4().hex
        self.output, self.log_lines = [], []
        self.process = subprocess.Popen(
            [*prefix, BINARY, "serve", "--host", "127.0.0.1", "--port", str(port), "--workspace", workspace,
             "--backend", backend, "--python-environment", KERNEL_ENVIRONMENT, *options],
            cwd=cwd,
            env=self._environment(environment or {}),
            stdin=stdin,
            pass_fds=pass_fds,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=before_start,
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=self._collect, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self.process.stdout, self.output), (self.process.stderr, self.log_lines))
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.port = wait_until(self._announced_port, "the server says where it listens")
            self.client = Client(self.port, token=token, authority=authority and authority.certificate)
            if wait:
                self.wait_until_healthy()
        except BaseException:
            self.kill()
            raise

    def _environment(self, extra):
        # ipykernel does not capture file descriptors if PYTEST_CURRENT_TEST is set.
        ours = ("CODE_INTERPRETER_", "PYTEST_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        kernelspecs = str(TEST_ENVIRONMENT / "share/jupyter")
        return {**inherited, "JUPYTER_PATH": kernelspecs, processes.MARK: self.mark, **extra}

    @staticmethod
    def _collect(pipe, lines):
        for line in pipe:
            lines.append(line.decode(errors="replace"))
        pipe.close()

    def _announced_port(self):
        if self.process.poll() is not None:
            self.join_readers()
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log}")
        for line in list(self.output):
            if match := LISTENING.search(line):
                return int(match[1])
        return None

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        """Its standard output and error."""
        return "".join(self.output) + "".join(self.log_lines)

    def join_readers(self):
        """Waits for the rest of its output. Processes that inherited the pipes must have ended."""
        for reader in self._readers:
            reader.join(10)

    def wait_until_healthy(self):
        def healthy():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log}")
            return self.client.is_healthy()

        wait_until(healthy, lambda: f"/health answers 200; its log:\n{self.log[-3000:]}", pause=0.1)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=HANG):
        """Waits for the exit code; a server that hangs is killed, and the test fails."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {seconds} s:\n{self.log[-3000:]}") from None
        return code

    def leftovers(self):
        return [pid for pid in processes.marked(self.mark) if pid != self.pid]

    def kernels(self):
        """The live kernels, including warm ones, with their descendants: a list for each kernel."""
        return processes.kernels(self.leftovers())

    def fork_server(self):
        """The process id of the fork server, or None."""
        found = processes.running(processes.descendants(self.pid), "code_interpreter_kernel.fork_server")
        return found[0] if found else None

    def wait_until_forking(self, other_than=None):
        """Waits until new kernels are forked; returns the process id of the fork server."""

        def forked():
            fork_server = self.fork_server()
            if fork_server in (None, other_than):
                return None
            context = self.client.create_context()
            parent = self.client.execute("import os; os.getppid()", context_id=context["id"]).succeeded().text
            self.client.delete_context(context["id"]).expect(200)
            return fork_server if int(parent) == fork_server else None

        return wait_until(forked, "kernels are forked", pause=0.1)

    def check_nothing_is_left(self):
        """Checks that no process of the server or its descendants is left."""
        try:
            wait_until(lambda: not self.leftovers(), "its processes are gone")
        except AssertionError:
            left = processes.describe(self.leftovers())
            self.kill_leftovers()
            raise AssertionError(f"left behind:\n{left}") from None

    def stop(self):
        """Sends SIGTERM; checks exit code 0 and that nothing is left."""
        if self.process.poll() is None:
            self.signal()
        code = self.wait()
        self.join_readers()
        self.check_nothing_is_left()
        assert code == 0, f"exit code {code}:\n{self.log[-3000:]}"

    def kill_leftovers(self):
        for pid in self.leftovers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def kill(self):
        """Kills the server and its descendants, in any state."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.kill_leftovers()
