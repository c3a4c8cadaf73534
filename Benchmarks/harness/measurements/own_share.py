"""The time that a server adds to an execution, from the timestamps of its packets."""

import mmap
import time
from contextlib import ExitStack

from stamping_kernel import TIMES

from ..arena import OURS
from ..contestants import CodeInterpreter, as_our_kernel
from ..kernels import StampingKernel
from ..stamps import StampedSocket
from .recording import BothWays
from .round_trip import PAUSES

BLOCK = 50


def own_share(arena):
    """Microseconds between packets in both directions: of the server only."""
    if not arena.server(OURS):
        return {"missing": f"{OURS} are not part of this build"}
    with ExitStack() as stack:
        stamps = arena.scratch / "stamps-of-packets"
        environment = StampingKernel.environment(arena.scratch, stamps)
        server = CodeInterpreter(arena.scratch, (*arena.options_of(OURS), *as_our_kernel()), "ours own share", environment)
        stack.callback(server.stop)
        client = server.client(server.new_context(language=StampingKernel.LANGUAGE))
        stack.callback(client.close)
        client.socket = StampedSocket(client.socket)
        server.family.settle()
        with open(stamps, "rb") as file:
            journey = Journey(client, mmap.mmap(file.fileno(), TIMES.size, access=mmap.ACCESS_READ))
        recordings = {kind: BothWays() for kind in PAUSES}
        for _ in range(arena.count(full=20, quick=2)):
            for kind, pause in PAUSES.items():
                journey.take(client.prepare(pause), recordings[kind])
        return {kind: recording.summary() for kind, recording in recordings.items()}


class Journey:
    """Executions over one connection with packet timestamps at both ends."""

    def __init__(self, client, stamps):
        self.client, self.stamps = client, stamps
        self.count = 0

    def take(self, prepared, recording):
        for _ in range(BLOCK):
            self.client.execute(prepared)
            received, last = self._of_kernel()
            recording.add(there=received - self.client.socket.left, back=self.client.socket.arrived - last)

    def _of_kernel(self):
        """The kernel writes the times after its last message is sent, which may be after the client has it."""
        self.count += 1
        while True:
            count, *times = TIMES.unpack(self.stamps[:])
            if count == self.count:
                return times
            time.sleep(0)
