"""Text with quadratic cost, wherever a cell or a client can put it: nobody else waits."""

import contextlib
import subprocess
import sys
import threading
import time

import pytest

from support.raw import RawConnection

LONGEST_WAIT = 2.0
"""The longest response time of `/health` in seconds. On a loaded machine it takes some hundredths, behind such text many
seconds.
"""

SEND = """
k = get_ipython().kernel
# 240 KB: normalization, which Swift does to compare strings, takes some nine seconds.
S = "a" + "\\u0301\\u0316" * 60_000
mine = {"header": k.get_parent()["header"] if hasattr(k, "get_parent") else k._parent_header["header"]}
mine["msg_id"] = mine["header"]["msg_id"]

def send(kind="stream", content=None, parent=None, **header):
    message = k.session.msg(kind, content or {"name": "stdout", "text": "x"}, parent=parent or mine, header=None)
    message["header"].update(header)
    k.session.send(k.iopub_socket, message)
"""

CELLS = {
    "the parent's identifier": 'send(parent={"header": {"msg_id": S, "session": k.session.session}, "msg_id": S})',
    "an identifier": "send(msg_id=S)",
    "a type": "send(S)",
    "a date": "send(date=S)",
    "a session": "send(session=S, username=S, version=S)",
    "a state": 'send("status", {"execution_state": S, S: S})',
    "a stream's name": 'send("stream", {"name": S, "text": S, S: S})',
    "a bundle": 'send("display_data", {"data": {S: S, "text/plain": S}, "metadata": {S: S}, S: S})',
    "an error": 'send("error", {"ename": S, "evalue": S, "traceback": [S], S: S})',
    "an update": 'send("update_display_data", {"data": {"text/plain": S}, "transient": {"display_id": S}})',
    "a question": 'send("input_request", {"prompt": S, "password": S})',
    "a count": 'send("execute_input", {"code": S, "execution_count": S})',
}


WATCH = """
import socket, sys, threading, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
longest = 0
while not stop.is_set():
    start = time.monotonic()
    connection.sendall(b"GET /health HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    answer = b""
    while not answer.endswith(b'"OK"'):
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    longest = max(longest, time.monotonic() - start)
    time.sleep(0.005)
print(longest)
"""
"""A separate process: parsing long responses in the tests would delay a thread."""


@contextlib.contextmanager
def health_watched(server):
    """Requests `/health` continuously, and fails if a response takes too long."""
    command = [sys.executable, "-c", WATCH, str(server.port)]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        output, _ = watcher.communicate()
    assert watcher.returncode == 0
    longest = float(output)
    assert longest < LONGEST_WAIT, f"an answer took {longest:.2f} s"


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_text_of_a_cell_delays_nobody(server, run, cell):
    run(SEND).succeeded()
    with health_watched(server):
        start = time.monotonic()
        run(f"for _ in range(20): {cell}\nprint('sent')")
        assert time.monotonic() - start < 60
    assert run("print('goes on')").stdout == "goes on\n"


@pytest.mark.backends("any")
@pytest.mark.parametrize(
    "name",
    ["Content-Type", "Host", "Connection", "Transfer-Encoding", "Content-Length", "Expect", "Range", "If-Range",
     "If-Match", "If-None-Match", "If-Modified-Since", "Accept", "Origin", "X-Request-ID"],
)  # fmt: skip
def test_header_fields_delay_nobody(server, name):
    server.workspace.joinpath("file").write_text("x")
    marks = ("a" + "\u0301\u0316" * 7_700).encode()
    start = b"" if name == "Host" else b"Host: localhost\r\n"
    heads = [
        line + b" HTTP/1.1\r\n" + start + name.encode() + b": " + marks + b"\r\n\r\n"
        for line in (b"POST /execute", b"POST /contexts", b"GET /files/file", b"PUT /files/file", b"DELETE /contexts/x")
    ]

    def send():
        for head in heads:
            with RawConnection(server.port) as connection:
                connection.send_quietly(head).finish_sending()
                # 415 or similar, or the normal status if the field is ignored.
                assert connection.response().status < 500 or name == "Transfer-Encoding"

    with health_watched(server):
        clients = [threading.Thread(target=send) for _ in range(20)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()


@pytest.mark.backends("any")
@pytest.mark.parametrize("target", ["/", "/files/", "/files/x.", "/files?path=", "/contexts/", "http://", "/?"])
def test_request_targets_delay_nobody(server, target):
    marks = ("a" + "\u0301\u0316" * 3_900).encode()
    encoded = b"".join(b"%%%02x" % byte for byte in marks[:5000])
    with health_watched(server):
        for tail in (marks, encoded):
            for method in (b"GET", b"PUT", b"DELETE"):
                request = method + b" " + target.encode() + tail + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
                with RawConnection(server.port) as connection:
                    assert 400 <= connection.send_quietly(request).response().status < 500


def test_large_bodies_and_outputs_delay_nobody(server, run):
    """24 MiB each way: neither their JSON nor what is looked for in their text is the loop's to read."""
    size = 24 << 20
    with health_watched(server):
        execution = run(f"'{'x' * size}'.count('x')").succeeded()
        assert execution.text == str(size)
        assert len(run(f"print('é' * {size // 2}, end='')").succeeded().stdout) == size // 2
        assert len(run(f"print('x' * {size}, end='')").succeeded().stdout) == size
