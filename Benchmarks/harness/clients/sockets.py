"""Shared by the TCP clients: the connection and the receive buffer."""

import socket

TIMEOUT = 120  # Seconds; far above every measurement, so that a hang is an error.
RECEIVE_SIZE = 1 << 20


def connect(port, tls=None):
    """
    tls: an ssl.SSLContext, for https.
    """
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    # A Python time-out adds a poll() to every call. SO_RCVTIMEO costs nothing.
    connection.settimeout(None)
    seconds = TIMEOUT.to_bytes(8, "little") + bytes(8)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(connection, server_hostname="localhost") if tls else connection


class ReceiveBuffer:
    """The received bytes, in one block of memory between `start` and `end`."""

    def __init__(self, capacity=4 << 20):
        self.bytes = bytearray(capacity)
        self.view = memoryview(self.bytes)
        self.start = self.end = 0

    def clear(self):
        self.start = self.end = 0

    def receive(self, connection, total=0):
        """Receives once. `total` is the length that the run at `start` may reach."""
        if self.start == self.end:
            self.start = self.end = 0
        room = max(total, self.end - self.start + 1)
        if self.start + room > len(self.bytes):
            self._move(room)
        count = connection.recv_into(self.view[self.end : self.end + RECEIVE_SIZE])
        if count == 0:
            raise ConnectionError("the peer closed the connection")
        self.end += count

    def _move(self, room):
        """Moves the bytes to the front, into a longer block if necessary."""
        held = bytes(self.view[self.start : self.end])
        if room > len(self.bytes):
            self.bytes = bytearray(room + RECEIVE_SIZE)
            self.view = memoryview(self.bytes)
        self.view[: len(held)] = held
        self.start, self.end = 0, len(held)
