"""Fixtures. `server` is shared by tests without special options; `start_server` starts others. Tests with a server are
parametrized with `backend`.
"""

import random
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest

from support.kept import Kept
from support.server import BINARY, KERNEL_ENVIRONMENT, Server
from support.waiting import wait_until

BACKENDS = ("local", "jupyter")
"""The back ends. The first one is for tests that do not depend on it."""


def pytest_addoption(parser):
    parser.addoption("--backend", choices=BACKENDS, help="run the tests on this back end only")
    parser.addoption("--seed", type=int, help="of what tests choose at random: the report of a failed one names it")


def pytest_generate_tests(metafunc):
    """A test with a server runs once per back end, or on those in its `backends` mark."""
    if "backend" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("backends")
        names = mark.args if mark else BACKENDS
        chosen = metafunc.config.getoption("backend")
        if names == ("any",):
            names = (chosen or BACKENDS[0],)
        metafunc.parametrize("backend", [name for name in names if chosen in (None, name)], scope="session")


def pytest_sessionstart(session):
    for path in (BINARY, KERNEL_ENVIRONMENT):
        if not path.exists():
            pytest.exit(f"{path} is missing: `make setup` makes it", returncode=2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """The report of a failed test contains the logs of its servers and of its back ends."""
    report = yield
    Kept.failures += report.failed
    if report.when == "call" and report.failed:
        for server in item.funcargs.get("servers_in_use", []):
            start = server.log_at_start_of_test
            report.sections.append((f"server {server.pid}", "".join(server.log_lines[start:])[-6000:]))
        for gateway in item.funcargs.get("gateways", []):
            report.sections.append((gateway.name, gateway.log_path.read_text(errors="replace")[-6000:]))
        if "seed" in item.funcargs:
            report.sections.append(("random choices", f"--seed {item.funcargs['seed']}"))
    return report


@pytest.fixture(scope="session")
def shared_server(backend, tmp_path_factory):
    def make():
        # Without warm kernels, so that every kernel there is belongs to a context of the test.
        server = Server(tmp_path_factory.mktemp("workspace"), "--warm", "0", backend=backend)
        end_contexts(server)
        return server

    kept = Kept(make, Server.stop)
    yield kept
    kept.close()


def end_contexts(server):
    """Deletes all contexts, including the default ones, and waits until their kernels are gone."""
    for context in server.client.contexts():
        server.client.delete_context(context["id"]).expect(200)
    wait_until(lambda: not server.kernels(), "no kernel is left when all contexts are deleted")


@pytest.fixture
def servers_in_use():
    return []


@pytest.fixture
def use(servers_in_use):
    """Gives a test a server that others use, too: of its log, a report has what is new."""

    def use(kept):
        server = kept.get()
        server.log_at_start_of_test = len(server.log_lines)
        servers_in_use.append(server)
        return server

    return use


@pytest.fixture
def server(shared_server, use):
    """The shared server, in its initial state: running, with only the default contexts and an empty workspace."""
    server = use(shared_server)
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log[-6000:]}"
    end_contexts(server)
    for entry in server.workspace.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


@pytest.fixture
def client(server):
    return server.client


@pytest.fixture
def workspace(server):
    return server.workspace


@pytest.fixture
def context(client):
    """A fresh Python context."""
    return client.create_context()


@pytest.fixture
def run(client, context):
    """Runs code in a fresh Python context."""
    return lambda code, **fields: client.execute(code, context_id=context["id"], **fields)


@pytest.fixture
def start_server(backend, tmp_path, servers_in_use):
    """Starts servers with other options. Each is stopped at the end, with exit code 0 and without remaining processes,
    unless the test has stopped it.
    """
    servers = []

    def start(*options, workspace=None, **settings):
        if workspace is None:
            workspace = tmp_path / f"workspace-{len(servers)}"
            workspace.mkdir()
        server = Server(workspace, *options, backend=backend, **settings)
        server.log_at_start_of_test = 0
        servers.append(server)
        servers_in_use.append(server)
        return server

    yield start
    try:
        for server in servers:
            if server.process.poll() is None:
                server.stop()
            else:
                server.check_nothing_is_left()
    finally:
        for server in servers:
            server.kill()


@pytest.fixture
def temporary():
    """A directory for the temporary files of a server. Its path is short: Unix sockets are among them."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.fixture
def seed(request):
    """Of what the test chooses at random."""
    chosen = request.config.getoption("--seed")
    return random.randrange(1 << 32) if chosen is None else chosen


@pytest.fixture
def gate(tmp_path):
    """A file that running code waits for: the test decides when the code continues."""
    return Gate(tmp_path / f"gate-{uuid.uuid4().hex}")


class Gate:
    def __init__(self, path):
        self.path = path

    @property
    def code(self):
        """Python code that waits and can be interrupted."""
        return f"import os, time\nwhile not os.path.exists({str(self.path)!r}): time.sleep(0.01)\n"

    def open(self):
        self.path.touch()
