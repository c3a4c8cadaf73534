"""Isolates a kernel that learns its working directory late: one that waits, warm, for a context.

Landlock restricts the thread that asks for it and what that one starts, and no thread that runs already (before Linux 7.0). A kernel has
threads before it is warm: those of libzmq, and those that send output and answer control messages. Another thread starts them, which
has given up all files but those that every context may reach. They need no others. The main thread, which runs users' code, does the same
when it knows its directory.
"""

from __future__ import annotations

import functools
import os
import threading
from _thread import get_ident, start_new_thread
from queue import SimpleQueue
from typing import Any, Callable

import zmq

from code_interpreter_kernel.isolation import FileRules, Policy

#: What starts threads: of Python, before and since 3.13, and of libzmq.
_STARTS = (
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
    (zmq.Context, "socket"),
)


class DeferredIsolation:
    """Of this process, whose only thread is the one that makes this. Raises `OSError` if the system cannot do it."""

    def __init__(self, policy: Policy):
        self._rules = FileRules(policy)
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._starter = start_new_thread(self._start, ())
        #: The threads of which it is known that they are restricted, and the main thread.
        self._known = _threads()
        self._replaced = [(owner, name, getattr(owner, name)) for owner, name in _STARTS if hasattr(owner, name)]
        for owner, name, start in self._replaced:
            setattr(owner, name, self._in_starter(start))
        self._call(self._rules.apply)

    def enter(self, directory: str) -> None:
        """Restricts the main thread, which calls this, to that directory. Raises `OSError` if there is none or a link in its path, and
        `RuntimeError` if some thread is not restricted.
        """
        self._calls.put(None)
        for owner, name, start in self._replaced:
            setattr(owner, name, start)
        if unknown := _threads() - self._known:
            raise RuntimeError(f"{len(unknown)} threads are not isolated")
        with self._rules as rules:
            rules.allow_directory(directory)
            rules.apply()

    def _start(self) -> None:
        """Makes calls in a thread of its own, one after the other."""
        while (call := self._calls.get()) is not None:
            call()

    def _in_starter(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if get_ident() == self._starter:
                return function(*args, **options)
            return self._call(functools.partial(function, *args, **options))

        return call

    def _call(self, function: Callable[[], Any]) -> Any:
        """The function's result, or its error, from the starter."""
        results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

        def call() -> None:
            before = _threads()
            try:
                outcome = function(), None
            except BaseException as error:
                outcome = None, error
            # The main thread starts none meanwhile: it waits.
            self._known |= _threads() - before
            results.put(outcome)

        self._calls.put(call)
        result, error = results.get()
        if error is not None:
            raise error
        return result


def _threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))


_isolation: DeferredIsolation | None = None


def begin(policy: Policy) -> None:
    """Restricts all threads that this process starts, and the main thread not yet. Raises `OSError`."""
    global _isolation
    _isolation = DeferredIsolation(policy)


def enter(directory: str) -> None:
    """Restricts the main thread to that directory, once, before any code of a user. Raises what `DeferredIsolation.enter` does."""
    global _isolation
    if _isolation is None:
        raise RuntimeError("this kernel does not wait for its directory")
    deferred, _isolation = _isolation, None
    deferred.enter(directory)
