"""What output and programs that code starts use of the system."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
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
    close = staticmethod(os.close)
    dup = staticmethod(os.dup)
    fstat = staticmethod(os.fstat)
    listdir = staticmethod(os.listdir)
    ioctl = staticmethod(fcntl.ioctl)
    kill = staticmethod(os.kill)
    killpg = staticmethod(os.killpg)
    openpty = staticmethod(os.openpty)
    pidfd_open = staticmethod(os.pidfd_open)
    poll = staticmethod(select.poll)
    popen = subprocess.Popen
    which = staticmethod(shutil.which)
