"""From the client to the kernel and back, measured by a kernel that records when a request arrives and when it is done.
"""

import mmap
import struct
from contextlib import ExitStack
from time import perf_counter_ns  # CLOCK_MONOTONIC, as the probe's.

from ..arena import OURS, OURS_OWN
from ..clients.zeromq import ZeroMQClient
from ..clients.zmtp import ZMTPClient
from ..contestants import CodeInterpreter, as_our_kernel
from ..kernels import Probe
from .recording import BothWays

ZEROMQ_PROBE, ZMTP_PROBE = "raw ZeroMQ", "raw ZMTP, without libzmq"
COMPUTING, AT_ONCE = "computing", "at_once"
PAUSES = {COMPUTING: "200", AT_ONCE: "0"}  # Microseconds before each message.
BLOCK = 50
STAMPS = struct.Struct("=QQ")


def round_trip(arena):
    """Microseconds between client and kernel in both directions: of the server, and of ZeroMQ alone."""
    if arena.probe is None:
        return {"missing": "the probe cannot be built (Debian: apt-get install gcc libzmq3-dev libssl-dev)"}
    with ExitStack() as stack:
        watches = list(contestants(arena, stack))
        for _ in range(arena.count(full=20, quick=2)):
            for watch in watches:
                watch.take(BLOCK)
        return {watch.name: watch.summary() for watch in watches}


def contestants(arena, stack):
    def stamps(number):
        return arena.scratch / f"stamps-{number}"

    clients = {ZEROMQ_PROBE: ZeroMQClient, ZMTP_PROBE: ZMTPClient}
    for number, (name, client) in enumerate(clients.items()):
        kernel = arena.probe.raw_kernel(stamps(number), client)
        stack.callback(kernel.stop)
        yield Stopwatch(name, kernel.client, stamps(number))
    for number, mode in enumerate((OURS, OURS_OWN), len(clients)):
        if not arena.server(mode):
            continue
        environment = arena.probe.environment(stamps(number))
        options = (*arena.options_of(mode), *(as_our_kernel() if mode == OURS else ()))
        server = CodeInterpreter(arena.scratch, options, "ours round trip", environment)
        stack.callback(server.stop)
        client = server.client(server.new_context(language=Probe.LANGUAGE))
        stack.callback(client.close)
        server.family.settle()
        yield Stopwatch(mode, client, stamps(number))


class Stopwatch:
    """A client and its probe: the time outside of the kernel, in both directions."""

    def __init__(self, name, client, stamps):
        self.name, self.client = name, client
        with open(stamps, "rb") as file:
            self.stamps = mmap.mmap(file.fileno(), STAMPS.size, access=mmap.ACCESS_READ)
        self.prepared = {kind: client.prepare(code) for kind, code in PAUSES.items()}
        self.recordings = {kind: BothWays() for kind in PAUSES}

    def take(self, count):
        for kind, prepared in self.prepared.items():
            for _ in range(3):
                self.client.execute(prepared)  # Warms the caches.
            for _ in range(count):
                self._execute(prepared, self.recordings[kind])

    def _execute(self, prepared, recording):
        self.client.execute(prepared)
        done = perf_counter_ns()
        received, last = STAMPS.unpack(self.stamps[:])
        recording.add(there=received - self.client.sent, back=done - last)

    def summary(self):
        return {kind: recording.summary() for kind, recording in self.recordings.items()}
