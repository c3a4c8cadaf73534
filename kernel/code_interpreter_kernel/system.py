"""What the output path uses of the system."""

from __future__ import annotations

import os
import time


class System:
    """Functions of public modules, as they were when the kernel started.

    Code may patch the modules: with `time.sleep` replaced by a mock, a thread that looks it up there would end. freezegun also
    replaces what other modules have imported from them, but not what a class holds.
    """

    monotonic = staticmethod(time.monotonic)
    read = staticmethod(os.read)
    write = staticmethod(os.write)
    eventfd_read = staticmethod(os.eventfd_read)
    eventfd_write = staticmethod(os.eventfd_write)
