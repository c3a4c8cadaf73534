"""Many contexts created at once: when they are ready, and whether the server answers others meanwhile."""

import json
import subprocess
import sys
from time import perf_counter

from ..arena import FLOOR, OURS
from ..clients.http import HTTPClient, encode
from .contexts import NEW_CONTEXT, expect_success
from .crowd import with_server
from .recording import middle

AT_ONCE = 30


def burst(arena):
    """Seconds until the last of 30 contexts is ready, and milliseconds of /health meanwhile."""
    if not arena.server(OURS):
        return {"missing": "the server does not start with --backend local"}
    return with_server(arena, (), lambda server: in_rounds(arena, server))


def in_rounds(arena, server):
    # The bare C server shows the effect of a busy machine's scheduler on any server.
    asked = {OURS: server, FLOOR: arena.floor}
    asked = {name: one for name, one in asked.items() if one}
    rounds = [once(server, asked) for _ in range(arena.count(full=3, quick=1))]
    return {
        "contexts": AT_ONCE,
        "seconds": middle([seconds for seconds, _ in rounds]),
        "all": [seconds for seconds, _ in rounds],
        "health": {name: extremes([time for _, times in rounds for time in times[name]]) for name in asked},
    }


def once(server, asked):
    """(seconds, {name: milliseconds of each answer})"""
    server.family.settle()
    clients = [HTTPClient(server.port) for _ in range(AT_ONCE)]
    probers = {name: Prober(one.port) for name, one in asked.items()}
    begin = perf_counter()
    answers = all_at_once(clients, [NEW_CONTEXT] * AT_ONCE)
    seconds = perf_counter() - begin
    times = {name: prober.stop() for name, prober in probers.items()}
    identifiers = [json.loads(answer)["id"] for answer in answers]
    all_at_once(clients, [encode("DELETE", f"/contexts/{identifier}") for identifier in identifiers])
    for client in clients:
        client.close()
    return seconds, times


def all_at_once(clients, requests):
    for client, request in zip(clients, requests, strict=True):
        client.send(request)
    return [expect_success(client) for client in clients]


def extremes(times):
    ordered = sorted(times)
    return {
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(len(ordered) * 0.99)],
        "max": ordered[-1],
        "count": len(ordered),
    }


class Prober:
    """Requests /health repeatedly from another process, so that the load of this one delays nothing."""

    def __init__(self, port):
        command = [sys.executable, "-m", "harness.prober", str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def stop(self):
        """Milliseconds of each response."""
        told, _ = self.process.communicate(timeout=60)
        return json.loads(told)
