"""The target figures: ratios and differences within one run."""

from dataclasses import dataclass

from .arena import (
    FASTAPI,
    FLOOR,
    OURS,
    OURS_OWN,
    OURS_SAME,
    WEBSOCKET,
    WEBSOCKET_QUICK,
    WEBSOCKET_RELAYED,
    ZEROMQ,
)
from .measurements.access import OPEN, TLS, TOKEN
from .measurements.bombs import QUIET
from .measurements.contexts import OURS_FORKED, OURS_ISOLATED
from .measurements.detached import KEPT, PASSED_ON
from .measurements.executions import MESSAGE_LENGTH
from .measurements.health import OURS_QUIET
from .measurements.round_trip import COMPUTING
from .measurements.startup import JUPYTER

MIB, KIB, MB = 1 << 20, 1 << 10, 10**6


@dataclass
class Figure:
    """A target, the result, and whether it is reached; `reached` is None if it was not measured."""

    aim: str
    found: str = "not measured"
    reached: bool | None = None

    @property
    def verdict(self):
        return {True: "reached", False: "**not reached**", None: "–"}[self.reached]


def figures(results):
    """{a heading: its figures}"""
    measured = results["measurements"]
    return {heading: [judge(aim, look, measured) for aim, look in aims] for heading, aims in AIMS.items()}


def judge(aim, look, measured):
    try:
        found, reached = look(measured)
    except (KeyError, TypeError):
        return Figure(aim)
    except NotThere as missing:
        return Figure(aim, f"not measured: {missing}")
    return Figure(aim, found, reached)


class NotThere(Exception):
    """This build lacks what the figure measures; the message says what."""


def execution_excess(measured):
    ours, raw = (measured["latency"][name]["end"]["p50"] for name in (OURS_SAME, WEBSOCKET_QUICK))
    relayed = measured["latency"].get(WEBSOCKET_RELAYED)
    bound = f"; through a relay in C {relayed['end']['p50'] - raw:+.2f}" if relayed else ""
    return f"{ours - raw:+.2f} ms ({ours:.2f} against {raw:.2f}{bound})", ours - raw <= 0.3


def execution_tail(measured):
    ours, raw = (measured["latency"][name]["end"]["p99"] for name in (OURS_SAME, WEBSOCKET_QUICK))
    return f"{ours / raw:.2f} ({ours:.2f} against {raw:.2f} ms)", ours <= 1.5 * raw


def health_ratio(connections, least):
    def look(measured):
        ours, logging, other = (
            measured["health"][name][str(connections)]["rate"] for name in (OURS_QUIET, OURS_SAME, FASTAPI)
        )
        return (
            f"{ours / other:.2f} ({ours:,.0f} against {other:,.0f}/s); with our log on {logging / other:.2f}",
            ours >= least * other,
        )

    return look


def rate_ratio(measurement, name, other, least):
    def look(measured):
        ours, raw = (measured[measurement][lane]["rate"] for lane in (name, other))
        return f"{ours / raw:.2f} ({ours:,.0f} against {raw:,.0f})", ours >= least * raw

    return look


def transfer_ratio(kind):
    def look(measured):
        ours, other = (measured["files"][name][kind]["rate"] for name in (OURS_SAME, FASTAPI))
        return f"{ours / other:.2f} ({ours:,.0f} against {other:,.0f} MB/s)", ours >= 2 * other

    return look


def transfer_growth(kind):
    def look(measured):
        phase = measured["memory"][OURS_SAME][kind]
        growth = phase["peak"] - phase["before"]
        return f"{growth / MIB:.1f} MiB", growth <= 16 * MIB

    return look


def idle_memory(measured):
    idle = measured["memory"][OURS_OWN]["idle"]["after"]
    return f"{idle / MIB:.1f} MiB", idle <= 20 * MIB


def idle_connection(measured):
    each = measured["memory"][OURS_OWN]["idle_connections"]["each"]
    return f"{each / KIB:.1f} KiB", each <= 8 * KIB


def start_excess(measured):
    ours, raw = (measured["startup"][name]["seconds"] for name in (OURS_OWN, JUPYTER))
    return f"{ours - raw:+.2f} s ({ours:.2f} against {raw:.2f})", ours - raw <= 1


def execution_ratio(measured):
    ours, raw = (measured["latency"][name]["end"]["p50"] for name in (OURS, ZEROMQ))
    return f"{ours / raw:.2f} ({ours:.2f} against {raw:.2f} ms)", ours <= 0.75 * raw


def own_share(measured):
    found = measured["own_share"][COMPUTING]
    both, there, back = (found[part]["p50"] * 1e3 for part in ("both", "there", "back"))
    return f"{both:.0f} µs ({there:.0f} there, {back:.0f} back; p95 {found['both']['p95'] * 1e3:.0f})", both <= 150


def print_delay(measured):
    ours, raw = (measured["prints"][name]["plain"]["p50"] for name in (OURS, ZEROMQ))
    return f"{ours:.1f} ms ({ours / raw:.2f} of {raw:.0f})", ours <= 15


def pool_context(measured):
    return against(measured["contexts"], OURS, "new", 10)


def forked_context(measured):
    if OURS_FORKED not in measured["contexts"]:
        raise NotThere("this build has no fork server")
    return against(measured["contexts"], OURS_FORKED, "new", 120)


def isolated_context(measured):
    if OURS_ISOLATED not in measured["contexts"]:
        raise NotThere("this build has no --isolated")
    isolated, plain = (measured["contexts"][name]["new"]["p50"] for name in (OURS_ISOLATED, OURS))
    return f"{isolated - plain:+.1f} ms ({isolated:.1f} against {plain:.1f})", isolated - plain <= 3


def restart(measured):
    found = measured["contexts"][OURS]["restart"]
    return f"{found['p50']:.1f} ms (p95 {found['p95']:.1f})", found["p50"] <= 30


def imports(measured):
    found = measured["contexts"][OURS]
    told = f"{found['imports']['p50']:.1f} ms (p95 {found['imports']['p95']:.1f})"
    if not found["forks"]:
        raise NotThere(f"this build has no fork server ({told} without)")
    return told, found["imports"]["p50"] <= 5


def against(found, name, kind, most):
    """Our median, relative to the start of a raw kernel."""
    ours, raw = found[name][kind], found[ZEROMQ]["new"]["p50"]
    ratio = f"{ours['p50'] / raw:.3f} of raw ZeroMQ's {raw:.0f}"
    return f"{ours['p50']:.1f} ms ({ratio}; p95 {ours['p95']:.1f})", ours["p50"] <= most


def message_peak(measured):
    found = measured["memory"][OURS]
    alone, after_all = (found[name]["peak"] for name in ("message_alone", "message"))
    return (
        f"{alone / MESSAGE_LENGTH:.2f} ({mebibytes(alone)}; {mebibytes(after_all)} after all else that is measured)",
        alone < 1.3 * MESSAGE_LENGTH,
    )


def parallel_ratio(count, least):
    def look(measured):
        ours, raw = (measured["parallel"][name][str(count)]["rate"] for name in (OURS, ZEROMQ))
        return f"{ours / raw:.2f} ({ours:,.0f} against {raw:,.0f}/s)", ours >= least * raw

    return look


def idle_context(measured):
    found = measured["crowd"][OURS]
    told = f"{found['each'] / MB:.1f} MB ({found['each_imported'] / MB:.1f} when it has imported them)"
    if not found["forks"]:
        raise NotThere(f"this build has no fork server ({told} without)")
    return told, found["each"] <= 35 * MB


def own_memory(measured):
    found = measured["crowd"][OURS]
    told = f"{mebibytes(found['own'])} with {found['contexts'] + 1} ({mebibytes(found['own_before'])} with 1)"
    return told, found["own"] < 20 * MIB


def all_there(measured):
    found = measured["burst"]
    return f"{found['seconds']:.2f} s (at most {max(found['all']):.2f})", found["seconds"] <= 4


def health_meanwhile(measured):
    found = measured["burst"]["health"]
    ours = found[OURS]
    floor = f"; the bare C server's {found[FLOOR]['max']:.1f}" if FLOOR in found else ""
    return f"at most {ours['max']:.1f} ms (p99 {ours['p99']:.1f}{floor})", ours["max"] <= 20


def one_ending(measured):
    found = measured["endings"]
    ours, raw = found[OURS]["one"], found[WEBSOCKET]["one"]["p50"]
    return f"{ours['p50']:.1f} ms ({ours['p50'] / raw:.2f} of Jupyter Server's {raw:.0f})", ours["p50"] <= 25


def endings_at_once(measured):
    found = measured["endings"][OURS]
    return f"{found['at_once']:.2f} s (at most {max(found['at_once_all']):.2f})", found["at_once"] <= 1


def keeping_excess(measured):
    kept, passed_on = (measured["detached"]["latency"][name]["end"]["p50"] for name in (KEPT, PASSED_ON))
    return f"{(kept - passed_on) * 1e3:+.0f} µs ({kept:.2f} against {passed_on:.2f} ms)", kept - passed_on <= 0.03


def keeping_ratio(measured):
    kept, passed_on = (measured["detached"]["displays"][name]["rate"] for name in (KEPT, PASSED_ON))
    return f"{kept / passed_on:.2f} ({kept:,.0f} against {passed_on:,.0f})", kept >= 0.9 * passed_on


def replay_ratio(measured):
    replay, download = (measured["detached"]["transfers"][name]["rate"] for name in ("replay", "download"))
    return f"{replay / download:.2f} ({replay:,.0f} against {download:,.0f} MB/s)", replay >= 0.7 * download


def timeout_delay(measured):
    found = measured["detached"]["timeout"]
    return f"{found['p50']:.1f} ms (p95 {found['p95']:.1f})", found["p50"] <= 20


def record_size(measured):
    found = measured["detached"]["record_bytes"]
    return f"{found:,.0f} bytes", found <= 4 * KIB


def token_excess(measured):
    token, without = (found_access(measured)["request"][name]["server_microseconds"] for name in (TOKEN, OPEN))
    return f"{token - without:+.1f} µs ({token:.1f} against {without:.1f})", token - without <= 3


def tls_excess(measured):
    tls, plain = (found_access(measured)["execution"][name]["server_microseconds"] for name in (TLS, OPEN))
    return f"{tls - plain:+.0f} µs ({tls:.0f} against {plain:.0f})", tls - plain <= 25


def tls_ratio(kind):
    def look(measured):
        tls, plain = (found_access(measured)[kind][name]["rate"] for name in (TLS, OPEN))
        return f"{tls / plain:.2f} ({tls:,.0f} against {plain:,.0f} MB/s)", tls >= 0.5 * plain

    return look


def found_access(measured):
    found = measured["access"]
    if "missing" in found:
        raise NotThere(found["missing"])
    return found


def health_amid_hostility(measured):
    ours, floor = (measured["hostility"][name]["worst"] for name in (OURS, FLOOR))
    return f"{ours / floor:.2f} ({ours:.1f} against {floor:.1f} ms)", ours <= 2 * floor


def beside_bombs(measured):
    found = measured["bombs"]
    if "missing" in found:
        raise NotThere(found["missing"])
    usual = found[QUIET]["p99"]
    name, worst = max(((name, one["p99"]) for name, one in found.items() if name != QUIET), key=lambda item: item[1])
    left = sum(one["left"] for one in found.values())
    return f"{worst / usual:.1f} ({worst:.1f} against {usual:.1f} ms; {name}), {left} left", worst <= 3 * usual and left <= 0


def flood_growth(kind):
    def look(measured):
        name, one = max(measured["floods"].items(), key=lambda item: item[1][kind])
        return f"at most {mebibytes(one[kind])} ({name})", one[kind] <= 64 * MIB

    return look


def flood_health(measured):
    name, one = max(measured["floods"].items(), key=lambda item: item[1]["health"][OURS]["max"])
    floor = f"; the bare C server's {one['health'][FLOOR]['max']:.0f}" if FLOOR in one["health"] else ""
    return f"at most {one['health'][OURS]['max']:.0f} ms ({name}{floor})", one["health"][OURS]["max"] <= 1000


def mebibytes(count):
    return f"{count / MIB:.1f} MiB"


LOCAL_AIMS = [
    ("`1+1` p50: at most 0.75 of the raw ZeroMQ client's on a stock ipykernel", execution_ratio),
    ("Our own share of an execution: at most 150 µs", own_share),
    ("`print` in a running cell: seen after at most 15 ms", print_delay),
    ("`POST /contexts` from the pool: at most 10 ms", pool_context),
    ("`POST /contexts` from the fork server: at most 120 ms", forked_context),
    ("An isolated context from the pool: at most 3 ms more", isolated_context),
    ("Restart, then `1+1`: at most 30 ms", restart),
    ("`import numpy, pandas, matplotlib.pyplot` in a new context: at most 5 ms", imports),
    (
        "64 MiB message: at least 0.9 of the raw ZeroMQ client's MB/s",
        rate_ratio("message", OURS, ZEROMQ, 0.9),
    ),
    ("… with the peak of our process, a fresh one, below 1.3 times the message", message_peak),
    (
        "3,000 displays: at least 0.95 of the raw ZeroMQ client's rate",
        rate_ratio("displays", OURS, ZEROMQ, 0.95),
    ),
    ("6 contexts at once: at least 0.95 of the raw ZeroMQ clients' rate", parallel_ratio(6, 0.95)),
    ("A further idle context: at most 35 MB (PSS), the imports done in it", idle_context),
    ("Our process with 20 contexts: below 20 MiB resident", own_memory),
    ("30 contexts posted at once: all there within 4 s", all_there),
    ("… with `/health` answering within 20 ms all the while", health_meanwhile),
    ("`DELETE` of an idle context: at most 25 ms", one_ending),
    ("64 of them at once: within 1 s", endings_at_once),
    ("`1+1` beside a bomb in another context: p99 at most 3 times the usual, and nothing left of the bomb", beside_bombs),
    ("`1+1` whose lines are kept: at most 30 µs more", keeping_excess),
    ("3,000 displays whose lines are kept: at least 0.9 of the rate", keeping_ratio),
    ("Replay of 256 MiB of lines: at least 0.7 of downloading a file of that size", replay_ratio),
    ("From a time-out of endless code to its error line: at most 20 ms", timeout_delay),
    ("Each of 10,000 records: at most 4 KiB", record_size),
    ("A token: at most 3 µs of the processor for each request", token_excess),
    ("TLS: at most 25 µs of it for each `1+1`", tls_excess),
    ("… a message of 64 MiB has at least 0.5 of the rate", tls_ratio("message")),
    ("… and a file of 64 MiB, too", tls_ratio("download")),
]

JUPYTER_AIMS = [
    ("`1+1` p50: at most 0.3 ms above the raw WebSocket client with TCP_QUICKACK", execution_excess),
    ("`1+1` p99: at most 1.5 times that client's", execution_tail),
    (
        "64 MiB message: at least 0.9 of the raw WebSocket client's MB/s",
        rate_ratio("message", OURS_SAME, WEBSOCKET_QUICK, 0.9),
    ),
    (
        "3,000 displays: at least 0.8 of the raw WebSocket client's rate",
        rate_ratio("displays", OURS_SAME, WEBSOCKET_QUICK, 0.8),
    ),
    ("Start to the first 200 of `/health`: at most 1 s longer than Jupyter Server by itself", start_excess),
]

SERVER_AIMS = [
    ("`/health` on 1 connection: at least 1.5 times FastAPI", health_ratio(1, 1.5)),
    ("`/health` on 64 connections: at least 3 times FastAPI", health_ratio(64, 3)),
    ("Upload of 256 MiB: at least 2 times FastAPI", transfer_ratio("upload")),
    ("… with resident memory growing by at most 16 MiB", transfer_growth("upload")),
    ("Download of 256 MiB: at least 2 times FastAPI", transfer_ratio("download")),
    ("… with resident memory growing by at most 16 MiB", transfer_growth("download")),
    ("Idle: at most 20 MiB resident", idle_memory),
    ("Each idle connection: at most 8 KiB more", idle_connection),
    (
        "The longest `/health` while a kernel and 20 clients send hostile text: at most twice the bare C server's",
        health_amid_hostility,
    ),
    ("A flood from any kernel to a client that has stopped: our process grows by at most 64 MiB", flood_growth("own")),
    ("… the kernel by at most 64 MiB", flood_growth("kernel")),
    ("… and `/health` answers all the while, within 1 s", flood_health),
]

AIMS = {
    f"Local kernels (`--backend local`, the lane “{OURS}”)": LOCAL_AIMS,
    f"Over Jupyter Server (the lanes “{OURS_SAME}” and, for the start, “{OURS_OWN}”)": JUPYTER_AIMS,
    "The server itself (measured over Jupyter Server too)": SERVER_AIMS,
}
