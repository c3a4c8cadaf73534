"""Kernels of other makes, each written against another ZeroMQ: those of them that the tests have installed."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .contestants import REPOSITORY


@dataclass(frozen=True)
class Make:
    """A kernel by the name of its kernelspec; `sum` is `1+1` in its language, `flood` prints without end."""

    kernelspec: str
    title: str
    sum: str
    flood: str

    @property
    def command(self):
        """What starts it, without the connection file."""
        described = json.loads((directory() / self.kernelspec / "kernel.json").read_text())
        return described["argv"], described.get("env", {})

    @property
    def is_there(self):
        return (directory() / self.kernelspec / "kernel.json").exists()


def directory():
    """The folder of kernelspecs that `Tests/Integration/environments` makes."""
    return Path(os.environ.get("CODE_INTERPRETER_KERNELSPECS", REPOSITORY / ".venv-tests/share/jupyter/kernels"))


def search_path():
    """The variable with which a server finds them."""
    return {"JUPYTER_PATH": str(directory().parent)}


LINE = 1000  # Characters of each line of a flood.

MAKES = (
    Make("bash", "bash_kernel (pyzmq)", "echo $((1+1))", f"while true; do printf '%0{LINE}d\\n' 0; done"),
    Make("xpython", "xeus-python (xeus-zmq)", "1+1", f"while True: print('x' * {LINE})"),
    Make("ir", "IRkernel (rzmq)", "1+1", f"repeat cat(strrep('x', {LINE}), '\\n')"),
    Make("deno", "Deno (zeromq.rs)", "1+1", f"while (true) console.log('x'.repeat({LINE}))"),
    Make("java", "JJava (JeroMQ)", "1+1", f'while (true) System.out.println("x".repeat({LINE}));'),
)
