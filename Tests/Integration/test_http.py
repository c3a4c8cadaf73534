"""HTTP/1.1 as bytes: valid requests are understood however they are split, and after an invalid one nothing is read."""

import json

import pytest

from support.client import check_error
from support.raw import RawConnection, exchange

pytestmark = pytest.mark.backends("any")

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(body, *fields, path="/execute", version="1.1"):
    head = [f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/json", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def execute_request(code, **fields):
    body = json.dumps({"code": code, **fields}).encode()
    return post(body, f"Content-Length: {len(body)}")


def types_in(response):
    return [json.loads(line)["type"] for line in response.body.splitlines()]


# Well formed


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEALTH,
        b"\r\n" + HEALTH,
        b"GET /health HTTP/1.1\r\nhOsT:localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: \t localhost \t\r\nX-Empty:\r\nX-Odd-!#$%&'*+.^_`|~: a\xff\r\n\r\n",
        b"GET /health?a=b&c HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_well_formed_request_is_answered(server, request_bytes):
    response = exchange(server.port, request_bytes)
    assert (response.version, response.status, response.body) == ("HTTP/1.1", 200, b'"OK"')


def test_a_request_may_arrive_byte_by_byte(server):
    with RawConnection(server.port) as connection:
        for index in range(len(HEALTH)):
            connection.send(HEALTH[index : index + 1])
        assert connection.response().status == 200
        request = execute_request("1 + 1")
        for index in range(len(request)):
            connection.send(request[index : index + 1])
        assert types_in(connection.response())[-1] == "end_of_execution"


def test_a_chunked_request_body_is_read(server):
    body = json.dumps({"code": "6 * 7"}).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[index : index + 1]) for index in range(len(body)))
    with RawConnection(server.port) as connection:
        connection.send(post(chunks + b"0\r\n\r\n", "Transfer-Encoding: chunked") + HEALTH)
        assert b'"42"' in connection.response().body
        assert connection.response().body == b'"OK"'


def test_a_connection_is_kept_until_the_client_closes_it(server):
    with RawConnection(server.port) as connection:
        for _ in range(5):
            assert connection.send(HEALTH).response().status == 200
        connection.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = connection.response()
        assert response.status == 200 and response.fields["connection"].lower() == "close"
        assert connection.is_closed()


def test_pipelined_requests_are_answered_in_order(server):
    requests = [HEALTH, execute_request("'one'"), b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
                execute_request("'two'"), b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n", HEALTH]  # fmt: skip
    with RawConnection(server.port) as connection:
        connection.send(b"".join(requests))
        assert connection.response().body == b'"OK"'
        assert b"one" in connection.response().body
        assert connection.response().status == 404
        assert b"two" in connection.response().body
        assert connection.response("HEAD").status == 200
        assert connection.response().body == b'"OK"'


def test_a_hundred_pipelined_requests_are_all_answered(server):
    with RawConnection(server.port) as connection:
        connection.send(HEALTH * 100)
        for _ in range(100):
            assert connection.response().body == b'"OK"'


def test_a_client_that_sends_fin_still_gets_its_response(server):
    assert exchange(server.port, HEALTH, finish=True).body == b'"OK"'


def test_http_1_0_is_answered_without_chunks_and_then_closed(server):
    with RawConnection(server.port) as connection:
        response = connection.send(b"GET /health HTTP/1.0\r\n\r\n").response()
        assert (response.status, response.body) == (200, b'"OK"')
        assert connection.is_closed()
    body = json.dumps({"code": "print(1)\n2"}).encode()
    with RawConnection(server.port) as connection:
        response = connection.send(post(body, f"Content-Length: {len(body)}", version="1.0")).response()
        assert "transfer-encoding" not in response.fields
        assert types_in(response) == ["number_of_executions", "stdout", "result", "end_of_execution"]


def test_an_unread_body_is_never_parsed_as_a_request(server):
    for path, status in (("/nowhere", 404), ("/health", 405)):
        with RawConnection(server.port) as connection:
            connection.send(post(SMUGGLED, f"Content-Length: {len(SMUGGLED)}", path=path))
            assert connection.response().status == status
            connection.send_quietly(HEALTH)
            try:
                assert connection.response().body == b'"OK"'
            except EOFError:
                pass  # Closing is the other valid behaviour.


def test_a_failed_request_keeps_the_connection_if_the_framing_is_valid(server):
    with RawConnection(server.port) as connection:
        for _ in range(3):
            connection.send(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.response().status == 404
            connection.send(post(b"{", "Content-Length: 1"))
            assert connection.response().status == 400
        assert connection.send(HEALTH).response().status == 200


# Malformed, and smuggled

MALFORMED = {
    "garbage": b"garbage\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100c8010000c40303") + b"\r\n\r\n" * 3,
    "no version": b"GET /health\r\nHost: localhost\r\n\r\n",
    "bare LF": b"GET /health HTTP/1.1\nHost: localhost\n\n",
    "LF in the middle": b"GET /health HTTP/1.1\r\nHost: localhost\nX: a\r\n\r\n",
    "bare CR in a value": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
    "two spaces": b"GET  /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tab for space": b"GET\t/health\tHTTP/1.1\r\nHost: localhost\r\n\r\n",
    "space in the target": b"GET /hea lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "control in the target": b"GET /hea\x01lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "folded field": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "folded first field": b"GET /health HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n",
    "space before the colon": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n",
    "no colon": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
    "no name": b"GET /health HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n",
    "name of other characters": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX(Y): a\r\n\r\n",
    "NUL in a value": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    "length that is no number": post(b"{}", "Content-Length: two"),
    "length with a sign": post(b"{}", "Content-Length: +2"),
    "negative length": post(b"{}", "Content-Length: -2"),
    "length in hexadecimal": post(b"{}", "Content-Length: 0x2"),
    "empty length": post(b"{}", "Content-Length:"),
    "endless length": post(b"{}", "Content-Length: 99999999999999999999999999"),
    "two lengths": post(b"{}", "Content-Length: 2", "Content-Length: 3"),
    "a list of lengths": post(b"{}", "Content-Length: 2, 3"),
    "length and coding": post(b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"),
    "coding and length": post(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 5"),
    "coding in HTTP/1.0": post(b"0\r\n\r\n", "Transfer-Encoding: chunked", version="1.0"),
    "chunked not last": post(b"0\r\n\r\n", "Transfer-Encoding: chunked, gzip"),
    "chunked twice": post(b"0\r\n\r\n", "Transfer-Encoding: chunked, chunked"),
    "chunked in two fields": post(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "unknown coding": post(b"0\r\n\r\n", "Transfer-Encoding: xchunked"),
    "coding with a tab": post(b"0\r\n\r\n", "Transfer-Encoding: \x0bchunked"),
    "empty coding": post(b"0\r\n\r\n", "Transfer-Encoding:"),
    "chunk size that is no number": post(b"z\r\n\r\n", "Transfer-Encoding: chunked"),
    "chunk size with 0x": post(b"0x2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "chunk size with a sign": post(b"+2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "empty chunk size": post(b"\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "endless chunk size": post(b"ffffffffffffffffff\r\n{}", "Transfer-Encoding: chunked"),
    "chunk longer than its size": post(b"1\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "chunk ended by LF": post(b"2\n{}\n0\n\n", "Transfer-Encoding: chunked"),
    "folded trailer": post(b"2\r\n{}\r\n0\r\nX: a\r\n b\r\n\r\n", "Transfer-Encoding: chunked"),
}


def allowed_statuses(request_bytes):
    if b"99999" in request_bytes or b"fffff" in request_bytes:
        return (400, 413)
    # RFC 9112 requires 501 for an unknown transfer coding.
    return (400, 501) if b"oding:" in request_bytes else (400,)


@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_is_refused_and_nothing_after_it_is_read(server, request_bytes):
    with RawConnection(server.port) as connection:
        connection.send_quietly(request_bytes + SMUGGLED)
        response = connection.response()
        assert response.status in allowed_statuses(request_bytes), response.text
        assert response.fields["content-type"] == "text/plain; charset=utf-8"
        assert connection.is_closed()


@pytest.mark.parametrize(
    ("version", "status"),
    [("HTTP/2.0", 505), ("HTTP/3.0", 505), ("HTTP/0.9", 505), ("HTTP/1", 400), ("HTTP/1.10", 400), ("http/1.1", 400), ("HTTPS/1.1", 400)],
)  # fmt: skip
def test_other_versions_are_refused(server, version, status):
    response = exchange(server.port, f"GET /health {version}\r\nHost: localhost\r\n\r\n".encode())
    assert response.status == status


@pytest.mark.parametrize("target", ["health", "*", "ftp://localhost/health", "localhost:80"])
def test_targets_of_another_form_are_refused(server, target):
    assert exchange(server.port, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).status == 400


def test_two_equal_lengths_are_refused(server):
    response = exchange(server.port, post(b"{}", "Content-Length: 2", "Content-Length: 2", path="/contexts"))
    assert response.status == 400


# Limits of heads


def test_a_long_target_is_refused(server):
    assert exchange(server.port, b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"a" * 200_000)).status == 414


@pytest.mark.parametrize(
    "fields", [b"X: " + b"a" * 1_000_000 + b"\r\n", b"X: a\r\n" * 50_000, b"X" * 1_000_000 + b": a\r\n"],
    ids=["one long value", "many fields", "one long name"],
)  # fmt: skip
def test_a_head_over_its_limit_is_refused(server, fields):
    assert exchange(server.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n").status == 431


def test_endless_heads_bodies_and_trailers_are_refused(server):
    endless = {
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n": b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
        b"": b"\r\n",
        post(b"", "Transfer-Encoding: chunked") + b"1;": b"extension",
        post(b"2\r\n{}\r\n0\r\n", "Transfer-Encoding: chunked"): b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
    }
    for start, more in endless.items():
        with RawConnection(server.port) as connection:
            connection.send(start)
            for _ in range(2000):
                connection.send_quietly(more * 100)
            assert connection.response().status in (400, 413, 431)


# Whom the request is for


LOCAL_HOSTS = ["localhost", "localhost:49999", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:80", "127.1.2.3", "10.0.0.1", "[::1]", "[::1]:8",
               "[2001:db8::1]", "box", "box.local", "kernels.default.svc:80", "Box.Internal.", "a.b.localhost"]  # fmt: skip
OTHER_HOSTS = ["evil.example", "evil.example:49999", "evil.example.", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.256",
               "local.example", "evil%2eexample"]  # fmt: skip


@pytest.mark.parametrize("host", LOCAL_HOSTS)
def test_each_local_host_name_is_served(server, host):
    assert exchange(server.port, f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 200


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_another_host_is_misdirected(server, host):
    for request in (f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n", f"GET http://{host}/health HTTP/1.1\r\nHost: {host}\r\n\r\n"):
        response = exchange(server.port, request.encode())
        assert response.status == 421 and "--allowed-host" in response.text


def test_hosts_are_checked_wherever_the_server_listens(start_server):
    """A page whose name resolves to this server (DNS rebinding) cannot run code, even in a container, which listens on
    all addresses.
    """
    server = start_server("--host", "0.0.0.0", "--allowed-host", "box.example", "--allowed-host", "*.apps.example")
    body = json.dumps({"code": "1"}).encode()

    def execute(host, *fields):
        head = ["POST /execute HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}", *fields]
        return exchange(server.port, "\r\n".join(head).encode() + b"\r\n\r\n" + body)

    for host in ("evil.example", f"evil.example:{server.port}", "apps.example", "box.example.evil.example"):
        assert execute(host).status == 421
        assert execute(host, f"Origin: http://{host}").status == 421
    for host in ("10.0.0.1", "localhost", "box.example", "BOX.example.:80", "one.apps.example"):
        assert execute(host).status == 200
        assert execute(host, f"Origin: http://{host}").status == 200
        assert execute(host, "Origin: http://evil.example").status == 403
    assert exchange(server.port, b"GET /health HTTP/1.0\r\n\r\n").status == 200


def test_allowed_hosts_come_from_the_environment_too(start_server):
    server = start_server(environment={"CODE_INTERPRETER_ALLOWED_HOST": "one.example, two.example\nthree.example"})
    for host, status in (("one.example", 200), ("two.example", 200), ("three.example", 200), ("four.example", 421)):
        assert exchange(server.port, f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == status


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://localhost", "file://"])
def test_pages_of_other_sites_are_refused(server, client, origin):
    context = client.create_context()
    requests = [("POST", "/execute", b'{"code": "1"}'), ("POST", "/contexts", None), ("POST", f"/contexts/{context['id']}/restart", None),
                ("DELETE", f"/contexts/{context['id']}", None), ("PUT", "/files/a", b"a"), ("GET", "/files?path=.", None), ("OPTIONS", "/execute", None)]  # fmt: skip
    for method, path, body in requests:
        fields = {"Origin": origin, "Content-Type": "application/json"}
        check_error(client.request(method, path, body, fields), 403, "Origin")
    assert context in client.contexts() and not list(server.workspace.iterdir())
    own = {"Origin": f"http://127.0.0.1:{server.port}"}
    client.request("POST", f"/contexts/{context['id']}/restart", headers=own).expect(200)


# The header fields of Chromium 156 that show where the page is from.
CROSS_SITE = ["Origin: http://evil.example:8000", "Referer: http://evil.example:8000/", "Sec-Fetch-Site: cross-site"]
SANDBOXED = ["Origin: null", "Sec-Fetch-Site: cross-site"]
PREFLIGHT = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type", "Sec-Fetch-Mode: cors"]


@pytest.mark.parametrize("page", [CROSS_SITE, SANDBOXED], ids=["of another site", "among the files"])
@pytest.mark.parametrize(
    "fields, body",
    [
        (["Content-Type: text/plain", "Sec-Fetch-Mode: navigate"], b'{"code":"open(\'owned\', \'w\')","x":"="}'),
        (["Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Mode: navigate"], b"%7B%22code%22%3A=1%7D"),
        (["Content-Type: multipart/form-data; boundary=b", "Sec-Fetch-Mode: navigate"], b"--b\r\n\r\n{}\r\n--b--\r\n"),
        (["Content-Type: text/plain;charset=UTF-8", "Sec-Fetch-Mode: no-cors"], b'{"code":"open(\'owned\', \'w\')"}'),
        (["Content-Type: application/json", "Sec-Fetch-Mode: cors"], b'{"code":"open(\'owned\', \'w\')"}'),
        (["Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"], b'{"code":"open(\'owned\', \'w\')"}'),
    ],
    ids=["text form", "form", "multipart form", "fetch without cors, beacon", "fetch", "blob without a type"],
)
def test_requests_of_a_page_in_a_browser_run_nothing(server, client, page, fields, body):
    for method in ("POST", "OPTIONS"):
        more = PREFLIGHT if method == "OPTIONS" else [*fields, f"Content-Length: {len(body)}"]
        head = [f"{method} /execute HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Connection: keep-alive", *page, *more]
        response = exchange(server.port, "\r\n".join(head).encode() + b"\r\n\r\n" + (body if method == "POST" else b""))
        assert response.status == 403
        assert not any(name.startswith("access-control-") for name in response.fields)
    # If the page's name resolves to this server, the page is not even loaded; nor without an Origin.
    for host in ("evil.example", f"evil.example:{server.port}"):
        own = [f"Host: {host}", f"Origin: http://{host}", "Sec-Fetch-Site: same-origin", "Content-Type: application/json"]
        for lines in (own, [own[0], own[3]]):
            head = ["POST /execute HTTP/1.1", *lines, f"Content-Length: {len(body)}"]
            assert exchange(server.port, "\r\n".join(head).encode() + b"\r\n\r\n" + body).status == 421
    assert not (server.workspace / "owned").exists()


def test_every_response_has_its_request_id(server):
    names = set()
    for request, status in ((b"GET /health", 200), (b"GET /nowhere", 404), (b"PATCH /health", 405), (b"GET /files/\0", 400), (b"nonsense", 400)):
        response = exchange(server.port, request + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert response.status == status
        assert response.fields["x-request-id"] == response.fields["x-e2b-trace-id"]
        names.add(response.fields["x-request-id"])
    assert len(names) == 5


def test_errors_of_every_route_are_one_line_of_plain_text(server):
    for request, status in ((b"GET /nowhere", 404), (b"PATCH /health", 405), (b"GET /files/nothing", 404), (b"DELETE /contexts/x", 404)):
        response = exchange(server.port, request + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert response.status == status
        assert response.fields["content-type"] == "text/plain; charset=utf-8"
        assert response.text.rstrip("\n") and "\n" not in response.text.rstrip("\n")


def test_thousands_of_concurrent_requests_are_all_answered(server):
    with RawConnection(server.port) as many, RawConnection(server.port) as one:
        many.send(HEALTH * 3000)
        one.send(HEALTH)
        assert one.response().status == 200
        for _ in range(3000):
            assert many.response().status == 200
