"""Timestamps of packets by the system, for TCP sockets.

https://docs.kernel.org/networking/timestamping.html
"""

import socket
import struct

SO_TIMESTAMPING = SCM_TIMESTAMPING = 37
TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, TIMESTAMPS_ONLY = 1 << 1, 1 << 3, 1 << 4, 1 << 11
NOTES_SIZE = 512


class StampedSocket:
    """A connection with the times at which its last bytes arrived and were sent: nanoseconds of CLOCK_REALTIME.

    On loopback both ends of a connection have the same stamp, but for the microsecond that it takes: what leaves one has
    arrived at the other, whether its reader runs yet or not.
    """

    def __init__(self, connection):
        self.connection = connection
        self.arrived = self.left = 0
        wanted = TX_SOFTWARE | RX_SOFTWARE | SOFTWARE | TIMESTAMPS_ONLY
        connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, wanted)

    def fileno(self):
        return self.connection.fileno()

    def recv(self, size):
        piece, notes, _, _ = self.connection.recvmsg(size, NOTES_SIZE)
        self.arrived = stamp(notes) or self.arrived
        return piece

    def sendall(self, data):
        self.connection.sendall(data)
        while True:
            try:
                _, notes, _, _ = self.connection.recvmsg(0, NOTES_SIZE, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            self.left = stamp(notes) or self.left

    def close(self):
        self.connection.close()


def stamp(notes):
    for level, kind, data in notes:
        if (level, kind) == (socket.SOL_SOCKET, SCM_TIMESTAMPING):
            seconds, nanoseconds = struct.unpack_from("qq", data)
            return seconds * 10**9 + nanoseconds
    return None
