"""What a token costs, and what TLS costs."""

import secrets
import ssl
from functools import partial
from random import randbytes
from time import perf_counter_ns

from support.certificates import Authority

from ..arena import OURS, Lane
from ..clients.http import encode
from ..clients.sockets import RECEIVE_SIZE
from ..contestants import CodeInterpreter, knows_option
from ..processes import processor_time
from .executions import MESSAGE_LENGTH, messages, rounds
from .latency import BLOCK, CODE, Turns

OPEN = "http"
TOKEN = "http, with a token"
TLS = "https"
PIPELINED = 50  # Requests.


def access(arena):
    """A token and TLS: what they add to a request, an execution, a message and a download."""
    if not knows_option("--tls-certificate"):
        return {"missing": "this build has no --tls-certificate"}
    token = secrets.token_hex(32)
    servers = made(arena, token)
    try:
        for server in servers.values():
            server.family.settle()
        fields = {OPEN: [], TOKEN: [("Authorization", f"Bearer {token}")], TLS: []}
        lanes = [Lane(name, lambda _, name=name: servers[name].client(), servers[name]) for name in (OPEN, TLS)]
        return {
            "request": processor_times(
                servers, {name: (partial(pipelined, server.client()), PIPELINED * encode("GET", "/contexts", None, fields[name]))
                          for name, server in servers.items()},
                arena.count(full=20, quick=1), each=PIPELINED,
            ),
            "execution": processor_times(
                servers, {lane.name: (lane.client().execute, lane.client().prepare(CODE)) for lane in lanes},
                arena.count(full=60, quick=2),
            ),
            "message": messages(lanes, arena.count(full=15, quick=1)),
            "download": downloads(lanes, arena.count(full=15, quick=1)),
        }
    finally:
        for server in servers.values():
            server.stop()


def made(arena, token):
    """Three servers, which differ in who may use them and how."""
    directory = arena.scratch / "authority"
    directory.mkdir()
    authority = Authority(directory)
    file = directory / "token"
    file.touch(0o600)
    file.write_text(token)
    options = arena.options_of(OURS)
    servers = {OPEN: CodeInterpreter(arena.scratch, options, name="ours, http")}
    servers[TOKEN] = CodeInterpreter(arena.scratch, (*options, "--token-file", file), name="ours, token")
    trusting = ssl.create_default_context(cafile=authority.certificate)
    servers[TLS] = CodeInterpreter(arena.scratch, (*options, *authority.options), name="ours, https", tls=trusting)
    servers[TLS].authority = authority
    return servers


def pipelined(client, requests):
    """Sends requests at once: the server wakes up once for many, so that what each costs is seen."""
    begin = perf_counter_ns()
    client.socket.sendall(requests)
    read = b""
    while read.count(b"HTTP/1.1 200") < PIPELINED or not read.endswith(b"]"):
        read += client.socket.recv(RECEIVE_SIZE)
    nanoseconds = perf_counter_ns() - begin
    return nanoseconds, nanoseconds


def processor_times(servers, calls, rounds, each=1):
    """As `in_turns`, and the server's own microseconds of processor time for each call. On two shared cores, what a client waits
    for depends more on where the system wakes it than on a few microseconds of the server's work.
    """
    turns = {name: Turns() for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    for _ in range(rounds):
        for name, (call, argument) in calls.items():
            before = processor_time(servers[name].pid)
            turns[name].take(call, argument, BLOCK)
            spent[name] += processor_time(servers[name].pid) - before
    # `take` warms up by three calls more.
    return {name: {**turn.summary(), "server_microseconds": spent[name] / (turn.calls + 3 * rounds) / each * 1e6}
            for name, turn in turns.items()}  # fmt: skip


def downloads(lanes, count):
    """MB/s of a file of 64 MiB."""
    for lane in lanes:
        (lane.server.workspace / "file.bin").write_bytes(randbytes(1 << 20) * (MESSAGE_LENGTH >> 20))
    return rounds(lanes, lambda lane: MESSAGE_LENGTH / lane.client().download("/files/file.bin", MESSAGE_LENGTH) / 1e6, count)
