"""`sys.stdout` and `sys.stderr` of a kernel: early, in order, and few messages."""

from __future__ import annotations

import os
from collections import deque
from typing import Any, ClassVar, Iterator

from ipykernel.iostream import OutStream

#: How long a write waits for more to go with it, in seconds: less than anyone sees, and still few messages when many lines
#: are printed. ipykernel waits ten times as long.
FLUSH_SECONDS = 0.02


class Stream(OutStream):
    """`sys.stdout` and `sys.stderr`: what was written first is sent first, also across the two."""

    flush_interval = FLUSH_SECONDS

    #: Who wrote last. When another one writes, what this one holds moves to the outbox, so that it keeps its place.
    _writer: ClassVar[Stream | None] = None

    #: What is sent before anything that is written now: the stream, and texts with the request that each belongs to.
    _outbox: ClassVar[deque[tuple[Stream, list[tuple[Any, str]]]]] = deque()

    #: What `OutStream._flush` is to send.
    _outgoing: list[tuple[Any, str]] = []

    def write(self, string: str) -> int | None:
        """Keeps the text until the next flush."""
        before = Stream._writer
        if before is not self:
            Stream._writer = self
            if before is not None:
                before._move_to_outbox()
        return super().write(string)

    def flush(self) -> None:
        """Sends what is there. Where nothing is, it does not wait for the thread that sends: twice in every cell."""
        if self._buffers or Stream._outbox or self.echo is not None:
            super().flush()

    def _move_to_outbox(self) -> None:
        with self._buffer_lock:
            texts = [(parent, text) for parent, text in super()._flush_buffers() if text]
            if texts:
                Stream._outbox.append((self, texts))

    def _flush(self) -> None:
        # Before the texts are taken: what is written from here on asks for a flush of its own.
        self._flush_pending = False
        self._move_to_outbox()
        while Stream._outbox:
            stream, stream._outgoing = Stream._outbox.popleft()
            OutStream._flush(stream)

    def _flush_buffers(self) -> Iterator[tuple[Any, str]]:
        texts, self._outgoing = self._outgoing, []
        return iter(texts)


# A forked child would send again what its parent is about to send.
os.register_at_fork(after_in_child=Stream._outbox.clear)
