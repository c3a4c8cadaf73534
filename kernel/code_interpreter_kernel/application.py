"""ipykernel's application with a different kernel, output stream and publisher."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import Any, Sequence

import zmq
from ipykernel.kernelapp import IPKernelApp
from tornado.ioloop import IOLoop
from traitlets import default
from traitlets.config import Config

from code_interpreter_kernel import threads
from code_interpreter_kernel.execution import Kernel
from code_interpreter_kernel.isolation import Policy, apply_late, close_sockets
from code_interpreter_kernel.packing import Session, pack
from code_interpreter_kernel.programs import replace_system
from code_interpreter_kernel.publisher import Publisher
from code_interpreter_kernel.send_queue import HIGH_WATER_MARK
from code_interpreter_kernel.shutdown import Shutdown
from code_interpreter_kernel.system import System

#: How long the heartbeat's thread may take to listen.
HEARTBEAT_SECONDS = 10


class KernelApp(IPKernelApp):
    """Reads the same configuration as ipykernel's application."""

    #: What the kernel may reach.
    policy = Policy()

    @default("kernel_class")
    def _default_kernel_class(self) -> type[Kernel]:
        return Kernel

    @default("outstream_class")
    def _default_outstream_class(self) -> str:
        return "code_interpreter_kernel.output.Stream"

    @default("session")
    def _default_session(self) -> Session:
        session = Session(parent=self)
        # Forked children send messages too. The check also calls `os.getpid`, which user code may replace.
        session.check_pid = False
        if session.packer in ("json", "orjson"):
            session.pack = pack
        return session

    def initialize(self, argv: Sequence[str] | None = None) -> None:
        super().initialize(argv)
        end_input()
        replace_system()
        # Code that parses `sys.argv` must not see the kernel's own arguments.
        sys.argv[:] = [""]

    def init_path(self) -> None:
        """Makes modules in the working directory importable. Code may have left some, so the sockets that it may not have go before."""
        self._close_sockets()
        super().init_path()

    def _close_sockets(self) -> None:
        """Takes away the sockets that code may not have. The kernel has its own by now."""
        if self.policy.is_any:
            # Its thread has been started before.
            deadline = System.monotonic() + HEARTBEAT_SECONDS
            while self.transport == "ipc" and not os.path.exists(f"{self.ip}-{self.hb_port}") and System.monotonic() < deadline:
                time.sleep(0.001)
            close_sockets(self.policy, needs_own=False)
            apply_late(self.policy.variables)

    def parse_command_line(self, argv: Sequence[str] | None = None) -> None:
        """Parses `-f FILE` by hand: building the full argument parser takes longer than the rest of the application."""
        arguments = sys.argv[1:] if argv is None else list(argv)
        if len(arguments) != 2 or arguments[0] != "-f":
            return super().parse_command_line(argv)
        self.argv = arguments
        self.cli_config = Config(IPKernelApp={"connection_file": arguments[1]})
        self.update_config(self.cli_config)

    def init_control(self, context: Any) -> None:
        super().init_control(context)
        # ipykernel 7 reads requests in a separate thread and passes them on over two inproc sockets, to support
        # subshells. Without that thread, `1+1` takes as long as with ipykernel 6.
        thread, self.shell_channel_thread = getattr(self, "shell_channel_thread", None), None
        if thread is not None:
            thread.io_loop.close()

    def init_kernel(self) -> None:
        super().init_kernel()
        threads.inherit_parents([sys.stdout, sys.stderr])
        self._protect_loop_time()
        if not self.logging_config:
            # Otherwise a log record is built for every message, below the level that is written.
            self.log.setLevel(self.log_level)

    def _protect_loop_time(self) -> None:
        """asyncio calls `time.monotonic` in each iteration: if user code patches it, the loops would end."""
        loops = [IOLoop.current()]
        if self.control_thread is not None:
            loops.append(self.control_thread.io_loop)
        for loop in loops:
            loop.asyncio_loop.time = System.monotonic  # type: ignore[attr-defined]

    def start(self) -> None:
        """Runs the kernel until shutdown, then ends the process."""
        # Objects that exist now live until the end: collections need not look at them.
        gc.freeze()
        shutdown = Shutdown()
        try:
            super().start()
        finally:
            # A client that does not read must not block code that runs at exit, such as `atexit` functions.
            self.iopub_thread.send_queue.leave()
        shutdown.end(self)

    def init_iopub(self, context: Any) -> None:
        self.iopub_socket = context.socket(zmq.PUB)
        # In milliseconds, for what libzmq has not written yet. `SendQueue.drain` has already waited for most of it.
        self.iopub_socket.linger = 5000
        if hasattr(self, "_apply_curve_server_options"):
            self._apply_curve_server_options(self.iopub_socket)
        self.iopub_port = self._bind_socket(self.iopub_socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = Publisher(self.iopub_socket, pipe=self.policy.network)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def _bind_socket(self, s: Any, port: int) -> int:
        # At the high-water mark most sockets drop messages silently. Only a publisher can refuse them instead
        # (ZMQ_XPUB_NODROP).
        s.sndhwm = 0
        s.rcvhwm = 0
        if s.type == zmq.PUB:
            s.sndhwm = HIGH_WATER_MARK
            s.setsockopt(zmq.XPUB_NODROP, 1)
        return super()._bind_socket(s, port)


def end_input() -> None:
    """Replaces standard input by `/dev/null`: nobody types."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    if nothing != 0:
        os.dup2(nothing, 0)
        os.close(nothing)
    if sys.stdin is None:
        sys.stdin = sys.__stdin__ = open(0, closefd=False)
