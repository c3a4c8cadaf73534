"""New contexts, restarts, and imports in a new context."""

import json
from time import perf_counter_ns

from ..arena import OURS, OURS_OWN, OURS_SAME, WEBSOCKET, ZEROMQ
from ..clients.http import HTTPFailed, encode
from ..contestants import JSON_FIELDS, CodeInterpreter, knows_option
from ..kernels import stock_kernel
from .recording import Recording

OURS_FORKED = f"{OURS}, --warm 0"
OURS_SPAWNED = f"{OURS}, --warm 0 --no-fork-server"
ISOLATION = ("--isolated", "--no-network")
OURS_ISOLATED = f"{OURS}, {' '.join(ISOLATION)}"
OURS_ISOLATED_FORKED = f"{OURS_ISOLATED} --warm 0"
IMPORTS = "import numpy, pandas, matplotlib.pyplot"
NO_FORK_SERVER = "--no-fork-server"
COLD = ("--warm", "0")
NEW_CONTEXT = encode("POST", "/contexts", b"{}", JSON_FIELDS)


def contexts(arena):
    """Milliseconds until a new kernel takes code, of the imports in it, and from a restart to the result of `1+1`."""
    few, many = arena.count(full=3, quick=1), arena.count(full=12, quick=2)
    results = {
        ZEROMQ: {"new": recorded(stock_start(arena) for _ in range(few))},
        WEBSOCKET: {"new": recorded(jupyter_start(arena.jupyter) for _ in range(few))},
    }
    for mode in (OURS_OWN, OURS_SAME):
        if server := arena.server(mode):
            results[mode] = ContextTimes(server).all(few)
    if server := arena.server(OURS):
        results[OURS] = ContextTimes(server).all(many)
        results |= of_other_servers(arena, few, many)
    return results


def of_other_servers(arena, few, many):
    """Local kernels started on demand: forked if there is a fork server, and started by exec; and isolated ones, from a pool and forked."""
    results = {}
    if arena.server(OURS).family.forks:
        results[OURS_FORKED] = of_fresh_server(arena, COLD, many)
    results[OURS_SPAWNED] = of_fresh_server(arena, (*COLD, *spawning()), few)
    if knows_option("--isolated"):
        results[OURS_ISOLATED] = of_fresh_server(arena, ISOLATION, many)
        results[OURS_ISOLATED_FORKED] = of_fresh_server(arena, (*ISOLATION, *COLD), many)
    return results


def spawning():
    """The option that disables the fork server, if the server has it."""
    return (NO_FORK_SERVER,) if knows_option(NO_FORK_SERVER) else ()


def of_fresh_server(arena, options, count):
    server = CodeInterpreter(arena.scratch, (*CodeInterpreter.LOCAL, *options))
    try:
        return ContextTimes(server).all(count)
    finally:
        server.stop()


class ContextTimes:
    """The times of a server, each taken when the server is idle: a pool is full then."""

    def __init__(self, server):
        self.server = server
        self.recordings = {kind: Recording() for kind in ("new", "imports", "restart")}
        self.count = server.family.settle()
        # A local kernel is one process; a separate Jupyter Server has all of its kernels.
        self.grown = 1 if server.family.members() else 0

    def all(self, rounds):
        for _ in range(rounds):
            self._round()
        summaries = {kind: recording.summary() for kind, recording in self.recordings.items()}
        return {"forks": self.server.family.forks, **summaries}

    def _round(self):
        client = self.server.client()
        begin = perf_counter_ns()
        made = expect_success(client, NEW_CONTEXT)
        self.recordings["new"].add([perf_counter_ns() - begin])
        client.context_id = json.loads(made)["id"]
        self.recordings["imports"].add([successful(client, IMPORTS)])
        self._rest(client)
        begin = perf_counter_ns()
        expect_success(client, encode("POST", f"/contexts/{client.context_id}/restart", b""))
        client.execute(client.prepare("1+1"))
        self.recordings["restart"].add([perf_counter_ns() - begin])
        self._rest(client)
        expect_success(client, encode("DELETE", f"/contexts/{client.context_id}"))
        client.close()
        self.server.family.settle(self.count)

    def _rest(self, client):
        self.server.family.settle(self.count + self.grown)
        client.reconnect()  # It may have been idle for long.


def expect_success(client, request=b""):
    """The body of the response to a request, or to the one sent before."""
    client.send(request)
    status, body = client.answer()
    if status != 200:
        raise HTTPFailed(f"{request[:60]}: {status} {body[:200]}")
    return body


def successful(client, code):
    """The nanoseconds of code that must succeed."""
    pieces = []
    _, nanoseconds = client.collect(code, lambda piece: pieces.append(bytes(piece)))
    if b'"error"' in b"".join(pieces):
        raise HTTPFailed(b"".join(pieces)[-500:])
    return nanoseconds


def stock_start(arena):
    kernel = stock_kernel(arena.scratch)
    kernel.stop()
    return int(kernel.start_seconds * 1e9)


def jupyter_start(jupyter):
    begin = perf_counter_ns()
    kernel = jupyter.start_kernel()
    jupyter.client(kernel).close()
    taken = perf_counter_ns() - begin
    jupyter.request("DELETE", f"/api/kernels/{kernel}")
    return taken


def recorded(durations):
    recording = Recording()
    recording.add(durations)
    return recording.summary()
