"""A ZeroMQ client of one kernel, with nothing in between: the lower bound for every server."""

import hashlib
import hmac
from time import perf_counter_ns

import zmq

from .messages import ExecuteRequest, Identifiers, header_for, new_session
from .sockets import TIMEOUT
from .websocket import ignore

DELIMITER = b"<IDS|MSG>"


class SignatureWrong(Exception):
    """A message was not signed with the connection's key."""


class ZeroMQClient:
    """Shell and iopub of a kernel, from its connection file.

    `verify`: whether the signatures of the kernel's messages are checked, which a client should and the floor need not.
    """

    def __init__(self, connection, verify=False):
        self.connection, self.verify = connection, verify
        self.key = connection["key"].encode()
        self.session = new_session()
        self.identifiers = Identifiers()
        self.sent = 0
        self.context = zmq.Context()
        self._open()

    def _open(self):
        self.iopub = self._connect(zmq.SUB, "iopub_port")
        self.iopub.setsockopt(zmq.SUBSCRIBE, b"")
        self.shell = self._connect(zmq.DEALER, "shell_port")
        # A SUB misses messages from before its subscription arrived, so ask until iopub has answered too.
        for number in range(int(TIMEOUT / 0.2)):
            # A new id each time: a kernel refuses a repeated signature.
            self._send(header_for("kernel_info_request", self.session, f"info {number}"), b"{}")
            if self.shell.poll(TIMEOUT * 1000) and self.shell.recv_multipart() and self.iopub.poll(200):
                break
        while self.iopub.poll(200):
            self.iopub.recv_multipart()

    def _connect(self, kind, port):
        made = self.context.socket(kind)
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.RCVHWM, 0)
        made.setsockopt(zmq.RCVTIMEO, TIMEOUT * 1000)
        separator = "-" if self.connection["transport"] == "ipc" else ":"
        made.connect(f"{self.connection['transport']}://{self.connection['ip']}{separator}{self.connection[port]}")
        return made

    def reconnect(self):
        """Does nothing: these sockets have no idle time-out."""

    def close(self):
        self.shell.close()
        self.iopub.close()
        self.context.term()

    def prepare(self, code):
        return ExecuteRequest(code, self.session)

    def execute(self, prepared):
        return self._run(prepared, ignore)

    def collect(self, code, on_bytes):
        return self._run(self.prepare(code), on_bytes)

    def _run(self, prepared, on_bytes):
        identifier = self.identifiers.next()
        begin = perf_counter_ns()
        self._send(prepared.header(identifier), prepared.content)
        first = None
        while True:
            # Uncopied frames cost more if they are small.
            parts = self.iopub.recv_multipart(copy=on_bytes is ignore)
            first = first or perf_counter_ns()
            if on_bytes is not ignore:
                parts = [part.buffer for part in parts]
                on_bytes(parts[-1])
            if self.verify:
                self._check(parts)
            if len(parts[-1]) < 100 and b'"idle"' in bytes(parts[-1]) and identifier in bytes(parts[-3]):
                break
        while identifier not in self.shell.recv_multipart()[-3]:
            pass
        return first - begin, perf_counter_ns() - begin

    def _send(self, header, content):
        signature = self._sign((header, b"{}", b"{}", content))
        self.sent = perf_counter_ns()
        self.shell.send_multipart((DELIMITER, signature, header, b"{}", b"{}", content))

    def _sign(self, parts):
        digest = hmac.new(self.key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(part)
        return digest.hexdigest().encode()

    def _check(self, parts):
        if not hmac.compare_digest(self._sign(parts[-4:]), bytes(parts[-5])):
            raise SignatureWrong()
