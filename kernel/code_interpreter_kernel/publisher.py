"""Where a kernel publishes what code does: `IOPubThread` of ipykernel, less the way through its thread."""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident
from typing import Any, Callable, Sequence

from ipykernel.iostream import IOPubThread

from code_interpreter_kernel.backlog import Backlog
from code_interpreter_kernel.sender import Sender
from code_interpreter_kernel.spool import Spool
from code_interpreter_kernel.system import System

#: How long to wait for the thread that hears children, where something holds it up.
HEARING_SECONDS = 10

#: What the kernel itself has to say of a request begins so: there are few of these, and their sender must not be held up.
OWN = b"kernel."


class Publisher(IOPubThread):
    """Publishes each message behind all that was printed before. ipykernel's thread hears what forked children display."""

    def __init__(self, socket: Any, pipe: bool = False, **options: Any):
        super().__init__(socket, pipe, **options)
        self.backlog = Backlog(socket)
        self.spool = Spool(self.backlog)
        self._is_running = False
        self._has_children = False
        os.register_at_fork(after_in_parent=self._forked)

    @property
    def _has_thread(self) -> bool:
        # Not `is_alive`, which an interrupt may make say no for good (python/cpython#89437).
        return self._is_running and not self.spool.is_child

    def start(self) -> None:
        """Starts the threads."""
        # asyncio looks up `time.monotonic` in each round.
        self.io_loop.asyncio_loop.time = System.monotonic  # type: ignore[attr-defined]
        super().start()
        Sender(self.spool, self.backlog, self.socket)
        self._is_running = True

    def stop(self) -> None:
        """Ends the thread, when all was sent or a client has not taken it for a while."""
        if self._has_thread:
            self.spool.read_descriptors()
            self.spool.send_all()
            self.backlog.drain()
        self._is_running = False
        super().stop()

    def schedule(self, f: Callable[[], Any]) -> None:
        """Calls the function in the thread."""
        if self._has_thread:
            self.io_loop.add_callback(f)
        else:
            super().schedule(f)

    def send_multipart(self, msg: Sequence[Any], *args: Any, **options: Any) -> None:
        """Publishes a message. Where a client reads too slowly, code that publishes waits for it."""
        if not self._has_thread:
            return super().send_multipart(msg, *args, **options)
        is_own = bytes(msg[0][: len(OWN)]) == OWN
        if is_own:
            self.hear_children()
        self.spool.read_descriptors()
        self.spool.send_all()
        self.backlog.send_multipart(msg)
        if not is_own:
            self.backlog.wait_for_room()

    def hear_children(self) -> None:
        """Publishes what forked children have displayed so far, if there were any."""
        if not self._has_children or get_ident() == self.thread.ident:
            return
        heard = allocate_lock()
        heard.acquire()

        def hear() -> None:
            self._pipe_in.flush()
            heard.release()

        self.schedule(hear)
        deadline = System.monotonic() + HEARING_SECONDS
        # Where a client does not read, neither is the thread heard.
        while not heard.acquire(True, 0.05) and not self.backlog.is_full and System.monotonic() < deadline:
            pass

    def _forked(self) -> None:
        self._has_children = True

    def close(self) -> None:
        """Closes the socket."""
        if not self.closed:
            self.backlog.close()
            self.socket = None
