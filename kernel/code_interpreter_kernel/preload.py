"""Imports before the fork what a kernel would import after it."""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Iterator

#: What a kernel imports at its start, and at its first error, subprocess, completion or help. Not what looks for a shell
#: when it is imported, such as matplotlib_inline.
OF_KERNELS = """
    IPython.core.completerlib IPython.core.debugger IPython.core.guarded_eval IPython.core.latex_symbols
    IPython.core.logger IPython.core.magics.ast_mod IPython.core.magics.execution IPython.core.magics.script
    IPython.core.oinspect IPython.core.pylabtools IPython.extensions.storemagic IPython.utils.module_paths
    IPython.utils.timing code_interpreter_kernel.ipython code_interpreter_kernel.kernel encodings.ascii encodings.idna
    encodings.latin_1 faulthandler ipykernel.debugger ipykernel.eventloops jedi jedi.api.environment jedi.inference.compiled
    pdb pexpect pkgutil pydoc pygments.formatters.html pygments.formatters.terminal256
    pygments.styles.default stack_data tornado.platform.asyncio
""".split()

#: What is imported later by those that are asked for.
OF_PRELOADED = {
    "matplotlib.pyplot": ["matplotlib.backends.backend_agg", "PIL.PngImagePlugin", "PIL.JpegImagePlugin"],
    "pandas": ["pandas.io.formats.html", "pandas.io.formats.string"],
}

#: Read by matplotlib when it is imported. ipykernel sets it in every kernel that has no other.
BACKEND = ("MPLBACKEND", "module://matplotlib_inline.backend_inline")

#: The debugger, which ipykernel imports, warns of modules that it cannot see into; here is nothing to be seen.
QUIET = ("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def modules(names: list[str]) -> dict[str, str]:
    """Imports these and all that kernels need; what is not installed is left out. The variables that they have set."""
    # With `-m` the first place to look for modules is where we were started.
    del sys.path[0]
    os.environ.setdefault(*QUIET)
    os.environ.setdefault(*BACKEND)
    before = dict(os.environ)
    for name in OF_KERNELS:
        _load(name)
    with _as_in_a_kernel():
        for name in names:
            if _load(name):
                for more in OF_PRELOADED.get(name, []):
                    _load(more)
    return _coerced_locale() | {name: value for name, value in os.environ.items() if before.get(name) != value}


@contextmanager
def _as_in_a_kernel() -> Iterator[None]:
    """What is imported meanwhile takes this for a kernel.

    pandas looks whether there is a shell that has one, and fits tables to the width of a terminal where there is none.
    """
    builtins.get_ipython = lambda: SimpleNamespace(kernel=None)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]


def _coerced_locale() -> dict[str, str]:
    """What Python sets when it starts in a locale that knows ASCII alone (PEP 538); the programs that code starts see it."""
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
