"""What a server adds to an execution, told by the packets that come to it and go from it."""

import mmap
import time
from contextlib import ExitStack

from stamping_kernel import STAMPS

from ..arena import OURS
from ..contestants import CodeInterpreter
from ..kernels import StampingKernel
from ..stamps import StampedSocket
from .recording import Recording
from .share import PAUSES

BLOCK = 50


def transit(arena):
    """Microseconds from packet to packet, both ways: of the server alone."""
    if not arena.server(OURS):
        return {"missing": f"{OURS} are not part of this build"}
    with ExitStack() as stack:
        stamps = arena.scratch / "stamps-of-packets"
        environment = StampingKernel.environment(arena.scratch, stamps)
        server = CodeInterpreter(arena.scratch, arena.options_of(OURS), "ours transit", environment)
        stack.callback(server.stop)
        client = server.client(server.new_context(language=StampingKernel.LANGUAGE))
        stack.callback(client.close)
        client.socket = StampedSocket(client.socket)
        server.family.settle()
        with open(stamps, "rb") as file:
            journey = Journey(client, mmap.mmap(file.fileno(), STAMPS.size, access=mmap.ACCESS_READ))
        recordings = {kind: {part: Recording() for part in ("both", "there", "back")} for kind in PAUSES}
        for _ in range(arena.count(full=20, quick=2)):
            for kind, pause in PAUSES.items():
                journey.take(client.prepare(pause), recordings[kind])
        return {kind: {part: one.summary() for part, one in parts.items()} for kind, parts in recordings.items()}


class Journey:
    """Executions over one connection, whose both ends tell when packets pass."""

    def __init__(self, client, stamps):
        self.client, self.stamps = client, stamps
        self.count = 0

    def take(self, prepared, recordings):
        for _ in range(BLOCK):
            self.client.execute(prepared)
            received, last = self._of_kernel()
            there, back = received - self.client.socket.left, self.client.socket.arrived - last
            for part, duration in (("both", there + back), ("there", there), ("back", back)):
                recordings[part].add([duration])

    def _of_kernel(self):
        """It writes them down when its last message has left, which may be after we have it."""
        self.count += 1
        while True:
            count, *times = STAMPS.unpack(self.stamps[:])
            if count == self.count:
                return times
            time.sleep(0)
