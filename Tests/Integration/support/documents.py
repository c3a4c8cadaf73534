"""Programs that the documents show."""

import importlib.util

from .server import ROOT


def _load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


follow = _load(ROOT / "docs/follow.py").follow
