"""The Python kernel: `python -m code_interpreter_kernel.kernel -f CONNECTION_FILE`. ipykernel, with nothing lost or late."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    # With `-m`, Python looks for modules in the working directory first, where a user's calendar.py would be taken for its
    # own. IPython puts the directory behind the standard library.
    del sys.path[0]

from code_interpreter_kernel import versions

if versions.unknown():
    # What is overridden may not be there, or mean something else.
    from ipykernel.kernelapp import IPKernelApp as Application
else:
    from code_interpreter_kernel.application import KernelApp as Application


def main() -> None:
    """Runs the kernel until it is told to stop."""
    for package in versions.unknown():
        print(f"{package}: the kernel is a stock ipykernel, which is slower", file=sys.stderr, flush=True)
    Application.launch_instance()


if __name__ == "__main__":
    main()
