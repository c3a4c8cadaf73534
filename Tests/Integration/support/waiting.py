"""Waiting for something to become true, with a bound that only tells a hang."""

import time

HANG = 60.0
"""Seconds after which something that takes well under one counts as hung."""


def wait_until(condition, what, seconds=HANG, pause=0.02):
    """Asks `condition` until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)
