"""The stream of an execution: read as it arrives, and checked against the contract."""

import base64
import json
import re
import time
from dataclasses import dataclass, field

RESULT_FIELDS = [
    "text", "html", "markdown", "svg", "png", "jpeg", "pdf", "latex", "json", "javascript",
]  # fmt: skip
FIELDS = {
    "number_of_executions": {"type", "execution_count"},
    "stdout": {"type", "text", "timestamp"},
    "stderr": {"type", "text", "timestamp"},
    "result": {"type", "is_main_result", *RESULT_FIELDS},
    "display_update": {"type", "display_id", "is_main_result", *RESULT_FIELDS},
    "clear_output": {"type", "wait"},
    "context_restarted": {"type", "reason"},
    "input_request": {"type", "prompt", "password"},
    "output_truncated": {"type", "stream", "omitted_bytes"},
    "error": {"type", "name", "value", "traceback"},
    "end_of_execution": {"type"},
}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass
class Line:
    """A line: its bytes, its object, and its time of arrival (monotonic seconds)."""

    raw: bytes
    value: dict
    arrived: float

    @property
    def type(self):
        return self.value["type"]


@dataclass
class Execution:
    """A whole stream."""

    lines: list = field(default_factory=list)

    def of(self, *types):
        return [line.value for line in self.lines if line.type in types]

    @property
    def types(self):
        return [line.type for line in self.lines]

    @property
    def stdout(self):
        return "".join(value["text"] for value in self.of("stdout"))

    @property
    def stderr(self):
        return "".join(value["text"] for value in self.of("stderr"))

    @property
    def results(self):
        return self.of("result")

    @property
    def main(self):
        """The cell's value: the only result with `is_main_result`."""
        found = [value for value in self.results if value["is_main_result"]]
        assert len(found) == 1, f"{len(found)} main results in {self.brief()}"
        return found[0]

    @property
    def text(self):
        return self.main["text"]

    @property
    def restart(self):
        """Why the context's memory was lost; None if that was not reported."""
        found = self.of("context_restarted")
        return found[0]["reason"] if found else None

    @property
    def error(self):
        found = self.of("error")
        assert len(found) == 1, f"{len(found)} errors in {self.brief()}"
        return found[0]

    @property
    def count(self):
        return self.of("number_of_executions")[0]["execution_count"]

    def succeeded(self):
        """Returns itself; fails if an error was reported."""
        assert not self.of("error"), self.brief()
        return self

    def brief(self):
        """For messages: the beginning of every line."""
        return "\n".join(line.raw[:300].decode(errors="replace") for line in self.lines)

    def check(self):
        """Checks the rules for every stream."""
        assert self.types[-1:] == ["end_of_execution"], self.brief()
        assert self.types.count("end_of_execution") == 1, self.brief()
        types = self.types[1:] if self.types[0] == "context_restarted" else self.types
        assert "context_restarted" not in types, self.brief()
        if "number_of_executions" in types:
            assert types.index("number_of_executions") == 0, self.brief()
            assert types.count("number_of_executions") == 1, self.brief()
        for line in self.lines:
            assert line.raw.isascii(), line.raw[:200]
            check_line(line.value)
        return self


def check_line(value):
    kind = value["type"]
    assert kind in FIELDS, f"unknown type {kind!r}"
    allowed = FIELDS[kind] | ({"extra"} if value.get("extra") else set())
    allowed |= {"display_id"} & set(value) if kind == "result" else set()
    allowed |= {"data", "chart"} & set(value) if kind in ("result", "display_update") else set()
    assert set(value) == allowed, f"fields of {kind}: {sorted(value)}"
    for name in ("text", "name", "value", "traceback"):
        if kind in ("stdout", "stderr", "error") and name in value:
            assert isinstance(value[name], str), value
    if kind == "number_of_executions":
        assert type(value["execution_count"]) is int, value
    if kind in ("stdout", "stderr"):
        assert RFC3339.fullmatch(value["timestamp"]), value["timestamp"]
    if kind == "error":
        assert "\x1b" not in value["traceback"], value
    for name in ("display_id", "reason"):
        assert isinstance(value.get(name, ""), str), value
    if kind == "clear_output":
        assert type(value["wait"]) is bool, value
    if kind in ("result", "display_update"):
        assert type(value["is_main_result"]) is bool, value
        for name in ("png", "jpeg", "pdf"):
            if value[name] is not None:
                base64.b64decode(value[name], validate=False)


def _refuse_constant(name):
    """For NaN and infinities, which Python reads and JSON does not have."""
    raise AssertionError(f"{name} is not JSON")


class LineReader:
    """Splits the input into lines. `read` returns the next bytes, and b"" at the end."""

    def __init__(self, read):
        self._read = read
        self._pieces = []
        self._ready = []

    def next(self):
        """The next Line; None at the end of the stream, which must not be inside a line."""
        while not self._ready:
            piece = self._read()
            if not piece:
                rest = b"".join(self._pieces)
                assert not rest, f"the stream ends within a line: {rest[:200]!r}"
                return None
            self._take(piece)
        return self._ready.pop(0)

    def _take(self, piece):
        first, *others = piece.split(b"\n")
        self._pieces.append(first)
        for other in others:
            self._finish(b"".join(self._pieces))
            self._pieces = [other]

    def _finish(self, raw):
        assert raw.strip(), "an empty line"
        value = json.loads(raw, parse_constant=_refuse_constant)
        assert isinstance(value, dict), f"not an object: {raw[:200]!r}"
        self._ready.append(Line(raw, value, time.monotonic()))
