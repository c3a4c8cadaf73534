"""Requests /health every 5 ms, until its standard input ends: `python -m harness.prober PORT`.

It says when it begins, and in the end, as JSON, how many milliseconds each answer took.
"""

import json
import os
import select
import sys
from time import perf_counter, sleep

from .clients.http import HTTPClient, encode

INTERVAL = 0.005  # Seconds.
REQUEST, HEALTHY = encode("GET", "/health"), b'"OK"'


def main():
    come_first()
    client = HTTPClient(int(sys.argv[1]))
    times = [ask(client)]
    print("asking", flush=True)
    due = perf_counter()
    while not select.select([sys.stdin], [], [], 0)[0]:
        times.append(ask(client))
        now = perf_counter()
        due = max(due + INTERVAL, now)
        sleep(due - now)
    print(json.dumps(times))


def ask(client):
    return client.timed(REQUEST, HEALTHY) / 1e6


def come_first():
    """Raises the priority, if allowed: the scheduling of this process must not be measured."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass


if __name__ == "__main__":
    main()
