"""A plain client: one connection per request, and paths unchanged, so that hostile ones arrive."""

import contextlib
import http.client
import json
import socket
import ssl
import struct
import threading
from dataclasses import dataclass

from .ndjson import Execution, LineReader

TIMEOUT = 100.0
"""The read time-out in seconds: longer than any wait that a test causes."""


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def expect(self, status):
        """Returns itself; fails for another status."""
        assert self.status == status, f"{self.status} in place of {status}: {self.body[:500]!r}"
        return self


def check_error(response, status, *words):
    """Checks an error response: one line of plain text that contains `words`."""
    response.expect(status)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8", response.headers["Content-Type"]
    line = response.text
    assert line.strip() and "\n" not in line.rstrip("\n"), f"not one line: {line!r}"
    for word in words:
        assert word.lower() in line.lower(), f"{word!r} is not in {line!r}"
    return response


class Stream:
    """A running execution. Its headers have arrived; lines are read as they arrive."""

    def __init__(self, connection, response):
        self._connection = connection
        self.response = response
        self.execution = Execution()
        self._reader = LineReader(self.read_some)

    def read_some(self):
        return self.response.read1(1 << 20)

    def next(self):
        line = self._reader.next()
        if line is not None:
            self.execution.lines.append(line)
        return line

    def until(self, kind):
        """Reads up to a line of a type; returns its value."""
        while (line := self.next()) is not None:
            if line.type == kind:
                return line.value
        raise AssertionError(f"no line {kind!r} in:\n{self.execution.brief()}")

    def finish(self):
        """Reads the rest; returns the checked execution."""
        while self.next() is not None:
            pass
        self._connection.close()
        return self.execution.check()

    def vanish(self, reset=False):
        """Disconnects, with FIN or with a reset."""
        connection = self._connection.sock or self.response.fp.raw._sock
        if reset:
            reset_when_closed(connection)
        else:
            connection.shutdown(socket.SHUT_RDWR)
        self.response.close()
        self._connection.close()


def reset_when_closed(connection):
    """Makes a socket reset its connection when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Client:
    def __init__(self, port, host="127.0.0.1", token=None, authority=None):
        """
        authority: the file of the certificate authority that is trusted, for https.
        """
        self.host, self.port, self.token = host, port, token
        self.tls = authority and ssl.create_default_context(cafile=authority)
        self.fields = {} if token is None else {"Authorization": f"Bearer {token}"}

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT, context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)

    def request(self, method, path, body=None, headers=None):
        """Sends a request on a new connection; returns the whole response."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body=body, headers={**self.fields, **(headers or {})})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())

    def post(self, path, value=None, headers=None):
        """POSTs a JSON value, or an empty body."""
        body = None if value is None else json.dumps(value).encode()
        return self.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def head(self, path, headers=None):
        return self.request("HEAD", path, headers=headers)

    def put(self, path, body, headers=None):
        return self.request("PUT", path, body, headers)

    def delete(self, path):
        return self.request("DELETE", path)

    # Executions

    def stream(self, code, **fields):
        """Starts an execution; returns when its headers have arrived."""
        body = json.dumps({"code": code, **fields}).encode()
        return self._stream("POST", "/execute", body, {"Content-Type": "application/json"})

    def _stream(self, method, path, body=None, headers=None):
        connection = self.connect()
        connection.request(method, path, body, {**self.fields, **(headers or {})})
        response = connection.getresponse()
        if response.status != 200:
            text = response.read()
            connection.close()
            raise AssertionError(f"{path} answered {response.status}: {text[:500]!r}")
        return Stream(connection, response)

    def execute(self, code, **fields):
        """Runs code until the execution ends."""
        return self.stream(code, **fields).finish()

    def start(self, code, **fields):
        """Starts an execution that nobody need follow; its record."""
        response = self.post("/executions", {"code": code, **fields}).expect(202)
        record = response.json
        assert response.headers["Location"] == f"/executions/{record['id']}", response.headers["Location"]
        return record

    def record(self, identifier):
        return self.get(f"/executions/{identifier}").expect(200).json

    def events(self, identifier, **query):
        """Begins to read the lines of an execution."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self._stream("GET", f"/executions/{identifier}/events" + (f"?{text}" if text else ""))

    # Contexts

    def create_context(self, **fields):
        return self.post("/contexts", fields).expect(200).json

    def contexts(self):
        return self.get("/contexts").expect(200).json

    def delete_context(self, identifier):
        return self.delete(f"/contexts/{identifier}")

    def restart_context(self, identifier):
        return self.post(f"/contexts/{identifier}/restart")

    def is_healthy(self):
        try:
            return self.get("/health").status == 200
        except OSError:
            return False


def at_once(count, work):
    """Runs `work(index)` on several threads at once; returns the results in order, or raises the first error."""
    barrier = threading.Barrier(count)
    results, errors = [None] * count, []

    def run(index):
        try:
            barrier.wait(60)
            results[index] = work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results
