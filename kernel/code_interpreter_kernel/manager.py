"""Kernels as Jupyter Server keeps them, with what our server needs to know: that one died, at once, and how."""

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

#: What a kernel wrote last is on its way for a moment after its end (the socket's buffer, then libzmq's thread).
LAST_WORDS_SECONDS = 0.03

#: The kernels that this package brings.
OWN_KERNELS = os.path.join(os.path.dirname(__file__), "kernels")

#: Messages of such a kernel's output that a socket holds before the kernel has to wait. A number and not a size is all that
#: ZeroMQ can limit, and one may have many megabytes. More than one, so that the next is there when one has been sent on.
MESSAGES_AHEAD = 4


class DeathWatch(AsyncIOLoopKernelRestarter):
    """Tells of a kernel's death as soon as the system does, and leaves it dead: who replaces it is told how it ended."""

    _descriptor: int | None = None
    _announcement: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watches the process that runs now."""
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
        """Watches no more."""
        super().stop()
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    async def poll(self) -> None:  # type: ignore[override]
        """For processes that are not ours, where the system tells us nothing."""
        if not self.kernel_manager.shutting_down and not await self.kernel_manager.is_alive():
            self._exited()

    def _exited(self) -> None:
        self.stop()
        if not self.kernel_manager.shutting_down and self._announcement is None:
            self._announcement = asyncio.ensure_future(self._announce())

    async def _announce(self) -> None:
        await asyncio.sleep(LAST_WORDS_SECONDS)
        provisioner = self.kernel_manager.provisioner
        if self.kernel_manager.shutting_down or provisioner is None:
            return
        await provisioner.wait()
        self.log.warning(
            "Kernel %s died, exit code %s", self.kernel_manager.kernel_id, self.kernel_manager.exit_code
        )
        self._fire_callbacks("dead")


class Manager(ServerKernelManager):
    """One kernel."""

    restarter_class = Type(default_value=DeathWatch, klass=AsyncIOLoopKernelRestarter).tag(config=True)

    @property
    def exit_code(self) -> int | None:
        """How the process ended, as `subprocess.Popen.returncode` has it."""
        return getattr(self.provisioner, "exit_code", None)

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        """Waits until the process has ended, which the system tells."""
        while await self._async_is_alive():
            if isinstance(self.provisioner, Provisioner):
                await self.provisioner.ended()
            else:
                await asyncio.sleep(pollinterval)

    @property
    def waits_for_clients(self) -> bool:
        """Whether the kernel waits for clients that do not read, as its kernelspec says.

        Ours does. Others drop, in silence, what is above the high-water mark of their socket (1000 messages by default): what
        they say has to be taken at once, and it is for our server, which takes it, to stop them.
        """
        metadata = self.kernel_spec.metadata if self.kernel_spec else {}
        if metadata.get(NAMESPACE, {}).get("keeps_output") is not True:
            return False
        if os.path.dirname(self.kernel_spec.resource_dir) != OWN_KERNELS:
            return True
        # What Jupyter Server asks each kernel first. With a version of ipykernel that is not known to work, ours is a stock one.
        answer = getattr(self, "_kernel_info_future", None)
        information = answer.result() if answer is not None and answer.done() else None
        return not information or not set(FEATURES).isdisjoint(information.get("supported_features", []))

    def _create_connected_socket(self, channel: str, identity: bytes | None = None) -> zmq.Socket[Any]:
        # The high-water mark of a socket counts from its connection on, so it is set on the context before.
        self.context.setsockopt(zmq.RCVHWM, MESSAGES_AHEAD if channel == "iopub" and self.waits_for_clients else 0)
        self.context.setsockopt(zmq.SNDHWM, 0)
        return super()._create_connected_socket(channel, identity)


class MappingManager(AsyncMappingKernelManager):
    """All kernels."""

    def start_watching_activity(self, kernel_id: str) -> None:
        """Watches until the kernel has spoken for the first time, which those who connect to it wait for.

        From then on a second subscriber would double the work of every message, for a date that nobody asks for.
        """
        super().start_watching_activity(kernel_id)
        kernel = self.get_kernel(kernel_id)
        loop = asyncio.get_running_loop()

        def spoken(change: Any) -> None:
            if change["new"] not in (None, "starting"):
                kernel.unobserve(spoken, "execution_state")
                kernel._activity_stream.stop_on_recv()
                loop.call_later(LAST_WORDS_SECONDS, self._close_activity_stream, kernel)

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
    """The installed kernels; for Python the one that this package brings, before all others."""

    @default("kernel_dirs")
    def _default_kernel_dirs(self) -> list[str]:
        return [OWN_KERNELS, *super()._kernel_dirs_default()]
