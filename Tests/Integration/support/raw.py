"""Sends raw bytes to the server, well formed or not, and reads responses without a library."""

import socket
from dataclasses import dataclass


@dataclass
class RawResponse:
    version: str
    status: int
    fields: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode()


class RawConnection:
    def __init__(self, port, host="127.0.0.1", timeout=60.0, receive_buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if receive_buffer:
            # Before the connection: later the system has advertised a larger window.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def send_quietly(self, data):
        """Sends until the server closes, which it may do after a refusal."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass
        return self

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def _more(self):
        try:
            piece = self.socket.recv(1 << 16)
        except ConnectionResetError:
            piece = b""
        self.buffer += piece
        return bool(piece)

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                raise EOFError(f"closed after {self.buffer[:500]!r}")
        head, _, self.buffer = self.buffer.partition(mark)
        return head

    def _exactly(self, count):
        while len(self.buffer) < count:
            if not self._more():
                raise EOFError(f"closed after {len(self.buffer)} of {count} bytes")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def rest(self):
        """Reads until the end of the connection."""
        while self._more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def is_closed(self):
        """Waits for the server to close; fails if it sends anything."""
        data = self.rest()
        assert data == b"", f"sent in place of closing: {data[:500]!r}"
        return True

    def head(self):
        """The next response head."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = (lines[0] + " ").split(" ", 2)
        fields = {}
        for line in lines[1:]:
            name, separator, value = line.partition(":")
            assert separator and name == name.strip(), f"bad field line {line!r}"
            assert name.lower() not in fields or name.lower() == "set-cookie", f"{name} twice"
            fields[name.lower()] = value.strip()
        return RawResponse(version, int(status), fields, b"")

    def chunk(self):
        """The next chunk of a chunked body; b"" for the last one."""
        size = int(self._until(b"\r\n").split(b";")[0], 16)
        data = self._exactly(size)
        if size:
            assert self._exactly(2) == b"\r\n"
        else:
            while self._until(b"\r\n"):
                pass
        return data

    def response(self, method="GET"):
        """The next whole response."""
        response = self.head()
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return response
        if response.fields.get("transfer-encoding") == "chunked":
            assert "content-length" not in response.fields
            pieces = []
            while piece := self.chunk():
                pieces.append(piece)
            response.body = b"".join(pieces)
        elif "content-length" in response.fields:
            response.body = self._exactly(int(response.fields["content-length"]))
        else:
            response.body = self.rest()
        return response


def post(path, body):
    """The bytes of a request with a JSON body."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def get(path):
    """The bytes of a request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def exchange(port, data, method="GET", finish=False):
    """Sends these bytes; returns the response."""
    with RawConnection(port) as connection:
        connection.send_quietly(data)
        if finish:
            connection.finish_sending()
        return connection.response(method)
