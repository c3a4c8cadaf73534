"""Bombs in one context: the others go on, and everything is gone with their context."""

import pytest

from support import processes
from support.bombs import BOMBS, LIMITS
from support.waiting import wait_until

pytestmark = pytest.mark.backends("local")


@pytest.mark.parametrize("isolation", [{}, {"isolated": True, "network": False}], ids=["plain", "isolated"])
@pytest.mark.parametrize("code", BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_with_its_context_and_harms_no_other(server, client, code, isolation):
    neighbour = client.create_context()["id"]
    client.execute("kept = 42", context_id=neighbour).succeeded()
    before = set(server.leftovers())
    bomb = client.create_context(**LIMITS, **isolation)["id"]
    started = client.post("/executions", {"code": f"print('it begins', flush=True)\n{code}", "context_id": bomb}).expect(202).json["id"]
    wait_until(lambda: "it begins" in client.get(f"/executions/{started}/events?follow=false").text, "the bomb goes off")
    for _ in range(100):
        assert client.execute("kept", context_id=neighbour).succeeded().text == "42"
        assert client.is_healthy()
    client.delete_context(bomb).expect(200)
    wait_until(lambda: set(server.leftovers()) <= before, lambda: f"nothing is left, and not\n{processes.describe(server.leftovers())}")
    assert client.execute("kept", context_id=neighbour).succeeded().text == "42"
