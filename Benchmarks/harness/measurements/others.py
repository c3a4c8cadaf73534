"""`1+1` in third-party kernels: by a raw client, and by the server over libzmq and without it."""

from contextlib import ExitStack

from ..contestants import CodeInterpreter, knows_option
from ..kernels import kernel_of
from ..makes import MAKES, variables
from .latency import in_turns

RAW, LIBRARY, DIRECT = "raw ZeroMQ", "ours, libzmq", "ours, ZMTP of our own"
SOCKETS = {LIBRARY: "library", DIRECT: "direct"}
OPTION = "--zeromq"
BLOCK = 10


def others(arena):
    """`1+1` in five third-party kernels."""
    if not knows_option(OPTION):
        return {"missing": f"this build has no {OPTION}"}
    return {make.title: of_make(arena, make) for make in MAKES if make.is_there}


def of_make(arena, make):
    with ExitStack() as stack:
        kernel = kernel_of(make, arena.scratch)
        stack.callback(kernel.stop)
        clients = {RAW: kernel.client}
        for name, socket in SOCKETS.items():
            options = (*CodeInterpreter.LOCAL, OPTION, socket)
            server = CodeInterpreter(arena.scratch, options, "ours others", variables())
            stack.callback(server.stop)
            clients[name] = server.client(server.new_context(language=make.kernelspec))
            server.family.settle()
        calls = {name: (client.execute, client.prepare(make.sum)) for name, client in clients.items()}
        return in_turns(calls, arena.count(full=20, quick=2), BLOCK)
