"""Starts a kernel's process so that nothing of it outlives us, and tells how it ended."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import uuid
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from code_interpreter_kernel import processes

#: Sets this server's kernels apart from another server's on the same machine.
SERVER_MARK = uuid.uuid4().hex

#: Ours alone: neither is any business of the code that runs.
PRIVATE_VARIABLES = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE")

#: How often to look whether a process has ended, where the system does not tell.
POLL_SECONDS = 0.005


class Provisioner(LocalProvisioner):
    """A local process that dies with us, with all that it started."""

    #: How the process ended, as `subprocess.Popen.returncode` has it: negative is a signal. None while it lives.
    exit_code: int | None = None

    #: The tag of the process and of all that it starts, see `processes`. None where the system does not let us.
    tag: int | None = None

    @property
    def mark(self) -> str:
        """What the environment of this kernel and of its children carries."""
        return f"{SERVER_MARK}/{self.kernel_id}"

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """The command, tied to our life, and an environment of the kernel's own."""
        kwargs = await super().pre_launch(**kwargs)
        environment = kwargs["env"]
        for name in PRIVATE_VARIABLES:
            environment.pop(name, None)
        environment[processes.MARK] = self.mark
        kwargs["cmd"] = tied_to_parent(kwargs["cmd"])
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Starts the process."""
        self.exit_code = None
        connection = await super().launch_kernel(cmd, **kwargs)
        if self.pid is not None:
            self.tag = processes.tag(self.pid)
        return connection

    async def poll(self) -> int | None:
        """None while the process lives. Remembers how it ended."""
        code = await super().poll()
        if self.process is not None and code is not None:
            self.exit_code = code
        return code

    async def wait(self) -> int | None:
        """Waits for the end of the process, then sees to it that its children are gone too."""
        while self.process is not None and await self.poll() is None:
            await self.ended()
        code = await super().wait()
        await self.end_children()
        return code

    async def ended(self) -> None:
        """Waits for the end of the process, which nobody has waited for; where the system cannot tell, only for a moment."""
        try:
            descriptor = os.pidfd_open(self.process.pid)
        except (OSError, AttributeError):
            await asyncio.sleep(POLL_SECONDS)
            return
        loop, has_ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, has_ended.set)
        try:
            await has_ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def send_signal(self, signum: int) -> None:
        """Sends a signal to the process and its group. Not where it has ended: the number may be another's by now."""
        # It stays ours as long as nobody has waited for the process, which is done here alone.
        if await self.poll() is None:
            await super().send_signal(signum)

    async def end_children(self) -> None:
        """Kills what the kernel started and left behind, also what left its process group or ignores SIGTERM."""
        if self.pid is None:
            return
        left = await asyncio.to_thread(processes.end, self.pid, self.tag, self.mark)
        if left:
            self.log.warning("Processes of kernel %s that would not go: %s", self.kernel_id, left)


def tied_to_parent(command: list[str]) -> list[str]:
    """The command, ended by the system when we end, also when that is by SIGKILL."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return command
    return [setpriv, "--pdeathsig", "KILL", "--", *command]


#: Waits for the end of its input, then ends whatever carries the mark $1 or bears a tag that matches $2, and removes
#: the directory $3. More than one round, as a process may fork while it is looked for.
REAPER = r"""
read -r _
for round in 1 2 3 4 5; do
  found=
  for file in $(grep -lsF -e "$1" /proc/[0-9]*/environ; grep -lsE -e "$2" /proc/[0-9]*/limits); do
    pid=${file#/proc/}
    kill -KILL "${pid%/*}" 2>/dev/null && found=1
  done
  [ -n "$found" ] || break
done
rm -rf -- "$3"
"""


def start_reaper(directory: str) -> subprocess.Popen[bytes]:
    """Starts a shell that outlives us by a moment: it ends what our kernels started and removes `directory`.

    The system ends the kernels with us, but not their children. The shell waits for the end of a pipe whose other end only
    we hold, so that it notices SIGKILL too. Who calls this keeps the result: dropping it closes the pipe.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", REAPER, "reaper", f"{processes.MARK}={SERVER_MARK}/", processes.TAGGED, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
