"""The Jupyter Server: how kernels start, die and end."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest

from conftest import HANG, TOKEN, Kernel, Server, alive, wait

#: What would keep our server from its Jupyter Server, or from news of its kernels.
HOSTILE_CONFIGURATION = """
c.IdentityProvider.token = "theirs"
c.ServerApp.token = "theirs"
c.PasswordIdentityProvider.password_required = True
c.ServerApp.allow_unauthenticated_access = False
c.ServerApp.base_url = "/prefix"
c.ServerApp.certfile = "/nowhere/certificate.pem"
c.ServerApp.kernel_manager_class = "jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager"
c.ServerApp.port = 1
c.ServerApp.root_dir = "/nowhere"
c.ServerApp.shutdown_no_activity_timeout = 1
c.ServerApp.sock = "/nowhere/socket"
c.KernelManager.autorestart = False
c.AsyncMappingKernelManager.kernel_manager_class = "jupyter_client.manager.AsyncKernelManager"
c.AsyncMappingKernelManager.use_pending_kernels = True
"""

CHILDREN = """
import os, signal, subprocess
stubborn = subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"])
escaped = subprocess.Popen(["sleep", "1000"], start_new_session=True)
daemon = subprocess.run(
    "setsid sh -c 'echo $$; exec sleep 1000 >/dev/null' &", shell=True, env={"PATH": os.environ["PATH"]},
    stdout=subprocess.PIPE, text=True,
)
print(os.getpid(), stubborn.pid, escaped.pid, daemon.stdout.strip())
"""


def test_the_socket_is_for_its_owner_only(server: Server) -> None:
    assert stat.S_IMODE(os.stat(server.path).st_mode) == 0o600


def test_without_the_token_nothing_is_served(server: Server) -> None:
    assert server.call("GET", "/api/kernels", token="wrong")[0] == 403


def test_python_is_the_kernel_of_this_package(server: Server) -> None:
    status, specs = server.call("GET", "/api/kernelspecs")
    assert status == 200
    assert "code_interpreter_kernel.kernel" in specs["kernelspecs"]["python3"]["spec"]["argv"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jupyter_server_config.py", "c.KernelSpecManager.allowed_kernelspecs = {'none'}"),
        ("jupyter_config.py", "c.KernelSpecManager.allowed_kernelspecs = {'none'}"),
        ("jupyter_server_config.json", '{"KernelSpecManager": {"allowed_kernelspecs": ["none"]}}'),
    ],
)
def test_the_users_configuration_is_loaded(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    server = Server(tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path))
    try:
        assert server.call("GET", "/api/kernelspecs")[1]["kernelspecs"] == {}
    finally:
        server.stop()


def test_the_users_configuration_does_not_override_ours(tmp_path: Path) -> None:
    (tmp_path / "jupyter_server_config.py").write_text(HOSTILE_CONFIGURATION)
    server = Server(tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path))
    try:
        assert server.call("GET", "/api/kernelspecs", token="theirs")[0] == 403
        kernel = server.start_kernel(path=str(tmp_path))
        assert kernel.text("import os; print(os.getcwd())") == f"{tmp_path}\n"
        messages = kernel.run("import os; os._exit(7)")
        assert messages[-1]["content"]["exit_code"] == 7
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("jupyter_server_config.py", "c.ServerApp.(", "SyntaxError: invalid syntax (jupyter_server_config.py, line 1)"),
        ("jupyter_config.py", "missing", "NameError: name 'missing' is not defined"),
        ("jupyter_server_config.json", "{", "JSONDecodeError: "),
    ],
)
def test_a_broken_configuration_ends_it_and_says_why(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(AssertionError) as error:
        Server(tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path))
    assert reason in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_setting_of_a_wrong_type_ends_it_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "jupyter_server_config.py").write_text("c.ServerApp.quit_button = 'x'")
    with pytest.raises(AssertionError, match="The 'quit_button' trait of an App instance expected a boolean"):
        Server(tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path))


def test_a_kernel_starts_in_any_directory(server: Server, tmp_path: Path) -> None:
    directory = tmp_path / "with space and ü"
    directory.mkdir()
    kernel = server.start_kernel(path=str(directory))
    assert kernel.text("import os; print(os.getcwd())") == f"{directory}\n"
    kernel.delete()


def test_the_token_stays_out_of_kernels(kernel: Kernel) -> None:
    assert TOKEN not in kernel.text("import os; print(dict(os.environ))")


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("import os; os._exit(7)", 7),
        ("exit()", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
    ],
)
def test_a_death_is_reported_at_once_with_its_exit_code(server: Server, code: str, exit_code: int) -> None:
    kernel = server.start_kernel()
    kernel.text("1")
    began = time.monotonic()
    kernel.send("execute_request", {"code": code, "silent": False})
    message = kernel.receive()
    while message["content"].get("execution_state") != "dead":
        message = kernel.receive()
    assert message["channel"] == "iopub"
    assert message["content"]["exit_code"] == exit_code
    assert time.monotonic() - began < 2
    assert kernel.socket.recv() == ""  # closed
    assert server.call("GET", f"/api/kernels/{kernel.id}")[0] == 404


def test_the_last_output_comes_before_the_death(server: Server) -> None:
    kernel = server.start_kernel()
    code = "import os\nfor i in range(500): display(i)\nimport time; time.sleep(0.2); os._exit(1)"
    messages = kernel.run(code)
    assert sum(m["type"] == "display_data" for m in messages) == 500
    assert messages[-1]["content"]["execution_state"] == "dead"


def test_the_death_of_a_kernel_ends_its_children(server: Server) -> None:
    kernel = server.start_kernel()
    pids = [int(word) for word in kernel.text(CHILDREN).split()]
    os.kill(pids[0], signal.SIGKILL)
    while kernel.receive()["content"].get("execution_state") != "dead":
        pass
    assert not any(alive(pid) for pid in pids)


def test_deleting_a_kernel_leaves_no_process(server: Server) -> None:
    kernel = server.start_kernel()
    pids = [int(word) for word in kernel.text(CHILDREN).split()]
    kernel.delete()
    assert not any(alive(pid) for pid in pids)


def test_deleting_a_kernel_that_ignores_signals_takes_limited_time(server: Server) -> None:
    kernel = server.start_kernel()
    pid = int(kernel.text("import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid())"))
    kernel.send("execute_request", {"code": "print('began')\nwhile True:\n try:\n  while True: pass\n except: pass", "silent": False})
    while kernel.receive()["type"] != "stream":
        pass
    began = time.monotonic()
    kernel.delete()
    assert not alive(pid)
    assert time.monotonic() - began < 5


def test_a_restart_keeps_the_connection_and_loses_the_state(kernel: Kernel) -> None:
    assert kernel.text("x = 1; print(x)") == "1\n"
    pids = [int(word) for word in kernel.text(CHILDREN).split()]
    assert kernel.server.call("POST", f"/api/kernels/{kernel.id}/restart")[0] == 200
    assert not any(alive(pid) for pid in pids)
    kernel.wait_until_heard()
    assert "NameError" in kernel.text("x")


def test_an_interrupt_ends_the_cell(kernel: Kernel) -> None:
    code = "import time; print('began')\nwhile True: time.sleep(0.01)"
    request = kernel.send("execute_request", {"code": code, "silent": False})
    while kernel.receive()["type"] != "stream":
        pass
    assert kernel.server.call("POST", f"/api/kernels/{kernel.id}/interrupt")[0] == 204
    errors = [m for m in kernel.messages(request) if m["type"] == "error"]
    assert errors[0]["content"]["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_server(tmp_path: Path, way: signal.Signals) -> None:
    server = Server(tmp_path)
    kernel = server.start_kernel()
    pids = [int(word) for word in kernel.text(CHILDREN).split()]
    directory = Path(kernel.text("import os; print(os.environ['IPYTHONDIR'])").strip()).parent
    assert directory.is_dir()
    server.process.send_signal(way)
    server.process.wait(HANG)
    wait(lambda: not any(alive(pid) for pid in pids) and not directory.exists())


def test_no_message_is_lost_in_a_flood(kernel: Kernel) -> None:
    messages = kernel.run("for i in range(5000): display(i)")
    shown = [m["content"]["data"]["text/plain"] for m in messages if m["type"] == "display_data"]
    assert shown == [str(i) for i in range(5000)]


def test_a_message_may_be_large(kernel: Kernel) -> None:
    assert kernel.text(f"print(len('{'x' * (16 << 20)}'))") == f"{16 << 20}\n"
    size = 96 << 20
    assert len(kernel.text(f"print('x' * {size})")) == size + 1


def test_two_servers_leave_each_other_alone(server: Server, tmp_path: Path) -> None:
    ours = server.start_kernel()
    other = Server(tmp_path)
    other.start_kernel()
    assert other.stop() == 0
    assert ours.text("print(1)") == "1\n"
    ours.delete()
