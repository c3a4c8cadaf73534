"""How messages become bytes: any content can be sent.

UTF-8 has no lone surrogates, and JSON has no sets, cycles or integers of any size. A reply that cannot be packed is
never sent, and its client waits forever.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timezone
from typing import Any

import orjson
from jupyter_client import session
from jupyter_client.jsonutil import json_default

#: As jupyter_client's packer: dates without a time zone are UTC.
OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z

#: For what user code may have put in. orjson 3.13 asks a date for its distance to UTC. A time zone that is written in Python may
#: raise then, if only because of an interrupt, and orjson ends the process with a segmentation fault.
SAFE_OPTIONS = OPTIONS | orjson.OPT_PASSTHROUGH_DATETIME

#: The depth of nested objects that JSON parsers commonly accept.
DEPTH = 100

# Bound here, because user code may replace them.
_fast, _slow = orjson.dumps, json.dumps


class Session(session.Session):
    """A session whose headers orjson packs without running Python code."""

    def deserialize(self, *args: Any, **options: Any) -> dict[str, Any]:
        """A message from its parts. jupyter_client gives dates a time zone that is written in Python. All messages about a
        request repeat its header.
        """
        message = super().deserialize(*args, **options)
        for name, value in message["header"].items():
            if isinstance(value, datetime):
                message["header"][name] = value.astimezone(timezone.utc)
        return message


def pack(message: Any) -> bytes:
    """Packs a part of a message as JSON."""
    is_header = type(message) is dict and "msg_id" in message
    try:
        return _fast(message, default=_default, option=OPTIONS if is_header else SAFE_OPTIONS)
    except Exception as error:
        if error.__cause__ is not None and not isinstance(error.__cause__, Exception):
            # An interrupt hit `_default`.
            raise error.__cause__
        return _slow(clean(message), ensure_ascii=False, allow_nan=False).encode()


def _default(value: Any) -> Any:
    """What orjson packs in place of an object that it does not know."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return json_default(value)


def sendable(text: str) -> str:
    """The text with U+FFFD for each lone surrogate; a pair of surrogates becomes one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean(value: Any, depth: int = 0) -> Any:
    """The value in the types of JSON; unknown objects become their `repr`."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return sendable(str.__str__(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth > DEPTH:
        return "..."
    if isinstance(value, dict):
        return {_key(key): clean(member, depth + 1) for key, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean(member, depth + 1) for member in value]
    try:
        return clean(_default(value), depth + 1)
    except Exception:
        return sendable(_repr(value))


def _key(key: Any) -> str:
    if isinstance(key, str):
        return sendable(str.__str__(key))
    simple = key is None or isinstance(key, (bool, int, float))
    return _slow(key) if simple else sendable(_repr(key))


def _repr(value: Any) -> str:
    try:
        return str.__str__(repr(value))
    except Exception:
        return "<repr() failed>"
