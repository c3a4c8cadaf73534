"""Runs a kernel with what its context may not reach taken away: `python -I -m code_interpreter_kernel.isolated COMMAND...`.

For kernels that are not forked. Nothing that a context can influence may act before: so this process has another working directory than the
kernel will have, and the kernel's variables have a prefix, which the loader of programs and Python do not know. The policy is in the
environment as well, see `isolation`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig

from code_interpreter_kernel import isolation

#: Of the kernel's variables.
PREFIX = "CODE_INTERPRETER_VARIABLE_"

#: The module of this package's kernel, which restricts its sockets itself: by then it has those that it needs. It also goes to its
#: working directory itself, so that no module of that name is run there.
OWN = ["-m", "code_interpreter_kernel.kernel"]


def main() -> None:
    """Restricts this process, then executes the command."""
    command = sys.argv[1:]
    is_own = command[1:3] == OWN
    policy = isolation.Policy.from_environment()
    sysconfig.get_config_vars()  # Which Python reads once, by its variables: not by the kernel's.
    variables = {name[len(PREFIX) :]: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    os.environ.clear()
    os.environ.update(variables)
    program = os.path.abspath(shutil.which(command[0]) or command[0])
    isolation.enter(policy, program)
    os.chdir(policy.directory if is_own else policy.cwd)
    if is_own:
        # Without network it never connects. With it, code that something would run by a variable has to wait.
        late = isolation.take_variables() if policy.network else {}
        os.environ[isolation.VARIABLE] = json.dumps({**policy._asdict(), "variables": late})
    if not is_own or not policy.network:
        isolation.close_sockets(policy, needs_own=True)
    os.execv(program, command)


if __name__ == "__main__":
    main()
