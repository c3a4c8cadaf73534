"""Assigns the output of a thread to the request that started the thread."""

from __future__ import annotations

import contextvars
import functools
import operator
import sys
import threading
from collections import deque
from typing import Any, Sequence


def inherit_parents(streams: Sequence[Any]) -> None:
    """Makes new threads inherit the parent header of the thread that starts them.

    ipykernel 6 maps thread identifiers, which the system reuses; ipykernel 7 uses the latest request.
    """
    start = threading.Thread.start

    @functools.wraps(start)
    def start_with_parents(thread: threading.Thread, *args: Any, **options: Any) -> None:
        # A new thread's context is empty, unless Python was configured otherwise.
        inherits = getattr(sys.flags, "thread_inherit_context", False)
        context = contextvars.copy_context() if inherits else contextvars.Context()
        for stream in streams:
            context.run(stream.set_parent_here, stream.parent_header)
        # Runs the thread's own `run` in the context. First removes this attribute, which would keep the thread alive.
        # All in C, so that tracebacks do not show it.
        steps = (functools.partial(thread.__dict__.pop, "run", None), thread.run)
        thread.run = functools.partial(  # type: ignore[method-assign]
            context.run, deque, map(operator.call, steps), 0
        )
        try:
            start(thread, *args, **options)
        except BaseException:
            thread.__dict__.pop("run", None)
            raise

    threading.Thread.start = start_with_parents  # type: ignore[method-assign]
