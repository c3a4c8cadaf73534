"""Unsupported versions of ipykernel and IPython: the kernel runs as a stock ipykernel and logs that."""

from __future__ import annotations

from pathlib import Path

import pytest
from client import Spawned, text

NEW = {"ipykernel": "import ipykernel; ipykernel.version_info = (99, 1, 2)", "IPython": "import IPython; IPython.version_info = (99, 1, 2, '')"}


def faked(directory: Path, package: str) -> dict[str, str]:
    """An environment with a package version that does not exist yet."""
    (directory / "sitecustomize.py").write_text(NEW[package])
    return {"PYTHONPATH": str(directory)}


@pytest.mark.parametrize("package", NEW)
def test_an_unsupported_version_is_a_working_stock_kernel(tmp_path: Path, package: str) -> None:
    kernel = Spawned(tmp_path, **faked(tmp_path, package))
    try:
        assert f"{package} 99.1.2 is not one of" in kernel.log.read_text()
        assert kernel.text("type(get_ipython().kernel).__module__") == "'ipykernel.ipkernel'"
        assert kernel.text("print('said')\n6 * 7") in ("said\n42", "42said\n")
        assert "ZeroDivisionError" in text(kernel.run("1 / 0", stop_on_error=False))
        # The server sets variables by code where this is not said.
        assert not [f for f in kernel.info.get("supported_features", []) if f.startswith("code_interpreter.")]
    finally:
        kernel.close()


def test_a_supported_version_is_our_kernel(tmp_path: Path) -> None:
    kernel = Spawned(tmp_path)
    try:
        assert "is not one of" not in kernel.log.read_text()
        assert kernel.text("type(get_ipython().kernel).__module__") == "'code_interpreter_kernel.execution'"
    finally:
        kernel.close()


@pytest.mark.parametrize("stop", [True, False])
def test_an_error_aborts_the_queued_requests_and_no_others(tmp_path: Path, stop: bool) -> None:
    kernel = Spawned(tmp_path)
    try:
        kernel.run("import time")
        failing = kernel.execute("time.sleep(0.3); 1 / 0", stop_on_error=stop)
        behind = [kernel.execute(f"print({n})") for n in range(3)]
        replies: dict[str, str] = {}
        while len(replies) < 4:
            assert kernel.shell.poll(60_000), replies
            message = kernel._parse(kernel.shell.recv_multipart(), "shell")
            replies[message["parent"]] = message["content"]["status"]
        assert replies[failing] == "error"
        assert [replies[request] for request in behind] == ["aborted" if stop else "ok"] * 3
        assert kernel.text("6 * 7") == "42"
    finally:
        kernel.close()
