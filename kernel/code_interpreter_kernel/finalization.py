"""Finalizes the objects of user code, as the end of the interpreter would: objects with a `__del__`, files with unwritten
text, generators inside a `try`.
"""

from __future__ import annotations

import gc
import io
import os
import sys
import sysconfig
from itertools import takewhile
from types import FunctionType, GeneratorType, ModuleType
from typing import Any, Callable, Iterator, MutableMapping

import ipykernel
import IPython
import jupyter_client
import tornado
import traitlets
import zmq

import code_interpreter_kernel


def _installed() -> Iterator[str]:
    """The directories of Python and its packages, each with a trailing slash."""
    directories = list(sysconfig.get_paths().values())
    # An environment can use the packages of another, through a `.pth` file or `venv --system-site-packages`.
    directories += [entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages")]
    # The kernel's own packages are still needed, wherever they are.
    for package in (code_interpreter_kernel, IPython, ipykernel, jupyter_client, tornado, traitlets, zmq):
        directories += map(os.path.dirname, package.__path__)
    return (os.path.join(directory, "") for directory in dict.fromkeys(directories))


#: Python and installed packages. All other code is the user's.
INSTALLED = tuple(_installed())

#: Modules of the standard library whose objects must be finalized: they write or remove files.
LIBRARIES = ("shelve", "tempfile", "zipfile")

#: Types that a `__del__` may use and that have none.
USED = (FunctionType, ModuleType, type, str, bytes, int, float, type(None))

#: Not `io.IOBase`, whose `isinstance` check reads the object's `__class__`.
FILE = io.IOBase.__base__


def finalize_objects(shell: Any, last_module: str, own: tuple[Any, ...], guard: Callable[[], Any]) -> None:
    """Finalizes all objects of user code, except the files in `own`.

    `last_module` is the last module that was imported before user code ran. Each step runs inside a `guard()`.
    """
    with guard():
        _empty(shell.user_ns)
    # Reading modules that were imported before would copy pages shared with the fork server.
    for name in list(takewhile(lambda name: name != last_module, reversed(sys.modules))):
        module = sys.modules[name]
        if issubclass(type(module), ModuleType) and _is_of_user(vars(module).get("__file__")):
            _empty(vars(module))
    with guard():
        shell.last_execution_result = None
        # Ends with a garbage collection.
        shell.displayhook.flush()
    # Other objects are referenced elsewhere, such as by functions and by modules of libraries.
    held = gc.get_objects()
    _finalize(held, guard)
    _write_files(held, own, guard)
    with guard():
        # `atexit_operations` would flush again.
        shell.displayhook.do_full_cache = False
        shell.atexit_operations()


def _empty(namespace: MutableMapping[str, Any]) -> None:
    names = [name for name, value in namespace.items() if not issubclass(type(value), USED) and not _is_special(name)]
    # The newest object is released first: a list releases its items from the end.
    things = [namespace.pop(name) for name in names]
    del things


def _is_special(name: Any) -> bool:
    return isinstance(name, str) and name.startswith("__") and name.strip("_") != ""


def _is_of_user(file: Any) -> bool:
    return isinstance(file, str) and not file.startswith((*INSTALLED, "<frozen "))


def _finalize(things: list[Any], guard: Callable[[], Any]) -> None:
    finalizers = {kind: _finalizer(kind) for kind in set(map(type, things))}
    for thing in [thing for thing in things if finalizers[type(thing)] is not None and not gc.is_finalized(thing)]:
        with guard():
            finalizers[type(thing)](thing)


def _finalizer(kind: type) -> Callable[[Any], None] | None:
    if kind is GeneratorType:
        return _close_generator
    method = next((vars(one)["__del__"] for one in kind.__mro__ if "__del__" in vars(one)), None)
    if isinstance(method, FunctionType):
        if method.__module__ in LIBRARIES or _is_of_user(method.__code__.co_filename):
            return method
    return None


def _close_generator(generator: Any) -> None:
    if _is_of_user(generator.gi_code.co_filename) and not generator.gi_running:
        generator.close()


def _write_files(things: list[Any], own: tuple[Any, ...], guard: Callable[[], Any]) -> None:
    """Flushes files. Text wrappers come first, as they write to buffers. Files that are not Python's own types, such as
    compressed ones, write a trailer when they are closed.
    """
    kinds = {kind for kind in set(map(type, things)) if issubclass(kind, FILE)}
    files = [thing for thing in things if type(thing) in kinds and not any(thing is one for one in own)]
    for file in files:
        with guard():
            if isinstance(file, io.TextIOWrapper) and not file.closed and file.writable():
                file.flush()
    for file in files:
        with guard():
            if type(file).__module__ != "_io" and not file.closed:
                file.close()
    for file in files:
        with guard():
            if isinstance(file, io.BufferedIOBase) and not file.closed and file.writable():
                file.flush()
