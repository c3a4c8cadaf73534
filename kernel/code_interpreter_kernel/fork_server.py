"""Makes kernels by forking: `python -m code_interpreter_kernel.fork_server --preload numpy,pandas`.

Requests come on stdin and replies go to stdout, one JSON object a line; stderr is a log. All that takes time in the start
of a kernel is done here once. A thread, an event loop or a ZeroMQ context would not survive the fork: here is none.

    <- {"ready": true}
    -> {"id": 7, "argv": ["-f", "/run/kernel7.json"], "cwd": "/home/user", "env": {"HOME": "/home/user"}, "log": "/run/fifo"}
    <- {"id": 7, "pid": 1234}, the leader of a session of its own, or {"id": 7, "error": "why"}
    <- {"id": 7, "exit": {"status": 1}} or {"id": 7, "exit": {"signal": 9}}

At the end of stdin it exits; kernels that live then live on. What the interpreter and the modules read from the
environment when they start is read here: the fork server is to be started with the variables that its kernels get.
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

from code_interpreter_kernel import preload
from code_interpreter_kernel.forked import Request, become_fresh


class ForkServer:
    """Requests, replies, and the kernels that live."""

    def __init__(self, requests: int, replies: int):
        self._requests = requests
        self._replies = replies
        self._received = b""
        self._kernels: dict[int, int] = {}
        # A child that ends writes a byte here, so that one wait is for requests and for ends.
        self._ends, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def serve(self) -> Request | None:
        """Returns None at the end of all requests; and, in each process that is to become a kernel, its request."""
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
            told, tell = os.pipe()
            with open(told, "rb") as told_file, open(tell, "wb", buffering=0) as tell_file:
                pid = os.fork()
                if pid == 0:
                    os.setsid()
                    return True
                # Who knows of a kernel may signal its process group, which must be there.
                tell_file.close()
                told_file.read()
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
    """The descriptors of requests and of replies, which nobody else reads or writes by mistake."""
    requests, replies = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, replies


def main() -> None:
    """Forks kernels until there are no more requests; in a fork, runs the kernel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preload", default="", help="modules that kernels find imported, with commas between")
    names = [name for name in parser.parse_args().preload.split(",") if name]
    requests, replies = take_standard_streams()
    # The interrupt of a terminal is for who started us: he closes our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Until it is forked, nothing is garbage. A collection in a kernel writes to all objects that it looks at, and what is
    # written to is no longer shared.
    gc.disable()
    variables = preload.modules(names)
    gc.freeze()
    # It imports what must not be looked for where we were started, which `preload` sees to.
    from code_interpreter_kernel import versions

    for package in versions.unknown():
        print(f"{package}: kernels are stock ipykernels, which are slower", file=sys.stderr, flush=True)
    request = ForkServer(requests, replies).serve()
    if request is not None:
        become_fresh(request, variables)
        from code_interpreter_kernel import kernel

        kernel.main()


if __name__ == "__main__":
    main()
