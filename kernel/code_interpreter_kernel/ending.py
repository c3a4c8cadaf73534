"""How a kernel ends: all that its code can see of an end happens, and then the process is gone.

The interpreter would take itself apart first, module by module: with numpy, pandas and matplotlib loaded that takes 90 of
100 ms. Nothing that code has registered waits for it, and what code holds is let go here instead.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import threading
from contextlib import contextmanager
from os import _exit
from typing import Any, Iterator

from code_interpreter_kernel import leftovers, processes

#: How long programs that code has started may take to end when they are asked to. Then they are killed.
CHILDREN_SECONDS = 0.3

#: How long the control thread may take, which ends these programs and answers the request to end.
CONTROL_SECONDS = 0.5


class Ending:
    """The end of one kernel. It is made before code runs there."""

    def __init__(self) -> None:
        self._last_module = next(reversed(sys.modules))
        self._libraries = _loaded_libraries()

    def end(self, app: Any) -> None:
        """Ends the process of a kernel whose loop has ended, with status 0."""
        try:
            self._finish(app)
        finally:
            self._exit()

    def _finish(self, app: Any) -> None:
        # These come after what others have registered: until then what is printed has a way out.
        for callback in (app.shell.atexit_operations, app.close, app.iopub_thread.stop):
            atexit.unregister(callback)
        if "zmq.utils.garbage" in sys.modules:
            # It would free what ZeroMQ has yet to send.
            atexit.unregister(sys.modules["zmq.utils.garbage"].gc._atexit)
        # In the order of Py_FinalizeEx.
        with reporting():
            threading._shutdown()  # type: ignore[attr-defined]
        with reporting():
            atexit._run_exitfuncs()
        with reporting():
            leftovers.let_go(app.shell, self._last_module, (*app.kernel.streams.values(), *_standard_streams()), reporting)
        with reporting():
            _close(app)

    def _exit(self) -> None:
        # In this library's functions no other thread of Python runs.
        library = ctypes.PyDLL(None)
        if _loaded_libraries() != self._libraries:
            # What code has loaded may have something to do at exit.
            library.exit(0)
        # The libraries of every kernel only free their memory there, which takes 8 ms.
        library.fflush(None)
        _exit(0)


@contextmanager
def reporting() -> Iterator[None]:
    """Reports what is raised, and goes on."""
    try:
        yield
    except BaseException:
        sys.excepthook(*sys.exc_info())


def _standard_streams() -> tuple[Any, ...]:
    return sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__


def _close(app: Any) -> None:
    """Sends what is still to be sent."""
    for stream in _standard_streams():
        with reporting():
            if stream is not None:
                stream.flush()
    if app.control_thread is not None and app.control_thread.is_alive():
        # It is about to answer the request to end.
        app.control_thread.stop()
        app.control_thread.join(CONTROL_SECONDS)
    # The heartbeat has a ZeroMQ context of its own, and nothing to say.
    app.heartbeat = None
    app.close()


class _Library(ctypes.Structure):
    """`struct dl_phdr_info`, see dl_iterate_phdr(3)."""

    _fields_ = [
        ("address", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("header_count", ctypes.c_uint16),
        ("loaded", ctypes.c_ulonglong),
    ]


def _loaded_libraries() -> int:
    """How many libraries this process has loaded so far; 0 where the system does not tell."""
    numbers = [0]

    def take_first(library: Any, size: int, data: Any) -> int:
        numbers.append(library.contents.loaded)
        return 1

    take = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)(take_first)
    try:
        ctypes.PyDLL(None).dl_iterate_phdr(take, None)
    except AttributeError:
        pass
    return numbers[-1]


def end_children() -> None:
    """Ends what code has started and left in the kernel's process group: it is asked to, and killed where it does not."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return  # There is none.
    with processes.held(processes.in_group_of(os.getpid())) as children:
        for child in children:
            child.send(signal.SIGTERM)
        for child in processes.wait(children, CHILDREN_SECONDS):
            child.send(signal.SIGKILL)
