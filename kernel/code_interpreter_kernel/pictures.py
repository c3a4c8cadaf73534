"""Pictures of PIL: one that code saves is shown as well, and `show` shows it here, where nobody has a viewer.

E2B's users know that: https://github.com/e2b-dev/code-interpreter (`0003_images.py` of its template).
"""

from __future__ import annotations

import functools
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Callable, Sequence

from IPython.display import display

#: The most saved pictures of a cell that are shown: code may write thousands.
MOST_SHOWN = 20
#: A larger one is not shown, in pixels: to encode it takes a second.
LARGEST_SHOWN = 1 << 24


class Pictures:
    """Of the kernel in this process, whose shell it is. PIL is not imported for it."""

    def __init__(self, shell: Any):
        self._shell = shell
        #: The cell that has saved pictures last, and how many.
        self._cell = self._shown = 0
        for name, change in (("PIL.Image", self._change_save), ("PIL.ImageShow", self._change_show)):
            when_imported(name, change)

    def _change_save(self, module: ModuleType) -> None:
        save = module.Image.save

        @functools.wraps(save)
        def save_and_show(image: Any, fp: Any, *args: Any, **options: Any) -> None:
            save(image, fp, *args, **options)
            # matplotlib saves its figures so, which are shown by themselves.
            caller = sys._getframe(1).f_globals.get("__name__") or ""
            if isinstance(fp, (str, os.PathLike)) and not caller.startswith("matplotlib."):
                with suppress(Exception):
                    self._show(image)

        module.Image.save = save_and_show  # type: ignore[attr-defined]

    def _show(self, image: Any) -> None:
        # Processes that code forks may be unable to show anything.
        if self._shell.kernel.is_forked or image.width * image.height > LARGEST_SHOWN:
            return
        cell = self._shell.execution_count
        self._shown = self._shown + 1 if cell == self._cell else 1
        self._cell = cell
        if self._shown <= MOST_SHOWN:
            display(image)

    @staticmethod
    def _change_show(module: ModuleType) -> None:
        module.register(module.IPythonViewer, 0)


def when_imported(name: str, change: Callable[[ModuleType], None]) -> None:
    """Calls `change` with a module when it has been imported, or now if it has been."""
    if name in sys.modules:
        change(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Finder(name, change))  # type: ignore[arg-type]


class _Finder:
    """Finds one module as it would be found without this, once."""

    def __init__(self, name: str, change: Callable[[ModuleType], None]):
        self._name = name
        self._change = change

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Called for each module that is imported."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_change(module: ModuleType) -> None:
                run(module)
                with suppress(Exception):
                    self._change(module)

            spec.loader.exec_module = run_and_change  # type: ignore[method-assign]
        return spec
