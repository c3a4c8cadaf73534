"""The application that makes a kernel and what it is connected by: that of ipykernel, with nothing lost or late."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, Sequence

import zmq
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session
from tornado.ioloop import IOLoop
from traitlets import default
from traitlets.config import Config

from code_interpreter_kernel import threads
from code_interpreter_kernel.backlog import HIGH_WATER_MARK
from code_interpreter_kernel.ending import Ending
from code_interpreter_kernel.execution import Kernel
from code_interpreter_kernel.packing import pack
from code_interpreter_kernel.programs import replace_system
from code_interpreter_kernel.publisher import Publisher
from code_interpreter_kernel.system import System


class KernelApp(IPKernelApp):
    """ipykernel's application; it reads the same configuration."""

    @default("kernel_class")
    def _default_kernel_class(self) -> type[Kernel]:
        return Kernel

    @default("outstream_class")
    def _default_outstream_class(self) -> str:
        return "code_interpreter_kernel.output.Stream"

    @default("session")
    def _default_session(self) -> Session:
        session = Session(parent=self)
        # Children that code has forked send messages, too, and code may replace what tells of them.
        session.check_pid = False
        if session.packer in ("json", "orjson"):
            session.pack = pack
        return session

    def initialize(self, argv: Sequence[str] | None = None) -> None:
        """Makes all that there is, and what code finds of a process."""
        super().initialize(argv)
        end_input()
        replace_system()
        # Not our own arguments: code that parses its arguments finds none.
        sys.argv[:] = [""]

    def parse_command_line(self, argv: Sequence[str] | None = None) -> None:
        """Reads the options. A parser of all that there are takes longer to make than the rest of the application."""
        arguments = sys.argv[1:] if argv is None else list(argv)
        if len(arguments) != 2 or arguments[0] != "-f":
            return super().parse_command_line(argv)
        self.argv = arguments
        self.cli_config = Config(IPKernelApp={"connection_file": arguments[1]})
        self.update_config(self.cli_config)

    def init_control(self, context: Any) -> None:
        """Makes the sockets for control."""
        super().init_control(context)
        # ipykernel 7 reads requests in a thread of their own, which passes them on through two more sockets, so that it can
        # have shells beside the one. Without, `1+1` takes as long as with ipykernel 6.
        thread, self.shell_channel_thread = getattr(self, "shell_channel_thread", None), None
        if thread is not None:
            thread.io_loop.close()

    def init_kernel(self) -> None:
        """Makes the kernel."""
        super().init_kernel()
        threads.inherit_parents([sys.stdout, sys.stderr])
        self._keep_time()
        if not self.logging_config:
            # Nobody reads what is below this, and a record of every message is made.
            self.log.setLevel(self.log_level)

    def _keep_time(self) -> None:
        """Has the loops look up no `time.monotonic`, as asyncio does in each round: where code has patched it they would end."""
        loops = [IOLoop.current()]
        if self.control_thread is not None:
            loops.append(self.control_thread.io_loop)
        for loop in loops:
            loop.asyncio_loop.time = System.monotonic  # type: ignore[attr-defined]

    def start(self) -> None:
        """Runs the kernel until it is told to stop, and ends the process."""
        # What is there now is no garbage, until the end.
        gc.freeze()
        ending = Ending()
        try:
            super().start()
        finally:
            # A client that does not read must not keep what code does at the end, such as `atexit`, from ending.
            self.iopub_thread.backlog.leave()
        ending.end(self)

    def init_iopub(self, context: Any) -> None:
        """Makes the socket for output."""
        self.iopub_socket = context.socket(zmq.PUB)
        # For what ZeroMQ has yet to pass to the system when all is said, in milliseconds: `Backlog.drain` has waited for most.
        self.iopub_socket.linger = 5000
        if hasattr(self, "_apply_curve_server_options"):
            self._apply_curve_server_options(self.iopub_socket)
        self.iopub_port = self._bind_socket(self.iopub_socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = Publisher(self.iopub_socket, pipe=True)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def _bind_socket(self, s: Any, port: int) -> int:
        # Without a high-water mark: above it a socket drops in silence. A publisher can be told to refuse instead.
        s.sndhwm = 0
        s.rcvhwm = 0
        if s.type == zmq.PUB:
            s.sndhwm = HIGH_WATER_MARK
            s.setsockopt(zmq.XPUB_NODROP, 1)
        return super()._bind_socket(s, port)


def end_input() -> None:
    """Puts standard input at its end: nobody is there to type."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    if nothing != 0:
        os.dup2(nothing, 0)
        os.close(nothing)
    if sys.stdin is None:
        sys.stdin = sys.__stdin__ = open(0, closefd=False)
