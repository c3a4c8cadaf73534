"""GET /health."""

import socket
import subprocess
import threading

from support import processes
from support.client import check_error
from support.server import BINARY
from support.waiting import HANG, wait_until


def test_a_healthy_server_responds_ok_in_json(client):
    response = client.get("/health").expect(200)
    assert response.headers["Content-Type"] == "application/json"
    assert response.json == "OK"


def test_head_gives_the_same_head_and_no_body(client):
    full, head = client.get("/health"), client.head("/health").expect(200)
    assert head.body == b""
    assert head.headers["Content-Length"] == full.headers["Content-Length"] == str(len(full.body))
    assert head.headers["Content-Type"] == full.headers["Content-Type"]


def test_other_methods_are_refused_with_those_that_exist(client):
    response = check_error(client.post("/health"), 405)
    assert {"GET", "HEAD"} <= {method.strip() for method in response.headers["Allow"].split(",")}


def test_an_unknown_route_is_not_found(client):
    check_error(client.get("/nowhere"), 404)
    check_error(client.get("/"), 404)
    check_error(client.get("/healthy"), 404)
    check_error(client.post("/execute/more", {"code": "1"}), 404)


def test_the_default_kernel_is_up_when_healthy(client, server):
    assert client.execute("6 * 7").succeeded().text == "42"
    assert [context["language"] for context in client.contexts()] == ["python"]


def test_a_server_sleeps_again_after_many_requests(client, server):
    for _ in range(500):
        client.get("/health").expect(200)
    wait_until(lambda: processes.state(server.pid) == "S", "it sleeps")


def check_health(*options, **environment):
    return subprocess.run([BINARY, "health", *options], env=environment, capture_output=True, text=True, timeout=HANG)


def test_the_command_says_that_a_server_is_ready(server):
    done = check_health("--port", str(server.port))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"http://127.0.0.1:{server.port} is ready\n", "")


def test_the_command_takes_the_variables_of_the_server(server):
    done = check_health(CODE_INTERPRETER_PORT=str(server.port), CODE_INTERPRETER_HOST="0.0.0.0")
    assert done.returncode == 0, done.stderr
    assert check_health("--url", f"http://localhost:{server.port}/").returncode == 0


def test_the_command_fails_and_says_why():
    with socket.create_server(("127.0.0.1", 0)) as refusing:
        port = refusing.getsockname()[1]
    done = check_health("--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"http://127.0.0.1:{port} is not ready: ") and done.stderr.count("\n") == 1


def test_the_command_fails_where_health_is_not_200():
    with socket.create_server(("127.0.0.1", 0)) as draining:

        def answer():
            connection, _ = draining.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        done = check_health("--port", str(draining.getsockname()[1]))
        thread.join(HANG)
    assert done.returncode == 1 and "answers 503" in done.stderr, done.stderr
