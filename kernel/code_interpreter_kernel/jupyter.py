"""Jupyter Server as our server starts it: `python -m code_interpreter_kernel.jupyter --sock=PATH`.

It serves kernels only: no terminals, no contents, no extensions. It reads the files of configuration that `jupyter server`
reads; what `configuration` sets overrides them. The token comes in the environment variable JUPYTER_TOKEN.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from typing import Any

# The grammar for internationalized addresses in JSON schemas takes a second to build and is not needed here.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from jupyter_server.auth import AllowAllAuthorizer, IdentityProvider
from jupyter_server.serverapp import ServerApp
from traitlets import default
from traitlets.config import Config

from code_interpreter_kernel.connection import Connection
from code_interpreter_kernel.manager import ExitWatcher, MappingManager, SpecManager
from code_interpreter_kernel.provisioner import PRIVATE_VARIABLES, start_reaper

#: The limit of a WebSocket message and of a request body.
MAXIMUM_MESSAGE_BYTES = 1 << 30


class App(ServerApp):
    """A Jupyter Server that serves kernels only."""

    name = "code-interpreter-jupyter"
    default_services = ("api", "auth", "kernels", "kernelspecs", "security", "shutdown")

    _reaper: Any = None

    @default("config_file_name")
    def _config_file_name_default(self) -> str:
        return "jupyter_server_config"

    @default("runtime_dir")
    def _runtime_dir_default(self) -> str:
        return tempfile.mkdtemp(prefix="code-interpreter-")

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Adds `configuration` to the command line's settings, which traitlets applies after all files."""
        super().parse_command_line(argv)
        self.cli_config.merge(Config(configuration()))
        self.update_config(self.cli_config)

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """Exits if a file is broken: without its settings the server might run other kernels."""
        self.raise_config_file_errors = True
        try:
            super().load_config_file(suppress_errors=False)
        except Exception as error:
            traceback.print_exc()
            paths = ", ".join(self.config_file_paths)
            sys.exit(f"The Jupyter configuration in one of {paths} is broken: {type(error).__name__}: {error}")

    def initialize(self, argv: list[str] | None = None, **_: Any) -> None:
        """Sets up everything up to the socket."""
        super().initialize(argv=argv, find_extensions=False)
        for name in PRIVATE_VARIABLES:
            os.environ.pop(name, None)
        prepare_environment(self.runtime_dir)
        self._reaper = start_reaper(self.runtime_dir)

    def init_signal(self) -> None:
        """SIGINT stops the server as SIGTERM does; Jupyter Server would ask for confirmation."""
        super().init_signal()
        import signal

        signal.signal(signal.SIGINT, self._signal_stop)

    def write_server_info_file(self) -> None:
        """Writes none: it would contain the token."""

    def write_browser_open_files(self) -> None:
        """Writes none: there is no page to open."""


def configuration() -> dict[str, Any]:
    """The settings that our server relies on, and those that differ from Jupyter Server's defaults. They override the
    user's files.
    """
    token = os.environ.get("JUPYTER_TOKEN", "")
    return {
        "IdentityProvider": {"token": token},
        "ServerApp": {
            "allow_root": True,
            "authorizer_class": AllowAllAuthorizer,
            "base_url": "/",
            # Our server speaks HTTP over the Unix socket.
            "certfile": "",
            "client_ca": "",
            "contents_manager_class": "jupyter_server.services.contents.largefilemanager.AsyncLargeFileManager",
            "identity_provider_class": IdentityProvider,
            "ip": "127.0.0.1",
            "jpserver_extensions": {},
            "keyfile": "",
            "kernel_manager_class": MappingManager,
            "kernel_spec_manager_class": SpecManager,
            "kernel_websocket_connection_class": Connection,
            "log_format": "[%(levelname)s] %(message)s",
            "max_body_size": MAXIMUM_MESSAGE_BYTES,
            "max_buffer_size": MAXIMUM_MESSAGE_BYTES,
            "open_browser": False,
            # Any other value is refused together with `--sock`.
            "port": 8888,
            "port_retries": 0,
            "root_dir": "/",
            "shutdown_no_activity_timeout": 0,
            "sock_mode": "0600",
            "terminals_enabled": False,
            "tornado_settings": {
                "websocket_max_message_size": MAXIMUM_MESSAGE_BYTES,
                # A client that does not read cannot answer pings, and must still find all its messages later.
                "ws_ping_interval": 0,
            },
        },
        "KernelManager": {
            # A kernel gets SIGTERM after half of this and SIGKILL after all of it.
            "shutdown_wait_time": 2.0,
        },
        "KernelProvisionerFactory": {"default_provisioner_name": "code-interpreter"},
        # Reports a kernel's death to our server.
        "Manager": {"autorestart": True, "restarter_class": ExitWatcher},
        "MappingManager": {
            "kernel_manager_class": "code_interpreter_kernel.manager.Manager",
            "use_pending_kernels": False,
            "buffer_offline_messages": False,
            # If a kernel does not reply in time, our server asks again once it is connected.
            "kernel_info_timeout": 5.0,
        },
        "Session": {"check_pid": False},
    }


def prepare_environment(directory: str) -> None:
    """Directs files that IPython and matplotlib write to `directory`, so that the workspace contains only the user's.
    """
    environment = os.environ
    environment.setdefault("IPYTHONDIR", os.path.join(directory, "ipython"))
    if "MPLCONFIGDIR" not in environment:
        target = os.path.join(directory, "matplotlib")
        prepared = os.path.join(sys.prefix, "share", "code-interpreter", "matplotlib")
        if os.path.isdir(prepared):
            shutil.copytree(prepared, target)
        environment["MPLCONFIGDIR"] = target


if __name__ == "__main__":
    App.launch_instance()
