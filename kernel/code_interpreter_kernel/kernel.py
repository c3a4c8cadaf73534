"""The Python kernel, based on ipykernel: `python -m code_interpreter_kernel.kernel -f CONNECTION_FILE`."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    # With `-m`, `sys.path` begins with the working directory, where a user's calendar.py would replace Python's.
    # IPython adds the directory after the standard library.
    del sys.path[0]

from code_interpreter_kernel import deferred, versions
from code_interpreter_kernel.forked import change_directory
from code_interpreter_kernel.isolation import Policy, close_sockets

if versions.unknown():
    # The private members that the kernel overrides may differ.
    from ipykernel.kernelapp import IPKernelApp as Application
else:
    from code_interpreter_kernel.application import KernelApp as Application


def main(policy: Policy | None = None) -> None:
    """Runs the kernel until shutdown. `policy` says what it may reach; without one, it is in the environment, if there is one."""
    if policy is None:
        policy = Policy.from_environment()
        if policy.cwd:
            change_directory(policy.cwd)
    if policy.is_deferred:
        deferred.begin(policy)
    if hasattr(Application, "policy"):
        Application.policy = policy
    else:
        close_sockets(policy, needs_own=True)
    for package in versions.unknown():
        print(f"{package}: the kernel is a stock ipykernel, which is slower", file=sys.stderr, flush=True)
    Application.launch_instance()


if __name__ == "__main__":
    main()
