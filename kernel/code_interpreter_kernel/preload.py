"""Imports modules before the fork, so that kernels share them."""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Iterator

#: Modules that a kernel imports at its start, and at its first error, subprocess, completion or help. Modules that
#: look for a shell at import, such as matplotlib_inline, are not among them.
KERNEL_MODULES = """
    IPython.core.completerlib IPython.core.debugger IPython.core.guarded_eval IPython.core.latex_symbols
    IPython.core.logger IPython.core.magics.ast_mod IPython.core.magics.execution IPython.core.magics.script
    IPython.core.oinspect IPython.core.pylabtools IPython.extensions.storemagic IPython.utils.module_paths
    IPython.utils.timing code_interpreter_kernel.ipython code_interpreter_kernel.kernel encodings.ascii encodings.idna
    encodings.latin_1 faulthandler ipykernel.debugger ipykernel.eventloops jedi jedi.api.environment jedi.inference.compiled
    pdb pexpect pkgutil pydoc pygments.formatters.html pygments.formatters.terminal256
    pygments.styles.default stack_data tornado.platform.asyncio
""".split()

#: Modules that the requested ones import lazily.
LAZY_MODULES = {
    "matplotlib.pyplot": ["matplotlib.backends.backend_agg", "PIL.PngImagePlugin", "PIL.JpegImagePlugin"],
    "pandas": ["pandas.io.formats.html", "pandas.io.formats.string"],
}

#: matplotlib reads this at import. ipykernel sets it in every kernel that has no other value.
BACKEND = ("MPLBACKEND", "module://matplotlib_inline.backend_inline")

#: ipykernel imports debugpy, which warns about frozen modules.
QUIET = ("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def modules(names: list[str]) -> dict[str, str]:
    """Imports `names` and the modules that kernels need. Missing modules are skipped. Returns the environment variables
    that the modules have set.
    """
    # With `-m`, `sys.path` begins with the working directory.
    del sys.path[0]
    os.environ.setdefault(*QUIET)
    os.environ.setdefault(*BACKEND)
    before = dict(os.environ)
    for name in KERNEL_MODULES:
        _load(name)
    with _simulated_kernel():
        for name in names:
            if _load(name):
                for more in LAZY_MODULES.get(name, []):
                    _load(more)
    return _coerced_locale() | {name: value for name, value in os.environ.items() if before.get(name) != value}


@contextmanager
def _simulated_kernel() -> Iterator[None]:
    """Modules that are imported meanwhile see a kernel.

    Without one, pandas fits tables to the width of a terminal.
    """
    builtins.get_ipython = lambda: SimpleNamespace(kernel=None)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]


def _coerced_locale() -> dict[str, str]:
    """The variable that Python sets when it starts in the C locale (PEP 538), which child programs inherit."""
    with open("/proc/self/environ", "rb") as file:
        names = [variable.partition(b"=")[0] for variable in file.read().split(b"\0")]
    return {} if b"LC_CTYPE" in names or "LC_CTYPE" not in os.environ else {"LC_CTYPE": os.environ["LC_CTYPE"]}


def _load(name: str) -> bool:
    try:
        importlib.import_module(name)
        return True
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return False
        _report(name, error)
    except Exception as error:  # A module may do anything when it is imported.
        _report(name, error)
    return False


def _report(name: str, error: Exception) -> None:
    print(f"{name} is not preloaded: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
