"""GET /health."""

from support import processes
from support.client import check_error
from support.waiting import wait_until


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
