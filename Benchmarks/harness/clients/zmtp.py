"""The same client on plain sockets, without libzmq and its thread: the least that a client of a kernel can take."""

import select
import socket
import time

import zmq

from .sockets import TIMEOUT, ReceiveBuffer
from .zeromq import ZeroMQClient

# ZMTP 3.0 with the NULL mechanism: https://rfc.zeromq.org/spec/23/
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4
SUBSCRIBE_TO_ALL = b"\1"
PAUSE = 0.01  # Seconds.
KINDS = {zmq.SUB: b"SUB", zmq.DEALER: b"DEALER"}


class ZMTPClient(ZeroMQClient):
    """Shell and iopub of a kernel on Unix sockets."""

    def _connect(self, kind, port):
        return ZMTPSocket(f"{self.connection['ip']}-{self.connection[port]}", KINDS[kind])


class ZMTPSocket:
    """One connection, with as much of a ZeroMQ socket's manner as the client needs."""

    def __init__(self, path, kind):
        self.connection = connect(path)
        self.buffer = ReceiveBuffer()
        self.connection.sendall(GREETING)
        self._take(len(GREETING))
        self.connection.sendall(frame(b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind, COMMAND))
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
        last = len(parts) - 1
        self.connection.sendall(b"".join(frame(part, MORE if index < last else 0) for index, part in enumerate(parts)))

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
    """libzmq tries again by itself until the kernel is there."""
    connection = socket.socket(socket.AF_UNIX)
    for _ in range(int(TIMEOUT / PAUSE)):
        try:
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(PAUSE)
    raise TimeoutError(f"nobody listens on {path}")


def frame(body, flags=0):
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
