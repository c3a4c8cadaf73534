"""Ways in which a kernel's process ends, and how they are reported."""

import pytest

each_end_of_a_kernel = pytest.mark.parametrize(
    "code, value",
    [
        ("import os; os._exit(3)", "exited with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
    ],
    ids=["exit 3", "SIGKILL", "segfault"],
)
"""Parametrizes a test with `code`, which ends its kernel, and `value`, the text of the error."""
