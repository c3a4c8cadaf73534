"""How a kernel ends: it runs everything that user code can observe of an exit, then exits.

Finalizing the interpreter would clear module by module: with numpy, pandas and matplotlib loaded that takes 90 of 100
ms. User code does not depend on it, and `finalization` finalizes the objects of user code instead.
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

from code_interpreter_kernel import finalization, processes

#: How long child programs have after SIGTERM before they are killed.
CHILDREN_SECONDS = 0.3

#: How long the control thread has to end these programs and answer the shutdown request.
CONTROL_SECONDS = 0.5


class Shutdown:
    """The shutdown of one kernel. Created before user code runs."""

    def __init__(self) -> None:
        self._last_module = next(reversed(sys.modules))
        self._libraries = _loaded_libraries()

    def end(self, app: Any) -> None:
        """Ends the process with status 0, after the kernel's loop has ended."""
        try:
            self._finish(app)
        finally:
            self._exit()

    def _finish(self, app: Any) -> None:
        # These must run after all other exit functions, whose output they send.
        for callback in (app.shell.atexit_operations, app.close, app.iopub_thread.stop):
            atexit.unregister(callback)
        if "zmq.utils.garbage" in sys.modules:
            # It would free messages that libzmq has not sent yet.
            atexit.unregister(sys.modules["zmq.utils.garbage"].gc._atexit)
        # In the order of Py_FinalizeEx.
        with reporting():
            threading._shutdown()  # type: ignore[attr-defined]
        with reporting():
            atexit._run_exitfuncs()
        with reporting():
            own = (*app.kernel.streams.values(), *_standard_streams())
            finalization.finalize_objects(app.shell, self._last_module, own, reporting)
        with reporting():
            _close(app)

    def _exit(self) -> None:
        # `PyDLL` does not release the GIL.
        library = ctypes.PyDLL(None)
        if _loaded_libraries() != self._libraries:
            # A library that user code has loaded may have exit handlers.
            library.exit(0)
        # The exit handlers of the other libraries only free memory, which takes 8 ms.
        library.fflush(None)
        _exit(0)


@contextmanager
def reporting() -> Iterator[None]:
    """Reports an exception and continues."""
    try:
        yield
    except BaseException:
        sys.excepthook(*sys.exc_info())


def _standard_streams() -> tuple[Any, ...]:
    return sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__


def _close(app: Any) -> None:
    """Flushes the streams and closes the sockets."""
    for stream in _standard_streams():
        with reporting():
            if stream is not None:
                stream.flush()
    if app.control_thread is not None and app.control_thread.is_alive():
        # It still has to answer the shutdown request.
        app.control_thread.stop()
        app.control_thread.join(CONTROL_SECONDS)
    # The heartbeat has its own ZeroMQ context and nothing to send.
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
    """The number of libraries that this process has loaded so far; 0 if the C library does not report it."""
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
    """Ends the child programs in the kernel's process group: SIGTERM, then SIGKILL."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return  # No children.
    with processes.open_handles(processes.in_group_of(os.getpid())) as children:
        for child in children:
            child.send(signal.SIGTERM)
        for child in processes.wait(children, CHILDREN_SECONDS):
            child.send(signal.SIGKILL)
