"""Runs programs as a user without privileges: root, as which the tests may run, can read the memory of every process."""

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from .server import BINARY, KERNEL_ENVIRONMENT

DROP = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--"]


@contextlib.contextmanager
def unprivileged_user():
    """What comes before a command that such a user is to run, and a directory of that user's: (prefix, directory)."""
    # Not below pytest's directories, which only their owner may enter.
    parent = Path(tempfile.mkdtemp(prefix="unprivileged-"))
    parent.chmod(0o755)
    directory = parent / "home"
    directory.mkdir()
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "nobody", "nogroup")
            yield _command(parent), directory
        else:
            yield [], directory
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _command(parent):
    if _works(DROP):
        return DROP
    # The programs are below a directory that only root may enter, such as /root. In a mount namespace of its own, the
    # command sees another directory in its place, with nothing but them.
    lines = []
    for number, hidden in enumerate(sorted({hidden for hidden, _ in _hidden_programs()})):
        shown = parent / f"shown-{number}"
        for entry in sorted({entry for directory, entry in _hidden_programs() if directory == hidden}):
            lines.append(f"mkdir -p {shlex.quote(str(shown / entry))}")
            lines.append(f"mount --bind {shlex.quote(str(hidden / entry))} {shlex.quote(str(shown / entry))}")
        lines.append(f"mount --rbind {shlex.quote(str(shown))} {shlex.quote(str(hidden))}")
    script = "\n".join(["set -e", *lines, 'exec "$@"'])
    command = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", *DROP]
    if not _works(command):
        pytest.skip("no other user can run the programs, and root may not make a mount namespace")
    return command


def _works(command):
    probe = 'test -x "$0" && "$1" -c ""'
    return subprocess.run([*command, "sh", "-c", probe, BINARY, KERNEL_ENVIRONMENT / "bin/python"], capture_output=True).returncode == 0


def _hidden_programs():
    """For each path that the server needs and others cannot reach: the directory that they may not enter, and the entry in it."""
    for path in (BINARY, KERNEL_ENVIRONMENT, KERNEL_ENVIRONMENT / "bin/python"):
        real = Path(os.path.realpath(path))
        for ancestor in reversed(real.parents):
            if not ancestor.stat().st_mode & 0o001:
                yield ancestor, real.relative_to(ancestor).parts[0]
                break
