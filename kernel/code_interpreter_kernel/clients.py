"""How much each client of a socket has not read yet, from the socket buffers."""

from __future__ import annotations

import _socket
import os
import select
import stat
import struct
import termios
from contextlib import suppress
from typing import Iterator

from code_interpreter_kernel.system import System


class Clients:
    """The connections that a ZeroMQ socket has accepted so far. libzmq reports progress by whole messages only."""

    def __init__(self, endpoint: bytes):
        """`endpoint` is the socket's `ZMQ_LAST_ENDPOINT`."""
        self._descriptors = list(_accepted_at(endpoint.rstrip(b"\0").decode(errors="surrogateescape")))
        self._room = System.poll()
        for descriptor in self._descriptors:
            self._room.register(descriptor, select.POLLOUT)

    def unread(self) -> list[int]:
        """The bytes in each send buffer (SIOCOUTQ). A number that changes means that the client reads."""
        return list(map(_unsent, self._descriptors))

    def are_all_writable(self) -> bool:
        """Whether all send buffers have room, as they do when libzmq has nothing more to write."""
        return len(self._room.poll(0)) == len(self._descriptors)


def _accepted_at(endpoint: str) -> Iterator[int]:
    try:
        descriptors = list(map(int, System.listdir("/proc/self/fd")))
    except OSError:
        return
    for descriptor in descriptors:
        with suppress(OSError):
            if _is_accepted_at(endpoint, descriptor):
                yield descriptor


def _is_accepted_at(endpoint: str, descriptor: int) -> bool:
    if not stat.S_ISSOCK(System.fstat(descriptor).st_mode):
        return False
    # A duplicate, which is closed with this object.
    connection = _socket.socket(-1, -1, -1, System.dup(descriptor))
    if connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
        return False
    name = connection.getsockname()
    if connection.family == _socket.AF_UNIX:
        return endpoint == f"ipc://{os.fsdecode(name)}"
    return isinstance(name, tuple) and endpoint.startswith("tcp://") and endpoint.endswith(f":{name[1]}")


def _unsent(descriptor: int) -> int:
    try:
        (count,) = struct.unpack("i", System.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
        return int(count)
    except OSError:
        return 0  # The connection is closed.
