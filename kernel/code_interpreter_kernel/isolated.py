"""Runs a kernel with what its context may not reach taken away: `python -I -m code_interpreter_kernel.isolated COMMAND...`.

For kernels that are not forked. The policy is in the environment, see `isolation`. Without -I, modules in the working directory, where
code may have left some, would be imported before anything is taken away.
"""

from __future__ import annotations

import json
import os
import shutil
import sys

from code_interpreter_kernel import isolation

#: The module of this package's kernel, which restricts its sockets itself: by then it has those that it needs. So it must not be one
#: of that name in the working directory.
OWN = ["-m", "code_interpreter_kernel.kernel"]
SAFE_PATH = "-P"


def main() -> None:
    """Restricts this process, then executes the command."""
    command = sys.argv[1:]
    policy = isolation.Policy.from_environment()
    program = shutil.which(command[0]) or command[0]
    isolation.enter(policy, program)
    if command[1:3] == OWN:
        os.environ[isolation.VARIABLE] = json.dumps(policy._asdict())
        command.insert(1, SAFE_PATH)
    else:
        isolation.close_sockets(policy, needs_own=True)
    os.execv(program, command)


if __name__ == "__main__":
    main()
