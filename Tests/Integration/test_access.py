"""Who may use the server."""

import os
import re
import select
import subprocess

import pytest

from support.client import Client, at_once, check_error
from support.documents import follow
from support.kept import Kept
from support.raw import RawConnection, exchange
from support.server import BINARY, KERNEL_ENVIRONMENT, Server
from support.tokens import TOKEN, token_file
from support.waiting import wait_until

pytestmark = pytest.mark.backends("any")

VARIABLE = "CODE_INTERPRETER_TOKEN"


@pytest.fixture(scope="module")
def kept_server(backend, tmp_path_factory):
    """A server with a token, for the tests of this file that change nothing in it."""
    directory = tmp_path_factory.mktemp("token")

    def make():
        return Server(directory, "--token-file", token_file(directory), backend=backend, token=TOKEN)

    kept = Kept(make, Server.stop)
    yield kept
    kept.close()


@pytest.fixture
def guarded(kept_server, use):
    return use(kept_server)


def get(path, *fields, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode("latin-1")


def serve(tmp_path, *options, environment=None, **streams):
    """Starts the program with a workspace; for starts that fail."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CODE_INTERPRETER_")}
    command = [BINARY, "serve", "--port", "0", "--workspace", tmp_path, "--python-environment", KERNEL_ENVIRONMENT, *options]
    streams = streams or {"stdin": subprocess.DEVNULL}
    return subprocess.run(command, env={**inherited, **(environment or {})}, capture_output=True, text=True, timeout=60, **streams)


# The token

WAYS = ["Authorization: Bearer {}", "authorization: bearer {}", "AUTHORIZATION: BEARER   {}  ", "X-Access-Token: {}", "x-api-key: {}"]
ROUTES = [("POST", "/execute"), ("POST", "/executions"), ("GET", "/executions"), ("GET", "/executions/x"), ("GET", "/executions/x/events"),
          ("DELETE", "/executions/x"), ("POST", "/contexts"), ("GET", "/contexts"), ("GET", "/contexts/x"), ("DELETE", "/contexts/x"),
          ("GET", "/files?path=."), ("GET", "/files/x"), ("PUT", "/files/x"), ("DELETE", "/files/x"), ("GET", "/nowhere"), ("GET", "/"),
          ("DELETE", "/execute"), ("OPTIONS", "/execute"), ("OPTIONS", "*"), ("GET", "/health/"), ("GET", "//health"), ("GET", "/healthy"),
          ("GET", "/HEALTH"), ("GET", "/files/../health"), ("GET", "/claim"), ("POST", "/claim")]  # fmt: skip


def check_refusal(response, *words):
    """A 401 that says what to send."""
    assert response.status == 401, f"{response.status}: {response.body[:200]!r}"
    fields = {name.lower(): value for name, value in (response.fields if hasattr(response, "fields") else response.headers).items()}
    assert fields["www-authenticate"] == "Bearer"
    assert fields["content-type"] == "text/plain; charset=utf-8"
    assert response.text.count("\n") == 1
    for word in (*words, "Authorization: Bearer", "X-Access-Token", "X-API-Key"):
        assert word in response.text, response.text
    assert TOKEN not in response.text
    return response


@pytest.mark.parametrize("way", WAYS)
def test_the_token_is_taken_in_each_field(guarded, way):
    assert exchange(guarded.port, get("/contexts", way.format(TOKEN))).status == 200
    assert exchange(guarded.port, get("/nowhere", way.format(TOKEN))).status == 404


def test_one_right_token_among_several_is_enough(guarded):
    right = get("/contexts", "X-API-Key: other", "Authorization: Basic dXNlcjpwYXNz", f"X-Access-Token: {TOKEN}")
    assert exchange(guarded.port, right).status == 200


@pytest.mark.parametrize("method, path", ROUTES)
def test_every_route_asks_for_it(guarded, method, path):
    """Also those that do not exist, so that nobody learns which do."""
    check_refusal(exchange(guarded.port, get(path, method=method)), "no token")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_asks_for_none(guarded, method):
    assert exchange(guarded.port, get("/health", method=method), method).status == 200
    assert exchange(guarded.port, get("/health?x=1", "Authorization: Bearer wrong", method=method), method).status == 200


def test_head_is_refused_without_a_body(guarded):
    with RawConnection(guarded.port) as connection:
        connection.send(get("/files/x", method="HEAD") + get("/health"))
        assert connection.response("HEAD").status == 401
        assert connection.response().body == b'"OK"'


@pytest.mark.parametrize(
    "field",
    ["Authorization: Bearer", "Authorization: Basic " + TOKEN, "Authorization: " + TOKEN, "Cookie: token=" + TOKEN,
     "X-Token: " + TOKEN, "Authorization: Bearer" + TOKEN],
)  # fmt: skip
def test_a_token_in_another_form_is_none(guarded, field):
    check_refusal(exchange(guarded.port, get("/contexts", field)), "no token")
    check_refusal(exchange(guarded.port, get(f"/contexts?token={TOKEN}&access_token={TOKEN}", field)), "no token")


def test_wrong_tokens_are_refused(start_server):
    server = start_server("--token", TOKEN, token=TOKEN)
    wrong = ["x", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), f'"{TOKEN}"', f"{TOKEN},{TOKEN}", f"{TOKEN} {TOKEN}", TOKEN + "\xff", 30_000 * "x"]

    # At once: each waits for longer than the one before.
    def work(index):
        check_refusal(exchange(server.port, get("/contexts", f"Authorization: Bearer {wrong[index]}")), "a wrong token")

    at_once(len(wrong), work)
    assert server.client.get("/contexts").status == 200


def test_the_body_of_a_refused_request_is_not_read(guarded):
    with RawConnection(guarded.port) as connection:
        connection.send(get("/files/x", "Content-Length: 1000000", method="PUT"))
        response = check_refusal(connection.response())
        assert response.fields["connection"] == "close"
    with RawConnection(guarded.port) as connection:
        connection.send(get("/files/x", "Content-Length: 1000000", "Expect: 100-continue", method="PUT"))
        # Not 100 before it.
        check_refusal(connection.response())
    with RawConnection(guarded.port) as connection:
        connection.send(get("/execute", "Transfer-Encoding: chunked", "Content-Type: text/plain", method="POST"))
        check_refusal(connection.response())
    assert guarded.client.get("/files/x").status == 404


def test_a_connection_is_kept_after_a_refusal(guarded):
    with RawConnection(guarded.port) as connection:
        connection.send(get("/contexts"))
        check_refusal(connection.response())
        connection.send(get("/contexts", "Content-Length: 2") + b"{}" + get("/contexts", f"X-API-Key: {TOKEN}"))
        check_refusal(connection.response())
        assert connection.response().status == 200


def test_each_request_of_a_connection_is_asked(guarded):
    with RawConnection(guarded.port) as connection:
        connection.send(get("/contexts", f"X-API-Key: {TOKEN}") + get("/contexts"))
        assert connection.response().status == 200
        check_refusal(connection.response())


def test_a_client_with_the_token_runs_code(guarded):
    assert guarded.client.execute("6 * 7").succeeded().text == "42"
    guarded.client.put("/files/a", b"a").expect(201)
    guarded.client.delete("/files/a").expect(204)


def test_the_client_of_the_documents_sends_the_token(guarded):
    lines = list(follow("print(6 * 7)", port=guarded.port, token=TOKEN))
    assert "42\n" in [line.get("text") for line in lines]
    with pytest.raises(ValueError, match="401"):
        list(follow("1", port=guarded.port, token=None))


def test_failures_are_logged_with_the_address(start_server):
    server = start_server("--token", TOKEN, token=TOKEN)
    exchange(server.port, get("/contexts"))
    exchange(server.port, get("/contexts", "Authorization: Bearer a-guess"))

    def line(reason):
        return [line for line in server.log_lines if "a request is refused" in line and f'reason="{reason}"' in line and "client=127.0.0.1" in line]

    wait_until(lambda: line("no token") and line("a wrong token"), "both are in the log")
    assert "a-guess" not in server.log and TOKEN not in server.log


def test_guesses_wait_and_the_right_token_does_not(start_server):
    """Guesses from one address are answered ever later; meanwhile others are served, and so is the right token from there."""
    server = start_server("--token", TOKEN, token=TOKEN)
    guess = get("/contexts", "Authorization: Bearer guess")
    overtaken = False
    with RawConnection(server.port) as guesser:
        while not overtaken:
            guesser.send(guess)
            assert server.client.get("/contexts").status == 200
            assert exchange(server.port, get("/health")).status == 200
            check_refusal(exchange(server.port, get("/contexts")), "no token")
            # On a busy machine only one of the longer waits lasts until here.
            overtaken = not select.select([guesser.socket], [], [], 0)[0]
            check_refusal(guesser.response(), "a wrong token")


def test_many_guesses_at_once_occupy_few_connections(start_server):
    server = start_server("--token", TOKEN, token=TOKEN)
    guess = get("/contexts", "X-API-Key: guess")
    connections = [RawConnection(server.port) for _ in range(60)]
    try:
        for connection in connections:
            connection.send(guess)
        closed = [check_refusal(connection.response()).fields.get("connection") == "close" for connection in connections]
        # 3 wait for nothing, 16 wait, and the others are over the limit.
        assert closed.count(True) == 60 - 3 - 16
    finally:
        for connection in connections:
            connection.close()
    assert server.client.get("/contexts").status == 200


def test_a_server_that_stops_does_not_wait_for_a_guesser(start_server):
    server = start_server("--token", TOKEN)
    connections = [RawConnection(server.port).send(get("/contexts", "X-API-Key: guess")) for _ in range(12)]
    check_refusal(connections[0].response())
    server.stop()
    for connection in connections:
        connection.close()


# Where the token comes from


def test_the_token_comes_from_a_file_a_pipe_standard_input_a_variable_or_an_option(start_server, tmp_path):
    read, write = os.pipe()
    os.write(write, TOKEN.encode())
    os.close(write)
    with open(token_file(tmp_path)) as file:
        servers = [
            start_server("--token-file", token_file(tmp_path)),
            start_server("--token-file", "-", stdin=file),
            start_server("--token-file", "/dev/stdin", stdin=read),
            start_server(environment={"CODE_INTERPRETER_TOKEN_FILE": str(token_file(tmp_path))}),
            start_server(environment={VARIABLE: TOKEN}),
            start_server("--token", TOKEN),
            start_server(f"--token={TOKEN}"),
        ]
    os.close(read)
    for server in servers:
        check_refusal(exchange(server.port, get("/contexts")))
        assert Client(server.port, token=TOKEN).get("/contexts").status == 200
        assert TOKEN not in server.log and "Authorization: Bearer TOKEN" in "".join(server.output)


def test_the_file_may_be_removed_when_the_server_runs(start_server, tmp_path):
    path = token_file(tmp_path)
    server = start_server("--token-file", path, token=TOKEN)
    path.unlink()
    context = server.client.create_context()
    server.client.restart_context(context["id"]).expect(200)
    check_refusal(exchange(server.port, get("/contexts")))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    path = token_file(tmp_path, mode=mode)
    result = serve(tmp_path, "--token-file", path)
    assert result.returncode != 0
    assert f"chmod 600 {path}" in result.stderr and TOKEN not in result.stderr
    with open(path) as file:
        result = serve(tmp_path, "--token-file", "-", stdin=file)
    assert result.returncode != 0 and "chmod 600" in result.stderr


INVALID = {"": "empty", "\n": "empty", "a b": "white space", "secret\n\n": "white space", "a\tb": "white space", "a\x01b": "control characters",
           "a\x7f": "control characters", "\xe4": "ASCII", 4097 * "x": "4096"}  # fmt: skip


@pytest.mark.parametrize("token", INVALID, ids=[repr(token[:8]) for token in INVALID])
def test_an_invalid_token_is_refused_at_the_start(tmp_path, token):
    path = token_file(tmp_path, token)
    for result, source in [
        (serve(tmp_path, "--token-file", path), "--token-file"),
        (serve(tmp_path, "--token-file", "-", input=token), "--token-file"),
        (serve(tmp_path, "--token", token), "--token"),
        (serve(tmp_path, environment={VARIABLE: token}), VARIABLE),
    ]:
        assert result.returncode != 0
        assert source in result.stderr and INVALID[token] in result.stderr, result.stderr
        assert not token.strip() or token not in result.stderr


def test_an_empty_file_variable_or_a_missing_file_does_not_open_the_server(tmp_path):
    missing = tmp_path / "missing"
    for result in (serve(tmp_path, "--token-file", missing), serve(tmp_path, environment={"CODE_INTERPRETER_TOKEN_FILE": str(missing)})):
        assert result.returncode != 0 and str(missing) in result.stderr
    assert serve(tmp_path, environment={"CODE_INTERPRETER_TOKEN_FILE": ""}).returncode != 0
    assert serve(tmp_path, "--token-file", tmp_path).returncode != 0


def test_several_ways_at_once_are_refused(tmp_path):
    path = str(token_file(tmp_path))
    for options, environment in [
        (("--token-file", path, "--token", TOKEN), {}),
        (("--token-file", path), {VARIABLE: TOKEN}),
        (("--token", TOKEN), {VARIABLE: TOKEN}),
        (("--token", TOKEN), {"CODE_INTERPRETER_TOKEN_FILE": path}),
        ((), {VARIABLE: TOKEN, "CODE_INTERPRETER_TOKEN_FILE": path}),
        (("--token", TOKEN), {VARIABLE: ""}),
    ]:
        result = serve(tmp_path, *options, environment=environment)
        assert result.returncode != 0
        for way in ("--token-file", "--token", VARIABLE):
            assert way in result.stderr
        assert TOKEN not in result.stderr


def test_a_short_token_is_warned_of(start_server):
    server = start_server("--token", "short", token="short")
    assert server.client.get("/contexts").status == 200
    assert any(" warning " in line and "can be guessed" in line for line in server.log_lines)
    assert not any("can be guessed" in line for line in start_server("--token", TOKEN).log_lines)


# The claim


def claim(port):
    return Client(port).post("/claim")


def test_the_first_claim_gets_the_token(start_server):
    server = start_server("--claim")
    assert "/claim" in "".join(server.output)
    assert server.client.get("/health").status == 200
    for method, path in ROUTES:
        if (method, path) != ("POST", "/claim"):
            response = exchange(server.port, get(path, f"X-API-Key: {TOKEN}", method=method))
            assert response.status == 403 and "POST /claim" in response.text, (method, path)
    with RawConnection(server.port) as connection:
        connection.send(get("/files/x", "Content-Length: 10", "Expect: 100-continue", method="PUT"))
        assert connection.response().status == 403

    response = claim(server.port).expect(200)
    assert response.headers["Content-Type"] == "application/json" and response.headers["Cache-Control"] == "no-store"
    assert set(response.json) == {"token"} and re.fullmatch(r"[0-9a-f]{64}", response.json["token"])
    wait_until(lambda: any("the server is claimed" in line and "client=127.0.0.1" in line for line in server.log_lines), "the claim is in the log")
    assert response.json["token"] not in server.log

    check_error(claim(server.port), 404, "claimed")
    mine = Client(server.port, token=response.json["token"])
    check_error(mine.post("/claim"), 404, "claimed")
    assert mine.execute("6 * 7").succeeded().text == "42"
    check_refusal(exchange(server.port, get("/contexts")), "no token")
    check_refusal(exchange(server.port, get("/claim")), "no token")
    check_refusal(exchange(server.port, get("/contexts", f"X-API-Key: {TOKEN}")), "a wrong token")
    assert server.client.get("/health").status == 200


def test_one_of_many_claims_wins(start_server):
    server = start_server("--claim")
    responses = at_once(32, lambda _: claim(server.port))
    assert sorted(response.status for response in responses) == [200] + 31 * [404]
    (token,) = [response.json["token"] for response in responses if response.status == 200]
    assert Client(server.port, token=token).get("/contexts").status == 200
    with RawConnection(server.port) as connection:
        connection.send(100 * get("/claim", method="POST"))
        assert {connection.response().status for _ in range(100)} == {404}


def test_tokens_of_claims_differ(start_server):
    tokens = [claim(start_server("--claim").port).json["token"] for _ in range(2)]
    assert tokens[0] != tokens[1]


def test_a_page_of_another_site_cannot_claim(start_server):
    server = start_server(environment={"CODE_INTERPRETER_CLAIM": "true"})
    assert exchange(server.port, get("/claim", "Origin: http://evil.example", method="POST")).status == 403
    rebound = b"POST /claim HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n"
    assert exchange(server.port, rebound).status == 421
    assert exchange(server.port, rebound.replace(b"Origin: http://evil.example\r\n", b"")).status == 421
    assert claim(server.port).status == 200


def test_there_is_no_claim_without_the_option(server, guarded):
    assert claim(server.port).status == 404
    check_refusal(exchange(guarded.port, get("/claim", method="POST")))
    assert guarded.client.post("/claim").status == 404


def test_a_claim_excludes_a_token(tmp_path):
    for options, environment in [
        (("--claim", "--token", TOKEN), {}),
        (("--claim", "--token-file", str(token_file(tmp_path))), {}),
        (("--claim",), {VARIABLE: TOKEN}),
        (("--token", TOKEN), {"CODE_INTERPRETER_CLAIM": "1"}),
    ]:
        result = serve(tmp_path, *options, environment=environment)
        assert result.returncode != 0 and "--claim" in result.stderr and TOKEN not in result.stderr


# Pages in browsers


def test_with_a_token_every_host_may_come(guarded):
    for host in ("box.example.com", "evil.example:80", "localhost"):
        request = f"GET /contexts HTTP/1.1\r\nHost: {host}\r\n"
        assert exchange(guarded.port, f"{request}X-API-Key: {TOKEN}\r\n\r\n".encode()).status == 200
        # The page of a rebound name has no token.
        check_refusal(exchange(guarded.port, f"{request}Origin: http://{host}\r\n\r\n".encode()))
        assert exchange(guarded.port, f"{request}X-API-Key: {TOKEN}\r\nOrigin: http://other.example\r\n\r\n".encode()).status == 403


def test_after_the_claim_every_host_may_come(start_server):
    server = start_server("--claim")
    request = b"GET /contexts HTTP/1.1\r\nHost: box.example.com\r\nX-API-Key: %b\r\n\r\n"
    assert exchange(server.port, request % b"none").status == 421
    token = claim(server.port).json["token"].encode()
    assert exchange(server.port, request % token).status == 200
    check_refusal(exchange(server.port, request % b"none"))


APP = "https://app.example.com"
CORS = "access-control-"


def test_pages_of_an_allowed_site_can_use_the_server(start_server):
    """As a browser does it: a preflight without the token, then the request with it."""
    server = start_server("--token", TOKEN, "--allowed-origin", APP, "--allowed-origin", "http://localhost:3000", token=TOKEN)
    for origin in (APP, "http://localhost:3000"):
        asked = [f"Origin: {origin}", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type"]
        preflight = exchange(server.port, get("/execute", *asked, method="OPTIONS"))
        assert preflight.status == 204
        assert preflight.fields[CORS + "allow-origin"] == origin and preflight.fields["vary"] == "Origin"
        assert {"POST", "PUT", "DELETE"} <= set(preflight.fields[CORS + "allow-methods"].split(", "))
        assert {"authorization", "content-type"} <= set(preflight.fields[CORS + "allow-headers"].split(","))
        body = b'{"code": "1"}'
        request = get("/execute", f"Origin: {origin}", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json", f"Content-Length: {len(body)}", method="POST")
        response = exchange(server.port, request + body)
        assert response.status == 200 and b"end_of_execution" in response.body
        assert response.fields[CORS + "allow-origin"] == origin and response.fields["vary"] == "Origin"
        exposed = response.fields[CORS + "expose-headers"].split(", ")
        assert {"X-Execution-ID", "X-Request-ID", "Location", "ETag"} <= set(exposed)
        # The page can read the errors, too.
        for response in (check_refusal(exchange(server.port, get("/contexts", f"Origin: {origin}"))),
                         exchange(server.port, get("/nowhere", f"Origin: {origin}", f"X-API-Key: {TOKEN}"))):  # fmt: skip
            assert response.fields[CORS + "allow-origin"] == origin


def test_pages_of_other_sites_stay_out(start_server):
    server = start_server("--token", TOKEN, environment={"CODE_INTERPRETER_ALLOWED_ORIGIN": f"{APP}, https://two.example.com"})
    for origin in ("http://app.example.com", APP + ":8443", "https://b.app.example.com", "https://evil.example", "null", f"{APP}.evil.example"):
        for method, *fields in (("GET", f"X-API-Key: {TOKEN}"), ("OPTIONS", "Access-Control-Request-Method: GET")):
            response = exchange(server.port, get("/contexts", f"Origin: {origin}", *fields, method=method))
            assert response.status == 403 and "--allowed-origin" in response.text
            assert not any(name.startswith(CORS) for name in response.fields)
    own = exchange(server.port, get("/contexts", "Origin: http://localhost", f"X-API-Key: {TOKEN}"))
    assert own.status == 200 and not any(name.startswith(CORS) for name in own.fields)
    assert exchange(server.port, get("/contexts", "Origin: https://two.example.com", f"X-API-Key: {TOKEN}")).status == 200


def test_an_origin_can_be_allowed_without_a_token(start_server):
    server = start_server("--allowed-origin", APP)
    assert exchange(server.port, get("/contexts", f"Origin: {APP}")).fields[CORS + "allow-origin"] == APP
    assert exchange(server.port, get("/claim", f"Origin: {APP}", "Access-Control-Request-Method: POST", method="OPTIONS")).status == 204
    assert exchange(server.port, get("/contexts")).fields["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["app.example.com", "*", "null", "https://app.example.com/", "https://*.example.com", ""])
def test_what_is_no_origin_cannot_be_allowed(tmp_path, origin):
    result = serve(tmp_path, "--allowed-origin", origin)
    assert result.returncode != 0 and "--allowed-origin" in result.stderr
