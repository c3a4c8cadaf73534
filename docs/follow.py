"""Runs code and prints its output to the end, also if the connection is cut meanwhile. Needs nothing but Python.

    python3 follow.py 'for i in range(100): print(i); __import__("time").sleep(0.1)'

If the server asks for a token, it is taken from the variable CODE_INTERPRETER_TOKEN.
"""

import http.client
import json
import os
import sys
import time
import uuid

HOST, PORT = "127.0.0.1", 49999
TOKEN = os.environ.get("CODE_INTERPRETER_TOKEN")


def follow(code, host=HOST, port=PORT, token=TOKEN, execution_id=None, **fields):
    """Yields the lines of an execution as objects, each once and in order."""
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    # The name makes it safe to send the request again: it runs the code only once.
    name = execution_id or uuid.uuid4().hex
    body = json.dumps({"code": code, "execution_id": name, "on_disconnect": "continue", **fields})
    seen, pause = 0, 0.1
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        try:
            if seen == 0:
                headers = {"Content-Type": "application/json", **authorization}
                connection.request("POST", "/execute", body, headers)
            else:
                connection.request("GET", f"/executions/{name}/events?after={seen}", headers=authorization)
            response = connection.getresponse()
            if response.status >= 400 and response.status not in (429, 503):
                raise ValueError(f"{response.status}: {response.read().decode().strip()}")
            if response.status == 200:
                # The last piece may be half a line: without its line break it is read again.
                while (line := response.readline()).endswith(b"\n"):
                    seen, pause = seen + 1, 0.1
                    value = json.loads(line)
                    yield value
                    if value["type"] == "end_of_execution":
                        return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(pause)
        pause = min(2 * pause, 5)


if __name__ == "__main__":
    for line in follow(sys.argv[1]):
        if line["type"] in ("stdout", "stderr"):
            print(line["text"], end="", flush=True)
        elif line["type"] == "error":
            print(line["traceback"] or f"{line['name']}: {line['value']}", file=sys.stderr)
