"""Who takes part: the contestants that run code, each under the name that stands in the tables."""

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from .contestants import CodeInterpreter, FastAPIServer, Floor, JupyterServer, StockKernel
from .processes import StartFailed

ZEROMQ = "raw ZeroMQ"
ZEROMQ_VERIFIED = "raw ZeroMQ, signatures checked"
WEBSOCKET_QUICK = "raw WebSocket, TCP_QUICKACK"
WEBSOCKET = "raw WebSocket"
OURS_SAME = "ours, on the same Jupyter Server"
OURS = "ours, as it starts by itself"
FASTAPI = "FastAPI on uvicorn"
FLOOR = "bare C server"


STALE = 5  # Seconds after which a server may have closed a connection for being idle.


@dataclass
class Lane:
    """A contestant that runs code. `make(number)`: a client of a kernel of its own, the first of them number 0."""

    name: str
    make: Callable
    clients: list = field(default_factory=list)
    given: dict = field(default_factory=dict)

    def client(self, number=0):
        """The client of that kernel, connected anew where it may have been idle for long."""
        while len(self.clients) <= number:
            self.clients.append(self.make(len(self.clients)))
        if monotonic() - self.given.get(number, monotonic()) > STALE:
            self.clients[number].reconnect()
        self.given[number] = monotonic()
        return self.clients[number]


class Arena:
    """Starts contestants when they are first asked for, and stops all of them at the end."""

    def __init__(self, quick, directory):
        self.quick = quick
        self.stack = ExitStack()
        self.scratch = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=directory)))
        self.made = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def keep(self, program):
        """Has `program` stopped at the end."""
        self.stack.callback(program.stop)
        return program

    def count(self, full, quick):
        return quick if self.quick else full

    @property
    def has_ours(self):
        """Whether ours is built and comes up; where not, the others run without it, and it is said once."""
        if "has ours" not in self.made:
            try:
                self.made["has ours"] = bool(self.ours_same and self.ours)
            except (OSError, StartFailed) as error:
                print(f"The server does not start, the opponents run alone: {error}", file=sys.stderr, flush=True)
                self.made["has ours"] = False
        return self.made["has ours"]

    def _once(self, name, make):
        if name not in self.made:
            made = make()
            self.made[name] = self.keep(made) if made else None
        return self.made[name]

    @property
    def jupyter(self):
        return self._once("jupyter", lambda: JupyterServer(self.scratch))

    @property
    def floor(self):
        return self._once("floor", lambda: Floor.built(self.scratch))

    @property
    def fastapi(self):
        return self._once("fastapi", lambda: FastAPIServer(self.scratch))

    @property
    def ours_same(self):
        return self._once("ours same", lambda: CodeInterpreter(self.scratch, self.jupyter))

    @property
    def ours(self):
        return self._once("ours", lambda: CodeInterpreter(self.scratch))

    @property
    def web_servers(self):
        """All that serve files and /health, and are there."""
        servers = {FASTAPI: self.fastapi, OURS_SAME: self.ours_same if self.has_ours else None, FLOOR: self.floor}
        return {name: server for name, server in servers.items() if server}

    @property
    def lanes(self):
        """All that run code, in the order in which they take turns."""
        if "lanes" not in self.made:
            self.made["lanes"] = self._lanes()
        return self.made["lanes"]

    def lanes_named(self, *names):
        return [lane for lane in self.lanes if lane.name in names]

    def _lanes(self):
        def stock(verify):
            return lambda _: self.keep(StockKernel(self.scratch, verify)).client

        def jupyter(quick_acknowledge):
            return lambda _: self.jupyter.client(quick_acknowledge=quick_acknowledge)

        def ours(server):
            return lambda number: server.client(server.new_context() if number else None)

        # A kernel for each client: what it says would go to all that listen, and burden the one who is measured.
        lanes = [
            Lane(ZEROMQ, stock(verify=False)),
            Lane(ZEROMQ_VERIFIED, stock(verify=True)),
            Lane(WEBSOCKET_QUICK, jupyter(quick_acknowledge=True)),
            Lane(WEBSOCKET, jupyter(quick_acknowledge=False)),
        ]
        if self.has_ours:
            lanes += [Lane(OURS_SAME, ours(self.ours_same)), Lane(OURS, ours(self.ours))]
        return lanes
