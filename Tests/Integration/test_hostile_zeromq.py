"""Kernels that violate the protocol, and a server without free descriptors: the server survives both."""

import json
import resource

import pytest

from support.client import at_once
from support.server import Server

pytestmark = pytest.mark.timeout(300)

LISTENER = """
import json, os, socket, sys, time
plan, connection = json.loads(sys.argv[1]), json.load(open(sys.argv[2]))
listeners = []
for name in ("iopub", "shell", "control", "stdin", "hb"):
    port = connection[name + "_port"]
    if connection["transport"] == "ipc":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{connection['ip']}-{port}")
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((connection["ip"], port))
    listener.listen()
    listeners.append(listener)
accepted = []
end = time.monotonic() + 20
while time.monotonic() < end:
    for listener in listeners:
        listener.settimeout(0.01)
        try:
            accepted.append(listener.accept()[0])
        except TimeoutError:
            continue
        try:
            for piece in plan["pieces"]:
                accepted[-1].sendall(bytes.fromhex(piece) * plan.get("times", 1))
                time.sleep(0.01)
        except OSError:
            pass
        if plan.get("closes"):
            accepted[-1].close()
"""

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(48)
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"


def command(name, data=b""):
    body = bytes([len(name)]) + name + data
    return bytes([4, len(body)]) + body


def plan(*pieces, **options):
    return {"pieces": [piece.hex() for piece in pieces], **options}


PLANS = {
    "closes at once": plan(closes=True),
    "closes in the greeting": plan(GREETING[:11], closes=True),
    "closes behind the greeting": plan(GREETING, closes=True),
    "closes in READY": plan(GREETING, READY[:9], closes=True),
    "closes behind READY": plan(GREETING, READY, closes=True),
    "zeros": plan(bytes(4096)),
    "ones": plan(b"\xff" * 4096),
    "text": plan(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "ZMTP 1": plan(b"\x01\x00" * 100),
    "ZMTP 1, long": plan(b"\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00" * 100),
    "ZMTP 2": plan(b"\xff" + bytes(8) + b"\x7f\x01\x02\x00\x00", b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"),
    "another mechanism": plan(GREETING.replace(b"NULL\0", b"CURVE")),
    "a message before READY": plan(GREETING, b"\x00\x05hello"),
    "READY cut short": plan(GREETING, command(b"READY", b"\x0bSocket-Type\xff\xff\xff\xff")),
    "READY of another socket": plan(GREETING, READY.replace(b"PUB", b"REQ")),
    "READY without a type": plan(GREETING, command(b"READY")),
    "READY without end": plan(GREETING, b"\x06\x7f\xff\xff\xff\xff\xff\xff\xff"),
    "READY twice": plan(GREETING, READY, READY),
    "ERROR cut short": plan(GREETING, command(b"ERROR", b"\xff")),
    "no name": plan(GREETING, READY, b"\x04\x00"),
    "a name beyond its command": plan(GREETING, READY, b"\x04\x01\xff"),
    "PING cut short": plan(GREETING, READY, command(b"PING"), command(b"PING", b"\x00")),
    "PINGs without end": plan(GREETING + READY + command(b"PING", b"\x00\x01" + b"x" * 16) * 10_000),
    "subscriptions": plan(GREETING, READY, (command(b"SUBSCRIBE", b"x") + command(b"CANCEL", b"y")) * 1000),
    "a giant frame": plan(GREETING, READY, b"\x02\x00\x00\x00\x00\x40\x00\x00\x00" + b"x" * 100_000),
    "the largest frame": plan(GREETING, READY, b"\x02" + b"\xff" * 8),
    "unknown flags": plan(GREETING, READY, b"\xf0\x01x"),
    "parts without end": plan(GREETING + READY + b"\x01\x01x" * 100_000),
}


@pytest.fixture(scope="module", params=["library", "direct"])
def hostile_server(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("hostile")
    for number, (name, value) in enumerate(PLANS.items()):
        kernel = directory / "kernels" / f"hostile{number}"
        kernel.mkdir(parents=True)
        specification = {
            "argv": ["python3" if number % 2 else "/usr/bin/python3", "-c", LISTENER, json.dumps(value), "{connection_file}"],
            "display_name": name,
            "language": f"hostile{number}",
        }
        (kernel / "kernel.json").write_text(json.dumps(specification))
    server = Server(
        tmp_path_factory.mktemp("workspace"), "--warm", "0", "--zeromq", request.param, backend="local",
        environment={"JUPYTER_PATH": str(directory)},
    )  # fmt: skip
    yield server
    server.stop()


def start(server, number):
    """The server waits for those that seem to speak ZMTP as for any kernel; these tests do not wait for that."""
    connection = server.client.connect()
    connection.timeout = 10
    connection.request("POST", "/contexts", body=json.dumps({"language": f"hostile{number}"}),
                       headers={"Content-Type": "application/json"})  # fmt: skip
    try:
        return connection.getresponse().status
    except TimeoutError:
        return None
    finally:
        connection.close()


def test_kernels_that_violate_the_protocol_harm_nobody(hostile_server):
    client = hostile_server.client
    statuses = dict(zip(PLANS, at_once(len(PLANS), lambda number: start(hostile_server, number))))
    assert set(statuses.values()) <= {None, 500, 503}, statuses
    assert client.is_healthy()
    assert client.execute("6 * 7").succeeded().text == "42"


@pytest.mark.backends("local")
def test_a_server_without_descriptors_survives(start_server):
    server = start_server("--warm", "0", "--zeromq", "library", "--no-fork-server")
    hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1]
    statuses = {}
    for limit in (64, 96, 128):
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, hard))
        responses = [server.client.post("/contexts", {"language": language}) for language in ("bash", "javascript") * 2]
        statuses[limit] = [response.status for response in responses]
        assert set(statuses[limit]) <= {200, 500, 503}, statuses
        assert server.client.is_healthy()
        for response in responses:
            if response.status == 200:
                server.client.delete_context(response.json["id"]).expect(200)
    assert set(statuses[64]) & {500, 503}, statuses
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (1024, hard))
    assert server.client.execute("echo 42", language="bash").succeeded().stdout == "42\n"
