"""Jupyter Server's kernel managers. They report the death of a kernel at once, with its exit code."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import zmq
from jupyter_client.ioloop.restarter import AsyncIOLoopKernelRestarter
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.prometheus.metrics import KERNEL_CURRENTLY_RUNNING_TOTAL
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from traitlets import Type, default

from code_interpreter_kernel.provisioner import Provisioner
from code_interpreter_kernel.scope import FEATURES, NAMESPACE

#: How long the last output of a dead kernel is in transit (socket buffers, then libzmq's thread).
DRAIN_SECONDS = 0.03

#: The kernelspecs in this package.
OWN_KERNELS = os.path.join(os.path.dirname(__file__), "kernels")

#: How many output messages of such a kernel a socket holds before the kernel waits. ZeroMQ limits the number of
#: messages, not their size, and one may have many megabytes. With 1, the next message would not be there when one has
#: been forwarded.
MESSAGES_AHEAD = 4


class ExitWatcher(AsyncIOLoopKernelRestarter):
    """Reports the death of a kernel as soon as the system does. Does not restart it: the client replaces it."""

    _descriptor: int | None = None
    _announcement: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watches the current process."""
        provisioner = self.kernel_manager.provisioner
        pid = getattr(provisioner, "pid", None)
        self.stop()
        try:
            self._descriptor = os.pidfd_open(pid)
        except (OSError, TypeError, AttributeError):
            self.time_to_dead = 0.2
            super().start()
            return
        asyncio.get_running_loop().add_reader(self._descriptor, self._exited)

    def stop(self) -> None:
        """Stops watching."""
        super().stop()
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    async def poll(self) -> None:  # type: ignore[override]
        """Polls processes that are not on this machine."""
        if not self.kernel_manager.shutting_down and not await self.kernel_manager.is_alive():
            self._exited()

    def _exited(self) -> None:
        self.stop()
        if not self.kernel_manager.shutting_down and self._announcement is None:
            self._announcement = asyncio.ensure_future(self._announce())

    async def _announce(self) -> None:
        await asyncio.sleep(DRAIN_SECONDS)
        provisioner = self.kernel_manager.provisioner
        if self.kernel_manager.shutting_down or provisioner is None:
            return
        await provisioner.wait()
        self.log.warning(
            "Kernel %s died, exit code %s", self.kernel_manager.kernel_id, self.kernel_manager.exit_code
        )
        self._fire_callbacks("dead")


class Manager(ServerKernelManager):
    """The manager of one kernel."""

    restarter_class = Type(default_value=ExitWatcher, klass=AsyncIOLoopKernelRestarter).tag(config=True)

    @property
    def exit_code(self) -> int | None:
        """The exit code, as `subprocess.Popen.returncode`."""
        return getattr(self.provisioner, "exit_code", None)

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        """Waits for the end of the process, without polling if possible."""
        while await self._async_is_alive():
            if isinstance(self.provisioner, Provisioner):
                await self.provisioner.ended()
            else:
                await asyncio.sleep(pollinterval)

    @property
    def waits_for_clients(self) -> bool:
        """Whether the kernel waits for clients that do not read, as its kernelspec says.

        The kernel of this package does. Others silently drop messages above the high-water mark of their socket (1000
        by default): their output is always read, and our server, which receives it, interrupts them if necessary.
        """
        metadata = self.kernel_spec.metadata if self.kernel_spec else {}
        if metadata.get(NAMESPACE, {}).get("keeps_output") is not True:
            return False
        if os.path.dirname(self.kernel_spec.resource_dir) != OWN_KERNELS:
            return True
        # Jupyter Server sends each kernel a `kernel_info_request` first. With an unsupported version of ipykernel,
        # this package's kernel runs as a stock one, without the feature.
        answer = getattr(self, "_kernel_info_future", None)
        information = answer.result() if answer is not None and answer.done() else None
        return not information or not set(FEATURES).isdisjoint(information.get("supported_features", []))

    def _create_connected_socket(self, channel: str, identity: bytes | None = None) -> zmq.Socket[Any]:
        # A high-water mark must be set before the connection, so it is set on the context.
        self.context.setsockopt(zmq.RCVHWM, MESSAGES_AHEAD if channel == "iopub" and self.waits_for_clients else 0)
        self.context.setsockopt(zmq.SNDHWM, 0)
        return super()._create_connected_socket(channel, identity)


class MappingManager(AsyncMappingKernelManager):
    """The manager of all kernels."""

    def start_watching_activity(self, kernel_id: str) -> None:
        """Watches until the kernel has sent its first status, which connecting clients wait for.

        After that, a second subscriber would double the work for each message, only to keep a date that nobody reads.
        """
        super().start_watching_activity(kernel_id)
        kernel = self.get_kernel(kernel_id)
        loop = asyncio.get_running_loop()

        def spoken(change: Any) -> None:
            if change["new"] not in (None, "starting"):
                kernel.unobserve(spoken, "execution_state")
                kernel._activity_stream.stop_on_recv()
                loop.call_later(DRAIN_SECONDS, self._close_activity_stream, kernel)

        kernel.observe(spoken, "execution_state")

    def _close_activity_stream(self, kernel: Any) -> None:
        stream = getattr(kernel, "_activity_stream", None)
        if stream is not None and not stream.closed():
            stream.close()
        kernel._activity_stream = None

    def _handle_kernel_died(self, kernel_id: str) -> None:
        kernel = self.get_kernel(kernel_id)
        KERNEL_CURRENTLY_RUNNING_TOTAL.labels(type=kernel.kernel_name).dec()
        self.stop_watching_activity(kernel_id)
        self.stop_buffering(kernel_id)
        super()._handle_kernel_died(kernel_id)
        self._kernel_connections.pop(kernel_id, None)
        self._kernel_ports.pop(kernel_id, None)
        asyncio.ensure_future(kernel.cleanup_resources())


class SpecManager(KernelSpecManager):
    """The installed kernelspecs. This package's one for Python takes precedence."""

    @default("kernel_dirs")
    def _default_kernel_dirs(self) -> list[str]:
        return [OWN_KERNELS, *super()._kernel_dirs_default()]
