"""A WebSocket of the Jupyter Server: one client of one kernel, whose output waits where the client does not read."""

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

from code_interpreter_kernel.manager import LAST_WORDS_SECONDS

WEBSOCKET_V1 = "v1.kernel.websocket.jupyter.org"

#: What a client may leave unread before no more is taken of its kernel's output, in bytes; beside one message of any size.
UNREAD_OUTPUT_BYTES = 1 << 20

#: And before no more is taken of replies and questions, which are few and short where nobody means harm.
UNREAD_BYTES = 1 << 24

#: What is sent on at once, of messages that are there already. Tornado's and pyzmq's way through their loop for each message takes
#: longer than the message itself.
TOGETHER_MESSAGES = 64
TOGETHER_BYTES = 1 << 18


class Connection(ZMQChannelsWebsocketConnection):
    """One client of one kernel.

    Jupyter Server writes whatever a kernel says into a buffer without a limit. Here a kernel that waits for its clients
    (`Manager.waits_for_clients`) is not read while a client does not read: it fills the few places of the socket, then waits.
    Where several clients have the same kernel, it waits for the slowest.
    """

    def __init__(self, **options: Any):
        super().__init__(**options)
        # Bytes since the client had last taken all; and how many there may be of output.
        self._unread = 0
        self._unread_output_limit = 0.0
        # The channels that are not read at present.
        self._held: list[Any] = []
        # When the kernel has last said something, on the loop's clock.
        self._heard_at = 0.0

    @default("limit_rate")
    def _default_limit_rate(self) -> bool:
        return False  # not even counted, which would parse every header

    def connect(self) -> Any:
        """Connects; small messages are sent at once."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()

    def create_stream(self) -> None:
        """Makes the channels."""
        self._unread_output_limit = UNREAD_OUTPUT_BYTES if self.kernel_manager.waits_for_clients else math.inf
        super().create_stream()

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Sends the client a message of the kernel, and those that have come behind it."""
        self._heard_at = asyncio.get_running_loop().time()
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
            self._hold(stream, sent)

    def _frames(self, stream: Any, message: list[bytes]) -> list[bytes]:
        """The frames of a message, and of those that can be had now."""
        channel = stream.channel.encode()
        pieces: list[bytes] = []
        size = add_frame(pieces, channel, message)
        for _ in range(TOGETHER_MESSAGES - 1):
            if size >= TOGETHER_BYTES:
                break
            try:
                message = stream.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            size += add_frame(pieces, channel, message)
        return pieces

    def _hold(self, stream: Any, sent: asyncio.Future[None]) -> None:
        """Takes nothing of the channel until the client has taken all."""
        stream.stop_on_recv()
        self._held.append(stream)
        if len(self._held) == 1:
            sent.add_done_callback(self._go_on)

    def _go_on(self, _: Any) -> None:
        self._unread = 0
        held, self._held = self._held, []
        self._look(held)

    def _look(self, streams: Any) -> None:
        """Reads the channels, beginning with what is there."""
        for stream in streams:
            if not stream.closed():
                stream.on_recv_stream(self.handle_outgoing_message)

    def _send_status_message(self, status: str) -> None:
        """The last words of the kernel on every channel, then its status with the exit code, then the end."""
        content = {"execution_state": status, "exit_code": self.kernel_manager.exit_code}
        asyncio.ensure_future(self._send_last(self.session.msg("status", content), status == "dead"))

    async def _send_last(self, message: dict[str, Any], is_end: bool) -> None:
        loop = asyncio.get_running_loop()
        while self._held or loop.time() - self._heard_at < LAST_WORDS_SECONDS:
            await asyncio.sleep(LAST_WORDS_SECONDS)
            self._look(stream for stream in self.channels.values() if stream not in self._held)
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
    """Adds a binary frame of a WebSocket (RFC 6455, section 5.2) that holds a message of ZeroMQ, less its signature; its length.

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
