"""The three back ends that are tested, each as its own project starts it."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import uuid

from . import processes
from .ports import reserve_port
from .server import GATEWAY_ENVIRONMENT, KERNEL_ENVIRONMENT, TEST_ENVIRONMENT
from .waiting import wait_until

NO_RATE_LIMIT = "--ZMQChannelsWebsocketConnection.limit_rate=False"
"""Jupyter Server and Kernel Gateway drop output above a rate; whoever runs one for us has to tell it not to."""


class Gateway:
    """A running back end. `executable` and `application` are what differs from one to another."""

    name = executable = token_option = ""
    application = "ServerApp"
    environment_directory = KERNEL_ENVIRONMENT
    extra = ()
    server_options = ()
    """What our server has to be told for this back end, beside its URL and its token."""

    def __init__(self, directory, port=None, base_url="/", certificate=None, token=None, environment=None):
        self.environment = environment or {}
        self.port, self.token, self.base_url = port or reserve_port(), token or uuid.uuid4().hex, base_url
        self.certificate, self.directory, self.mark = certificate, directory, uuid.uuid4().hex
        self.start()

    @property
    def url(self):
        return self.url_at(self.port)

    def url_at(self, port):
        """The URL by way of a proxy on `port`."""
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{port}{self.base_url.rstrip('/')}"

    def start(self):
        settings = {"ip": "127.0.0.1", "port": self.port, "port_retries": 0, "base_url": self.base_url}
        if self.certificate:
            settings |= {"certfile": self.certificate.chain, "keyfile": self.certificate.key}
        options = [f"--{self.application}.{name}={value}" for name, value in settings.items()]
        self.log_path = self.directory / f"{self.name}-{self.port}.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.environment_directory / "bin" / self.executable, *options, f"--{self.token_option}={self.token}", *self.extra],
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        wait_until(self._answers, f"{self.name} answers\n{self.log_path}")

    def _environment(self):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CODE_INTERPRETER_")}
        return {**inherited, "JUPYTER_PATH": str(TEST_ENVIRONMENT / "share/jupyter"), processes.MARK: self.mark, **self.environment}

    def restart_kernels(self):
        """Restarts them all as another client would, by its REST API."""
        headers = {"Authorization": f"token {self.token}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", self.base_url.rstrip("/") + "/api/kernels", headers=headers)
            for kernel in json.loads(connection.getresponse().read()):
                path = f"{self.base_url.rstrip('/')}/api/kernels/{kernel['id']}/restart"
                connection.request("POST", path, headers=headers)
                response = connection.getresponse()
                assert response.status == 200, response.read()
                response.read()
        finally:
            connection.close()

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended:\n{self.log_path.read_text()[-3000:]}")
        try:
            return self._get("/api/kernelspecs") == 200
        except OSError:
            return False

    def _get(self, path):
        if self.certificate:
            context = ssl.create_default_context(cafile=self.certificate.authority)
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", self.base_url.rstrip("/") + path, headers={"Authorization": f"token {self.token}"})
            return connection.getresponse().status
        finally:
            connection.close()

    def kernels(self):
        """The kernels' processes that it runs."""
        return [pid for pid in processes.marked(self.mark) if pid != self.process.pid]

    def kill(self):
        """Ends it and its kernels at once, as a machine that fails does."""
        for pid in [self.process.pid, *self.kernels()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


class JupyterServer(Gateway):
    name, executable, token_option = "jupyter-server", "jupyter-server", "IdentityProvider.token"
    extra = ("--allow-root", "--no-browser", "--ServerApp.root_dir=/", NO_RATE_LIMIT)


class KernelGateway(Gateway):
    name, executable, application = "kernel-gateway", "jupyter-kernelgateway", "KernelGatewayApp"
    token_option = "KernelGatewayApp.auth_token"
    environment_directory = TEST_ENVIRONMENT
    extra = (NO_RATE_LIMIT,)


class EnterpriseGateway(Gateway):
    name, executable, application = "enterprise-gateway", "jupyter-enterprisegateway", "EnterpriseGatewayApp"
    token_option = "EnterpriseGatewayApp.auth_token"
    environment_directory = GATEWAY_ENVIRONMENT
    extra = ("--EnterpriseGatewayApp.authorized_users=['tester']",)
    server_options = ("--kernel-env", "KERNEL_USERNAME=tester")


class Certificate:
    """A certificate for 127.0.0.1 by an authority of our own, made by the openssl command."""

    def __init__(self, directory):
        self.authority, self.chain, self.key = (str(directory / name) for name in ("ca.pem", "server.pem", "server.key"))
        authority_key, request, extension = (str(directory / name) for name in ("ca.key", "server.csr", "extension"))
        with open(extension, "w") as file:
            file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self._openssl("req", "-x509", *new_key, "-keyout", authority_key, "-out", self.authority, "-subj", "/CN=Test CA", "-days", "2")
        self._openssl("req", *new_key, "-keyout", self.key, "-out", request, "-subj", "/CN=127.0.0.1")
        self._openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", authority_key, "-CAcreateserial",
                      "-out", self.chain, "-days", "2", "-extfile", extension)  # fmt: skip

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
