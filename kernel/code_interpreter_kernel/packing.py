"""How messages become bytes: any content can be sent.

UTF-8 has no lone surrogates, and JSON has no sets, cycles or integers of any size. A reply that cannot be packed is
never sent, and its client waits forever.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
from jupyter_client.jsonutil import json_default

#: As jupyter_client's packer: dates without a time zone are UTC.
OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z

#: The depth of nested objects that JSON parsers commonly accept.
DEPTH = 100

# Bound here, because user code may replace them.
_fast, _slow = orjson.dumps, json.dumps


def pack(message: Any) -> bytes:
    """Packs a part of a message as JSON."""
    try:
        return _fast(message, default=json_default, option=OPTIONS)
    except Exception:
        return _slow(clean(message), ensure_ascii=False, allow_nan=False).encode()


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
        return clean(json_default(value), depth + 1)
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
