"""Describes the machine on which the numbers were taken."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from .contestants import REPOSITORY, kernel_environment, server_binary
from .processes import output

KERNEL_PACKAGES = ("jupyter-server", "ipykernel", "pyzmq", "tornado")
OPPONENT_PACKAGES = ("fastapi", "uvicorn", "uvloop", "httptools", "pyzmq")


def describe():
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": output("git", "-C", REPOSITORY, "rev-parse", "--short", "HEAD"),
        "server": output(server_binary(), "--version"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "kernel_environment": kernel_packages(),
        "opponents": {name: version(name) for name in OPPONENT_PACKAGES},
        "wrk": (output("wrk", "--version") or "").split("Copyright")[0].strip(),
    }


def kernel_packages():
    told = output(
        kernel_environment() / "bin/python",
        "-c",
        f"from importlib.metadata import version\nfor name in {KERNEL_PACKAGES}: print(name, version(name))",
    )
    return dict(line.split() for line in (told or "").splitlines())


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
