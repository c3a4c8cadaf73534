"""The text of `sys.stdout` and `sys.stderr` that has not been sent."""

from __future__ import annotations

import codecs
import os
import sys
import threading
from itertools import islice
from typing import Any, Callable

from code_interpreter_kernel.descriptors import Descriptors
from code_interpreter_kernel.send_queue import SendQueue
from code_interpreter_kernel.system import System

#: A stream, the header of the request that the text belongs to, and the text or its bytes.
Entry = tuple[Any, dict[str, Any], "str | bytes"]

#: The size at which writing code waits, in characters, and what an entry counts in addition to its text.
LIMIT = 1 << 21
ENTRY = 100

#: The longest text in one message, in characters: a slow client receives longer text piece by piece.
PIECE = 1 << 20

#: This many flushes are sent at once; after that, one per interval. The thread sends the others.
FLUSHES = 20
FLUSH_SECONDS = 0.005


class OutputQueue:
    """Collects text, and sends it in the order in which it was written, in few messages."""

    def __init__(self, send_queue: SendQueue):
        self.send_queue = send_queue
        self.descriptors = Descriptors()
        self.entries: list[Entry] = []
        #: The size of the entries, never too small.
        self.size = 0
        #: Held to append or send entries. Reentrant: a signal handler or finalizer may print while the thread holds
        #: it.
        self.lock = threading.RLock()
        #: The time of the last send.
        self.sent_at = 0.0
        #: Whether this is a forked child, which writes to the descriptors that its parent reads.
        self.is_child = False
        #: Makes the thread send the entries.
        self.wake: Callable[[], None] = lambda: None
        self._is_sending = False
        self._flushed_at = 0.0
        # A child inherits the entries, which its parent sends, and the lock, whose holder does not exist there.
        os.register_at_fork(
            before=self.lock.acquire, after_in_parent=self.lock.release, after_in_child=self._become_child
        )

    def _become_child(self) -> None:
        self.is_child = True
        self.entries.clear()
        self._is_sending = False
        self.lock.release()

    @property
    def ends_with_line(self) -> bool:
        """Whether the last entry, if any, ends a line."""
        last = self.entries[-1:]
        return not last or last[0][2][-1:] in ("\n", b"\n")

    def read_descriptors(self) -> None:
        """Appends what was written to the descriptors so far."""
        with self.lock:
            if self.descriptors.has_input():
                self.size += self.descriptors.read(self.entries) + ENTRY

    def flush(self) -> None:
        """Sends the entries now, or soon after many flushes."""
        self.read_descriptors()
        if not self.entries:
            return
        now = System.monotonic()
        flushed_at = max(self._flushed_at, now - FLUSHES * FLUSH_SECONDS) + FLUSH_SECONDS
        if flushed_at <= now and not self.send_queue.is_full:
            self._flushed_at = flushed_at
            self.send_all()
            # The thread is not woken by output that this thread has read.
            if self.descriptors.has_log:
                self.wake()
        else:
            self.wake()

    def relieve(self) -> None:
        """Waits while the entries exceed `LIMIT`."""
        while self.size > LIMIT and not self.lock._is_owned():  # type: ignore[attr-defined]
            self.send_queue.wait_for_room()
            if not self.send_all():
                return

    def send_all(self) -> bool:
        """Sends the entries; False if this thread is already sending."""
        with self.lock:
            if self._is_sending:
                return False
            try:
                self._is_sending = True
                while self.entries:
                    self._send_first()
                self.size = 0
                self.sent_at = System.monotonic()
            finally:
                self._is_sending = False
        return True

    def _send_first(self) -> None:
        entries, send_queue = self.entries, self.send_queue
        stream, parent, _ = entries[0]
        parts = self._first_parts()
        end = len(parts)
        text, rest = join(stream.rest, parts)
        accepted = send_queue.accepted
        try:
            if text:
                stream.send(text, parent)
            # Python runs signal handlers at calls and jumps only, so none runs between these lines.
            stream.rest = rest
            del entries[:end]
        except KeyboardInterrupt:
            # User code was interrupted. Its output must appear exactly once, so the entries are kept unless they were
            # sent.
            if send_queue.accepted is not accepted:
                stream.rest = rest
                del entries[:end]
            raise
        except Exception:
            # A message that cannot be sent must not block those after it.
            del entries[:end]
            sys.excepthook(*sys.exc_info())

    def _first_parts(self) -> list[str | bytes]:
        """The texts of the next message."""
        stream, parent, first = self.entries[0]
        parts, size = [first], len(first)
        for other, its_parent, part in islice(self.entries, 1, None):
            size += len(part)
            if other is not stream or size > PIECE or (its_parent is not parent and its_parent != parent):
                break
            parts.append(part)
        return parts


def join(rest: bytes, parts: list[str | bytes]) -> tuple[str, bytes]:
    """Decodes and joins the parts. `rest` is the beginning of an incomplete character; the new one is returned."""
    try:
        return sendable("".join(parts)), rest  # type: ignore[arg-type]
    except TypeError:
        texts = []
        for part in parts:
            if isinstance(part, bytes):
                rest += part
                part, count = codecs.utf_8_decode(rest, "replace", False)
                rest = rest[count:]
            texts.append(part)
        return sendable("".join(texts)), rest


def sendable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot encode. With one, neither this message nor later ones could be
    sent.
    """
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
