"""Third-party kernels, each with another implementation of ZeroMQ, if the tests have installed them."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .contestants import REPOSITORY


@dataclass(frozen=True)
class Make:
    """A kernel by the name of its kernelspec; `sum` is `1+1` in its language, `flood` prints forever."""

    kernelspec: str
    title: str
    sum: str
    flood: str

    @property
    def command(self):
        """The command, without the connection file."""
        folder = self.folder
        described = json.loads((folder / "kernel.json").read_text())
        # Java's command contains the folder.
        return [part.replace("{resource_dir}", str(folder)) for part in described["argv"]], described.get("env", {})

    @property
    def is_there(self):
        return self.folder is not None

    @property
    def folder(self):
        """The path of its kernelspec; None if it is not installed."""
        folders = (directory / self.kernelspec for directory in directories())
        return next((folder for folder in folders if (folder / "kernel.json").exists()), None)


def directories():
    """The folders of kernelspecs: of `Tests/Integration/environments` and of Debian's packages."""
    ours = os.environ.get("CODE_INTERPRETER_KERNELSPECS", REPOSITORY / ".venv-tests/share/jupyter/kernels")
    return [Path(ours), Path("/usr/share/jupyter/kernels")]


def variables():
    """The environment of a server that finds them."""
    return {
        "JUPYTER_PATH": str(directories()[0].parent),
        # Java does not collect garbage while it has memory. With little memory, unread messages in the kernel show.
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
