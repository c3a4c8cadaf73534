"""Requests of /health per second, by wrk, on 1 and on 64 connections."""

import os
import re
import shutil
import subprocess
from time import perf_counter

from ..arena import FASTAPI, FLOOR, OURS_SAME
from ..contestants import CodeInterpreter, FastAPIServer
from ..processes import processor_time
from .recording import middle

OURS_QUIET = "ours, --log-level warning"
FASTAPI_LOGGING = "FastAPI on uvicorn, with its access log"
RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
LATENCY = re.compile(r"\s(50|99)%\s+([\d.]+)(us|ms|s)")
MILLISECONDS = {"us": 1e-3, "ms": 1, "s": 1e3}


class LoadFailed(Exception):
    """wrk reported errors, or its output could not be parsed."""


def health(arena):
    """Requests of /health per second on 1 and on 64 connections."""
    if shutil.which("wrk") is None:
        return {"missing": "wrk is not installed (Debian: apt-get install wrk)"}
    servers = {FLOOR: arena.floor, FASTAPI: arena.fastapi}
    servers[FASTAPI_LOGGING] = arena.keep(FastAPIServer(arena.scratch, access_log=True))
    if server := arena.server(OURS_SAME):
        quiet = (*CodeInterpreter.over(arena.jupyter), "--log-level", "warning")
        servers[OURS_SAME] = server
        servers[OURS_QUIET] = arena.keep(CodeInterpreter(arena.scratch, quiet, name="ours quiet"))
    servers = {name: server for name, server in servers.items() if server}
    found = {name: {"1": [], "64": []} for name in servers}
    for _ in range(arena.count(full=3, quick=1)):
        for connections in (1, 64):
            for name, server in servers.items():
                found[name][str(connections)].append(load(server, connections, arena.count(2, 1)))
    return {
        name: {
            count: {figure: middle([run[figure] for run in runs]) for figure in runs[0]} for count, runs in by.items()
        }
        for name, by in found.items()
    }


def load(server, connections, seconds):
    """One run of wrk, with its own and the server's share of a core."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{server.port}/health"]
    begin, before, children = perf_counter(), processor_time(server.pid), os.times()
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wall, after = perf_counter() - begin, os.times()
    rate = RATE.search(told)
    if rate is None or "Non-2xx" in told or "Socket errors" in told:
        raise LoadFailed(told)
    percentiles = {f"p{number}": float(value) * MILLISECONDS[unit] for number, value, unit in LATENCY.findall(told)}
    generator = after.children_user + after.children_system - children.children_user - children.children_system
    return {
        "rate": float(rate[1]),
        "generator_share": generator / wall,
        "server_share": (processor_time(server.pid) - before) / wall,
        **percentiles,
    }
