"""`sys.stdout` and `sys.stderr` of a kernel: early, in order, and few messages."""

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
from code_interpreter_kernel.publisher import Publisher
from code_interpreter_kernel.spool import ENTRY, LIMIT, PIECE, sendable
from code_interpreter_kernel.system import System

#: A line that comes so long after the last message is sent by who writes it, in seconds.
ALONE_SECONDS = 0.008

#: A look at the descriptors that takes so long, in seconds, has let another thread compute.
PAUSED_SECONDS = 0.001


class Stream(OutStream):
    """One of the two. What was written first is sent first, also across them, and to the descriptors."""

    errors = "strict"
    newlines = None
    line_buffering = True
    write_through = False
    mode = "w"

    #: What was written of a character that is not whole yet.
    rest = b""

    def __init__(self, session: Any, pub_thread: Publisher, name: str, *args: Any, **options: Any):
        self._spool = pub_thread.spool
        super().__init__(session, pub_thread, name, *args, **options)
        self.buffer = Buffer(self)

    @property
    def parent_header(self) -> dict[str, Any]:
        """The header of the request that what is written here and now belongs to.

        ipykernel 6 looks for the parent of a thread by numbers of threads, which are used again: the search may have no end.
        Here a thread is given it when it starts, see `threads`.
        """
        return self._parent_header.get(self._parent_header_global)

    @parent_header.setter
    def parent_header(self, value: dict[str, Any]) -> None:
        self._parent_header_global = value
        self._parent_header.set(value)
        self._spool.descriptors.look = self._spool.descriptors.look_with_pause

    def set_parent_here(self, header: dict[str, Any]) -> None:
        """Sets it for what runs in this context alone."""
        self._parent_header.set(header)

    @property
    def parent_of_descriptor(self) -> dict[str, Any]:
        """The header of the request that is at work, to which belongs what is written to the descriptor."""
        return self._parent_header_global

    def write(self, string: str) -> int:
        """Keeps the text to be sent."""
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        self._write(string)
        return len(string)

    def write_bytes(self, data: bytes) -> None:
        """Keeps bytes of text to be sent."""
        self._write(data)

    def _write(self, text: str | bytes) -> None:
        spool = self._spool
        if spool.is_child:
            return self._write_in_child(text)
        if len(text) > PIECE:
            for start in range(0, len(text), PIECE):
                self._write(text[start : start + PIECE])
            return
        parent = self._parent_header.get(self._parent_header_global)
        began = System.monotonic()
        with spool.lock:
            # What was written to a descriptor before comes first.
            if spool.descriptors.look():
                spool.read_descriptors()
            spool.entries.append((self, parent, text))
            spool.size += len(text) + ENTRY
        now = System.monotonic()
        if now - began > PAUSED_SECONDS:
            spool.descriptors.look = spool.descriptors.look_without_pause
        if now - spool.sent_at > ALONE_SECONDS and text[-1:] in ("\n", b"\n") and not spool.backlog.is_full:
            spool.send_all()
        else:
            spool.wake()
        if spool.size > LIMIT:
            spool.relieve()

    def _write_in_child(self, text: str | bytes) -> None:
        if not self._should_watch:
            super().write(text if isinstance(text, str) else text.decode(errors="replace"))
        else:
            data = sendable(text).encode() if isinstance(text, str) else text
            write_all(self._original_stdstream_fd, data)

    def send(self, text: str, parent: dict[str, Any]) -> None:
        """Publishes text behind what was published before."""
        message = self.session.msg("stream", {"name": self.name, "text": text}, parent=parent)
        for hook in self._hooks:
            message = hook(message)
            if message is None:
                return
        self.session.send(self._spool.backlog, message, ident=self.topic)

    def flush(self) -> None:
        """Sends what was written so far, to the descriptors as well."""
        if not self._spool.is_child:
            self._flush_libraries()
            self._spool.flush()

    def _flush_libraries(self) -> None:
        pass

    def close(self) -> None:
        """Sends what was written. The kernel outlives code that closes its output."""
        if hasattr(self, "_spool"):
            self.flush()

    @property
    def closed(self) -> bool:
        """Never."""
        return False

    def fileno(self) -> int:
        """The descriptor of the standard stream, which is read from. ipykernel's is one that leads to the log."""
        return self._original_stdstream_fd if self._should_watch else super().fileno()

    def detach(self) -> Buffer:
        """The buffer, for a wrapper of another encoding. This stream can be used further."""
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
        """Sets what the attributes say. Text is sent as text, whatever its encoding."""
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
        """Puts a pipe in the place of the descriptor. ipykernel makes a thread for each; here one reads both."""
        own = getattr(sys, name)
        reading, writing = os.pipe()
        self._fid, self._original_stdstream_fd = reading, own.fileno()
        self._original_stdstream_copy = os.dup(self._original_stdstream_fd)
        os.dup2(writing, self._original_stdstream_fd)
        os.close(writing)
        self._spool.descriptors.watch(reading, self, open_log(self._original_stdstream_copy))
        self._buffer_by_line(own)

    def _buffer_by_line(self, own: Any) -> None:
        """Has C libraries and `sys.__stdout__` write each line when it is whole, as they do to a terminal."""
        with suppress(Exception):
            own.reconfigure(line_buffering=True)
        with suppress(ValueError, AttributeError, OSError):
            library = ctypes.CDLL(None)
            file = ctypes.c_void_p.in_dll(library, self.name)
            library.setvbuf(file, None, LINE_BUFFERING, ctypes.c_size_t(0))
            self._flush_libraries = lambda: library.fflush(file)  # type: ignore[method-assign]


#: `_IOLBF` of stdio.h, in glibc and musl.
LINE_BUFFERING = 1
