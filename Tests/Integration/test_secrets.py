"""What code in a kernel can learn of the server, which runs as the same user: not its token."""

import json
import os
import signal
import subprocess

import pytest

from support import processes
from support.client import Client
from support.server import Server
from support.unprivileged import unprivileged_user
from support.waiting import wait_until

TOKEN = "t0ken-that-no-cell-may-see-" + 12 * "7"
VARIABLE = "CODE_INTERPRETER_TOKEN"

PROBES = r"""
import ctypes, glob, os, re, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)
SEIZE, DETACH, INTERRUPT = 0x4206, 17, 0x4207
PIDFD_OPEN, PIDFD_GETFD = 434, 438


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path, limit=1 << 22):
    # O_NONBLOCK, for pipes.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(number, "rb", buffering=0) as file:
        return file.read(limit) or b""


def memory(pid):
    found = b""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "rw" in line and end - start < 1 << 28:
                try:
                    mem.seek(start)
                    found += mem.read(end - start)
                except (OSError, ValueError, OverflowError):
                    pass
    return found


def traced(pid):
    checked(libc.ptrace(SEIZE, pid, None, None))
    checked(libc.ptrace(INTERRUPT, pid, None, None))
    os.waitpid(pid, 0x40000000)
    libc.ptrace(DETACH, pid, None, None)
    return b"traced"


def read_by_system_call(pid):
    class Piece(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("count", ctypes.c_size_t)]

    target = ctypes.create_string_buffer(16)
    near, far = Piece(ctypes.addressof(target), 16), Piece(0x10000, 16)
    count = libc.process_vm_readv(pid, ctypes.byref(near), 1, ctypes.byref(far), 1, 0)
    # EFAULT: allowed, only that nothing is at this address.
    if count < 0 and ctypes.get_errno() != 14:
        checked(count)
    return b"read"


def descriptor_taken(pid):
    process = checked(libc.syscall(PIDFD_OPEN, pid, 0))
    os.close(checked(libc.syscall(PIDFD_GETFD, process, 1, 0)))
    return b"taken"


def probes(pid):
    yield "environ", lambda: read(f"/proc/{pid}/environ")
    yield "cmdline", lambda: read(f"/proc/{pid}/cmdline")
    yield "maps", lambda: read(f"/proc/{pid}/maps")
    yield "smaps", lambda: read(f"/proc/{pid}/smaps")
    yield "auxv", lambda: read(f"/proc/{pid}/auxv")
    yield "mem", lambda: memory(pid)
    yield "mem of a thread", lambda: memory(f"{pid}/task/{pid}")
    yield "environ of a thread", lambda: read(f"/proc/{pid}/task/{pid}/environ")
    yield "open descriptors", lambda: b"".join(read(name) for name in glob.glob(f"/proc/{pid}/fd/*")) or os.listdir(f"/proc/{pid}/fd") and b""
    yield "mapped files", lambda: str(os.listdir(f"/proc/{pid}/map_files")).encode()
    yield "current directory", lambda: os.readlink(f"/proc/{pid}/cwd").encode()
    yield "ptrace", lambda: traced(pid)
    yield "process_vm_readv", lambda: read_by_system_call(pid)
    yield "pidfd_getfd", lambda: descriptor_taken(pid)


def look(pid, token):
    found = {}
    for name, probe in probes(pid):
        try:
            data = probe()
            found[name] = "token" if token in data else "read"
        except OSError as error:
            found[name] = "denied" if error.errno in (1, 13) else str(error)
    return found


def everywhere(token):
    # The places of other processes, and of files, that this user can read.
    places = [f"/proc/{pid}/{name}" for pid in filter(str.isdigit, os.listdir("/proc")) for name in ("environ", "cmdline")]
    places += glob.glob("/proc/[0-9]*/fd/*")
    for top in glob.glob("/tmp/*") + glob.glob("/dev/shm/*") + glob.glob("/run/*") + [os.environ["HOME"]]:
        try:
            is_own = os.stat(top, follow_symlinks=False).st_uid == os.getuid()
        except FileNotFoundError:
            continue  # Another program has removed it since it was listed.
        if is_own:
            places += [os.path.join(directory, name) for directory, _, names in os.walk(top) for name in names] + [top]
    found = []
    for place in places:
        try:
            if not os.path.exists(place) or os.path.isfile(place) or place.startswith("/proc/") and "/fd/" not in place:
                if token in read(place):
                    found.append(place)
        except OSError:
            pass
    return found
"""


@pytest.fixture
def user():
    with unprivileged_user() as (prefix, directory):
        yield prefix, directory


@pytest.fixture
def start(user, backend, servers_in_use):
    """Starts servers as a user without privileges."""
    prefix, directory = user
    servers = []

    def start(*options, environment=None, **settings):
        workspace = directory / f"workspace-{len(servers)}"
        subprocess.run([*prefix, "mkdir", workspace], check=True)
        variables = {"HOME": str(directory), **(environment or {})}
        server = Server(workspace, *options, backend=backend, prefix=prefix, environment=variables, **settings)
        server.log_at_start_of_test = 0
        servers.append(server)
        servers_in_use.append(server)
        return server

    yield start
    try:
        for server in servers:
            if server.process.poll() is None:
                server.stop()
    finally:
        for server in servers:
            server.kill()


def write_token(user):
    """A token file of that user's."""
    prefix, directory = user
    path = directory / "token"
    subprocess.run([*prefix, "sh", "-c", 'umask 077 && cat > "$0"', path], input=TOKEN, text=True, check=True)
    return path


def in_cell(server, expression):
    """The value of an expression that uses the probes, evaluated in a kernel. The token is written backwards in the request."""
    code = f"{PROBES}\ntoken = {server.client.token[::-1].encode()!r}[::-1]\nimport json; print(json.dumps({expression}))"
    return json.loads(server.client.execute(code).succeeded().stdout)


HIDDEN = {"environ", "maps", "smaps", "auxv", "mem", "mem of a thread", "environ of a thread", "open descriptors", "mapped files",
          "current directory", "ptrace", "process_vm_readv", "pidfd_getfd"}  # fmt: skip


@pytest.mark.parametrize("way", ["file", "standard input", "variable", "option", "option with =", "claim"])
def test_a_cell_cannot_read_the_token(start, user, way):
    options, environment, settings = (), {}, {}
    path = write_token(user)
    if way == "file":
        options = ("--token-file", path)
    elif way == "standard input":
        options, settings = ("--token-file", "-"), {"stdin": open(path)}
    elif way == "claim":
        options = ("--claim",)
    elif way == "variable":
        environment = {VARIABLE: TOKEN}
    else:
        options = ("--token", TOKEN) if way == "option" else (f"--token={TOKEN}",)
    server = start(*options, environment=environment, token=TOKEN, **settings)
    path.unlink()
    if way == "claim":
        server.client = Client(server.port, token=Client(server.port).post("/claim").json["token"])

    found = in_cell(server, f"look({server.pid}, token)")
    assert {name for name, outcome in found.items() if outcome == "denied"} == HIDDEN, found
    # Everybody may read that one.
    assert found["cmdline"] == "read"
    assert in_cell(server, "everywhere(token)") == []
    assert in_cell(server, "[name for name in os.environ if name.startswith('CODE_INTERPRETER_') and name != 'CODE_INTERPRETER_KERNEL']") == []


def test_the_probes_find_what_is_not_hidden(start):
    """The same probes on a process that a cell has started: otherwise the test above would show nothing."""
    server = start("--token", TOKEN, token=TOKEN)
    found = in_cell(
        server,
        "(child := subprocess.Popen(['sleep', '1000'], env={'SECRET': token.decode(), 'PATH': os.environ['PATH']}, stdin=subprocess.DEVNULL),"
        " time.sleep(0.5), look(child.pid, token), child.kill(), child.wait())[2]",
    )
    assert {name for name, outcome in found.items() if outcome == "token"} == {"environ", "mem", "mem of a thread", "environ of a thread"}
    assert {name for name, outcome in found.items() if outcome == "read"} == {*HIDDEN, "cmdline"} - {"environ", "mem", "mem of a thread", "environ of a thread"}, found
    assert in_cell(
        server,
        "(open('/tmp/visible-to-a-cell', 'wb').write(token), everywhere(token), os.unlink('/tmp/visible-to-a-cell'))[1]",
    ) == ["/tmp/visible-to-a-cell"]


def test_a_descriptor_that_the_server_inherits_is_not_passed_on(start, user):
    """As from `code-interpreter --token-file /dev/fd/9 9< file` in a shell."""
    path = write_token(user)
    with open(path) as file:
        number = os.dup2(file.fileno(), 97)
    server = start("--token-file", f"/dev/fd/{number}", token=TOKEN, pass_fds=(number,))
    os.close(number)
    path.unlink()
    assert in_cell(server, "everywhere(token)") == []
    assert in_cell(server, "[read(f'/proc/self/fd/97').decode()] if os.path.exists('/proc/self/fd/97') else []") == []


def test_a_crash_leaves_no_core(start, user):
    server = start("--token", TOKEN, token=TOKEN, cwd=user[1])
    limits = in_cell(
        server,
        f"(resource := __import__('resource'), resource.prlimit({server.pid}, resource.RLIMIT_CORE, (-1, -1)),"
        f" resource.prlimit({server.pid}, resource.RLIMIT_CORE))[2]",
    )
    assert limits[0] == -1, "a cell may raise the limit, which therefore is not what keeps the core from being written"
    os.kill(server.pid, signal.SIGABRT)
    ended = os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    assert (ended.si_code, ended.si_status) == (os.CLD_KILLED, signal.SIGABRT)
    server.process.wait()
    wait_until(lambda: not server.leftovers(), "its processes are gone")


@pytest.mark.backends("local")
def test_what_needs_proc_still_works(start, user):
    """The server's own entries in /proc belong to root now: it must not need them."""
    server = start("--token", TOKEN, token=TOKEN)
    client = server.client
    context = client.create_context()
    client.execute("import subprocess; child = subprocess.Popen(['sleep', '1000'])", context_id=context["id"]).succeeded()
    shown = client.get(f"/contexts/{context['id']}").json
    assert shown["processes"] >= 2 and shown["memory_bytes"] > 1 << 20
    # The memory that forks share counts in part: all of it would be more.
    client.put("/files/deep/down/file", b"x" * 100_000).expect(201)
    assert client.get("/files/deep/down/file").body == b"x" * 100_000
    client.delete_context(context["id"]).expect(200)
    wait_until(lambda: ["sleep", "1000"] not in map(processes.arguments, server.leftovers()), "the child is gone")
    server.wait_until_forking()


@pytest.mark.backends("any")
def test_without_a_token_the_server_can_be_debugged(start):
    server = start()
    found = json.loads(server.client.execute(f"{PROBES}\nimport json; print(json.dumps(look({server.pid}, b'none')))").succeeded().stdout)
    assert found["maps"] == "read"


@pytest.mark.backends("any")
def test_the_log_says_which_ways_are_worse(start, user):
    def warned(server, word):
        return [line for line in server.log_lines if " warning " in line and "--token-file" in line and word in line]

    path = write_token(user)
    assert warned(start("--token", TOKEN), "given-as=--token")
    assert warned(start(environment={VARIABLE: TOKEN}), VARIABLE)
    server = start("--token-file", path)
    assert not warned(server, "")
    assert any(" notice " in line and str(path) in line for line in server.log_lines)
