"""Lets go of all that code holds, as the end of the interpreter would: objects with a `__del__`, files with text that is not
written yet, generators inside a `try`.
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
    """Directories of Python and of packages, each with a slash at its end."""
    directories = list(sysconfig.get_paths().values())
    # One environment can have the packages of another, by a `.pth` file or as `venv --system-site-packages` does.
    directories += [entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages")]
    # What the kernel is made of is still needed when code is at its end, wherever it is.
    for package in (code_interpreter_kernel, IPython, ipykernel, jupyter_client, tornado, traitlets, zmq):
        directories += map(os.path.dirname, package.__path__)
    return (os.path.join(directory, "") for directory in dict.fromkeys(directories))


#: Where Python is, and what is installed: all other code is that of the user.
INSTALLED = tuple(_installed())

#: Modules of the standard library whose objects leave something unwritten, or behind, unless they are let go.
LIBRARIES = ("shelve", "tempfile", "zipfile")

#: What a `__del__` may use, and what has none itself.
USED = (FunctionType, ModuleType, type, str, bytes, int, float, type(None))

#: Not `io.IOBase`, which asks the object what it is.
FILE = io.IOBase.__base__


def let_go(shell: Any, last_module: str, own: tuple[Any, ...], guard: Callable[[], Any]) -> None:
    """Lets go of all that code holds, except for the files in `own`.

    `last_module` is the one that was imported last before there was any code. Each step is made in a `guard`.
    """
    with guard():
        _empty(shell.user_ns)
    # To look at those that were imported before would copy them, where a fork has left them shared.
    for name in list(takewhile(lambda name: name != last_module, reversed(sys.modules))):
        module = sys.modules[name]
        if issubclass(type(module), ModuleType) and _is_of_user(vars(module).get("__file__")):
            _empty(vars(module))
    with guard():
        shell.last_execution_result = None
        # Ends with a collection of what is garbage by now.
        shell.displayhook.flush()
    # The rest is held by others, such as functions of code and modules of libraries.
    held = gc.get_objects()
    _finalize(held, guard)
    _write_files(held, own, guard)
    with guard():
        # Once is enough.
        shell.displayhook.do_full_cache = False
        shell.atexit_operations()


def _empty(namespace: MutableMapping[str, Any]) -> None:
    names = [name for name, value in namespace.items() if not issubclass(type(value), USED) and not _is_special(name)]
    # What came last goes first, as a list lets go of its end first.
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
    """Writes what files hold. The outer ones come first, as they write to others; those that are not of Python's own kinds,
    such as those that compress, write something at their end, too.
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
