"""The log: what it contains, and what it must not contain."""

import json

import pytest

SECRETS = {"code": "secret-in-code", "value": "secret-in-value", "output": "secret-in-output", "file": "secret-in-file"}


def use(server):
    """One request of each kind, with a secret in everything that must not be logged."""
    client = server.client
    context = client.create_context()
    code = f"# {SECRETS['code']}\nprint('{SECRETS['output']}'.upper().lower())\nimport os; len(os.environ['NAME'])"
    client.execute(code, context_id=context["id"], env_vars={"NAME": SECRETS["value"]}).succeeded()
    client.execute(f"raise ValueError('{SECRETS['code']}')", env_vars={"NAME": SECRETS["value"]})
    client.execute(f"import os; x = '{SECRETS['code']}'; os._exit(1)", context_id=context["id"])
    client.post("/execute", {"code": [SECRETS["code"]]}).expect(422)
    client.request("POST", "/execute", b'{"code": "' + SECRETS["code"].encode(), {"Content-Type": "application/json"})
    client.put("/files/name", SECRETS["file"].encode()).expect(201)
    client.get("/files/name").expect(200)
    client.delete_context(context["id"]).expect(200)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("level", ["info", "debug", "trace"])
def test_code_values_and_output_are_not_logged(start_server, level, log_format):
    server = start_server("--log-level", level, "--log-format", log_format, "--kernel-env", "GIVEN=secret-in-kernel-env")
    use(server)
    server.stop()
    assert server.log.count("/execute") >= 4, server.log
    for secret in [*SECRETS.values(), "secret-in-kernel-env"]:
        assert secret not in server.log


@pytest.mark.backends("any")
@pytest.mark.parametrize("log_format, client", [("text", " client=127.0.0.1 "), ("json", '"client":"127.0.0.1"')])
def test_each_request_has_a_line(start_server, log_format, client):
    server = start_server("--log-format", log_format)
    server.client.get("/nowhere").expect(404)
    server.client.put("/files/a", b"12345").expect(201)
    server.stop()
    lines = server.log.splitlines()
    (missing,) = [line for line in lines if "/nowhere" in line]
    assert "GET" in missing and "404" in missing
    (upload,) = [line for line in lines if "/files/a" in line]
    assert "PUT" in upload and "201" in upload
    assert client in missing and client in upload


def test_json_logs_are_one_object_per_line(start_server):
    server = start_server("--log-format", "json", "--log-level", "debug")
    server.client.execute("import sys; print('noise', file=sys.stderr)").succeeded()
    server.client.get("/no\"where\\").expect(404)
    server.client.get("/n%0aowhere%1b").expect(404)
    server.stop()
    logged = "".join(server.log_lines) or "".join(server.output)
    objects = [json.loads(line) for line in logged.splitlines() if not line.startswith("Listening")]
    assert objects and all(isinstance(one, dict) for one in objects)
    requests = [json.dumps(one) for one in objects if "/execute" in json.dumps(one)]
    assert any("POST" in one and "200" in one for one in requests), requests


@pytest.mark.backends("any")
def test_a_request_cannot_forge_a_line(start_server):
    server = start_server()
    server.client.get("/%0d%0aforged%20line").expect(404)
    server.stop()
    (line,) = [line for line in server.log.splitlines() if "forged" in line]
    assert "path=/%0d%0aforged%20line" in line


@pytest.mark.backends("any")
def test_the_log_level_is_respected(start_server):
    server = start_server("--log-level", "error")
    server.client.execute("1").succeeded()
    assert "/execute" not in "".join(server.log_lines)


@pytest.mark.backends("jupyter")
def test_the_token_of_the_back_end_is_hidden_from_other_processes(start_server):
    """Command lines are public: the token of the managed Jupyter Server must not be in one."""
    from pathlib import Path

    server = start_server("--log-level", "debug")
    processes = [Path(f"/proc/{pid}") for pid in server.leftovers()]
    variables = [line for process in processes for line in (process / "environ").read_bytes().split(b"\0")]
    tokens = {line.removeprefix(b"JUPYTER_TOKEN=") for line in variables if line.startswith(b"JUPYTER_TOKEN=")}
    assert len(tokens) == 1
    for process in processes:
        assert tokens.isdisjoint((process / "cmdline").read_bytes().replace(b"=", b"\0").split(b"\0"))
