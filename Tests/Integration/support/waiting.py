"""Waiting for a condition, with a limit that only detects a hang."""

import time

HANG = 60.0
"""The limit in seconds for conditions that take well under one."""


def wait_until(condition, what, seconds=HANG, pause=0.02):
    """Waits until `condition` returns a true value; returns that. `what` is a text, or returns one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(pause)
