"""Makes kernels by forking: `python -m code_interpreter_kernel.fork_server --preload numpy,pandas`.

Requests arrive on stdin, replies go to stdout, one JSON object per line; stderr is a log. The slow parts of a kernel's
start run here once. Threads, event loops and ZeroMQ contexts do not survive fork(2), so there are none here.

    <- {"ready": true}
    -> {"id": 7, "argv": ["-f", "/run/kernel7.json"], "cwd": "/home/user", "env": {"HOME": "/home/user"}, "log": "/run/fifo"},
       with "isolation" if it is restricted, see `isolation.Policy`
    <- {"id": 7, "pid": 1234}, the leader of a session of its own, or {"id": 7, "error": "why"}
    <- {"id": 7, "exit": {"status": 1}} or {"id": 7, "exit": {"signal": 9}}

At the end of stdin the fork server exits; its kernels keep running. The interpreter and the modules read some
environment variables at import, so start the fork server with the variables that its kernels need.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import select
import signal
import sys
from typing import Any

from code_interpreter_kernel import isolation, preload
from code_interpreter_kernel.forked import Request, reset_process


class ForkServer:
    """Reads requests, forks kernels and reports their exit."""

    def __init__(self, requests: int, replies: int):
        self._requests = requests
        self._replies = replies
        self._received = b""
        self._kernels: dict[int, int] = {}
        # SIGCHLD writes a byte to this pipe, so one select(2) waits for requests and exits.
        self._ends, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def serve(self) -> Request | None:
        """Returns None at the end of stdin; in each forked child, returns its request."""
        self._reply(ready=True)
        while True:
            ready, _, _ = select.select([self._requests, self._ends], [], [])
            if self._ends in ready:
                os.read(self._ends, select.PIPE_BUF)
                self._reap()
            if self._requests in ready:
                data = os.read(self._requests, 1 << 16)
                if not data:
                    return None
                *lines, self._received = (self._received + data).split(b"\n")
                for line in lines:
                    request = self._parse(line)
                    if request is not None and self._fork(request):
                        return request

    def _parse(self, line: bytes) -> Request | None:
        try:
            return Request(**json.loads(line))
        except (ValueError, TypeError) as error:
            print(f"not a request: {error}", file=sys.stderr, flush=True)
            return None

    def _fork(self, request: Request) -> bool:
        """True in the child."""
        try:
            reading, writing = os.pipe()
            with open(reading, "rb") as reader, open(writing, "wb", buffering=0) as writer:
                pid = os.fork()
                if pid == 0:
                    os.setsid()
                    return True
                # The client may signal the process group as soon as it has the reply, so the group must exist.
                writer.close()
                reader.read()
        except OSError as error:
            self._reply(id=request.id, error=str(error))
            return False
        self._kernels[pid] = request.id
        self._reply(id=request.id, pid=pid)
        return False

    def _reap(self) -> None:
        while self._kernels:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid in self._kernels:
                exit = {"status": code} if code >= 0 else {"signal": -code}
                self._reply(id=self._kernels.pop(pid), exit=exit)

    def _reply(self, **values: Any) -> None:
        os.write(self._replies, json.dumps(values).encode() + b"\n")


def take_standard_streams() -> tuple[int, int]:
    """Moves requests and replies to new descriptors, so that no other code reads or writes them by mistake."""
    requests, replies = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, replies


def main() -> None:
    """Forks kernels until stdin ends; in a forked child, runs the kernel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preload", default="", help="comma-separated modules to import before kernels are forked")
    names = [name for name in parser.parse_args().preload.split(",") if name]
    requests, replies = take_standard_streams()
    # SIGINT from the terminal is for our parent, which then closes our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A garbage collection in a kernel writes to every object that it visits, which copies shared pages. So there is
    # none before the fork, and existing objects are frozen.
    gc.disable()
    variables = preload.modules(names)
    isolation.prepare()
    gc.freeze()
    # Imported after `preload` has removed the working directory from `sys.path`.
    from code_interpreter_kernel import versions

    for package in versions.unknown():
        print(f"{package}: kernels are stock ipykernels, which are slower", file=sys.stderr, flush=True)
    request = ForkServer(requests, replies).serve()
    if request is not None:
        policy = reset_process(request, variables)
        from code_interpreter_kernel import kernel

        kernel.main(policy)


if __name__ == "__main__":
    main()
