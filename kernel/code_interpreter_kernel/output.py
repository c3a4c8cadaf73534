"""`sys.stdout` and `sys.stderr` of a kernel: output is sent early, in order, and in few messages."""

from __future__ import annotations

import codecs
import ctypes
import os
import sys
from contextlib import suppress
from typing import Any

from ipykernel.iostream import OutStream

from code_interpreter_kernel.buffer import Buffer
from code_interpreter_kernel.descriptors import open_log, write_all
from code_interpreter_kernel.output_queue import ENTRY, LIMIT, PIECE, sendable
from code_interpreter_kernel.publisher import Publisher
from code_interpreter_kernel.system import System

#: A line this long after the last message is sent by the writing thread itself, in seconds.
IDLE_SECONDS = 0.008

#: A poll of the descriptors that takes this long has released the GIL to a thread that computes, in seconds.
GIL_SECONDS = 0.001


class Stream(OutStream):
    """One of the two streams. Output is sent in the order in which it was written, across both streams and their
    descriptors.
    """

    errors = "strict"
    newlines = None
    line_buffering = True
    write_through = False
    mode = "w"

    #: The first bytes of an incomplete UTF-8 character.
    rest = b""

    def __init__(self, session: Any, pub_thread: Publisher, name: str, *args: Any, **options: Any):
        self._output_queue = pub_thread.output_queue
        super().__init__(session, pub_thread, name, *args, **options)
        self.buffer = Buffer(self)

    @property
    def parent_header(self) -> dict[str, Any]:
        """The header of the request that output of the current context belongs to.

        ipykernel 6 searches for the parent of a thread by thread identifiers, which the system reuses: the search may
        not end. Here a thread inherits the header when it starts, see `threads`.
        """
        return self._parent_header.get(self._parent_header_global)

    @parent_header.setter
    def parent_header(self, value: dict[str, Any]) -> None:
        self._parent_header_global = value
        self._parent_header.set(value)
        self._output_queue.descriptors.has_input = self._output_queue.descriptors.poll_releasing_gil

    def set_parent_here(self, header: dict[str, Any]) -> None:
        """Sets the header for the current context only."""
        self._parent_header.set(header)

    @property
    def parent_of_descriptor(self) -> dict[str, Any]:
        """The header of the current request, which output to the descriptor belongs to."""
        return self._parent_header_global

    def write(self, string: str) -> int:
        """Queues text."""
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        self._write(string)
        return len(string)

    def write_bytes(self, data: bytes) -> None:
        """Queues the bytes of text."""
        self._write(data)

    def _write(self, text: str | bytes) -> None:
        output_queue = self._output_queue
        if output_queue.is_child:
            return self._write_in_child(text)
        if len(text) > PIECE:
            for start in range(0, len(text), PIECE):
                self._write(text[start : start + PIECE])
            return
        parent = self._parent_header.get(self._parent_header_global)
        began = System.monotonic()
        with output_queue.lock:
            # Earlier output to a descriptor comes first.
            if output_queue.descriptors.has_input():
                output_queue.read_descriptors()
            output_queue.entries.append((self, parent, text))
            output_queue.size += len(text) + ENTRY
        now = System.monotonic()
        if now - began > GIL_SECONDS:
            output_queue.descriptors.has_input = output_queue.descriptors.poll_holding_gil
        if now - output_queue.sent_at > IDLE_SECONDS and text[-1:] in ("\n", b"\n") and not output_queue.send_queue.is_full:
            output_queue.send_all()
        else:
            output_queue.wake()
        if output_queue.size > LIMIT:
            output_queue.relieve()

    def _write_in_child(self, text: str | bytes) -> None:
        if not self._should_watch:
            super().write(text if isinstance(text, str) else text.decode(errors="replace"))
        else:
            data = sendable(text).encode() if isinstance(text, str) else text
            write_all(self._original_stdstream_fd, data)

    def send(self, text: str, parent: dict[str, Any]) -> None:
        """Publishes text after everything published before."""
        message = self.session.msg("stream", {"name": self.name, "text": text}, parent=parent)
        for hook in self._hooks:
            message = hook(message)
            if message is None:
                return
        self.session.send(self._output_queue.send_queue, message, ident=self.topic)

    def flush(self) -> None:
        """Sends everything written so far, also to the descriptors."""
        if not self._output_queue.is_child:
            self._flush_libraries()
            self._output_queue.flush()

    def _flush_libraries(self) -> None:
        pass

    def close(self) -> None:
        """Flushes only: the kernel still needs its streams when user code closes them."""
        if hasattr(self, "_output_queue"):
            self.flush()

    @property
    def closed(self) -> bool:
        """False."""
        return False

    def fileno(self) -> int:
        """The standard stream's descriptor, whose output is captured. ipykernel's leads to the log."""
        return self._original_stdstream_fd if self._should_watch else super().fileno()

    def detach(self) -> Buffer:
        """The buffer, for a wrapper with another encoding. This stream stays usable."""
        return self.buffer

    def reconfigure(
        self,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        line_buffering: bool | None = None,
        write_through: bool | None = None,
    ) -> None:
        """Sets the attributes only: text is sent as text, whatever its encoding."""
        if newline not in (None, "", "\n", "\r", "\r\n"):
            raise ValueError(f"illegal newline value: {newline!r}")
        if encoding is not None:
            codecs.lookup(encoding)
            self.encoding, self.errors = encoding, "strict"
        if errors is not None:
            codecs.lookup_error(errors)
            self.errors = errors
        if line_buffering is not None:
            self.line_buffering = bool(line_buffering)
        if write_through is not None:
            self.write_through = bool(write_through)
        self.flush()

    def _setup_stream_redirects(self, name: str) -> None:
        """Replaces the descriptor with a pipe. ipykernel starts a thread for each pipe; here one thread reads both."""
        own = getattr(sys, name)
        reading, writing = os.pipe()
        self._fid, self._original_stdstream_fd = reading, own.fileno()
        self._original_stdstream_copy = os.dup(self._original_stdstream_fd)
        os.dup2(writing, self._original_stdstream_fd)
        os.close(writing)
        self._output_queue.descriptors.watch(reading, self, open_log(self._original_stdstream_copy))
        self._buffer_by_line(own)

    def _buffer_by_line(self, own: Any) -> None:
        """Makes C's stdio and `sys.__stdout__` line-buffered, as on a terminal."""
        with suppress(Exception):
            own.reconfigure(line_buffering=True)
        with suppress(ValueError, AttributeError, OSError):
            library = ctypes.CDLL(None)
            file = ctypes.c_void_p.in_dll(library, self.name)
            library.setvbuf(file, None, LINE_BUFFERING, ctypes.c_size_t(0))
            self._flush_libraries = lambda: library.fflush(file)  # type: ignore[method-assign]


#: `_IOLBF` of stdio.h, in glibc and musl.
LINE_BUFFERING = 1
