"""A version of ipykernel that is not known to work: the kernel is a stock ipykernel, and the server asks no more of it."""

import pytest

from support import processes
from support.waiting import wait_until

MIB = 1 << 20

FAKE = "import ipykernel\nipykernel.version_info = (99, 0, 0)\n"
"""A version that there is not yet, for all Python programs that find this file."""


@pytest.mark.parametrize("options", [[], ["--no-fork-server"]], ids=["forked", "spawned"])
@pytest.mark.backends("local")
def test_a_stock_kernel_takes_its_place_and_serves(start_server, tmp_path, options):
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
    # What a kernel says that was started otherwise is in its own log.
    assert options or any("99.0.0 is not one of" in line for line in server.log_lines)


def test_what_it_prints_without_end_fills_neither_the_server_nor_the_kernel(start_server, tmp_path):
    """It drops what nobody takes, so the server takes it, and stops it where that is too much."""
    (tmp_path / "sitecustomize.py").write_text(FAKE)
    server = start_server("--max-unread-output", str(4 * MIB), environment={"PYTHONPATH": str(tmp_path)})
    client = server.client
    context = client.create_context()
    kernel = int(client.execute("import os; os.getpid()", context_id=context["id"]).text)
    before = [processes.resident_bytes(pid) for pid in (server.pid, kernel)]
    # It sends five times a second what was printed since, however long, where it is not told to.
    stream = client.stream("kept = 1\nwhile True: print('x' * 1000, flush=True)", context_id=context["id"])
    stream.until("stdout")
    wait_until(lambda: "output is dropped" in server.log, "output is dropped")
    for pid, resident in zip((server.pid, kernel), before):
        assert processes.resident_bytes(pid) - resident < 64 * MIB
    assert [error["name"] for error in stream.finish().of("error")] == ["OutputLimitExceeded"]
    assert client.execute("kept", context_id=context["id"]).text == "1"
