"""What many tests share."""

import contextlib


class Kept:
    """Something that takes long to make: after a test has failed, the next one gets a new one, so that one failure is one."""

    failures = 0

    def __init__(self, make, close):
        self._make, self._close = make, close
        self._kept, self._failures = None, 0

    def get(self):
        """What was made for an earlier test, or is made now."""
        if self._kept is not None and self._failures != Kept.failures:
            # Whatever state the test has left it in; that is no failure of the next test.
            with contextlib.suppress(Exception):
                self.close()
            self._kept = None
        if self._kept is None:
            self._kept, self._failures = self._make(), Kept.failures
        return self._kept

    def close(self):
        if self._kept is not None:
            self._close(self._kept)
