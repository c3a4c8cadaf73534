"""What `sys.stdout` and `sys.stderr` were given, until it is sent."""

from __future__ import annotations

import codecs
import os
import sys
import threading
from itertools import islice
from typing import Any, Callable

from code_interpreter_kernel.backlog import Backlog
from code_interpreter_kernel.descriptors import Descriptors
from code_interpreter_kernel.system import System

#: A stream, the header of the request that the text belongs to, and the text, or bytes of it.
Entry = tuple[Any, dict[str, Any], "str | bytes"]

#: What may wait to be sent before who writes waits for that, in characters; and what an entry counts beside its text.
LIMIT = 1 << 21
ENTRY = 100

#: What is longer is sent in more than one message, in characters: a client that reads slowly is sent one after another.
PIECE = 1 << 20

#: So many flushes are sent at once, and then one in so many seconds: others are sent by the thread.
FLUSHES = 20
FLUSH_SECONDS = 0.005


class Spool:
    """All that was written is sent in the order in which it was written, whoever wrote it, and in few messages."""

    def __init__(self, backlog: Backlog):
        self.backlog = backlog
        self.descriptors = Descriptors()
        self.entries: list[Entry] = []
        #: How much is in them; never too little.
        self.size = 0
        #: Held by one who adds to the entries or sends them. Code that a signal, or the end of an object, runs meanwhile in
        #: the same thread may print.
        self.lock = threading.RLock()
        #: When something was sent last.
        self.sent_at = 0.0
        #: Whether this is a forked child: what it writes goes to the descriptors, which its parent reads.
        self.is_child = False
        #: Has the thread send what there is.
        self.wake: Callable[[], None] = lambda: None
        self._is_sending = False
        self._flushed_at = 0.0
        # A child has what its parent is about to send, and nobody who holds the lock.
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
        """Whether the last that was written, if anything, was the end of a line."""
        last = self.entries[-1:]
        return not last or last[0][2][-1:] in ("\n", b"\n")

    def read_descriptors(self) -> None:
        """Takes what was written to the descriptors so far."""
        with self.lock:
            if self.descriptors.look():
                self.size += self.descriptors.read(self.entries) + ENTRY

    def flush(self) -> None:
        """Sends what was written so far: now, or very soon where that was asked for often."""
        self.read_descriptors()
        if not self.entries:
            return
        now = System.monotonic()
        flushed_at = max(self._flushed_at, now - FLUSHES * FLUSH_SECONDS) + FLUSH_SECONDS
        if flushed_at <= now and not self.backlog.is_full:
            self._flushed_at = flushed_at
            self.send_all()
            # The thread sleeps through what is read before it has looked.
            if self.descriptors.has_log:
                self.wake()
        else:
            self.wake()

    def relieve(self) -> None:
        """Waits while there is more than enough."""
        while self.size > LIMIT and not self.lock._is_owned():  # type: ignore[attr-defined]
            self.backlog.wait_for_room()
            if not self.send_all():
                return

    def send_all(self) -> bool:
        """Sends what was written so far; False in the midst of sending, where that is for the one who is at it."""
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
        entries, backlog = self.entries, self.backlog
        stream, parent, _ = entries[0]
        parts = self._first_parts()
        end = len(parts)
        text, rest = join(stream.rest, parts)
        accepted = backlog.accepted
        try:
            if text:
                stream.send(text, parent)
            # Python looks for signals at calls and at jumps: not between these two.
            stream.rest = rest
            del entries[:end]
        except KeyboardInterrupt:
            # It is code that was interrupted: all that it had printed is to be seen, once.
            if backlog.accepted is not accepted:
                stream.rest = rest
                del entries[:end]
            raise
        except Exception:
            # One that cannot be sent must not keep those that follow.
            del entries[:end]
            sys.excepthook(*sys.exc_info())

    def _first_parts(self) -> list[str | bytes]:
        """What the next message is made of."""
        stream, parent, first = self.entries[0]
        parts, size = [first], len(first)
        for other, its_parent, part in islice(self.entries, 1, None):
            size += len(part)
            if other is not stream or size > PIECE or (its_parent is not parent and its_parent != parent):
                break
            parts.append(part)
        return parts


def join(rest: bytes, parts: list[str | bytes]) -> tuple[str, bytes]:
    """The text of the parts, and what there is of a character that is not whole yet. `rest` is what there was before."""
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
    """The text, whole. Half a surrogate pair has no place in UTF-8: the message would not be sent, nor any that follows."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
