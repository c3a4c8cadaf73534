"""An unsupported version of ipykernel: the kernel runs as a stock ipykernel, and the server adapts."""

import contextlib

import pytest

from support import processes
from support.waiting import wait_until

MIB = 1 << 20

FAKE = "import ipykernel\nipykernel.version_info = (99, 0, 0)\n"
"""A version that does not exist yet, for all Python programs that find this file."""


@pytest.mark.parametrize("options", [[], ["--no-fork-server"]], ids=["forked", "spawned"])
@pytest.mark.backends("local")
def test_a_stock_kernel_is_used_instead(start_server, tmp_path, options):
    (tmp_path / "sitecustomize.py").write_text(FAKE)
    server = start_server("--warm", "0", *options, environment={"PYTHONPATH": str(tmp_path)})
    client = server.client
    context = client.create_context()
    run = lambda code, **fields: client.execute(code, context_id=context["id"], **fields)  # noqa: E731
    assert run("type(get_ipython().kernel).__module__").text == "ipykernel.ipkernel"
    assert run("print('said')").stdout == "said\n"
    # It cannot set variables itself.
    code = "import os; print(os.environ.get('A'))"
    assert run(code, env_vars={"A": "a b\n\"'"}).stdout == "a b\n\"'\n"
    assert run(code).stdout == "None\n"
    assert run("1 / 0").error["name"] == "ZeroDivisionError"
    context = client.create_context(cwd=str(tmp_path))
    assert run("os.getcwd() if 'os' in dir() else __import__('os').getcwd()").text == str(tmp_path)
    # The output of a kernel started by exec is in its own log.
    assert options or any("99.0.0 is not one of" in line for line in server.log_lines)


@contextlib.contextmanager
def endless_output(start_server, tmp_path):
    """Of a kernel that drops what is not read: the server, the kernel's process, the stream, and a check of their memory."""
    (tmp_path / "sitecustomize.py").write_text(FAKE)
    server = start_server("--max-unread-output", str(4 * MIB), environment={"PYTHONPATH": str(tmp_path)})
    client = server.client
    context = client.create_context()
    kernel = int(client.execute("import os; os.getpid()", context_id=context["id"]).text)
    before = {pid: processes.resident_bytes(pid) for pid in (server.pid, kernel)}
    # Unless flushed, it sends its output five times a second, however long.
    stream = client.stream("kept = 1\nwhile True: print('x' * 1000, flush=True)", context_id=context["id"])
    stream.until("stdout")

    def check_memory():
        for pid, resident in before.items():
            assert processes.resident_bytes(pid) - resident < 64 * MIB

    yield server, kernel, stream, check_memory
    assert client.execute("kept", context_id=context["id"]).text == "1"


@pytest.mark.backends("local")
def test_endless_output_fills_neither_the_server_nor_the_kernel(start_server, tmp_path):
    """The server reads everything, and stops the kernel while its client does not read."""
    with endless_output(start_server, tmp_path) as (server, kernel, stream, check_memory):
        wait_until(lambda: processes.state(kernel) == "T", "the kernel waits for its client")
        check_memory()
        read = 0
        while read < 8 * MIB:
            read += len(stream.until("stdout")["text"])
        assert "output is dropped" not in server.log
        stream.vanish()


@pytest.mark.backends("jupyter")
def test_endless_output_through_a_jupyter_server_is_ended(start_server, tmp_path):
    """The server reads everything, and interrupts code that prints too much."""
    with endless_output(start_server, tmp_path) as (server, _, stream, check_memory):
        wait_until(lambda: "output is dropped" in server.log, "output is dropped")
        check_memory()
        assert [error["name"] for error in stream.finish().of("error")] == ["OutputLimitExceeded"]
