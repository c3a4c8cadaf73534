"""Tells what threads write to the execution that started them."""

from __future__ import annotations

import contextvars
import functools
import operator
import sys
import threading
from collections import deque
from typing import Any, Sequence


def inherit_parents(streams: Sequence[Any]) -> None:
    """From now on a thread's output to the streams belongs to the request to which that of its starter belongs.

    ipykernel 6 keeps maps of thread numbers, which are used again, and 7 tells it to the latest request.
    """
    start = threading.Thread.start

    @functools.wraps(start)
    def start_with_parents(thread: threading.Thread, *args: Any, **options: Any) -> None:
        # As a new thread's own, empty, unless Python was told otherwise.
        inherits = getattr(sys.flags, "thread_inherit_context", False)
        context = contextvars.copy_context() if inherits else contextvars.Context()
        for stream in streams:
            context.run(stream.set_parent_here, stream.parent_header)
        # Runs the thread's own `run` in the context, and before that takes this one out of the way, which would keep the thread
        # alive. All of it in C: a traceback shows none of it.
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
