"""Starts a kernel's process so that nothing of it outlives the server, and reports its exit code."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import uuid
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from code_interpreter_kernel import processes

#: Distinguishes this server's kernels from those of other servers on the machine.
SERVER_MARK = uuid.uuid4().hex

#: Secrets that user code must not see.
PRIVATE_VARIABLES = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE")

#: The polling interval where pidfds are missing.
POLL_SECONDS = 0.005


class Provisioner(LocalProvisioner):
    """A local process that ends with the server, together with its descendants."""

    #: As `subprocess.Popen.returncode`: negative for a signal, None while the process runs.
    exit_code: int | None = None

    #: The tag of the process and its descendants, see `processes`. None if the system denies it.
    tag: int | None = None

    @property
    def mark(self) -> str:
        """The mark in the environment of this kernel and its children."""
        return f"{SERVER_MARK}/{self.kernel_id}"

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """The command, which ends with the server, and the kernel's environment."""
        kwargs = await super().pre_launch(**kwargs)
        environment = kwargs["env"]
        for name in PRIVATE_VARIABLES:
            environment.pop(name, None)
        environment[processes.MARK] = self.mark
        kwargs["cmd"] = tied_to_parent(kwargs["cmd"])
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        self.exit_code = None
        connection = await super().launch_kernel(cmd, **kwargs)
        if self.pid is not None:
            self.tag = processes.tag(self.pid)
        return connection

    async def poll(self) -> int | None:
        """None while the process runs. Keeps the exit code."""
        code = await super().poll()
        if self.process is not None and code is not None:
            self.exit_code = code
        return code

    async def wait(self) -> int | None:
        """Waits for the end of the process, then kills its descendants."""
        while self.process is not None and await self.poll() is None:
            await self.ended()
        code = await super().wait()
        await self.end_children()
        return code

    async def ended(self) -> None:
        """Waits for the end of the process, which has not been reaped; without pidfds, waits for `POLL_SECONDS` only.
        """
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
        """Sends a signal to the process and its group, unless it has ended: its number may belong to another process
        then.
        """
        # The number is not reused before the process is reaped, which only `poll` does.
        if await self.poll() is None:
            await super().send_signal(signum)

    async def end_children(self) -> None:
        """Kills the kernel's descendants, including those that left its process group or ignore SIGTERM."""
        if self.pid is None:
            return
        left = await asyncio.to_thread(processes.end, self.pid, self.tag, self.mark)
        if left:
            self.log.warning("Processes of kernel %s did not end: %s", self.kernel_id, left)


def tied_to_parent(command: list[str]) -> list[str]:
    """The command, killed when this process ends, even by SIGKILL (PR_SET_PDEATHSIG)."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return command
    return [setpriv, "--pdeathsig", "KILL", "--", *command]


#: Waits for the end of stdin, then kills every process with the mark $1 or a tag that matches $2, and removes the
#: directory $3. It repeats, as a process may fork during a round.
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
    """Starts a shell that outlives this process: it kills what the kernels started and removes `directory`.

    PR_SET_PDEATHSIG kills the kernels, but not their children. The shell reads a pipe whose write end only this
    process holds, so it notices SIGKILL too. Callers keep the result: dropping it closes the pipe.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", REAPER, "reaper", f"{processes.MARK}={SERVER_MARK}/", processes.TAG_PATTERN, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
