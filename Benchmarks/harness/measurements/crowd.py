"""The memory of many contexts."""

import json

from ..arena import OURS
from ..contestants import CodeInterpreter
from ..processes import memory
from .contexts import IMPORTS, NEW_CONTEXT, OURS_SPAWNED, expect_success, spawning, successful

CONTEXTS = 20
SPAWNED_CONTEXTS = 5  # Each costs much the same.


def crowd(arena):
    """Bytes of each further context, when new and after common imports."""
    if not arena.server(OURS):
        return {"missing": "the server does not start with --backend local"}
    count = arena.count(full=CONTEXTS, quick=5)
    found = {OURS: with_server(arena, (), lambda server: memory_of_contexts(server, count))}
    if found[OURS]["forks"]:
        found[OURS_SPAWNED] = with_server(
            arena, ("--warm", "0", *spawning()), lambda server: memory_of_contexts(server, SPAWNED_CONTEXTS)
        )
    return found


def with_server(arena, options, act):
    """The result of `act` for a new server with local kernels."""
    server = CodeInterpreter(arena.scratch, (*CodeInterpreter.LOCAL, *options))
    try:
        return act(server)
    finally:
        server.stop()


def memory_of_contexts(server, count):
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
        client.close()
    return {
        "forks": family.forks,
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
