"""Code tries to leave its context, in each setting. The table in SECURITY.md says what stops it, and what nothing stops."""

import json
import os
import subprocess

import pytest

from escape import table
from escape.attempts import ATTEMPTS, SETTINGS, VICTIMS
from support.server import Server
from support.unprivileged import unprivileged_user
from support.waiting import wait_until

TOKEN = "t0ken-that-no-attempt-knows-" + 12 * "7"


@pytest.fixture(scope="session")
def world(backend):
    """A server of a user without privileges, victims in one of its contexts, and a context for each setting."""
    with unprivileged_user() as (prefix, directory):
        for name in ("workspace", "victim", *SETTINGS):
            subprocess.run([*prefix, "mkdir", "-p", directory / "files" / name], check=True)
        server = Server(
            directory / "files" / "workspace", "--token", TOKEN, token=TOKEN, backend=backend, prefix=prefix,
            environment={"HOME": str(directory)},
        )  # fmt: skip
        try:
            server.log_at_start_of_test = 0
            forker = server.wait_until_forking()
            victim = server.client.create_context(cwd=str(directory / "files" / "victim"))
            target = json.loads(server.client.execute(VICTIMS, context_id=victim["id"]).succeeded().stdout)
            target |= {"server": server.pid, "port": server.port, "forker": forker}
            # The kernel of one isolated context has been warm, that of the other is forked for it.
            server.client.delete_context(server.client.create_context(**SETTINGS["isolated"])["id"]).expect(200)
            with_kernels = sum(context["language"] == "python" for context in server.client.contexts())
            wait_until(lambda: len(server.kernels()) == with_kernels + 2, "two kernels are warm")
            contexts = {
                setting: server.client.create_context(cwd=str(directory / "files" / setting), **fields)["id"]
                for setting, fields in SETTINGS.items()
            }
            yield server, target, contexts
            server.stop()
        finally:
            server.kill()


@pytest.mark.backends("local")
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=[attempt.name for attempt in ATTEMPTS])
def test_attempt(world, servers_in_use, attempt, setting):
    server, target, contexts = world
    servers_in_use.append(server)
    execution = server.client.execute(attempt.cell(target), context_id=contexts[setting])
    error = execution.of("error")
    reached = execution.stdout.endswith("reached\n") and not execution.stdout.endswith("not reached\n")
    if setting in attempt.stopped:
        assert not reached, execution.brief()
        # It has tried: what it was after exists, and it made no mistake of its own.
        assert not error or error[0]["name"] in ("PermissionError", "OSError", "HTTPError", "URLError"), execution.brief()
    elif not attempt.may_fail:
        assert reached, execution.brief()


@pytest.mark.backends("local")
def test_a_context_cannot_keep_its_directory(world, servers_in_use):
    """By taking from the server the rights to remove it. Root needs none, so this is a test with another user."""
    server, _, _ = world
    servers_in_use.append(server)
    context = server.client.create_context(isolated=True, network=False)["id"]
    code = """
import os
own = os.path.dirname(os.environ["TMPDIR"])
os.makedirs(f"{own}/locked/inner/deep")
for path in ("locked/inner/deep/file", "locked/file"): open(f"{own}/{path}", "w").close()
for path in ("locked/inner/deep", "locked/inner", "locked", "tmp", "home"): os.chmod(f"{own}/{path}", 0)
print(own)
"""
    own = server.client.execute(code, context_id=context).succeeded().stdout.strip()
    assert os.path.isdir(own)
    server.client.delete_context(context).expect(200)
    assert not os.path.exists(own)


def test_every_attempt_is_in_the_table():
    assert len(ATTEMPTS) >= 60
    assert table.in_document() == table.made(), "SECURITY.md is not up to date: run Tests/Integration/escape/table.py"
