"""A client of a Jupyter Server's kernel WebSocket on a plain socket, so that TCP_QUICKACK can be set after each read.

Frames are masked with a key of zeros, which leaves their bytes as they are: nothing that a server could tell from a
client with any other key, and no cost here.
"""

import base64
import os
import socket
import struct
from time import perf_counter_ns

from .messages import ExecuteRequest, Identifiers, header_for, new_session
from .sockets import ReceiveBuffer, connect

PROTOCOL = "v1.kernel.websocket.jupyter.org"
BINARY, CLOSE, PING, PONG = 0x2, 0x8, 0x9, 0xA
SILENT_PINGS = 4  # They come every 30 s.
SHELL = b"shell"
COPIED_LENGTH = 1 << 20


class WebSocketFailed(Exception):
    """The upgrade was refused, or the server closed the WebSocket."""


class WebSocketClient:
    """The channels of a kernel. Messages are parsed only as far as the end of an execution requires."""

    def __init__(self, port, token, kernel, quick_acknowledge=True):
        self.port, self.token, self.kernel = port, token, kernel
        self.quick_acknowledge = quick_acknowledge
        self.identifiers = Identifiers()
        self.buffer = ReceiveBuffer()
        self._open()

    def _open(self):
        # A new session each time: the server replays missed messages of a known one.
        self.session = new_session()
        self.buffer.clear()
        self.socket = connect(self.port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            (
                f"GET /api/kernels/{self.kernel}/channels?session_id={self.session} HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{self.port}\r\nAuthorization: token {self.token}\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
            ).encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1) or self._fail(head)
        if not head.startswith(b"HTTP/1.1 101") or PROTOCOL.encode() not in head:
            self._fail(head)
        self._send_message(SHELL, header_for("kernel_info_request", self.session, "info"), b"{}")
        self._until_idle_and_reply(b'"info"', lambda _: None)

    def _fail(self, what):
        raise WebSocketFailed(bytes(what[:300]))

    def reconnect(self):
        self.close()
        self._open()

    def close(self):
        """Sends a close frame first, as a browser does: otherwise the server is busy with the lost client while the next
        one is timed.
        """
        try:
            self.socket.sendall(frame_head(CLOSE, 0))
            while self.socket.recv(65536):
                pass
        except OSError:
            pass  # Already closed.
        self.socket.close()

    def prepare(self, code):
        return ExecuteRequest(code, self.session)

    def execute(self, prepared):
        return self._run(prepared, ignore)

    def execute_anew(self, prepared):
        """`execute` on a new WebSocket, including everything until the kernel replies on it."""
        self.close()
        begin = perf_counter_ns()
        self.reconnect()
        connecting = perf_counter_ns() - begin
        first, end = self.execute(prepared)
        return connecting + first, connecting + end

    def collect(self, code, on_bytes):
        return self._run(self.prepare(code), on_bytes)

    def _run(self, prepared, on_bytes):
        identifier = self.identifiers.next()
        begin = perf_counter_ns()
        self._send_message(SHELL, prepared.header(identifier), prepared.content)
        first = self._until_idle_and_reply(identifier, on_bytes)
        return first - begin, perf_counter_ns() - begin

    def _send_message(self, channel, header, content):
        """The v1 framing: a table of little-endian offsets, the channel, then the parts of the message."""
        offsets, place = [], 8 * 7
        for part in (b"", channel, header, b"{}", b"{}", content):
            place += len(part)
            offsets.append(place)
        payload = b"".join((struct.pack("<7Q", 6, *offsets), channel, header, b"{}{}", content))
        self.socket.sendall(frame_head(BINARY, len(payload)) + payload)

    def _until_idle_and_reply(self, identifier, on_bytes):
        """Reads messages until reply and idle have arrived; returns when the first byte arrived."""
        first, idle, replied = None, False, False
        while not (idle and replied):
            first_byte_at, message = self._next_message()
            if first is None:
                if bytes(message[:4096]).find(identifier) < 0:
                    continue  # For another client, or from the kernel's start.
                first = first_byte_at
            if on_bytes is not ignore:
                on_bytes(message)
            if len(message) > 4096:
                continue
            # The table has 7 numbers, so the channel begins at 56.
            if message.startswith(SHELL, 56):
                replied = replied or message.find(identifier) > 0
            elif message.find(b'"idle"', 300) > 0 and message.find(identifier) > 0:
                idle = True
        return first

    def _next_message(self):
        """Returns (time of the first byte, payload of one complete frame)."""
        for _ in range(SILENT_PINGS):
            opcode, payload, arrived = self._next_frame()
            if opcode == BINARY:
                return arrived, payload
            if opcode == PING:
                self.socket.sendall(frame_head(PONG, len(payload)) + payload)
            elif opcode == CLOSE:
                self._fail(payload)
        self._fail(b"nothing but pings")

    def _next_frame(self):
        buffer = self.buffer
        arrived = perf_counter_ns() if buffer.end > buffer.start else None
        arrived = self._need(2, arrived)
        first, length = buffer.bytes[buffer.start], buffer.bytes[buffer.start + 1]
        size = 2
        if length == 126:
            arrived = self._need(4, arrived)
            (length,) = struct.unpack_from("!H", buffer.bytes, buffer.start + 2)
            size = 4
        elif length == 127:
            arrived = self._need(10, arrived)
            (length,) = struct.unpack_from("!Q", buffer.bytes, buffer.start + 2)
            size = 10
        self._need(size + length, arrived)
        begin = buffer.start + size
        buffer.start = begin + length
        payload = buffer.view[begin : begin + length]
        # A long payload is not copied: it is read before the next frame overwrites it.
        return first & 0x0F, bytes(payload) if length < COPIED_LENGTH else payload, arrived

    def _need(self, count, arrived):
        buffer = self.buffer
        while buffer.end - buffer.start < count:
            buffer.receive(self.socket, count)
            if self.quick_acknowledge:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            arrived = arrived or perf_counter_ns()
        return arrived


def ignore(_):
    """An `on_bytes` that does nothing."""


def frame_head(opcode, length):
    if length < 126:
        return struct.pack("!BBI", 0x80 | opcode, 0x80 | length, 0)
    if length < 65536:
        return struct.pack("!BBHI", 0x80 | opcode, 0x80 | 126, length, 0)
    return struct.pack("!BBQI", 0x80 | opcode, 0x80 | 127, length, 0)
