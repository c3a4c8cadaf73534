"""`1+1`: the time to the first byte and to the end, on kept and on new connections."""

from dataclasses import dataclass, field
from functools import partial
from time import perf_counter, perf_counter_ns, process_time

from ..arena import FLOOR, OURS, OURS_SAME, WEBSOCKET, WEBSOCKET_QUICK, WEBSOCKET_RELAYED, ZEROMQ_VERIFIED
from ..clients.http import HTTPClient, encode
from .recording import Recording

CODE = "1+1"
HEALTH, HEALTHY = encode("GET", "/health"), b'"OK"'
BLOCK = 50  # Calls per turn: few because of drift, many because of cold caches.
SLOW = {WEBSOCKET: 5}  # Calls per turn if each takes over 40 ms.


@dataclass
class Turns:
    """The measurements of one contestant so far."""

    first: Recording = field(default_factory=Recording)
    end: Recording = field(default_factory=Recording)
    calls: int = 0
    processor: float = 0
    wall: float = 0

    def take(self, call, argument, count):
        for _ in range(3):
            call(argument)  # Warms the caches.
        wall, processor = perf_counter(), process_time()
        times = [call(argument) for _ in range(count)]
        self.processor += process_time() - processor
        self.wall += perf_counter() - wall
        self.calls += count
        self.first.add(first for first, _ in times)
        self.end.add(end for _, end in times)

    def summary(self):
        return {
            "end": self.end.summary(),
            "first_byte": self.first.summary(),
            "curve": self.end.curve(),
            "client_microseconds": self.processor / self.calls * 1e6,
            "client_share": self.processor / self.wall,
        }


def latency(arena):
    """`1+1` on kept connections, in turns."""
    lanes = [lane for lane in arena.lanes if lane.name != ZEROMQ_VERIFIED]
    calls = {lane.name: (lane.client().execute, lane.client().prepare(CODE)) for lane in lanes}
    for name, server in ((WEBSOCKET_RELAYED, arena.relay), (FLOOR, arena.floor)):
        if server:
            client = server.client()
            calls[name] = (client.execute, client.prepare(CODE))
    return in_turns(calls, arena.count(full=30, quick=3), BLOCK)


def connections(arena):
    """On new connections: `1+1` if there is a server; /health on both kinds."""
    rounds = arena.count(full=10, quick=2)
    return {
        "execute_new": in_turns(executing_anew(arena), rounds, 10, slow={WEBSOCKET_QUICK: 2}),
        "health_kept": in_turns(asking(arena, ask), rounds, 200),
        "health_new": in_turns(asking(arena, ask_anew), rounds, 100),
    }


def executing_anew(arena):
    lanes = arena.lanes_named(WEBSOCKET_QUICK, OURS, OURS_SAME)
    return {lane.name: (lane.client().execute_anew, lane.client().prepare(CODE)) for lane in lanes}


def asking(arena, how):
    return {name: (partial(how, HTTPClient(server.port)), HEALTH) for name, server in arena.web_servers.items()}


def ask(client, request):
    taken = client.timed(request, HEALTHY)
    return taken, taken


def ask_anew(client, request):
    client.close()
    begin = perf_counter_ns()
    client.reconnect()
    client.timed(request, HEALTHY)
    taken = perf_counter_ns() - begin
    return taken, taken


def in_turns(calls, rounds, block, slow=SLOW):
    turns = {name: Turns() for name in calls}
    for _ in range(rounds):
        for name, (call, argument) in calls.items():
            turns[name].take(call, argument, slow.get(name, block))
    return {name: turn.summary() for name, turn in turns.items()}
