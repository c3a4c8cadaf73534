"""The same client on plain sockets, without libzmq and its thread: the minimum for a client of a kernel."""

import select
import socket
import time

import zmq

from ..zmtp import GREETING, LONG, MORE, frame, message, ready
from .sockets import TIMEOUT, ReceiveBuffer
from .zeromq import ZeroMQClient

SUBSCRIBE_TO_ALL = b"\1"
PAUSE = 0.01  # Seconds.
KINDS = {zmq.SUB: b"SUB", zmq.DEALER: b"DEALER"}


class ZMTPClient(ZeroMQClient):
    """Shell and iopub of a kernel on Unix sockets."""

    def _connect(self, kind, port):
        return ZMTPSocket(f"{self.connection['ip']}-{self.connection[port]}", KINDS[kind])


class ZMTPSocket:
    """A connection with the part of a ZeroMQ socket's interface that the client needs."""

    def __init__(self, path, kind):
        self.connection = connect(path)
        self.buffer = ReceiveBuffer()
        self.connection.sendall(GREETING)
        self._take(len(GREETING))
        self.connection.sendall(ready(kind))
        self._frame()

    def setsockopt(self, option, value):
        if option == zmq.SUBSCRIBE:
            self.connection.sendall(frame(SUBSCRIBE_TO_ALL + value))

    def poll(self, milliseconds):
        is_waiting = self.buffer.start != self.buffer.end
        return is_waiting or bool(select.select([self.connection], [], [], milliseconds / 1000)[0])

    def recv_multipart(self, copy=True):
        parts, flags = [], MORE
        while flags & MORE:
            flags, part = self._frame()
            parts.append(part)
        return parts

    def send_multipart(self, parts):
        self.connection.sendall(message(parts))

    def close(self):
        self.connection.close()

    def _frame(self):
        flags, length = self._take(2)
        if flags & LONG:
            length = int.from_bytes(bytes([length]) + self._take(7), "big")
        return flags, self._take(length)

    def _take(self, count):
        while self.buffer.end - self.buffer.start < count:
            self.buffer.receive(self.connection, count)
        start = self.buffer.start
        self.buffer.start += count
        return bytes(self.buffer.view[start : start + count])


def connect(path):
    """libzmq retries by itself until the kernel listens."""
    connection = socket.socket(socket.AF_UNIX)
    for _ in range(int(TIMEOUT / PAUSE)):
        try:
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(PAUSE)
    raise TimeoutError(f"nobody listens on {path}")
