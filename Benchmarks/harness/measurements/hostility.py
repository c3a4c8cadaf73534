"""Hostile text: how long others wait while a kernel and clients send text that is slow to compare."""

import threading
from statistics import median

from ..arena import FLOOR, OURS
from ..clients.http import HTTPClient, encode
from .burst import Prober
from .contexts import successful

CLIENTS = 20
MESSAGES = 100
MARKS = "\u0301\u0316"  # Two combining marks, not in canonical order.
LONG_HEADER = "a" + MARKS * (31_000 // 4)

#: The parent of each message is a name of 240 KB, whose comparison as a Swift `String` takes quadratic time.
HOSTILE_CELL = f"""
kernel = get_ipython().kernel
name = "a" + {MARKS!r} * 60_000
parent = {{"header": {{"msg_id": name, "session": kernel.session.session}}, "msg_id": name}}
for _ in range({MESSAGES}):
    kernel.session.send(kernel.iopub_socket, "stream", {{"name": "stdout", "text": "x"}}, parent=parent)
"""


def hostility(arena):
    """The longest that /health takes while a kernel sends 100 hostile messages, and 20 clients hostile headers."""
    server, floor = arena.server(OURS), arena.floor
    if not (server and floor):
        return {"missing": "needs --backend local and a C compiler"}
    contestants = {OURS: server, FLOOR: floor}
    rounds = [once(server, contestants) for _ in range(arena.count(full=7, quick=1))]
    return {
        name: {
            "worst": median(max(times[name]) for times in rounds),
            "all": [max(times[name]) for times in rounds],
            "count": sum(len(times[name]) for times in rounds),
        }
        for name in contestants
    }


def once(server, contestants):
    """{name: milliseconds of each answer}"""
    client = server.client()
    client.execute(client.prepare("1+1"))
    probers = {name: Prober(one.port) for name, one in contestants.items()}
    is_over = threading.Event()
    crowd = [threading.Thread(target=send_headers, args=(server.port, is_over)) for _ in range(CLIENTS)]
    try:
        for thread in crowd:
            thread.start()
        successful(client, HOSTILE_CELL)
    finally:
        is_over.set()
        for thread in crowd:
            thread.join()
    client.close()
    return {name: prober.stop() for name, prober in probers.items()}


def send_headers(port, is_over):
    """Sends requests until the end; each is refused, on a new connection."""
    request = encode("POST", "/execute", b"{}", [("Content-Type", LONG_HEADER)])
    while not is_over.is_set():
        client = HTTPClient(port, block_length=4096)
        try:
            client.send(request)
            client.answer()
        except OSError:
            pass  # Refused without a response.
        finally:
            client.close()
