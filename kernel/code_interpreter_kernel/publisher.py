"""The IOPub channel: ipykernel's `IOPubThread`, but messages are sent from the publishing thread."""

from __future__ import annotations

import errno
import os
from _thread import allocate_lock, get_ident
from typing import Any, Callable, Sequence

from ipykernel.iostream import IOPubThread

from code_interpreter_kernel.output_queue import OutputQueue
from code_interpreter_kernel.send_queue import SendQueue
from code_interpreter_kernel.sender import Sender
from code_interpreter_kernel.system import System

#: How long to wait for the IOPub thread to publish messages of forked children.
CHILDREN_SECONDS = 10

#: The topic of the kernel's own messages about a request. They are few, and their sender must not wait.
OWN = b"kernel."


class Publisher(IOPubThread):
    """Publishes each message after everything printed before. ipykernel's thread receives messages of forked children.
    """

    def __init__(self, socket: Any, pipe: bool = False, **options: Any):
        super().__init__(socket, pipe, **options)
        self.send_queue = SendQueue(socket)
        self.output_queue = OutputQueue(self.send_queue)
        self._is_running = False
        self._has_children = False
        os.register_at_fork(after_in_parent=self._forked)

    @property
    def _has_thread(self) -> bool:
        # Not `is_alive`: after an interrupt it may stay false (python/cpython#89437).
        return self._is_running and not self.output_queue.is_child

    def start(self) -> None:
        """Starts the threads."""
        # asyncio calls `time.monotonic` in each iteration; user code may patch it.
        self.io_loop.asyncio_loop.time = System.monotonic  # type: ignore[attr-defined]
        super().start()
        Sender(self.output_queue, self.send_queue, self.socket)
        self._is_running = True

    def stop(self) -> None:
        """Stops the thread, after clients have read everything or nothing for a while."""
        if self._has_thread:
            self.output_queue.read_descriptors()
            self.output_queue.send_all()
            self.send_queue.drain()
        self._is_running = False
        super().stop()

    def schedule(self, f: Callable[[], Any]) -> None:
        """Calls a function in the thread."""
        if self._has_thread:
            self.io_loop.add_callback(f)
        else:
            super().schedule(f)

    def send_multipart(self, msg: Sequence[Any], *args: Any, **options: Any) -> None:
        """Publishes a message. Waits if a client reads too slowly."""
        if self.output_queue.is_child and not self._pipe_flag:
            raise OSError(errno.EACCES, "a forked process can display nothing in a context without network: print, or return it")
        if not self._has_thread:
            return super().send_multipart(msg, *args, **options)
        is_own = bytes(msg[0][: len(OWN)]) == OWN
        if is_own:
            self.publish_children()
        self.output_queue.read_descriptors()
        self.output_queue.send_all()
        self.send_queue.send_multipart(msg)
        if not is_own:
            self.send_queue.wait_for_room()

    def publish_children(self) -> None:
        """Publishes what forked children have displayed so far."""
        if not self._has_children or get_ident() == self.thread.ident:
            return
        published = allocate_lock()
        published.acquire()

        def publish() -> None:
            self._pipe_in.flush()
            published.release()

        self.schedule(publish)
        deadline = System.monotonic() + CHILDREN_SECONDS
        # If a client does not read, the thread waits as well.
        while not published.acquire(True, 0.05) and not self.send_queue.is_full and System.monotonic() < deadline:
            pass

    def _forked(self) -> None:
        # Without network there is no pipe for what they display.
        self._has_children = self._pipe_flag

    def close(self) -> None:
        if not self.closed:
            self.send_queue.close()
            self.socket = None
