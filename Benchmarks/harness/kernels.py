"""Kernels for raw clients, each with one client."""

import json
import secrets
import sys
import time
import uuid
from functools import partial
from pathlib import Path

from support.ports import reserve_port

from .clients.zeromq import ZeroMQClient
from .contestants import HARNESS, compiled, jupyter_directories, kernel_environment
from .processes import Program

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
CONNECTION_FILE = "{connection_file}"


class RawKernel:
    """A kernel on Unix sockets, or on TCP: `command` starts it, with the path of its connection file in it or behind it."""

    def __init__(self, scratch, command, options=(), environment=None, client=ZeroMQClient, over_tcp=False):
        begin = time.perf_counter()
        name = Path(scratch) / f"kernel-{uuid.uuid4().hex[:8]}"
        connection = connection_over_tcp() if over_tcp else connection_at(name)
        file = name.with_suffix(".json")
        file.write_text(json.dumps(connection))
        if CONNECTION_FILE in command:
            command = [str(part).replace(CONNECTION_FILE, str(file)) for part in command]
        else:
            command = [*command, file]
        self.program = Program(
            "kernel",
            [*command, *options],
            scratch,
            environment={**jupyter_directories(scratch), **(environment or {})},
        )
        try:
            self.client = client(connection)
        except BaseException:
            self.program.stop()
            raise
        self.start_seconds = time.perf_counter() - begin

    def stop(self):
        self.client.close()
        self.program.stop(grace=2)


def connection_at(name):
    return connection("ipc", str(name), range(1, len(CHANNELS) + 1))


def connection_over_tcp():
    return connection("tcp", "127.0.0.1", [reserve_port() for _ in CHANNELS])


def connection(transport, address, ports):
    return {
        "transport": transport,
        "ip": address,
        "key": secrets.token_hex(16),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "",
        **{f"{channel}_port": number for channel, number in zip(CHANNELS, ports, strict=True)},
    }


def kernel_of(make, scratch):
    """A third-party kernel; not all support Unix sockets."""
    command, environment = make.command
    return RawKernel(scratch, command, environment=environment, over_tcp=True)


def stock_kernel(scratch, verify=False):
    """A stock ipykernel."""
    # Our environment disables the history for all kernels, and has orjson, which ipykernel uses if it is installed but
    # does not require.
    options = ["--HistoryManager.enabled=True", "--Session.packer=json", "--Session.unpacker=json"]
    return RawKernel(scratch, python("ipykernel_launcher"), options, client=partial(ZeroMQClient, verify=verify))


def our_kernel(scratch):
    """ipykernel by our launcher, as the server starts it with `--backend local --no-fork-server`."""
    return RawKernel(scratch, python("code_interpreter_kernel.kernel"))


def python(module):
    return [kernel_environment() / "bin/python", "-m", module, "-f"]


class Probe:
    """The kernel that records its times, for raw clients and as a kernelspec for servers."""

    LANGUAGE = "probe"

    @classmethod
    def built(cls, scratch):
        binary = compiled("probe.c", scratch, "-lzmq", "-lcrypto")
        return cls(binary, Path(scratch)) if binary else None

    def __init__(self, binary, scratch):
        self.binary = binary
        self.scratch = scratch

    def raw_kernel(self, stamps, client=ZeroMQClient):
        return RawKernel(self.scratch, [self.binary], environment={"PROBE_STAMPS": str(stamps)}, client=client)

    def environment(self, stamps):
        """Variables with which a server finds the kernelspec and the kernel finds the file of its times."""
        # By way of Python, as it is to programs in Python alone that the server speaks over Unix sockets.
        become = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
        command = ["python", "-c", become, self.binary]
        return {"JUPYTER_PATH": kernelspec(self.scratch, self.LANGUAGE, command), "PROBE_STAMPS": str(stamps)}


class StampingKernel:
    """The kernel on TCP that knows when packets pass, as a kernelspec for servers."""

    LANGUAGE = "stamping"
    PROGRAM = HARNESS.parent / "stamping_kernel.py"

    @classmethod
    def environment(cls, scratch, stamps):
        """Variables as the probe's."""
        # Not by the name of Python: the system stamps no packets on Unix sockets.
        command = ["/usr/bin/env", sys.executable, cls.PROGRAM]
        return {
            "JUPYTER_PATH": kernelspec(scratch, cls.LANGUAGE, command),
            "PYTHONPATH": str(HARNESS.parent),
            "STAMPS": str(stamps),
        }


def kernelspec(scratch, name, command):
    """Writes a kernelspec of that name; returns the value for JUPYTER_PATH."""
    home = Path(scratch) / f"jupyter-path-{uuid.uuid4().hex[:8]}"
    directory = home / "kernels" / name
    directory.mkdir(parents=True)
    description = {
        "argv": [*map(str, command), "{connection_file}"],
        "display_name": name,
        # No output after idle, like ipykernel. The server waits for late output of other languages.
        "language": "python",
        # As our own kernels: unread output waits in the kernel.
        "metadata": {"code_interpreter": {"keeps_output": True}},
    }
    (directory / "kernel.json").write_text(json.dumps(description))
    return str(home)
