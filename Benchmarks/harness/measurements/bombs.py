"""Bombs in one context: how long `1+1` takes in another meanwhile, and what is left of the bomb."""

import json
from statistics import median
from time import monotonic

from support.bombs import BOMBS, LIMITS

from ..clients.http import HTTPFailed, encode
from ..contestants import JSON_FIELDS, CodeInterpreter, knows_option
from .contexts import NEW_CONTEXT, expect_success
from .latency import CODE
from .recording import Recording

QUIET = "nothing"
OPTIONS = {"memory_limit": "--context-memory", "process_limit": "--context-processes", "disk_limit": "--context-disk"}
SECONDS = 4
EXECUTIONS = 8  # One after the other: some bombs end with their kernel.


def bombs(arena):
    """`1+1` in one context while another has a bomb, in milliseconds."""
    if not knows_option("--context-disk"):
        return {"missing": "this build has no --context-disk"}
    options = [part for limit, value in LIMITS.items() for part in (OPTIONS[limit], str(value))]
    server = CodeInterpreter(arena.scratch, (*CodeInterpreter.LOCAL, *options))
    try:
        rounds = [
            {name: beside(server, code, arena.count(full=SECONDS, quick=1)) for name, code in [(QUIET, None), *BOMBS.items()]}
            for _ in range(arena.count(full=3, quick=1))
        ]
        return {name: {"p50": median(one[name]["p50"] for one in rounds), "p99": median(one[name]["p99"] for one in rounds),
                       "all": [one[name]["p99"] for one in rounds], "count": sum(one[name]["count"] for one in rounds),
                       "left": max(one[name]["left"] for one in rounds)} for name in rounds[0]}  # fmt: skip
    finally:
        server.stop()


def beside(server, code, seconds):
    """The times of `1+1` in one context while `code` runs in another, and how many processes are left in the end."""
    count = server.family.settle()
    client, other = server.client(), server.client()
    client.context_id, bomb = (json.loads(expect_success(other, NEW_CONTEXT))["id"] for _ in range(2))
    request, recording = client.prepare(CODE), Recording()
    client.execute(request)
    for _ in range(EXECUTIONS if code else 0):
        body = json.dumps({"code": code, "context_id": bomb}).encode()
        status, answer = other.request("POST", "/executions", body, JSON_FIELDS)
        if status != 202:
            raise HTTPFailed(f"{status} {answer[:200]}")
    end = monotonic() + seconds
    while monotonic() < end:
        recording.add([client.execute(request)[1]])
    for context in (bomb, client.context_id):
        expect_success(other, encode("DELETE", f"/contexts/{context}"))
    for file in server.workspace.glob("bomb-*"):
        file.unlink()
    client.close()
    other.close()
    return {**recording.summary(), "left": server.family.settle() - count}
