"""Deleted contexts: the time until their kernels are gone."""

import json
from time import perf_counter, perf_counter_ns

from ..arena import OURS, OURS_OWN, WEBSOCKET
from ..clients.http import HTTPClient, encode
from ..contestants import CodeInterpreter
from .burst import all_at_once
from .contexts import NEW_CONTEXT, expect_success
from .recording import Recording, middle

AT_ONCE = 64
IN_A_ROW = 200
MODES = {OURS: CodeInterpreter.LOCAL, OURS_OWN: CodeInterpreter.OVER_JUPYTER}


def endings(arena):
    """Milliseconds to delete an idle context; seconds for 64 at once and for 200 in a row."""
    results = {WEBSOCKET: {"one": jupyter_endings(arena)}}
    for name, options in MODES.items():
        if arena.server(name):
            results[name] = of_fresh_server(arena, options, forks=name == OURS)
    return results


def jupyter_endings(arena):
    """The time in which Jupyter Server ends an idle kernel."""
    recording = Recording()
    for _ in range(arena.count(full=10, quick=2)):
        kernel = arena.jupyter.start_kernel()
        arena.jupyter.client(kernel).close()
        begin = perf_counter_ns()
        arena.jupyter.request("DELETE", f"/api/kernels/{kernel}")
        recording.add([perf_counter_ns() - begin])
    return recording.summary()


def of_fresh_server(arena, options, forks):
    server = CodeInterpreter(arena.scratch, (*options, "--max-contexts", str(IN_A_ROW + 10)), "ours endings")
    try:
        found = {"one": one_after_rest(server, arena.count(full=20, quick=2))}
        # Two hundred kernels started by exec would need more memory and time than available.
        if forks:
            rounds = [at_once(server, AT_ONCE) for _ in range(arena.count(full=3, quick=1))]
            found |= {"at_once": middle(rounds), "at_once_all": rounds}
            found["in_a_row"] = in_a_row(server, arena.count(full=IN_A_ROW, quick=10))
        return found
    finally:
        server.stop()


def one_after_rest(server, rounds):
    recording = Recording()
    count = server.family.settle()
    for _ in range(rounds):
        client = HTTPClient(server.port)
        identifier = new_context(client)
        server.family.settle(count + 1)
        client.reconnect()
        begin = perf_counter_ns()
        delete(client, identifier)
        recording.add([perf_counter_ns() - begin])
        client.close()
        server.family.settle(count)
    return recording.summary()


def at_once(server, count):
    """Seconds from the first request to the last response."""
    clients = [HTTPClient(server.port) for _ in range(count)]
    identifiers = [json.loads(answer)["id"] for answer in all_at_once(clients, [NEW_CONTEXT] * count)]
    server.family.settle()
    for client in clients:
        client.reconnect()  # It may have been idle for long.
    begin = perf_counter()
    all_at_once(clients, [deletion(identifier) for identifier in identifiers])
    seconds = perf_counter() - begin
    for client in clients:
        client.close()
    return seconds


def in_a_row(server, count):
    """Seconds for all, without pauses."""
    client = HTTPClient(server.port)
    identifiers = [new_context(client) for _ in range(count)]
    server.family.settle()
    client.reconnect()
    begin = perf_counter()
    for identifier in identifiers:
        delete(client, identifier)
    seconds = perf_counter() - begin
    client.close()
    return seconds


def new_context(client):
    return json.loads(expect_success(client, NEW_CONTEXT))["id"]


def delete(client, identifier):
    expect_success(client, deletion(identifier))


def deletion(identifier):
    return encode("DELETE", f"/contexts/{identifier}")
