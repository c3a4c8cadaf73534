"""A server for https."""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from support.certificates import Authority
from support.client import check_error
from support.kept import Kept
from support.raw import RawConnection, get
from support.server import BINARY, KERNEL_ENVIRONMENT, Server
from support.tokens import TOKEN, token_file
from support.waiting import HANG, wait_until

pytestmark = pytest.mark.backends("any")


@pytest.fixture
def authority(tmp_path):
    directory = tmp_path / "authority"
    directory.mkdir()
    return Authority(directory)


@pytest.fixture(scope="module")
def kept_server(backend, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    workspace = directory / "workspace"
    workspace.mkdir()

    def make():
        authority = Authority(directory)
        return Server(workspace, *authority.options, backend=backend, authority=authority)

    kept = Kept(make, Server.stop)
    yield kept
    kept.close()


@pytest.fixture
def secure(kept_server, use):
    """A server that the tests of this file share, which change nothing in it."""
    return use(kept_server)


def connect(server, *, protocols=None, version=None, session=None, context=None):
    """A TLS connection."""
    context = context or ssl.create_default_context(cafile=server.authority.certificate)
    if protocols:
        context.set_alpn_protocols(protocols)
    if version:
        context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", server.port), HANG)
    try:
        return context.wrap_socket(plain, server_hostname="localhost", session=session)
    except BaseException:
        plain.close()
        raise


def ask(connection, request=get("/health")):
    """Sends a request that is answered without chunks; the body."""
    connection.sendall(request)
    head, _, body = b"", b"", b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(1 << 16)
        assert piece, f"closed after {head!r}"
        head += piece
    head, _, body = head.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body


# Clients


def test_executions_and_files_go_over_tls(secure):
    client = secure.client
    assert client.execute("print('over TLS'); 6 * 7").succeeded().text == "42"
    content = os.urandom(20_000_000)
    client.put("/files/large", content).expect(201)
    assert client.get("/files/large").expect(200).body == content
    text = client.execute("print('x' * 30_000_000)").succeeded().stdout
    assert len(text) == 30_000_001


def test_lines_come_while_the_code_runs(secure, gate):
    stream = secure.client.stream(f"print('before', flush=True)\n{gate.code}\nprint('after')")
    assert stream.until("stdout")["text"] == "before\n"
    gate.open()
    assert stream.finish().succeeded().stdout == "before\nafter\n"


def test_curl_is_served(secure):
    def curl(*arguments):
        command = ["curl", "--silent", "--show-error", "--cacert", secure.authority.certificate, "--max-time", "60", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    url = f"https://localhost:{secure.port}"
    done = curl("--write-out", " %{http_version} %{ssl_verify_result}", f"{url}/health")
    assert done.stdout == '"OK" 1.1 0', done
    # In one write: what `print` writes in two may come as two lines.
    body = json.dumps({"code": "import sys; _ = sys.stdout.write('1\\n'); 2"})
    for version in ("--tlsv1.3", "--tls-max"):
        options = [version] if version == "--tlsv1.3" else [version, "1.2"]
        done = curl(*options, "--no-buffer", "-H", "Content-Type: application/json", "-d", body, f"{url}/execute")
        assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == [
            "number_of_executions", "stdout", "result", "end_of_execution"], done  # fmt: skip
    untrusting = subprocess.run(["curl", "--silent", "--show-error", f"{url}/health"], capture_output=True, text=True)
    assert untrusting.returncode == 60, untrusting


@contextlib.contextmanager
def site(directory):
    """Another site on this machine, whose pages are in a directory; its origin."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{site.server_port}"
        finally:
            site.shutdown()


def test_chromium_is_served(start_server, authority, tmp_path):
    page = """<body><script>
        const answer = fetch("https://localhost:PORT/execute", {
          method: "POST", headers: {"Authorization": "Bearer TOKEN", "Content-Type": "application/json"},
          body: JSON.stringify({code: "print('in a page'); 6 * 7"}),
        });
        answer.then(response => response.text()).then(
          text => { document.body.textContent = "lines:" + text.replaceAll("\\n", ";") },
          error => { document.body.textContent = "error:" + error });
        </script></body>"""
    with site(tmp_path) as origin:
        server = start_server(
            *authority.options, "--token-file", token_file(tmp_path), "--allowed-origin", origin, authority=authority, token=TOKEN
        )
        (tmp_path / "page.html").write_text(page.replace("PORT", str(server.port)).replace("TOKEN", TOKEN))
        done = subprocess.run(
            ["chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=20000",
             f"--user-data-dir={tmp_path}/profile", f"--ignore-certificate-errors-spki-list={authority.fingerprint()}",
             f"{origin}/page.html"],
            capture_output=True, text=True, timeout=HANG,
        )  # fmt: skip
    assert "in a page" in done.stdout and "end_of_execution" in done.stdout, done.stdout + done.stderr[-3000:]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_client_that_returns_resumes_its_session(secure, version):
    context = ssl.create_default_context(cafile=secure.authority.certificate)
    with connect(secure, context=context, version=version) as first:
        assert not first.session_reused and ask(first) == b'"OK"'
        session = first.session
    with connect(secure, context=context, session=session) as second:
        assert second.session_reused and ask(second) == b'"OK"'
        cipher, _, _ = second.cipher()
        assert "GCM" in cipher or "CHACHA20" in cipher


def test_http_1_1_is_chosen_and_nothing_else(secure):
    with connect(secure, protocols=["h2", "http/1.1"]) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1" and ask(connection) == b'"OK"'
    with connect(secure) as connection:
        assert connection.selected_alpn_protocol() is None and ask(connection) == b'"OK"'
    with pytest.raises(ssl.SSLError, match="alert no application protocol"):
        connect(secure, protocols=["h2"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_versions_before_1_2_are_refused(secure):
    context = ssl.create_default_context(cafile=secure.authority.certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        connect(secure, context=context, version=ssl.TLSVersion.TLSv1_1)


def test_a_client_without_tls_is_told(secure):
    with RawConnection(secure.port) as connection:
        response = connection.send(get("/health")).response()
        assert response.status == 400 and "https://" in response.text
        assert connection.is_closed()


def test_a_cut_upload_leaves_nothing(secure):
    connection = connect(secure)
    connection.sendall(b"PUT /files/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
    connection.close()
    wait_until(lambda: not list(secure.workspace.glob("*cut*")), "nothing of the upload is left")
    secure.client.get("/files/cut").expect(404)
    assert not [name for name in os.listdir(secure.workspace) if "large" not in name]


def test_a_client_that_leaves_a_stream_does_not_stop_the_code(secure, tmp_path):
    marker = tmp_path / "ended"
    record = secure.client.start(f"import time; time.sleep(0.3); open({str(marker)!r}, 'w').close(); print('done')")
    stream = secure.client.events(record["id"])
    stream.vanish(reset=True)
    wait_until(marker.exists, "the code ends")
    events = secure.client.events(record["id"]).finish()
    assert events.succeeded().stdout == "done\n"


def test_garbage_harms_nobody(secure):
    for data in (b"", b"\x16", b"\x16\x03\x01\xff\xff" + b"\0" * 70_000, b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01", b"\0" * 10_000,
                 b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x40\x00" + b"a" * 16384):  # fmt: skip
        with RawConnection(secure.port) as connection:
            connection.send_quietly(data)
            with contextlib.suppress(OSError):
                connection.finish_sending()
            connection.rest()
    for _ in range(50):
        # Half a handshake, from a real client.
        client, peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = ssl.create_default_context().wrap_bio(peer, client, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        with RawConnection(secure.port) as connection:
            connection.send(client.read()[:100])
    assert secure.client.is_healthy()


def test_the_health_command_speaks_tls(secure):
    def health(*options, **environment):
        return subprocess.run([BINARY, "health", *options], env=environment, capture_output=True, text=True, timeout=HANG)

    certificate = str(secure.authority.server_certificate)
    url = f"https://127.0.0.1:{secure.port}"
    done = health("--port", str(secure.port), "--tls-certificate", certificate)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{url} is ready\n", "")
    assert health(CODE_INTERPRETER_PORT=str(secure.port), CODE_INTERPRETER_TLS_CERTIFICATE=certificate).returncode == 0
    assert "answers 400" in health("--port", str(secure.port)).stderr
    untrusted = health("--url", url)
    assert untrusted.returncode == 1 and "not trusted" in untrusted.stderr
    assert health("--url", url, SSL_CERT_FILE=str(secure.authority.certificate)).returncode == 0


# The certificate


def shown(server):
    """The certificate that the server shows, as a digest."""
    with connect(server) as connection:
        return hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()


def logged(server, text):
    return [line for line in server.log_lines if text in line]


def test_a_new_certificate_is_shown_after_sighup_while_streams_go_on(start_server, authority, gate):
    server = start_server(*authority.options, authority=authority)
    old = shown(server)
    stream = server.client.stream(f"print('before', flush=True)\n{gate.code}\nprint('after')")
    stream.until("stdout")
    for round in (1, 2):
        authority.issue()
        server.signal(signal.SIGHUP)
        wait_until(lambda: len(logged(server, "the certificate was read again")) == round, "it is read again")
        new = shown(server)
        assert new != old
        old = new
    gate.open()
    assert stream.finish().succeeded().stdout == "before\nafter\n"


def test_an_unusable_certificate_changes_nothing(start_server, authority):
    server = start_server(*authority.options, authority=authority)
    old = shown(server)
    authority.server_certificate.write_text("nonsense")
    server.signal(signal.SIGHUP)
    wait_until(lambda: logged(server, "the old one stays"), "it says so")
    assert shown(server) == old
    authority.issue()
    server.signal(signal.SIGHUP)
    wait_until(lambda: shown(server) != old, "the new one is shown")


def test_sighup_while_it_starts_does_no_harm(start_server, authority):
    server = start_server(*authority.options, authority=authority, wait=False)
    for _ in range(20):
        server.signal(signal.SIGHUP)
    server.wait_until_healthy()
    assert server.client.execute("1 + 1").succeeded().text == "2"


def test_without_a_certificate_sighup_stops_the_server_in_order(start_server):
    server = start_server()
    server.signal(signal.SIGHUP)
    assert server.wait() == 0


def serve(tmp_path, *options):
    """A start that fails; what it says."""
    command = [BINARY, "serve", "--port", "0", "--workspace", tmp_path, "--python-environment", KERNEL_ENVIRONMENT, *options]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=HANG)
    assert done.returncode != 0, done
    return done.stderr


def test_a_start_with_an_unusable_certificate_says_why(tmp_path, authority):
    certificate, key = authority.options[1], authority.options[3]
    assert "Give both" in serve(tmp_path, "--tls-certificate", certificate)
    assert "Give both" in serve(tmp_path, "--tls-key", key)
    assert f"cannot load a certificate from {tmp_path}/none: No such file" in serve(
        tmp_path, "--tls-certificate", tmp_path / "none", "--tls-key", key
    )
    assert "cannot load a private key" in serve(tmp_path, "--tls-certificate", certificate, "--tls-key", certificate)
    other = tmp_path / "other"
    other.mkdir()
    assert "is not that of" in serve(tmp_path, "--tls-certificate", certificate, "--tls-key", Authority(other).server_key)
    authority.encrypt_key()
    assert "openssl pkey" in serve(tmp_path, *authority.options)


def test_a_key_that_others_can_read_is_warned_of(start_server, authority):
    authority.server_key.chmod(0o644)
    server = start_server(*authority.options, authority=authority)
    assert logged(server, "others than its owner can read the private key")
    authority.server_key.chmod(0o600)
    quiet = start_server(*authority.options, authority=authority)
    assert not logged(quiet, "private key")


def test_a_token_is_asked_for_over_tls(start_server, authority, tmp_path):
    server = start_server(*authority.options, "--token-file", token_file(tmp_path), authority=authority, token=TOKEN)
    assert server.client.execute("1 + 1").succeeded().text == "2"
    server.client.fields = {}
    check_error(server.client.get("/contexts"), 401)
    assert server.client.is_healthy()
