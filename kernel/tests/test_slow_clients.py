"""Clients of the Jupyter Server that read slowly or not at all: its memory does not grow, and nothing is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from conftest import Kernel, Server, alive, wait, wait_until_still

#: The allowed growth of the server, in bytes.
GROWTH = 64 << 20

FLOODS = {
    "print": "print(n, 'x' * 1000)",
    "short prints": "print(n)",
    "displays": "display({'text/plain': f'{n}\\n'}, raw=True)",
    "large displays": "display({'text/plain': f'{n}\\n', 'image/png': 'x' * 6_000_000}, raw=True)",
}


def endless(flood: str) -> str:
    """Code that writes until it is interrupted, then prints how often it has written."""
    return f"n = 0\ntry:\n    while True:\n        {flood}; n += 1\nexcept KeyboardInterrupt: print('\\nend', n)"


def told(messages: list[dict[str, Any]]) -> str:
    """The text of output and displays."""
    contents = [message["content"] for message in messages]
    return "".join(content.get("text", "") or content.get("data", {}).get("text/plain", "") for content in contents)


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    """The numbers that a flood has written, in order."""
    return list(map(int, re.findall(r"^(\d+)(?: x{1000})?$", told(messages), re.MULTILINE)))


def resident(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


def pid_of(kernel: Kernel) -> int:
    return int(kernel.text("import os; print(os.getpid())"))


def interrupt(kernel: Kernel) -> None:
    assert kernel.server.call("POST", f"/api/kernels/{kernel.id}/interrupt")[0] == 204


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_client_that_stops_in_a_flood_slows_its_kernel(server: Server, kernel: Kernel, flood: str) -> None:
    pid = pid_of(kernel)
    before = resident(server.process.pid)
    request = kernel.send("execute_request", {"code": endless(flood), "silent": False})
    wait_until_still(pid, server.process.pid)
    assert resident(server.process.pid) - before < GROWTH
    assert server.call("GET", "/api/status")[0] == 200
    interrupt(kernel)
    messages = list(kernel.messages(request))
    # A line may arrive that was not counted, because the interrupt came before the count.
    found, (count,) = numbers(messages), re.findall(r"^end (\d+)$", told(messages), re.MULTILINE)
    assert found == list(range(len(found))) and int(count) <= len(found) <= int(count) + 1
    assert kernel.text("6 * 7") == "42"


def test_a_client_that_pauses_gets_everything(server: Server, kernel: Kernel) -> None:
    pid = pid_of(kernel)
    code = "for n in range(40_000): print(n, 'x' * 1000); n % 1000 or display({'text/plain': '-\\n'}, raw=True)"
    request = kernel.send("execute_request", {"code": code, "silent": False})
    wait_until_still(pid, server.process.pid)
    messages = list(kernel.messages(request))
    assert numbers(messages) == list(range(40_000))
    assert sum(message["type"] == "display_data" for message in messages) == 40


def test_replies_do_not_wait_for_unread_output(server: Server, kernel: Kernel) -> None:
    """Each WebSocket waits only for its own client."""
    pid = pid_of(kernel)
    other = Kernel(server, kernel.id)
    other.wait_until_heard()
    request = kernel.send("execute_request", {"code": endless(FLOODS["print"]), "silent": False})
    seen: list[dict[str, Any]] = []
    other.socket.settimeout(2)
    with pytest.raises(Exception, match="timed out"):
        while True:  # until the kernel waits for the one that reads nothing
            seen.append(other.receive())
    wait_until_still(pid, server.process.pid)
    question = other.send("kernel_info_request", {}, channel="control")
    other.socket.settimeout(60)
    while (message := other.receive())["channel"] != "control":
        seen.append(message)
    assert message["parent"]["msg_id"] == question
    assert numbers(seen) == list(range(len(numbers(seen)))) and len(numbers(seen)) > 1000
    interrupt(kernel)
    found = numbers(list(kernel.messages(request)))
    assert found == list(range(len(found))) and len(found) >= len(numbers(seen))
    other.socket.close()


def test_the_death_of_a_kernel_is_reported_after_its_output(server: Server) -> None:
    kernel = server.start_kernel()
    pid = pid_of(kernel)
    kernel.send("execute_request", {"code": endless(FLOODS["print"]), "silent": False})
    wait_until_still(pid, server.process.pid)
    os.kill(pid, signal.SIGKILL)
    wait(lambda: not alive(pid))
    time.sleep(0.3)
    messages = [kernel.receive()]
    while messages[-1]["content"].get("execution_state") != "dead":
        messages.append(kernel.receive())
    assert messages[-1]["content"]["exit_code"] == -signal.SIGKILL
    assert numbers(messages) == list(range(len(numbers(messages)))) and numbers(messages)
    assert kernel.socket.recv() == ""


def test_a_client_that_disconnects_frees_the_kernel(server: Server, kernel: Kernel) -> None:
    pid = pid_of(kernel)
    kernel.send("execute_request", {"code": endless(FLOODS["print"]), "silent": False})
    wait_until_still(pid, server.process.pid)
    kernel.socket.close()
    interrupt(kernel)
    other = Kernel(server, kernel.id)
    assert other.text("6 * 7") == "42"
    other.socket.close()


@pytest.fixture
def server_with_a_stock_kernel(tmp_path: Path) -> Iterator[Server]:
    resources = tmp_path / "kernels" / "stock"
    resources.mkdir(parents=True)
    command = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (resources / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "stock", "language": "stock"}))
    server = Server(tmp_path, JUPYTER_PATH=str(tmp_path))
    yield server
    assert server.stop() == 0


def test_a_kernel_that_drops_unread_messages_is_always_read(server_with_a_stock_kernel: Server, tmp_path: Path) -> None:
    server = server_with_a_stock_kernel
    kernel = server.start_kernel(name="stock")
    other = Kernel(server, kernel.id)
    other.wait_until_heard()
    code = f"""
import os, time
for n in range(4_000):
    while n % 500 == 0 and not os.path.exists({str(tmp_path)!r} + f'/{{n}}'): time.sleep(0.01)
    display({{'text/plain': f'{{n}}\\n', 'text/html': 'x' * 4_000}}, raw=True)
"""
    request = kernel.send("execute_request", {"code": code, "silent": False})
    # The other one reads. The kernel's socket drops what is above a thousand messages, and on a busy machine the server comes
    # to no more than some hundreds at a time.
    for n in range(0, 4_000, 500):
        (tmp_path / str(n)).touch()
        shown = 0
        while shown < 500:
            shown += other.receive()["type"] == "display_data"
    other.socket.close()
    assert numbers(list(kernel.messages(request))) == list(range(4_000))
    kernel.delete()
