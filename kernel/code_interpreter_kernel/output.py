"""`sys.stdout` and `sys.stderr` of a kernel: early, in order, and few messages."""

from __future__ import annotations

import codecs
import fcntl
import os
import select
import sys
import termios
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, ClassVar, Iterator, NamedTuple

from ipykernel.iostream import OutStream

from code_interpreter_kernel.publisher import Publisher

#: A line that comes so long after the last message is sent by who writes it, in seconds.
ALONE_SECONDS = 0.008

#: What comes sooner is sent by a thread, which rests so long between two messages. Where code works without a pause, up to
#: 5 ms pass until Python lets that thread run: all together less than 10 ms.
PAUSE_SECONDS = 0.004

#: As much as a pipe may hold (`/proc/sys/fs/pipe-max-size`), so that one look takes all that is there.
PIPE_BYTES = 1 << 20

#: What FIONREAD says of a pipe that is empty.
EMPTY = bytes(4)

#: How long to wait at most for the thread that reads the pipe, and how long between two looks at how far it is.
PASSING_SECONDS = 1.0
LOOK_SECONDS = 0.0001


class Text(NamedTuple):
    """What a stream was given, and the header of the request that it belongs to."""

    stream: Stream
    parent: dict[str, Any]
    text: str


class Stream(OutStream):
    """One of the two. What was written first is sent first, also across them."""

    #: What is to be sent, of both.
    _texts: ClassVar[list[Text]] = []

    #: Held by one who adds to them or sends them. Code that a signal, or the end of an object, runs meanwhile in the same thread
    #: may print.
    _lock: ClassVar[threading.RLock] = threading.RLock()

    #: Wakes the thread that sends.
    _written: ClassVar[SimpleQueue[None]] = SimpleQueue()
    _is_awake: ClassVar[bool] = False
    _sender: ClassVar[threading.Thread | None] = None
    _is_sending: ClassVar[bool] = False
    _sent_at: ClassVar[float] = 0.0

    _outgoing: tuple[dict[str, Any], str] | None = None

    #: Of the thread that reads what is written to the descriptor: whether it has passed on all that it has read, how
    #: often it has passed something on, how often when it was last waited for in vain, and whether it has ended.
    _is_passed_on = True
    _passes = 0
    _passes_in_vain = -1
    _has_ended = False

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        if Stream._sender is None:
            Stream._sender = threading.Thread(target=Stream._send_again_and_again, name="Output", daemon=True)
            # A debugger is not to stop it.
            Stream._sender.pydev_do_not_trace = Stream._sender.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
            Stream._sender.start()

    def write(self, string: str) -> int | None:
        """Keeps the text for the thread that sends."""
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string)}")
        if self.pub_thread is None:
            raise ValueError("I/O operation on closed file")
        if self.echo is not None:
            self.echo.write(string)
        parent = self.parent_header
        text = Text(self, parent, string)
        with Stream._lock:
            Stream._texts.append(text)
        is_alone = string.endswith("\n") and time.monotonic() - Stream._sent_at > ALONE_SECONDS
        # In a forked child there is no thread that sends.
        if is_alone or not self._is_master_process():
            Stream._send_all()
        elif not Stream._is_awake:
            Stream._is_awake = True
            Stream._written.put(None)
        return len(string)

    def flush(self) -> None:
        """Sends all that was written, here and now, also to the descriptor."""
        self._wait_for_descriptor()
        Stream._send_all()
        if isinstance(self.pub_thread, Publisher):
            self.pub_thread.hear_children()
        if self.echo is not None:
            self.echo.flush()

    def _flush(self) -> None:
        self.flush()

    def _watch_pipe_fd(self) -> None:
        """Passes on what programs, and libraries in other languages, write to the descriptor: as output and to the log."""
        threading.current_thread().name = f"Watch {self.name}"
        # A character may come in two parts.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        poll = select.poll()
        poll.register(self._fid, select.POLLIN)
        try:
            while True:
                poll.poll()
                # Said before the pipe is empty: at any time one or the other tells that something is on its way.
                self._is_passed_on = False
                data = os.read(self._fid, PIPE_BYTES)
                if not data or not self._should_watch:
                    return
                self.write(decoder.decode(data))
                self._passes += 1
                self._is_passed_on = True
                # Without a reader of the log there is still one of the output.
                with suppress(OSError):
                    os.write(self._original_stdstream_copy, data)
        except Exception:
            self._exc = sys.exc_info()
        finally:
            self._has_ended = True

    def _has_passed_on_all(self) -> bool:
        try:
            return fcntl.ioctl(self._fid, termios.FIONREAD, EMPTY) == EMPTY and self._is_passed_on
        except OSError:
            return True  # Code has closed it: nothing will come.

    def _wait_for_descriptor(self) -> None:
        """Waits until what was written to the descriptor so far has been passed on.

        Without a lock: an interrupt may come when it was just taken, and it would stay so.
        """
        # A forked child has no such thread: what it writes is for that of its parent.
        if not self._should_watch or not self._is_master_process() or self._has_passed_on_all():
            return
        # In the midst of sending, as by the end of an object, we hold what the thread waits for.
        if Stream._lock._is_owned():  # type: ignore[attr-defined]
            return
        # Not until nothing comes, as others may write forever: the next may be what was read before, the one after
        # that is what was in the pipe.
        enough = self._passes + 2
        deadline = time.monotonic() + PASSING_SECONDS
        while self._passes < enough and not self._has_ended and not self._has_passed_on_all():
            if time.monotonic() > deadline:
                # It is held up, perhaps by the log, and not waited for again until it goes on.
                self._passes_in_vain = self._passes
            if self._passes == self._passes_in_vain:
                return
            time.sleep(LOOK_SECONDS)

    @classmethod
    def _send_again_and_again(cls) -> None:
        while True:
            cls._written.get()
            cls._is_awake = False
            try:
                cls._send_all()
            except Exception:
                # One that cannot be sent must not keep those that follow.
                sys.excepthook(*sys.exc_info())
            time.sleep(PAUSE_SECONDS)

    @classmethod
    def _send_all(cls) -> None:
        with cls._lock:
            # What is written in the midst of this, by the code of a signal, is for the one who is at it.
            if cls._is_sending:
                return
            try:
                cls._is_sending = True
                while cls._texts:
                    cls._send_first()
                cls._sent_at = time.monotonic()
            finally:
                cls._is_sending = False

    @classmethod
    def _send_first(cls) -> None:
        texts = cls._texts
        stream, parent, _ = first = texts[0]
        end = next((n for n in range(1, len(texts)) if not _belong_together(texts[n], first)), len(texts))
        publisher = stream.pub_thread
        begun = publisher and publisher.begun
        try:
            if publisher is not None:
                stream._outgoing = (parent, _sendable("".join(text.text for text in texts[:end])))
                OutStream._flush(stream)
            del texts[:end]
        except KeyboardInterrupt:
            # It is code that was interrupted: all that it had printed is to be seen, once.
            if publisher is not None and publisher.begun is not begun:
                del texts[:end]
            raise

    @classmethod
    def _forget(cls) -> None:
        cls._texts.clear()
        cls._is_sending = False

    def _flush_buffers(self) -> Iterator[tuple[dict[str, Any], str]]:
        """What `OutStream._flush` sends."""
        outgoing, self._outgoing = self._outgoing, None
        if outgoing is not None:
            yield outgoing


def _sendable(text: str) -> str:
    """Half a surrogate pair has no place in UTF-8: the message would not be sent, nor any that follows."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _belong_together(one: Text, other: Text) -> bool:
    return one.stream is other.stream and (one.parent is other.parent or one.parent == other.parent)


# A child has what its parent is about to send, and nobody who holds the lock.
os.register_at_fork(
    before=Stream._lock.acquire, after_in_parent=Stream._lock.release, after_in_child=Stream._lock.release
)
os.register_at_fork(after_in_child=Stream._forget)
