"""Code that fails, is interrupted, or forks: what the client gets, and that the context keeps its memory."""

import pytest

from support.code import pid_of
from support.processes import descendants
from support.waiting import wait_until


def test_an_interrupted_command_ends_its_cell(server, context):
    """The client disconnects while the cell runs a program: the rest of the cell does not run."""
    client, where = server.client, {"context_id": context["id"]}
    client.execute("kept = 5; import os", **where).succeeded()
    for command in ("!sleep 3604", "!echo; sleep 3604", "os.system('sleep 3604')", "x = !sleep 3604"):
        stream = client.stream(f"print('begun')\n{command}\nopen('went-on', 'w').close()", **where)
        stream.until("stdout")
        stream.vanish()
        assert client.execute("kept, os.path.exists('went-on')", **where).text == "(5, False)"


def test_a_loop_of_commands_can_be_interrupted(server, context):
    client, where = server.client, {"context_id": context["id"]}
    client.execute("kept = 5", **where).succeeded()
    stream = client.stream("print('begun')\nwhile True:\n    !true", **where)
    stream.until("stdout")
    stream.vanish()
    assert client.execute("kept", **where).text == "5"


@pytest.mark.parametrize("ends", ["print('child')", "raise ValueError", "exit()", "import sys; sys.exit(3)"])
def test_a_forked_child_ends_with_its_cell(server, context, ends):
    client, where = server.client, {"context_id": context["id"]}
    kernel = pid_of(client, context)
    before = set(descendants(kernel))
    client.execute(f"import os\nif os.fork() == 0:\n    {ends}", **where).succeeded()
    wait_until(lambda: set(descendants(kernel)) <= before, "the child has ended")
    assert client.execute("6 * 7", **where).text == "42"


@pytest.mark.parametrize(
    ("code", "name", "shown"),
    [
        ("raise ValueError('half: ' + chr(0xd83d))", "ValueError", "half: \ufffd"),
        (
            "import asyncio\nasync def f(n): raise ValueError(f'task {n}')\n"
            "async with asyncio.TaskGroup() as g: [g.create_task(f(n)) for n in range(2)]",
            "ExceptionGroup",
            "ValueError: task 1",
        ),
        ("class Mute(Exception):\n    def __str__(self): 1 / 0\nraise Mute", "Mute", "raise Mute"),
        ("def again(n): return again(n + 1)\nagain(0)", "RecursionError", "similar frames"),
    ],
)
def test_an_error_is_one_line_with_its_name_and_traceback(server, context, code, name, shown):
    execution = server.client.execute(code, context_id=context["id"])
    assert execution.types.count("error") == 1
    assert execution.error["name"] == name
    assert shown in execution.error["traceback"]
    assert execution.stderr == ""
