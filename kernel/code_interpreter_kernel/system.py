"""System functions for output and child programs."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import time


class System:
    """The functions as they were when the kernel started.

    User code may patch modules: if it mocks `time.sleep`, a thread that calls it there would end. freezegun also
    replaces names imported from modules, but not attributes of a class.
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
    pipe = staticmethod(os.pipe)
    pidfd_open = staticmethod(os.pidfd_open)
    poll = staticmethod(select.poll)
    popen = subprocess.Popen
    which = staticmethod(shutil.which)
