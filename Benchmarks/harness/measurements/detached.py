"""Executions that keep their lines, beside those that do not."""

import json
from random import randbytes
from time import perf_counter, perf_counter_ns, sleep

from ..arena import OURS
from ..clients.http import ExecuteClient, HTTPClient, encode
from ..contestants import JSON_FIELDS, CodeInterpreter
from ..processes import memory
from .executions import DISPLAY, DISPLAYS
from .files import FILE_LENGTH
from .latency import BLOCK, CODE, in_turns
from .recording import Recording, middle

KEPT = "kept"
PASSED_ON = "passed on"
TIMEOUT = 0.2  # Seconds.
RECORDS = 10_000
REPLAY_LINE = 1 << 16


class KeepingClient(ExecuteClient):
    """Asks for the lines to be kept."""

    def prepare(self, code):
        body = json.dumps({"code": code, "context_id": self.context_id, "on_disconnect": "continue"}).encode()
        return encode("POST", "/execute", body, [("Content-Type", "application/json")])


def detached(arena):
    """Executions that keep their lines: what that costs, replays, time-outs, records."""
    server = CodeInterpreter(arena.scratch, arena.options_of(OURS), name="ours detached")
    try:
        server.family.settle()
        context = server.new_context()
        clients = {PASSED_ON: ExecuteClient(server.port, context), KEPT: KeepingClient(server.port, context)}
        return {
            "latency": in_turns(
                {name: (client.execute, client.prepare(CODE)) for name, client in clients.items()},
                arena.count(full=20, quick=2),
                BLOCK,
            ),
            "displays": display_rates(clients, arena.count(full=15, quick=1)),
            "transfers": transfers(server, context, arena.count(full=5, quick=1)),
            "timeout": timeouts(server, context, arena.count(full=100, quick=3)),
            "record_bytes": record_memory(arena),
        }
    finally:
        server.stop()


def display_rates(clients, count):
    found = {name: [] for name in clients}
    for _ in range(count):
        for name, client in clients.items():
            pieces = []
            _, nanoseconds = client.collect(DISPLAY, lambda piece, pieces=pieces: pieces.append(bytes(piece)))
            assert b"".join(pieces).count(b'"is_main_result"') == DISPLAYS
            found[name].append(DISPLAYS / nanoseconds * 1e9)
    return {name: {"rate": middle(rates), "rates": rates} for name, rates in found.items()}


def transfers(server, context, count):
    """MB/s of replaying a journal of 256 MiB, and of downloading a file of that size."""
    lines = FILE_LENGTH // REPLAY_LINE
    code = f"for _ in range({lines}): print('x' * {REPLAY_LINE - 100})"
    client = HTTPClient(server.port)
    body = json.dumps({"code": code, "context_id": context}).encode()
    status, answer = client.request("POST", "/executions", body, JSON_FIELDS)
    assert status == 202, answer
    path = f"/executions/{json.loads(answer)['id']}"
    while json.loads(client.request("GET", path)[1])["state"] in ("queued", "running"):
        sleep(0.1)
    (server.workspace / "large.bin").write_bytes(randbytes(1 << 20) * (FILE_LENGTH >> 20))
    found = {"replay": [], "download": []}
    for _ in range(count):
        found["download"].append(FILE_LENGTH / client.download("/files/large.bin", FILE_LENGTH) / 1e6)
        found["replay"].append(replay(client, f"{path}/events"))
    return {name: {"rate": middle(rates), "rates": rates} for name, rates in found.items()}


def replay(client, target):
    """Reads all lines of an ended execution; MB/s of the chunked body."""
    begin = perf_counter()
    client.send(encode("GET", target))
    total, tail = 0, b""
    while tail != b"0\r\n\r\n":
        count = client.socket.recv_into(client.view)
        assert count, "the server closed the connection"
        total += count
        tail = (tail + bytes(client.view[max(0, count - 5) : count]))[-5:]
    return total / (perf_counter() - begin) / 1e6


def timeouts(server, context, count):
    """From the time-out of endless code to its error line, milliseconds. The time begins when the kernel takes the code."""
    recording = Recording()
    body = json.dumps({"code": "while True: pass", "context_id": context, "timeout": TIMEOUT}).encode()
    request = encode("POST", "/execute", body, [("Content-Type", "application/json")])
    client = HTTPClient(server.port)
    for _ in range(count):
        client.send(request)
        read = b""
        while b"number_of_executions" not in read:
            read += client.socket.recv(65536)
        accepted = perf_counter_ns()
        while b"ExecutionTimeout" not in read:
            read += client.socket.recv(65536)
        recording.add([max(perf_counter_ns() - accepted - int(TIMEOUT * 1e9), 0)])
        while not read.endswith(b"0\r\n\r\n"):
            read += client.socket.recv(65536)
    return recording.summary()


def record_memory(arena):
    """By how many bytes a fresh server grows for each of many records."""
    count = arena.count(full=RECORDS, quick=200)
    server = CodeInterpreter(
        arena.scratch, (*arena.options_of(OURS), "--max-executions", str(count)), name="ours records"
    )
    try:
        server.family.settle()
        client = ExecuteClient(server.port)
        request = client.prepare(CODE)
        for _ in range(100):
            client.execute(request)
        before, _ = memory(server.pid)
        for _ in range(count):
            client.execute(request)
        return (memory(server.pid)[0] - before) / count
    finally:
        server.stop()
