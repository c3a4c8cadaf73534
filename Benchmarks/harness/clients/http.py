"""An HTTP/1.1 client on a plain socket."""

import json
from time import perf_counter_ns

from .sockets import RECEIVE_SIZE, connect

# The last chunk. Our lines end in LF without CR, so this cannot occur in the body.
LAST_CHUNK = b"0\r\n\r\n"


class HTTPFailed(Exception):
    """The response was not the expected one; the message has its beginning."""


class HTTPClient:
    """A connection. Requests are bytes; responses are framed and otherwise not parsed."""

    def __init__(self, port, block_length=RECEIVE_SIZE, tls=None):
        self.port, self.tls = port, tls
        self.view = memoryview(bytearray(block_length))
        self.socket = connect(port, tls)

    def reconnect(self):
        self.socket.close()
        self.socket = connect(self.port, self.tls)

    def close(self):
        self.socket.close()

    def request(self, method, target, body=None, fields=()):
        """Returns (status, body), for requests that take so long that parsing costs nothing."""
        self.send(encode(method, target, body, fields))
        return self.answer()

    def send(self, request):
        """Sends a request. `answer` reads the response later."""
        self.socket.sendall(request)

    def answer(self):
        """(status, body)"""
        head, rest = self._head()
        if b"transfer-encoding: chunked" in head.lower():
            while not rest.endswith(LAST_CHUNK):
                rest += self._receive()
            rest = unchunked(rest)
        else:
            length = content_length(head)
            while len(rest) < length:
                rest += self._receive()
        return int(head[9:12]), rest

    def _receive(self):
        piece = self.socket.recv(RECEIVE_SIZE)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece

    def _head(self):
        read = self._receive()
        while b"\r\n\r\n" not in read:
            read += self._receive()
        head, _, rest = read.partition(b"\r\n\r\n")
        return head, rest

    def timed(self, request, expected):
        """Sends a small request whose response ends with `expected`; returns the nanoseconds to its end."""
        begin = perf_counter_ns()
        self.socket.sendall(request)
        read = self.socket.recv(65536)
        while read and not read.endswith(expected):
            more = self.socket.recv(65536)
            read = read + more if more else more
        end = perf_counter_ns()
        if not read.startswith(b"HTTP/1.1 200"):
            raise HTTPFailed(read[:200])
        return end - begin

    def upload(self, target, blocks):
        """PUTs the blocks as a body of known length; returns the seconds from the first byte to the response."""
        length = sum(len(block) for block in blocks)
        begin = perf_counter_ns()
        self.socket.sendall(encode("PUT", target, None, [("Content-Length", str(length))]))
        for block in blocks:
            self.socket.sendall(block)
        head, _ = self._head()
        seconds = (perf_counter_ns() - begin) / 1e9
        if head[9:11] != b"20":
            raise HTTPFailed(head)
        return seconds

    def download(self, target, expected):
        """GETs a file of `expected` bytes and drops them; returns the seconds to the last byte."""
        request = encode("GET", target)
        begin = perf_counter_ns()
        self.socket.sendall(request)
        head, rest = self._head()
        if head[9:12] != b"200" or content_length(head) != expected:
            raise HTTPFailed(head)
        left = expected - len(rest)
        while left > 0:
            count = self.socket.recv_into(self.view)
            if count == 0:
                raise ConnectionError("the server closed the connection")
            left -= count
        return (perf_counter_ns() - begin) / 1e9


class ExecuteClient(HTTPClient):
    """Runs code with POST /execute, in its own context or in the default one."""

    def __init__(self, port, context_id=None, tls=None):
        super().__init__(port, tls=tls)
        self.context_id = context_id
        self.sent = 0

    def prepare(self, code):
        body = json.dumps({"code": code, "context_id": self.context_id}).encode()
        return encode("POST", "/execute", body, [("Content-Type", "application/json")])

    def execute(self, prepared):
        begin = self.sent = perf_counter_ns()
        self.socket.sendall(prepared)
        piece = self.socket.recv(65536)
        first = perf_counter_ns()
        if not piece.startswith(b"HTTP/1.1 200"):
            raise HTTPFailed(piece[:200])
        while not piece.endswith(LAST_CHUNK):
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the server closed the connection")
            # The end may be split.
            piece = more if len(more) >= len(LAST_CHUNK) else piece[-len(LAST_CHUNK) :] + more
        return first - begin, perf_counter_ns() - begin

    def execute_anew(self, prepared):
        """`execute` on a new connection, including the time to connect."""
        self.close()
        begin = perf_counter_ns()
        self.reconnect()
        connecting = perf_counter_ns() - begin
        first, end = self.execute(prepared)
        return connecting + first, connecting + end

    def collect(self, code, on_bytes):
        request = self.prepare(code)
        begin = perf_counter_ns()
        self.socket.sendall(request)
        first, tail = None, b""
        while tail != LAST_CHUNK:
            count = self.socket.recv_into(self.view)
            first = first or perf_counter_ns()
            if count == 0:
                raise ConnectionError("the server closed the connection")
            on_bytes(self.view[:count])
            tail = (tail + bytes(self.view[max(0, count - 5) : count]))[-5:]
        return first - begin, perf_counter_ns() - begin


def encode(method, target, body=None, fields=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in fields)]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def content_length(head):
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def unchunked(body):
    pieces = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        count = int(size.partition(b";")[0], 16)
        pieces.append(rest[:count])
        body = rest[count + 2 :]
    return b"".join(pieces)
