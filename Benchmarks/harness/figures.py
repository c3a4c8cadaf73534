"""The figures to reach: ratios and differences within one run."""

from dataclasses import dataclass

from .arena import FASTAPI, OURS, OURS_SAME, WEBSOCKET_QUICK
from .measurements.health import OURS_QUIET
from .measurements.startup import JUPYTER

MIB, KIB = 1 << 20, 1 << 10


@dataclass
class Figure:
    """What was aimed at, what came out, and whether that will do; `reached` is None where it was not measured."""

    aim: str
    found: str = "not measured"
    reached: bool | None = None

    @property
    def verdict(self):
        return {True: "reached", False: "**not reached**", None: "–"}[self.reached]


def figures(results):
    measured = results["measurements"]
    return [judge(aim, look, measured) for aim, look in AIMS]


def judge(aim, look, measured):
    try:
        found, reached = look(measured)
    except (KeyError, TypeError):
        return Figure(aim)
    return Figure(aim, found, reached)


def execution_excess(measured):
    ours, raw = (measured["latency"][name]["end"]["p50"] for name in (OURS_SAME, WEBSOCKET_QUICK))
    return f"{ours - raw:+.2f} ms ({ours:.2f} against {raw:.2f})", ours - raw <= 0.3


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


def rate_ratio(measurement, least):
    def look(measured):
        ours, raw = (measured[measurement][name]["rate"] for name in (OURS_SAME, WEBSOCKET_QUICK))
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
    idle = measured["memory"][OURS]["idle"]["after"]
    return f"{idle / MIB:.1f} MiB", idle <= 20 * MIB


def idle_connection(measured):
    each = measured["memory"][OURS]["idle_connections"]["each"]
    return f"{each / KIB:.1f} KiB", each <= 8 * KIB


def start_excess(measured):
    ours, raw = (measured["startup"][name]["seconds"] for name in (OURS, JUPYTER))
    return f"{ours - raw:+.2f} s ({ours:.2f} against {raw:.2f})", ours - raw <= 1


AIMS = [
    ("`1+1` p50: at most 0.3 ms above the raw WebSocket client with TCP_QUICKACK", execution_excess),
    ("`1+1` p99: at most 1.5 times that client's", execution_tail),
    ("`/health` on 1 connection: at least 2 times FastAPI", health_ratio(1, 2)),
    ("`/health` on 64 connections: at least 3 times FastAPI", health_ratio(64, 3)),
    ("64 MiB message: at least 0.9 of the raw WebSocket client's MB/s", rate_ratio("message", 0.9)),
    ("3,000 displays: at least 0.9 of the raw WebSocket client's rate", rate_ratio("displays", 0.9)),
    ("Upload of 256 MiB: at least 2 times FastAPI", transfer_ratio("upload")),
    ("… with resident memory growing by at most 16 MiB", transfer_growth("upload")),
    ("Download of 256 MiB: at least 2 times FastAPI", transfer_ratio("download")),
    ("… with resident memory growing by at most 16 MiB", transfer_growth("download")),
    ("Idle: at most 20 MiB resident", idle_memory),
    ("Each idle connection: at most 8 KiB more", idle_connection),
    ("Start to the first 200 of `/health`: at most 1 s longer than Jupyter Server by itself", start_excess),
]
