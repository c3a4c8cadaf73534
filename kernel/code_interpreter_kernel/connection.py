"""A WebSocket of the Jupyter Server: one client of one kernel, with backpressure."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import zmq
from jupyter_client.jsonutil import json_default
from jupyter_client.session import DELIM
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from traitlets import default

from code_interpreter_kernel.manager import DRAIN_SECONDS

WEBSOCKET_V1 = "v1.kernel.websocket.jupyter.org"

#: The unread bytes of a client at which the server stops reading its kernel's output. One message of any size may
#: exceed it.
UNREAD_OUTPUT_BYTES = 1 << 20

#: The same limit for the other channels, whose messages are few and short unless a client is hostile.
UNREAD_BYTES = 1 << 24

#: How many messages are sent in one write, if they are already there. A round through Tornado's and pyzmq's loop takes
#: longer than a message.
BATCH_MESSAGES = 64
BATCH_BYTES = 1 << 18


class Connection(ZMQChannelsWebsocketConnection):
    """One client of one kernel.

    Jupyter Server writes everything that a kernel sends into a buffer without a limit. Here the server does not read a
    kernel that waits for its clients (`Manager.waits_for_clients`) while a client does not read: the kernel's socket
    fills, and the kernel waits. With several clients, it waits for the slowest.
    """

    def __init__(self, **options: Any):
        super().__init__(**options)
        # The bytes written since the client's buffer was last empty, and the limit of those for output.
        self._unread = 0
        self._unread_output_limit = 0.0
        # The channels that are not being read.
        self._paused: list[Any] = []
        # The time of the kernel's last message, on the loop's clock.
        self._last_message_at = 0.0

    @default("limit_rate")
    def _default_limit_rate(self) -> bool:
        return False  # Counting would parse every header.

    def connect(self) -> Any:
        """Connects, with TCP_NODELAY."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()

    def create_stream(self) -> None:
        """Creates the channels."""
        self._unread_output_limit = UNREAD_OUTPUT_BYTES if self.kernel_manager.waits_for_clients else math.inf
        super().create_stream()

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Sends the client a message of the kernel and those queued after it."""
        self._last_message_at = asyncio.get_running_loop().time()
        if self.subprotocol != WEBSOCKET_V1:
            return super().handle_outgoing_message(stream, outgoing_msg)
        socket = self.websocket_handler.ws_connection
        if socket is None or socket.is_closing():
            return
        data = b"".join(self._frames(stream, outgoing_msg))
        sent = socket.stream.write(data)
        if not socket.stream.writing():
            self._unread = 0
            return
        self._unread += len(data)
        if self._unread > (self._unread_output_limit if stream.channel == "iopub" else UNREAD_BYTES):
            self._pause(stream, sent)

    def _frames(self, stream: Any, message: list[bytes]) -> list[bytes]:
        """The frames of a message and of the messages that can be received without waiting."""
        channel = stream.channel.encode()
        pieces: list[bytes] = []
        size = add_frame(pieces, channel, message)
        for _ in range(BATCH_MESSAGES - 1):
            if size >= BATCH_BYTES:
                break
            try:
                message = stream.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            size += add_frame(pieces, channel, message)
        return pieces

    def _pause(self, stream: Any, sent: asyncio.Future[None]) -> None:
        """Stops reading the channel until the client has read everything."""
        stream.stop_on_recv()
        self._paused.append(stream)
        if len(self._paused) == 1:
            sent.add_done_callback(self._resume)

    def _resume(self, _: Any) -> None:
        self._unread = 0
        paused, self._paused = self._paused, []
        self._read_channels(paused)

    def _read_channels(self, streams: Any) -> None:
        """Reads the channels, including messages that are already there."""
        for stream in streams:
            if not stream.closed():
                stream.on_recv_stream(self.handle_outgoing_message)

    def _send_status_message(self, status: str) -> None:
        """Sends the kernel's last messages on every channel, then its status with the exit code, then closes."""
        content = {"execution_state": status, "exit_code": self.kernel_manager.exit_code}
        asyncio.ensure_future(self._send_last(self.session.msg("status", content), status == "dead"))

    async def _send_last(self, message: dict[str, Any], is_end: bool) -> None:
        loop = asyncio.get_running_loop()
        while self._paused or loop.time() - self._last_message_at < DRAIN_SECONDS:
            await asyncio.sleep(DRAIN_SECONDS)
            self._read_channels(stream for stream in self.channels.values() if stream not in self._paused)
        socket = self.websocket_handler.ws_connection
        if socket is None or socket.is_closing():
            return
        if self.subprotocol == WEBSOCKET_V1:
            self.write_message(serialize_msg_to_ws_v1(message, "iopub", self.session.pack), binary=True)
        else:
            message["channel"] = "iopub"
            self.write_message(json.dumps(message, default=json_default))
        if is_end:
            self.websocket_handler.close(1000, "kernel died")


def add_frame(pieces: list[bytes], channel: bytes, message: list[bytes]) -> int:
    """Appends a binary WebSocket frame (RFC 6455, section 5.2) with a ZeroMQ message without its signature; returns its
    length.

    https://jupyter-server.readthedocs.io/en/stable/developers/websocket-protocols.html
    """
    parts = message[message.index(DELIM) + 2 :]
    count = len(parts) + 2
    offset = 8 * (count + 1)
    numbers = [count, offset]
    offset += len(channel)
    numbers.append(offset)
    for part in parts:
        offset += len(part)
        numbers.append(offset)
    if offset < 1 << 16:
        head = b"\x82\x7e" + offset.to_bytes(2, "big") if offset > 125 else bytes((0x82, offset))
    else:
        head = b"\x82\x7f" + offset.to_bytes(8, "big")
    pieces += (head, *[number.to_bytes(8, "little") for number in numbers], channel, *parts)
    return offset
