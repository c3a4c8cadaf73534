"""Code whose memory the system limits (RLIMIT_DATA)."""

from __future__ import annotations

import pytest
from client import Spawned

#: The limit, and a reserve beyond it, as our server sets them before code runs.
LIMIT = """import resource
data = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData:"))
soft = data + (128 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (soft, soft + (32 << 20)))"""

SHOW = "resource.getrlimit(resource.RLIMIT_DATA)[0] - soft >> 20"


@pytest.mark.parametrize(
    "code",
    ["kept = []\nwhile True: kept.append(object())",
     "kept = []\nwhile True: kept.append(bytearray(1 << 20))",
     "kept = {}\nfor i in range(10**9): kept[i] = str(i)",
     "kept = []\nawait __import__('asyncio').sleep(0)\nwhile True: kept.append(bytearray(1 << 16))"],
)  # fmt: skip
def test_code_that_has_used_up_its_memory_can_still_work(kernel: Spawned, code: str) -> None:
    kernel.run(LIMIT)
    (error,) = [m["content"] for m in kernel.run(code) if m["type"] == "error"]
    assert error["ename"] == "MemoryError"
    # The reserve is there for code that looks, reports and cleans up.
    assert kernel.text(SHOW) == "32"
    assert kernel.text("print(len(kept) > 100); 6 * 7") == "True\n42"
    kernel.run("kept = None")
    assert kernel.text("len(bytearray(16 << 20)) >> 20") == "16"


def test_the_reserve_is_closed_when_memory_is_given_back(kernel: Spawned) -> None:
    kernel.run(LIMIT)
    # Blocks of this size are always the system's own: none stays behind in the heap.
    assert "MemoryError" in kernel.text("kept = []\nwhile True: kept.append(bytearray(b'x') * (36 << 20))")
    kernel.run("kept.append(bytearray(24 << 20))")
    assert kernel.text("len(kept)") == "4"
    kernel.run("kept = None")
    assert kernel.text(SHOW) == "0"


def test_an_allocation_that_fails_at_once_leaves_the_limit(kernel: Spawned) -> None:
    kernel.run(LIMIT)
    assert "MemoryError" in kernel.text("bytearray(1 << 40)")
    assert kernel.text(SHOW) == "0"


def test_without_a_limit_nothing_changes(kernel: Spawned) -> None:
    kernel.run("import resource; before = resource.getrlimit(resource.RLIMIT_DATA)")
    assert "MemoryError" in kernel.text("raise MemoryError")
    assert kernel.text("resource.getrlimit(resource.RLIMIT_DATA) == before") == "True"
