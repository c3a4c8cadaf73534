"""Kernels that print forever to a client that does not read."""

from time import sleep

from ..arena import FLOOR, OURS, OURS_OWN
from ..contestants import CodeInterpreter
from ..family import command_line, proportional_memory
from ..makes import LINE, MAKES, variables
from ..processes import forget_peak, memory
from .burst import Prober, extremes

SECONDS, STEPS = 8, 4  # The duration of each flood, and the samples of memory per second.
JUPYTER_SERVER = b"code_interpreter_kernel.jupyter"
OUR_FLOOD = f"while True: print('x' * {LINE})"


def floods(arena):
    """The memory that the server and the kernel take meanwhile, and the latency of /health."""
    results = {}
    for name, options in ((OURS, CodeInterpreter.LOCAL), (OURS_OWN, CodeInterpreter.OVER_JUPYTER)):
        if arena.server(name):
            results[name] = of_kernel(arena, options, {"language": "python"}, OUR_FLOOD)
    for make in MAKES:
        if make.is_there:
            wanted = {"language": make.kernelspec}
            results[make.title] = of_kernel(arena, CodeInterpreter.LOCAL, wanted, make.flood)
    return results


def of_kernel(arena, options, wanted, code):
    server = CodeInterpreter(arena.scratch, options, "ours floods", variables())
    try:
        server.family.settle()
        client = server.client(server.new_context(**wanted))
        server.family.settle()
        return flood(server, client, code, arena.count(full=SECONDS, quick=2), arena.floor)
    finally:
        server.stop()


def flood(server, client, code, seconds, floor):
    """The growth of our process and of the others in bytes; milliseconds of /health."""
    forget_peak(server.pid)
    own, growth = memory(server.pid)[0], Growth(server.family)
    asked = {OURS: server, **({FLOOR: floor} if floor else {})}
    probers = {name: Prober(one.port) for name, one in asked.items()}
    client.send(client.prepare(code))
    for _ in range(seconds * STEPS):
        sleep(1 / STEPS)
        growth.look()
    health = {name: extremes(prober.stop()) for name, prober in probers.items()}
    client.close()
    return {"own": memory(server.pid)[1] - own, **growth.most, "health": health}


class Growth:
    """The growth of one of a server's other processes: a kernel or a Jupyter Server."""

    def __init__(self, family):
        self.family = family
        self.before = {pid: proportional_memory(pid) for pid in family.members()}
        self.most = {"kernel": 0, "jupyter": 0}

    def look(self):
        for pid in self.family.members():
            grown = proportional_memory(pid) - self.before.setdefault(pid, 0)
            kind = "jupyter" if JUPYTER_SERVER in command_line(pid) else "kernel"
            self.most[kind] = max(self.most[kind], grown)
