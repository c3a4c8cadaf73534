"""The versions of ipykernel and IPython whose private members the kernel overrides, see `kernel/README.md`."""

from __future__ import annotations

import IPython
import ipykernel

#: Of which all of `kernel/tests` passes.
KNOWN = {"ipykernel": [(6, 31), (7, 4)], "IPython": [(9, 18)]}


def unknown() -> list[str]:
    """What is installed in a version that is not known to work, in words; empty where all is known."""
    installed = {"ipykernel": ipykernel.version_info, "IPython": IPython.version_info}
    return [
        f"{package} {'.'.join(map(str, installed[package][:3]))} is not one of "
        + " and ".join(".".join(map(str, version)) for version in versions)
        for package, versions in KNOWN.items()
        if tuple(installed[package][:2]) not in versions
    ]
