"""Streams, long messages and several contexts: how fast output reaches the client."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from time import perf_counter, process_time, time_ns

from ..arena import WEBSOCKET, ZEROMQ_VERIFIED
from .recording import Recording, middle

DISPLAYS = 3000
MESSAGE_LENGTH = 64 << 20
NANOSECONDS = re.compile(rb"\d{19}")
PRINT = "import time\nfor _ in range({count}):\n    print(time.time_ns(){flush})\n    time.sleep({pause})\n"
DISPLAY = f"from IPython.display import display\nfor number in range({DISPLAYS}):\n    display(number)\n"
MAKE_PICTURE = f"from IPython.display import display\npicture = 'A' * {MESSAGE_LENGTH}"
SHOW_PICTURE = "display({'image/png': picture}, raw=True)"


class Incomplete(Exception):
    """Output of the kernel did not arrive."""


def prints(arena):
    """From `print` in a running cell to the client: unflushed, and with flush=True, which shows only the path."""
    results = {}
    for lane in arena.lanes:
        if lane.name == ZEROMQ_VERIFIED:
            continue
        # Pauses longer than ipykernel's flush interval of 200 ms: each print waits for all of it.
        plain = PRINT.format(count=arena.count(10, 3), flush="", pause=0.25)
        flushed = PRINT.format(count=arena.count(100, 10), flush=", flush=True", pause=0.01)
        results[lane.name] = {"plain": delays(lane, plain), "flushed": delays(lane, flushed)}
    return results


def delays(lane, code):
    recording = Recording()

    def arrived(piece):
        now = time_ns()
        recording.add(max(now - int(found[0]), 0) for found in NANOSECONDS.finditer(piece))

    lane.client().collect(code, arrived)
    return recording.summary()


def displays(arena):
    """Displays per second."""
    lanes = [lane for lane in arena.lanes if lane.name != ZEROMQ_VERIFIED]
    # Over a Jupyter Server, one lane's rates differ by half between rounds.
    return rounds(lanes, display_once, arena.count(full=15, quick=1))


def display_once(lane):
    pieces = []
    _, nanoseconds = lane.client().collect(DISPLAY, lambda piece: pieces.append(bytes(piece)))
    marker = b'"is_main_result"' if lane.is_ours else b'"transient"'
    found = b"".join(pieces).count(marker)
    if found != DISPLAYS:
        raise Incomplete(f"{lane.name}: {found} of {DISPLAYS} displays arrived")
    return DISPLAYS / nanoseconds * 1e9


def message(arena):
    """MB/s of one message of 64 MiB, from the request to the end of the execution."""
    # One lane's rates differ by a fifth between rounds.
    return messages(arena.lanes, arena.count(full=15, quick=1))


def messages(lanes, count):
    for lane in lanes:
        lane.client().collect(MAKE_PICTURE, len)
    return rounds(lanes, message_once, count)


def message_once(lane):
    sizes = []
    _, nanoseconds = lane.client().collect(SHOW_PICTURE, lambda piece: sizes.append(len(piece)))
    if sum(sizes) < MESSAGE_LENGTH:
        raise Incomplete(f"{lane.name}: {sum(sizes)} of {MESSAGE_LENGTH} bytes arrived")
    return MESSAGE_LENGTH / nanoseconds * 1e3


def rounds(lanes, once, count):
    """The median of several rounds, with the client's share of the time.

    Each round has an order of its own, the same in every run: memory that one has just given back is at hand for the
    next, which made a tenth where it was always the same one.
    """
    rates, shares = ({lane.name: [] for lane in lanes} for _ in range(2))
    order = Random(count)
    for _ in range(count):
        for lane in order.sample(lanes, len(lanes)):
            wall, processor = perf_counter(), process_time()
            rates[lane.name].append(once(lane))
            shares[lane.name].append((process_time() - processor) / (perf_counter() - wall))
    return {
        name: {"rate": middle(found), "rates": found, "client_share": middle(shares[name])}
        for name, found in rates.items()
    }


def parallel(arena):
    """Executions of `1+1` per second in 1, 2 and 6 contexts, with a connection and a thread each."""
    lanes = [lane for lane in arena.lanes if lane.name not in (ZEROMQ_VERIFIED, WEBSOCKET)]
    results = {lane.name: {} for lane in lanes}
    for count in (1, 2, 6):
        for lane in lanes:
            seconds = arena.count(full=1.5, quick=0.5)
            results[lane.name][str(count)] = executions_a_second(lane.several(count), seconds)
    return results


def executions_a_second(clients, seconds):
    start = threading.Barrier(len(clients) + 1, timeout=30)
    with ThreadPoolExecutor(len(clients)) as pool:
        counts = [pool.submit(executions_within, client, start, seconds) for client in clients]
        start.wait()
        begin, processor = perf_counter(), process_time()
        total = sum(count.result() for count in counts)
        wall = perf_counter() - begin
    return {"rate": total / wall, "client_share": (process_time() - processor) / wall}


def executions_within(client, start, seconds):
    prepared = client.prepare("1+1")
    client.execute(prepared)
    start.wait()
    end, count = perf_counter() + seconds, 0
    while perf_counter() < end:
        client.execute(prepared)
        count += 1
    return count
