"""Resident memory of the server's process in several phases, in a new process."""

import os
from contextlib import ExitStack
from time import sleep

from ..arena import FASTAPI
from ..clients.http import HTTPClient, encode
from ..contestants import CodeInterpreter, FastAPIServer
from ..processes import forget_peak, memory
from .executions import MAKE_PICTURE, SHOW_PICTURE
from .files import BLOCK_LENGTH, FILE_LENGTH

IDLE_CONNECTIONS = 1000
SETTLING = 0.5  # Seconds, until memory is freed after the last byte.
KEEPING = 6  # Seconds, after which the memory of a long message is freed.


def memory_use(arena):
    """Resident memory: idle, with idle connections, during files and long messages."""
    results = {FASTAPI: {}}
    fastapi = FastAPIServer(arena.scratch)
    try:
        results[FASTAPI] = Phases(fastapi).all(executes=False)
    finally:
        fastapi.stop()
    for mode in arena.modes:
        results[mode] = of_fresh_server(arena, mode, lambda phases: phases.all(executes=True))
        results[mode] |= of_fresh_server(arena, mode, Phases.message_alone)
    return results


def of_fresh_server(arena, mode, act):
    server = CodeInterpreter(arena.scratch, arena.options_of(mode), name="ours memory")
    try:
        server.family.settle()  # The pool's start belongs to no phase.
        return act(Phases(server))
    finally:
        server.stop()


class Phases:
    """The resident memory before each phase, at its peak and after it, in bytes."""

    def __init__(self, server):
        self.server = server
        self.found = {}

    def all(self, executes):
        client = HTTPClient(self.server.port)
        self._phase("idle", lambda: sleep(SETTLING))
        self._phase("idle_connections", self._hold_connections)
        block = os.urandom(BLOCK_LENGTH)
        self._phase("upload", lambda: client.upload("/files/large.bin", [block] * (FILE_LENGTH // BLOCK_LENGTH)))
        self._phase("download", lambda: client.download("/files/large.bin", FILE_LENGTH))
        if executes:
            runner = self.server.client()
            self._phase("executions", lambda: self._execute_often(runner))
            runner.close()
            self._message("message")
        client.close()
        self.found["peak"] = max(phase["peak"] for phase in self.found.values())
        return self.found

    def message_alone(self):
        self._message("message_alone")
        return self.found

    def _message(self, name):
        runner = self.server.client()
        runner.collect(MAKE_PICTURE, len)
        self._phase(name, lambda: runner.collect(SHOW_PICTURE, len), KEEPING)
        runner.close()

    def _phase(self, name, act, settling=SETTLING):
        forget_peak(self.server.pid)
        before, _ = memory(self.server.pid)
        held = act()
        peak = memory(self.server.pid)[1]
        sleep(settling)
        self.found[name] = {"before": before, "peak": peak, "after": memory(self.server.pid)[0]}
        if name == "idle_connections":
            self.found[name]["each"] = held

    def _hold_connections(self):
        """The bytes of each of 1,000 kept connections that were served once."""
        request = encode("GET", "/health")
        with ExitStack() as stack:
            # The first connections also pay for one-time allocations.
            for _ in range(10):
                self._served(stack, request)
            before, _ = memory(self.server.pid)
            for _ in range(IDLE_CONNECTIONS):
                self._served(stack, request)
            sleep(SETTLING)
            return (memory(self.server.pid)[0] - before) / IDLE_CONNECTIONS

    def _served(self, stack, request):
        client = HTTPClient(self.server.port, block_length=4096)
        stack.callback(client.close)
        client.timed(request, b'"OK"')

    def _execute_often(self, runner):
        prepared = runner.prepare("1+1")
        for _ in range(200):
            runner.execute(prepared)
