"""`sys.stdout` and `sys.stderr` have the interface of text files."""

from __future__ import annotations

from pathlib import Path

import pytest
from client import Spawned
from conftest import Kept


def make(directory: Path) -> Spawned:
    kernel = Spawned(directory)
    kernel.run("import codecs, io, os, shutil, sys")
    return kernel


@pytest.fixture
def kernel(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Spawned:
    return kept.get(lambda: make(tmp_path_factory.mktemp("kernel")))


WRITTEN = {
    "bytes": ("sys.stdout.buffer.write('é🙂\\n'.encode()); print('b')", "é🙂\nb\n"),
    "bytes in parts": ("for b in 'é🙂\\n'.encode(): sys.stdout.buffer.write(bytes([b]))", "é🙂\n"),
    "bytes with text between": ("print('a'); sys.stderr.buffer.write(b'b\\n'); print('c')", "a\nb\nc\n"),
    "a memoryview": ("sys.stdout.buffer.write(memoryview(b'abc')[1:]);", "bc"),
    "an array": ("import array; print(sys.stdout.buffer.write(array.array('h', [0x4141])))", "AA2\n"),
    "a copy of a file": ("shutil.copyfileobj(io.BytesIO(b'copied'), sys.stdout.buffer)", "copied"),
    "lines": ("sys.stdout.writelines(['a', 'b']); sys.stdout.buffer.writelines([b'c', b'd'])", "abcd"),
    "raw": ("sys.stdout.buffer.raw.write(b'raw');", "raw"),
    "print of bytes": ("print('x', file=codecs.getwriter('utf-8')(sys.stdout.buffer))", "x\n"),
    "reconfigure": ("sys.stdout.reconfigure(encoding='utf-8', errors='replace', line_buffering=True); print('é')", "é\n"),
    "reconfigure says so": (
        "sys.stdout.reconfigure(errors='replace'); a = sys.stdout.errors; sys.stdout.reconfigure(errors='strict'); print(a)",
        "replace\n",
    ),
    "attributes": (
        "print(sys.stdout.encoding.lower(), sys.stdout.errors, sys.stdout.newlines, sys.stdout.line_buffering,"
        " sys.stdout.write_through, sys.stdout.mode, sys.stdout.closed, sys.stdout.isatty(), sys.stdout.readable(),"
        " sys.stdout.writable(), sys.stdout.seekable(), sys.stdout.fileno(), sys.stderr.fileno(), sys.stderr.buffer.fileno())",
        "utf-8 strict None True False w False False False True False 1 2 2\n",
    ),
    "closed": ("with sys.stdout as file: print('a', file=file)\nprint('b')", "a\nb\n"),
    "closed buffer": ("sys.stdout.buffer.close(); print('a'); sys.stdout.buffer.write(b'b');", "a\nb"),
}


@pytest.mark.parametrize(("code", "output"), WRITTEN.values(), ids=WRITTEN)
def test_written_text_is_sent(kernel: Spawned, code: str, output: str) -> None:
    for _ in range(3):
        assert kernel.text(code + "\n'';") == output


REFUSED = {
    "text to the buffer": ("sys.stdout.buffer.write('x')", "TypeError: a bytes-like object is required, not 'str'"),
    "bytes to the stream": ("sys.stdout.write(b'x')", "TypeError: write() argument must be str, not bytes"),
    "an unknown encoding": ("sys.stdout.reconfigure(encoding='klingon')", "LookupError: unknown encoding: klingon"),
    "an unknown newline": ("sys.stdout.reconfigure(newline='x')", "ValueError: illegal newline value: 'x'"),
    "reading": ("sys.stdout.read()", "UnsupportedOperation"),
    "seeking": ("sys.stdout.seek(0)", "UnsupportedOperation"),
}


@pytest.mark.parametrize(("code", "error"), REFUSED.values(), ids=REFUSED)
def test_invalid_operations_are_refused(kernel: Spawned, code: str, error: str) -> None:
    assert error in kernel.text(code)
    assert kernel.text("print('goes on')") == "goes on\n"


@pytest.mark.parametrize("inner", ["sys.stdout.buffer", "sys.stdout.detach()"])
def test_code_may_wrap_the_buffer_and_drop_the_wrapper(kernel: Spawned, inner: str) -> None:
    kernel.run(f"own = sys.stdout; sys.stdout = io.TextIOWrapper({inner}, encoding='utf-8')")
    assert kernel.text("print('é')") == "é\n"
    assert kernel.text("sys.stdout = own; import gc; gc.collect(); print('goes on')") == "goes on\n"
    assert kernel.text("sys.stdout.buffer.write(b'too');") == "too"
