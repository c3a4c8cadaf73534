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
        folder = self.folder
        described = json.loads((folder / "kernel.json").read_text())
        # Java's names the folder in what starts it.
        return [part.replace("{resource_dir}", str(folder)) for part in described["argv"]], described.get("env", {})

    @property
    def is_there(self):
        return self.folder is not None

    @property
    def folder(self):
        """Where its kernelspec is; None where it is not installed."""
        folders = (directory / self.kernelspec for directory in directories())
        return next((folder for folder in folders if (folder / "kernel.json").exists()), None)


def directories():
    """The folders of kernelspecs: those of `Tests/Integration/environments`, and of Debian's packages."""
    ours = os.environ.get("CODE_INTERPRETER_KERNELSPECS", REPOSITORY / ".venv-tests/share/jupyter/kernels")
    return [Path(ours), Path("/usr/share/jupyter/kernels")]


def variables():
    """The variables of a server that is to find them."""
    return {
        "JUPYTER_PATH": str(directories()[0].parent),
        # Java collects no garbage while there is memory: with little, what waits in the kernel shows.
        "JDK_JAVA_OPTIONS": "-Xmx96m",
    }


LINE = 1000  # Characters of each line of a flood.

MAKES = (
    Make("bash", "bash_kernel (pyzmq)", "echo $((1+1))", f"while true; do printf '%0{LINE}d\\n' 0; done"),
    Make("xpython", "xeus-python (xeus-zmq)", "1+1", f"while True: print('x' * {LINE})"),
    Make("ir", "IRkernel (pbdZMQ)", "1+1", f"x <- strrep('x', {LINE}); repeat {{ cat(x, '\\n', sep=''); flush.console() }}"),
    Make("deno", "Deno (zeromq.rs)", "1+1", f"while (true) console.log('x'.repeat({LINE}))"),
    Make("java", "JJava (JeroMQ)", "1+1", f'while (true) System.out.println("x".repeat({LINE}));'),
)
