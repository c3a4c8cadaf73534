"""A Jupyter kernel on plain sockets. The system stamps when a request arrives and when its last message is sent.

Of an execution it says what ipykernel says of `1+1`. The code is a number: how many microseconds it computes before
each message, as a kernel does. What it has to tell is a `TIMES` in the file that STAMPS names. It is started with the
path of a connection file whose transport is TCP, and believes whoever knows where its sockets are.
"""

import hmac
import json
import mmap
import os
import selectors
import socket
import struct
import sys
import time

from harness.stamps import StampedSocket
from harness.zmtp import COMMAND, GREETING, LONG, MORE, message, ready

TIMES = struct.Struct("=QQQ")
"""The number of executions, and the times at which the last request arrived and its last message was sent."""

DELIMITER = b"<IDS|MSG>"
KINDS = {"shell": b"ROUTER", "control": b"ROUTER", "iopub": b"PUB"}


class Connection:
    """A client's connection to one of the kernel's sockets, after the handshake."""

    def __init__(self, connection, kind):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = StampedSocket(connection)
        self.read = b""
        self.socket.sendall(GREETING)
        while len(self.read) < len(GREETING):
            self.fill()
        self.read = self.read[len(GREETING) :]
        self.socket.sendall(ready(kind))

    def fill(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise EOFError
        self.read += piece

    def messages(self):
        """The complete messages that have arrived, as frames; without commands."""
        parts = []
        taken = at = 0
        while (found := next_frame(self.read, at)) is not None:
            flags, part, at = found
            if not flags & COMMAND:
                parts.append(part)
                if flags & MORE:
                    continue
                yield parts
                parts = []
            taken = at
        self.read = self.read[taken:]

    def send(self, parts):
        self.socket.sendall(message(parts))


def next_frame(read, at):
    """(flags, body, offset of the next frame); None if the frame is incomplete."""
    if len(read) < at + 2:
        return None
    flags = read[at]
    start = at + (9 if flags & LONG else 2)
    end = start + int.from_bytes(read[at + 1 : start], "big")
    return (flags, read[start:end], end) if len(read) >= max(start, end) else None


class Kernel:
    def __init__(self, connection, stamps):
        self.key = connection["key"].encode()
        self.stamps = stamps
        self.count = 0
        self.publishers = []
        self.selector = selectors.DefaultSelector()
        for name, kind in KINDS.items():
            listener = socket.create_server((connection["ip"], connection[f"{name}_port"]))
            self.selector.register(listener, selectors.EVENT_READ, (name, kind))

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                if isinstance(key.data, Connection):
                    self.hear(key.data)
                else:
                    self.accept(key.fileobj, *key.data)

    def accept(self, listener, name, kind):
        connection = Connection(listener.accept()[0], kind)
        if name == "iopub":
            self.publishers.append(connection)
        else:
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)

    def hear(self, connection):
        try:
            connection.fill()
        except (EOFError, ConnectionError):
            self.selector.unregister(connection.socket)
            return
        for parts in connection.messages():
            self.answer(connection, parts[parts.index(DELIMITER) + 2 :])

    def answer(self, connection, parts):
        header, _, _, content = parts[:4]
        kind = json.loads(header)["msg_type"]
        if kind == "execute_request":
            return self.execute(connection, header, json.loads(content)["code"])
        if kind == "shutdown_request":
            sys.exit()
        self.publish(header, "status", {"execution_state": "busy"})
        information = {"status": "ok", "protocol_version": "5.3", "implementation": "stamping", "banner": ""}
        self.say(connection, header, f"{kind.removesuffix('_request')}_reply", information)
        self.publish(header, "status", {"execution_state": "idle"})

    def execute(self, connection, header, code):
        received, pause = connection.socket.arrived, int(code) / 1e6
        self.count += 1
        result = {"data": {"text/plain": "2"}, "metadata": {}, "execution_count": self.count}
        reply = {"status": "ok", "execution_count": self.count, "user_expressions": {}, "payload": []}
        compute(pause)
        self.publish(header, "status", {"execution_state": "busy"})
        compute(pause)
        self.publish(header, "execute_input", {"code": code, "execution_count": self.count})
        compute(pause)
        self.publish(header, "execute_result", result)
        compute(pause)
        self.say(connection, header, "execute_reply", reply)
        compute(pause)
        self.publish(header, "status", {"execution_state": "idle"})
        self.stamps[:] = TIMES.pack(self.count, received, self.publishers[-1].socket.left)

    def publish(self, parent, kind, content):
        for publisher in self.publishers:
            self.say(publisher, parent, kind, content, topic=[kind.encode()])

    def say(self, connection, parent, kind, content, topic=()):
        header = {"msg_id": kind, "session": "stamping", "username": "stamping", "msg_type": kind, "version": "5.3"}
        header["date"] = "2024-01-01T00:00:00.000000Z"
        parts = [json.dumps(header).encode(), parent, b"{}", json.dumps(content).encode()]
        signature = hmac.new(self.key, b"".join(parts), "sha256").hexdigest().encode()
        connection.send([*topic, DELIMITER, signature, *parts])


def compute(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def main():
    with open(sys.argv[1]) as file:
        connection = json.load(file)
    with open(os.environ["STAMPS"], "w+b") as file:
        file.write(bytes(TIMES.size))
        file.flush()
        stamps = mmap.mmap(file.fileno(), TIMES.size)
    Kernel(connection, stamps).serve()


if __name__ == "__main__":
    main()
