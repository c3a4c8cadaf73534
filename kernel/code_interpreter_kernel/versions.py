"""The supported versions of ipykernel and IPython, whose private members the kernel overrides (`kernel/README.md`)."""

from __future__ import annotations

import IPython
import ipykernel

#: The versions with which all of `kernel/tests` passes.
KNOWN = {"ipykernel": [(6, 31), (7, 4)], "IPython": [(9, 18)]}


def unknown() -> list[str]:
    """Describes each package whose version is not supported; empty if all are."""
    installed = {"ipykernel": ipykernel.version_info, "IPython": IPython.version_info}
    return [
        f"{package} {'.'.join(map(str, installed[package][:3]))} is not one of "
        + " and ".join(".".join(map(str, version)) for version in versions)
        for package, versions in KNOWN.items()
        if tuple(installed[package][:2]) not in versions
    ]
