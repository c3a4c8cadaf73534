"""The resources that a client can exhaust, and the limits."""

import concurrent.futures
import ctypes
import json
import resource
import socket
import struct
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from support import processes
from support.client import check_error
from support.raw import RawConnection
from support.waiting import wait_until

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


SO_ATTACH_FILTER = 26
"""socket(7); Python does not name it."""


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# Text

MARKS = "a" + "\u0301\u0316" * 500_000
"""Normalization, which Swift does to compare strings, would take many minutes."""


@pytest.mark.parametrize(
    "path, body, status",
    [
        ("/execute", {"code": "1", "context_id": MARKS}, 404),
        ("/execute", {"code": "1", "language": MARKS}, 400),
        ("/contexts", {"language": MARKS}, 400),
        ("/contexts", {"cwd": MARKS}, 400),
        ("/execute", {"code": "1", "env_vars": {MARKS: 1}}, 422),
        ("/execute", {"code": "1", MARKS: MARKS}, 200),
    ],
    ids=["context", "language", "new context", "directory", "variable", "unknown field"],
)
def test_text_with_many_combining_marks_delays_nobody(client, path, body, status):
    response = client.post(path, body).expect(status)
    assert len(response.body) < 2000


def test_a_path_with_many_combining_marks_is_not_found(client):
    path = "/" + urllib.parse.quote(MARKS[:1001])
    assert [client.get(prefix + path).status for prefix in ("", "/files", "/contexts")] == [404, 400, 404]


# Contexts, queues and bodies


def test_contexts_have_a_limit(start_server):
    client = start_server("--max-contexts", "2").client
    contexts = []
    while (reply := client.post("/contexts", {})).status == 200:
        contexts.append(reply.json)
        assert len(contexts) <= 2
    check_error(reply, 429, "context")
    # The default context of JavaScript is listed and has no kernel yet.
    assert len([context for context in client.contexts() if context["language"] == "python"]) == 2
    check_error(client.post("/execute", {"code": "1", "language": "bash"}), 429)
    client.delete_context(contexts[0]["id"]).expect(200)
    client.create_context()


def test_a_language_that_does_not_exist_does_not_use_up_the_limit(start_server):
    client = start_server("--max-contexts", "2").client
    for _ in range(5):
        client.post("/contexts", {"language": "cobol"}).expect(400)
        client.post("/contexts", {"cwd": "/no/such"}).expect(400)
    client.create_context()


def test_queues_have_a_limit(start_server, gate):
    client = start_server("--max-queued", "2").client
    context = client.create_context()
    body = {"code": "'queued'", "context_id": context["id"]}
    running = client.stream(gate.code, context_id=context["id"])
    running.until("number_of_executions")
    queued = [client.stream(**body) for _ in range(2)]
    check_error(client.post("/execute", body), 429)
    # A client that disconnects frees its place.
    queued.pop().vanish()

    def accepted():
        try:
            queued.append(client.stream(**body))
        except AssertionError:
            return False
        return True

    wait_until(accepted, "there is room again")
    gate.open()
    running.finish().succeeded()
    assert [stream.finish().succeeded().text for stream in queued] == ["queued", "queued"]
    client.execute(**body).succeeded()


@pytest.mark.backends("any")
def test_bodies_of_requests_have_a_limit(start_server):
    server = start_server("--max-body", "100000")
    client = server.client
    over = {"code": "1" + " " * 100_000}
    check_error(client.post("/execute", over), 413)
    body = json.dumps(over).encode()
    chunks = (body[index : index + 1000] for index in range(0, len(body), 1000))
    connection = client.connect()
    connection.request("POST", "/contexts", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 413
    client.execute("1" + " " * 90_000).succeeded()
    with RawConnection(server.port) as connection:
        connection.send(b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n")  # fmt: skip
        assert connection.response().status == 413


@pytest.mark.backends("any")
def test_half_sent_bodies_do_not_fill_the_memory(start_server):
    """40 clients send half of their 8 MB each, and the server has room for 16 MB. When they go on, all are answered."""
    size, limit = 8_000_000, 16_000_000
    server = start_server("--max-body", str(size), "--max-body-memory", str(limit), "--warm", "0")
    client = server.client
    body = b'{"language": "cobol", "padding": "%b"}' % (b"x" * (size - 50))
    head = b"POST /contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    framings = [
        (b"Content-Length: %d\r\n\r\n" % len(body), b""),
        (b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body), b"\r\n0\r\n\r\n"),
    ]
    go_on = threading.Event()

    def send(index):
        start, end = framings[index % 2]
        with RawConnection(server.port, timeout=100) as connection:
            connection.send(head + start + body[: size // 2])
            go_on.wait(100)
            response = connection.send_quietly(body[size // 2 :] + end).response()
            assert response.status == 400 and "cobol" in response.text

    def grown():
        return processes.resident_bytes(server.pid) - before

    client.execute("1").succeeded()
    before = processes.resident_bytes(server.pid)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(send, index) for index in range(40)]
        try:
            wait_until(lambda: grown() > limit / 2, "bodies are being received")
            for _ in range(100):
                assert client.is_healthy()
                assert grown() < 2 * limit, "the bodies that wait are in memory"
            # Short bodies do not wait.
            client.execute("6 * 7").succeeded()
        finally:
            go_on.set()
        for answer in answers:
            answer.result(100)


# Time


@pytest.mark.backends("any")
@pytest.mark.slow
def test_incomplete_requests_time_out(server):
    """All at once, since each takes the server's 30 seconds: slow heads, stalled bodies, and a stalled upload."""
    starts = {
        "nothing of a head but its start": b"GET /health HTTP/1.1\r\nHost: loc",
        "a body that does not come": b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        "a chunk that does not come": b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                      b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        "an upload that stands still": b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    }  # fmt: skip
    connections = {name: RawConnection(server.port, timeout=60).send(start) for name, start in starts.items()}
    dripping = RawConnection(server.port, timeout=60).send(b"GET /health HTTP/1.1\r\n")
    stop = threading.Event()

    def drip():
        # One byte a second: never idle, but never a complete head.
        while not stop.wait(1):
            dripping.send_quietly(b"X")

    dripper = threading.Thread(target=drip)
    dripper.start()
    begun = time.monotonic()
    try:
        for name, connection in {**connections, "a head byte by byte": dripping}.items():
            response = connection.response()
            assert response.status == 408, name
            assert connection.is_closed(), name
        # 30 s by the contract; much earlier would be an error, and much later a hang.
        assert 25 < time.monotonic() - begun < 60
    finally:
        stop.set()
        dripper.join()
    wait_until(lambda: list(server.workspace.iterdir()) == [], "nothing of the upload is left")


# Connections


@pytest.mark.backends("any")
def test_800_idle_connections_delay_nobody(server, client):
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(limit, 2048)), hard))
    before = processes.resident_bytes(server.pid)
    connections = [RawConnection(server.port) for _ in range(800)]
    try:
        for connection in connections[::2]:
            assert connection.send(HEALTH).response().status == 200
        assert client.execute("6 * 7").succeeded().text == "42"
        for connection in connections:
            assert connection.send(HEALTH).response().status == 200
        grown = processes.resident_bytes(server.pid) - before
        # 5 KiB were measured.
        assert grown < 800 * 16 * 1024, f"{grown // 800} bytes for each connection"
    finally:
        for connection in connections:
            connection.close()
    assert client.is_healthy()


@pytest.mark.backends("any")
def test_connections_have_a_limit(start_server):
    server = start_server("--max-connections", "4")

    def kept():
        """A connection within the limit; earlier health checks may still be open."""
        connection = RawConnection(server.port).send(HEALTH)
        if "connection" not in connection.response().fields:
            return connection
        connection.close()

    used = [wait_until(kept, "there is room") for _ in range(4)]
    try:
        for request, status in ((b"GET /contexts", 503), (b"PUT /files/a", 503), (b"GET /health", 200), (b"HEAD /health", 200)):
            with RawConnection(server.port) as connection:
                connection.send(request + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEALTH)
                response = connection.response(request.split()[0].decode())
                assert response.status == status and response.fields["connection"] == "close"
                assert ("retry-after" in response.fields) == (status == 503)
                assert connection.is_closed()
        silent = [RawConnection(server.port) for _ in range(100)]
        assert server.client.is_healthy()
        # Silent connections are closed too, within seconds.
        assert [connection.response().status for connection in silent] == [503] * 100
        assert not any(connection.close() for connection in silent)
        assert [connection.send(HEALTH).response().status for connection in used] == [200] * 4
    finally:
        for connection in used:
            connection.close()
    wait_until(lambda: server.client.get("/contexts").status == 200, "there is room again")


@pytest.mark.backends("any")
def test_connections_leave_descriptors_for_kernels_and_files(start_server):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    server = start_server(before_start=limit)
    connections = [RawConnection(server.port) for _ in range(250)]
    try:
        assert "max-connections" in server.log
        assert server.client.is_healthy()
        for connection in connections[:100]:
            assert connection.send(HEALTH).response().status == 200
        contexts = [json.loads(connections[0].send(b"POST /contexts HTTP/1.1\r\nHost: localhost\r\n\r\n").response().body) for _ in range(3)]
        assert all(context["language"] == "python" for context in contexts)
    finally:
        for connection in connections:
            connection.close()


# Clients that stall


def stalled_stream(server, body, receive_buffer=4096):
    """An execution whose output is not read."""
    body = json.dumps(body).encode()
    return RawConnection(server.port, receive_buffer=receive_buffer).send(b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%b" % (len(body), body))  # fmt: skip


def drop_everything(connection):
    """The socket drops all input without an acknowledgement: a filter with one instruction, "accept 0 bytes"."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", 1, ctypes.addressof(instruction)))


def test_a_client_that_stops_reading_does_not_block_its_context(start_server):
    server = start_server("--write-timeout", "2")
    context = server.client.create_context()["id"]
    stalled = stalled_stream(server, {"code": "x = 1\nwhile True: print('y' * 1000)", "context_id": context})
    assert stalled.head().status == 200
    assert server.client.execute("x", context_id=context).succeeded().text == "1"
    stalled.close()


@pytest.mark.backends("any")
def test_a_client_that_stops_reading_from_silent_code_does_not_block_its_context(start_server):
    server = start_server("--write-timeout", "2")
    code = "import time\nx = 1\nprint('y' * 20_000_000)\ntime.sleep(1000)"
    stalled = stalled_stream(server, {"code": code})
    assert stalled.head().status == 200
    assert server.client.execute("x").succeeded().text == "1"
    stalled.close()


@pytest.mark.backends("any")
def test_a_slow_client_gets_everything(start_server):
    server = start_server("--write-timeout", "2")
    stream = stalled_stream(server, {"code": "for n in range(8): print('y' * 1_000_000)"})
    response = stream.head()
    pieces = []
    begun = time.monotonic()
    # For five times the time-out it reads a little, twice a second.
    while time.monotonic() - begun < 10:
        pieces.append(stream.socket.recv(65536))
        time.sleep(0.5)
    stream.buffer += b"".join(pieces)
    data = []
    while piece := stream.chunk():
        data.append(piece)
    assert response.status == 200
    lines = [json.loads(line) for line in b"".join(data).splitlines()]
    assert sum(len(line.get("text", "")) for line in lines) == 8 * 1_000_001
    assert lines[-1]["type"] == "end_of_execution"


@pytest.mark.backends("any")
def test_unread_downloads_and_pipelined_responses_time_out(start_server):
    server = start_server("--write-timeout", "2", "--warm", "0")
    (server.workspace / "big").write_bytes(b"x" * 50_000_000)
    before = processes.open_descriptors(server.pid)
    stalled = [RawConnection(server.port, receive_buffer=4096) for _ in range(3)]
    get = b"GET /files/big HTTP/1.1\r\nHost: localhost\r\n\r\n"
    stalled[0].send(get)
    stalled[1].send(get * 50)
    listing = b"GET /files HTTP/1.1\r\nHost: localhost\r\n\r\n"
    stalled[2].send_quietly(listing * 100_000)
    wait_until(lambda: server.log.count("read nothing") == 3, "they are broken off")
    wait_until(lambda: processes.open_descriptors(server.pid) <= before, "and nothing of them is left")
    for connection in stalled:
        connection.close()


@pytest.mark.backends("any")
def test_a_client_that_vanishes_with_data_in_flight_is_noticed(start_server):
    """The client's machine is gone: there is no response, not even a reset."""
    server = start_server("--write-timeout", "2")
    vanished = stalled_stream(server, {"code": "x = 1\nimport time\nfor n in range(1000): print(n); time.sleep(0.1)"})
    assert vanished.head().status == 200
    drop_everything(vanished.socket)
    assert server.client.execute("x").succeeded().text == "1"
    vanished.close()


def test_no_descriptor_is_left_open(server, client, context):
    def use():
        client.execute("1", context_id=context["id"])
        client.stream("import time; time.sleep(60)", context_id=context["id"]).vanish()
        client.put("/files/a", b"a")
        client.get("/files/a")
        client.get("/files?path=.")
        client.get("/files/nothing")
        client.delete("/files/a")
        with RawConnection(server.port) as connection:
            connection.send(b"PUT /files/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
        with RawConnection(server.port) as connection:
            connection.send(b"GET /")

    use()
    client.execute("1", context_id=context["id"])
    before = processes.open_descriptors(server.pid)
    for _ in range(20):
        use()
    client.execute("1", context_id=context["id"]).succeeded()
    wait_until(lambda: processes.open_descriptors(server.pid) <= before + 3, "the descriptors are closed again")


def test_contexts_leave_no_descriptor_open(server, client):
    client.delete_context(client.create_context()["id"])
    before = processes.open_descriptors(server.pid)
    for _ in range(4):
        client.delete_context(client.create_context()["id"]).expect(200)
    wait_until(lambda: processes.open_descriptors(server.pid) <= before + 2, "the descriptors are closed again")


def test_a_server_out_of_descriptors_neither_dies_nor_spins(start_server):
    server = start_server("--warm", "0")
    used = processes.open_descriptors(server.pid)
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 10, limits[1]))
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
    try:
        time.sleep(0.5)
        begun = processor_seconds(server.pid)
        time.sleep(1)
        assert processor_seconds(server.pid) - begun < 0.5, "it spins"
    finally:
        for connection in connections:
            connection.close()
    wait_until(server.client.is_healthy, "it serves again")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
    assert server.client.execute("1").succeeded().text == "1"


def test_an_idle_server_uses_no_processor(server, client):
    client.execute("1").succeeded()
    begun = processor_seconds(server.pid)
    time.sleep(2)
    assert processor_seconds(server.pid) - begun < 0.2


def test_a_client_that_reads_nothing_uses_bounded_memory(server, client, context):
    before = processes.resident_bytes(server.pid)
    stream = client.stream("for _ in range(300): print('x' * 1_000_000, flush=True)", context_id=context["id"])
    stream.until("number_of_executions")
    # The kernel would say all of it, were there nobody to hold it back.
    processes.wait_until_still(server.pid, *server.leftovers())
    grown = processes.resident_bytes(server.pid) - before
    assert grown < 150 << 20, f"grew by {grown >> 20} MiB"
    assert len(stream.finish().succeeded().stdout) == 300 * 1_000_001


def test_unread_output_fills_no_process(server, client, context):
    """Not the server, the kernel, or a Jupyter Server between them."""
    run_here = {"context_id": context["id"]}
    client.execute("x = 1", **run_here).succeeded()
    before = {pid: processes.resident_bytes(pid) for pid in (server.pid, *server.leftovers())}
    flood = stalled_stream(server, {"code": "while True: print('x' * 1000)", **run_here})
    assert flood.head().status == 200
    processes.wait_until_still(*before)
    grown = {pid: processes.resident_bytes(pid) - size for pid, size in before.items() if processes.is_alive(pid)}
    assert max(grown.values()) < 64 << 20, {processes.describe([pid]): size >> 20 for pid, size in grown.items()}
    assert client.is_healthy()
    flood.close()
    assert client.execute("x", **run_here).succeeded().text == "1"


def stock_server(start_server, directory, *options):
    """A server with a kernelspec `stock`, whose kernels drop output that is not read."""
    resources = directory / "listed/kernels/stock"
    resources.mkdir(parents=True)
    command = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (resources / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "stock", "language": "stock"}))
    return start_server("--warm", "0", "--max-unread-output", str(8 << 20), *options, environment={"JUPYTER_PATH": str(directory / "listed")})


def check_dropped(server, flood, before):
    """Waits until output is dropped; checks memory; returns the lines."""
    wait_until(lambda: "output is dropped" in server.log, "it is too much", 100)
    time.sleep(1)
    grown = {pid: processes.resident_bytes(pid) - size for pid, size in before.items() if processes.is_alive(pid)}
    assert grown[server.pid] < 24 << 20 and max(grown.values()) < 64 << 20, {processes.describe([pid]): size >> 20 for pid, size in grown.items()}
    lines = [json.loads(line) for line in b"".join(iter(flood.chunk, b"")).splitlines()]
    assert [line["name"] for line in lines if line["type"] == "error"] == ["OutputLimitExceeded"]
    return lines


# Local kernels are stopped instead.
@pytest.mark.parametrize("length", [1, 10_000])
@pytest.mark.backends("jupyter")
def test_unread_output_of_a_kernel_that_drops_it_is_ended(start_server, tmp_path, length):
    """All its output is read at once, and too much of it is an error."""
    server = stock_server(start_server, tmp_path)
    client = server.client
    shown = client.execute("x = 1\nfor n in range(1000): display(n)", language="stock").succeeded().results
    assert [result["text"] for result in shown] == [str(n) for n in range(1000)]
    before = {pid: processes.resident_bytes(pid) for pid in (server.pid, *server.leftovers())}
    # The less the system holds for the client, the sooner it is too much.
    flood = stalled_stream(server, {"code": f"while True: display('x' * {length})", "language": "stock"}, receive_buffer=1 << 16)
    assert flood.head().status == 200
    lines = check_dropped(server, flood, before)
    assert next(line["text"] for line in lines if line["type"] == "result") == "x" * length
    flood.close()
    assert client.execute("x", language="stock").succeeded().text == "1"


@pytest.mark.backends("local")
def test_unread_output_of_code_that_ignores_interrupts_is_dropped(start_server, tmp_path):
    """Its kernel is stopped until its client reads, or until it has to obey an interrupt."""
    server = stock_server(start_server, tmp_path)
    client = server.client
    kernel = int(client.execute("import os\nos.getpid()", language="stock").text)
    before = {pid: processes.resident_bytes(pid) for pid in (server.pid, kernel)}
    # The last of these interrupts comes after some six seconds.
    code = """
for attempt in range(7):
    try:
        while True: display('x' * 10_000)
    except KeyboardInterrupt: pass
"""
    flood = stalled_stream(server, {"code": code, "language": "stock"}, receive_buffer=1 << 16)
    assert flood.head().status == 200
    wait_until(lambda: processes.state(kernel) == "T", "the kernel waits for its client", 100)
    (running,) = [record["id"] for record in client.get("/executions").json if record["state"] == "running"]
    client.post(f"/executions/{running}/interrupt").expect(204)
    check_dropped(server, flood, before)
    flood.close()
    assert client.execute("attempt", language="stock").succeeded().text == "6"


def test_the_memory_of_a_long_message_is_freed_later(server, client, context):
    client.execute("1", context_id=context["id"]).succeeded()
    before = processes.resident_bytes(server.pid)
    code = "from IPython.display import display\ndisplay({'image/png': 'A' * (64 << 20)}, raw=True)"
    for _ in range(2):
        client.execute(code, context_id=context["id"]).succeeded()
    wait_until(
        lambda: processes.resident_bytes(server.pid) - before < 16 << 20, "the memory has been given back"
    )
