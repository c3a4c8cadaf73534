"""The Jupyter messages that a client needs to run code sequentially."""

import json
import uuid

USER = "benchmark"
ID_LENGTH = 12


class ExecuteRequest:
    """An `execute_request` with prepared parts; only the id, of fixed length, changes."""

    def __init__(self, code, session):
        header = header_for("execute_request", session, "\0" * ID_LENGTH)
        self.before, self.after = header.split(b"\\u0000" * ID_LENGTH)
        self.content = json.dumps(
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
            }
        ).encode()

    def header(self, identifier):
        return self.before + identifier + self.after


class Identifiers:
    """Unique message ids of fixed length."""

    def __init__(self):
        self.count = 0

    def next(self):
        self.count += 1
        return b"%0*d" % (ID_LENGTH, self.count)


def new_session():
    return uuid.uuid4().hex


def header_for(kind, session, identifier):
    return json.dumps(
        {
            "msg_id": identifier,
            "msg_type": kind,
            "username": USER,
            "session": session,
            "date": "2024-01-01T00:00:00.000000Z",
            "version": "5.3",
        }
    ).encode()
