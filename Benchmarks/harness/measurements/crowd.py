"""Many contexts: what each costs, and whether the server answers while many are made."""

import json
import subprocess
import sys
from time import perf_counter

from ..arena import OURS
from ..clients.http import HTTPClient, encode
from ..contestants import JSON_FIELDS, CodeInterpreter
from ..processes import memory
from .contexts import IMPORTS, OURS_SPAWNED, expect_success, spawning, successful
from .recording import middle

CONTEXTS = 20
SPAWNED_CONTEXTS = 5  # Each costs much the same.
AT_ONCE = 30
NEW_CONTEXT = encode("POST", "/contexts", b"{}", JSON_FIELDS)


def crowd(arena):
    """Memory of idle contexts, and 30 contexts posted at once while /health is asked."""
    found = {}
    if not arena.server(OURS):
        return {"missing": "the server does not start with --backend local"}
    with_server(arena, (), lambda server: found.update({OURS: default_server(arena, server)}))
    if found[OURS]["forks"]:
        spawned = with_server(arena, ("--warm", "0", *spawning()), lambda server: memory_of_contexts(server, SPAWNED_CONTEXTS))
        found[OURS_SPAWNED] = spawned
    return found


def with_server(arena, options, act):
    server = CodeInterpreter(arena.scratch, (*CodeInterpreter.LOCAL, *options), name="ours crowd")
    try:
        return act(server)
    finally:
        server.stop()


def default_server(arena, server):
    found = memory_of_contexts(server, arena.count(full=CONTEXTS, quick=5))
    return found | {"forks": server.family.forks, "at_once": at_once(arena, server)}


def memory_of_contexts(server, count):
    """Bytes that each further context costs when it has just been made, and when it has imported what many import."""
    family = server.family
    family.settle()
    before, own_before = family.proportional_memory(), memory(server.pid)[0]
    made = [in_new_context(server) for _ in range(count)]
    family.settle()
    idle, own = family.proportional_memory(), memory(server.pid)[0]
    for client in made:
        client.reconnect()  # It may have been idle for long.
        successful(client, IMPORTS)
    family.settle()
    imported = family.proportional_memory()
    for client in made:
        client.reconnect()
        expect_success(client, encode("DELETE", f"/contexts/{client.context_id}"))
        client.close()
    return {
        "contexts": count,
        "each": (idle - before) / count,
        "each_imported": (imported - before) / count,
        "own_before": own_before,
        "own": own,
    }


def in_new_context(server):
    client = server.client()
    client.context_id = json.loads(expect_success(client, NEW_CONTEXT))["id"]
    return client


def at_once(arena, server):
    """Seconds until the last of 30 contexts is there, and milliseconds of /health meanwhile, here and elsewhere."""
    rounds = [burst(arena, server) for _ in range(arena.count(full=3, quick=1))]
    health = [time for one in rounds for time in one["health"]]
    floor = [time for one in rounds for time in one["floor"]]
    return {
        "contexts": AT_ONCE,
        "seconds": middle([one["seconds"] for one in rounds]),
        "all": [one["seconds"] for one in rounds],
        "health": extremes(health),
        "floor": extremes(floor) if floor else None,
        "own": memory(server.pid)[0],
    }


def extremes(times):
    ordered = sorted(times)
    return {
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
        "max": ordered[-1],
        "count": len(ordered),
    }


def burst(arena, server):
    server.family.settle()
    clients = [HTTPClient(server.port) for _ in range(AT_ONCE)]
    probers = {"health": Prober(server.port)}
    if arena.floor:  # What the scheduler of a busy machine does to any server.
        probers["floor"] = Prober(arena.floor.port)
    begin = perf_counter()
    answers = all_at_once(clients, [NEW_CONTEXT] * AT_ONCE)
    seconds = perf_counter() - begin
    found = {name: prober.stop() for name, prober in probers.items()}
    identifiers = [json.loads(answer)["id"] for answer in answers]
    all_at_once(clients, [encode("DELETE", f"/contexts/{identifier}") for identifier in identifiers])
    for client in clients:
        client.close()
    return {"seconds": seconds, "floor": [], **found}


def all_at_once(clients, requests):
    for client, request in zip(clients, requests, strict=True):
        client.send(request)
    return [expect_success(client) for client in clients]


class Prober:
    """Asks for /health again and again from a process of its own, so that the load of this one delays nothing."""

    def __init__(self, port):
        command = [sys.executable, "-m", "harness.prober", str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def stop(self):
        """Milliseconds that each answer took."""
        told, _ = self.process.communicate()
        return json.loads(told)
