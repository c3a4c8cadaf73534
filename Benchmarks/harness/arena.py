"""The contestants that run code, by their names in the tables."""

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

from .contestants import CodeInterpreter, FastAPIServer, Floor, JupyterServer, Relay
from .kernels import Probe, our_kernel, stock_kernel
from .processes import StartFailed

ZEROMQ = "raw ZeroMQ, stock ipykernel"
ZEROMQ_VERIFIED = "raw ZeroMQ, stock ipykernel, signatures checked"
ZEROMQ_OURS = "raw ZeroMQ, our kernel"
WEBSOCKET_QUICK = "raw WebSocket, TCP_QUICKACK"
WEBSOCKET = "raw WebSocket"
WEBSOCKET_RELAYED = "raw WebSocket, TCP_QUICKACK, through a relay in C"
OURS = "ours, local kernels"
OURS_OWN = "ours, over a Jupyter Server of its own"
OURS_SAME = "ours, on the same Jupyter Server"
MODES = (OURS, OURS_OWN, OURS_SAME)
FASTAPI = "FastAPI on uvicorn"
FLOOR = "bare C server"


STALE = 5  # Seconds after which a server may have closed a connection for being idle.


@dataclass
class Lane:
    """A contestant that runs code. `make(number)` returns a client with a kernel of its own, starting with number 0.

    `server` is ours, where the lane leads over it.
    """

    name: str
    make: Callable
    server: CodeInterpreter | None = None
    clients: list = field(default_factory=list)
    given: dict = field(default_factory=dict)

    @property
    def is_ours(self):
        return self.server is not None

    def several(self, count):
        """Clients with `count` kernels, once the system is idle again."""
        found = [self.client(number) for number in range(count)]
        if self.server:
            self.server.family.settle()
        return found

    def client(self, number=0):
        """The client of a kernel, reconnected if it may have been idle for long."""
        while len(self.clients) <= number:
            self.clients.append(self.make(len(self.clients)))
        if monotonic() - self.given.get(number, monotonic()) > STALE:
            self.clients[number].reconnect()
        self.given[number] = monotonic()
        return self.clients[number]


class Arena:
    """Starts contestants on first use, and stops all of them at the end."""

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
        """Registers `program` to be stopped at the end."""
        self.stack.callback(program.stop)
        return program

    def count(self, full, quick):
        return quick if self.quick else full

    def options_of(self, mode):
        """The server's options for one of `MODES`."""
        if mode == OURS_SAME:
            return CodeInterpreter.over(self.jupyter)
        return CodeInterpreter.LOCAL if mode == OURS else CodeInterpreter.OVER_JUPYTER

    def server(self, mode):
        """Our server in one of `MODES`. If it does not start, prints that once and returns None; the others run without
        it.
        """
        return self._once(mode, lambda: self._started(mode))

    def _started(self, mode):
        try:
            server = CodeInterpreter(self.scratch, self.options_of(mode))
        except (OSError, StartFailed) as error:
            print(f"{mode}: the server does not start: {error}", file=sys.stderr, flush=True)
            return None
        server.family.settle()
        return server

    @property
    def modes(self):
        """The `MODES` in which our server starts."""
        return [mode for mode in MODES if self.server(mode)]

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
    def relay(self):
        return self._once("relay", lambda: Relay.built(self.scratch, self.jupyter))

    @property
    def fastapi(self):
        return self._once("fastapi", lambda: FastAPIServer(self.scratch))

    @property
    def probe(self):
        if "probe" not in self.made:
            self.made["probe"] = Probe.built(self.scratch)
        return self.made["probe"]

    @property
    def web_servers(self):
        """The available servers of files and /health."""
        servers = {FASTAPI: self.fastapi, OURS_SAME: self.server(OURS_SAME), FLOOR: self.floor}
        return {name: server for name, server in servers.items() if server}

    @property
    def lanes(self):
        """The contestants that run code, in order of their turns."""
        if "lanes" not in self.made:
            self.made["lanes"] = self._lanes()
        return self.made["lanes"]

    def lanes_named(self, *names):
        return [lane for lane in self.lanes if lane.name in names]

    def _lanes(self):
        def kernel(make):
            return lambda _: self.keep(make(self.scratch)).client

        def jupyter(quick_acknowledge):
            return lambda _: self.jupyter.client(quick_acknowledge=quick_acknowledge)

        def ours(server):
            return lambda number: server.client(server.new_context() if number else None)

        # One kernel per client: its output would go to all listeners, and slow the one that is measured.
        lanes = [
            Lane(ZEROMQ, kernel(stock_kernel)),
            Lane(ZEROMQ_VERIFIED, kernel(partial(stock_kernel, verify=True))),
            Lane(ZEROMQ_OURS, kernel(our_kernel)),
            Lane(WEBSOCKET_QUICK, jupyter(quick_acknowledge=True)),
            Lane(WEBSOCKET, jupyter(quick_acknowledge=False)),
        ]
        return lanes + [Lane(mode, ours(self.server(mode)), self.server(mode)) for mode in self.modes]
