"""Many readers of one execution, each at its own speed: none slows the kernel or another one, or fills the server's memory."""

import hashlib
import json
import resource
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import processes
from support.client import check_error
from support.raw import RawConnection
from support.waiting import wait_until

PRINTED, LENGTH = 3000, 350_000
"""The journal has nearly 1 GiB."""
WHOLE, SLOW, STOPPED_EACH, STOPPED_THREADS = 3, 5, 16, 12
READERS = WHOLE + SLOW + STOPPED_EACH * STOPPED_THREADS
READER_MEMORY = 3 * (256 << 10)
"""Of a reader that stops, one block is half in the socket, one waits behind it, and one has been read."""
OTHER_MEMORY = 64 << 20
"""What is not written to the file yet, messages of the kernel, connections."""
BEGINNING = 4 << 20
"""How much of the journal the stopped readers are compared with."""


def printed(number):
    return f"{number} ".ljust(LENGTH, "x")


def raw_lines(client, identifier, **query):
    """The lines as bytes, to the end."""
    stream = client.events(identifier, **query)
    yield from stream.response
    stream.vanish()


def read_whole(client, identifier, checks):
    """Returns the digest of all lines, and the beginning; checks every line, or compares with one that does by the digest."""
    digest, beginning, checked, rest = hashlib.sha256(), b"", 0, ""
    for line in raw_lines(client, identifier):
        digest.update(line)
        if len(beginning) < BEGINNING:
            beginning += line
        if checks and (value := json.loads(line))["type"] == "stdout":
            *texts, rest = (rest + value["text"]).split("\n")
            for number, text in enumerate(texts, checked):
                assert text == printed(number), f"{text[:50]!r} is not line {number}"
            checked += len(texts)
    assert json.loads(line)["type"] == "end_of_execution" and line.endswith(b"\n")
    assert not checks or (checked, rest) == (PRINTED, "")
    return digest.digest(), beginning


class Reader(RawConnection):
    """Reads as much as it is told to."""

    def __init__(self, port, identifier):
        super().__init__(port, receive_buffer=1 << 16)
        self.send(b"GET /executions/%b/events HTTP/1.1\r\nHost: localhost\r\n\r\n" % identifier.encode())
        assert self.head().status == 200
        self.lines = b""

    def read(self, count):
        end = len(self.lines) + count
        while len(self.lines) < end:
            self.lines += self.chunk()
        return self


class LargestMemory(threading.Thread):
    """The most memory of a process that files do not back, in bytes, from begin to end of a `with` statement."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.over, self.bytes = pid, threading.Event(), 0

    def run(self):
        while not self.over.wait(0.01):
            self.look()

    def look(self):
        self.bytes = max(self.bytes, processes.anonymous_bytes(self.pid))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.look()


@pytest.mark.backends("any")
def test_200_readers_at_their_own_speeds(start_server):
    server = start_server("--max-readers", str(READERS), "--write-timeout", "600", "--warm", "0")
    client = server.client
    context, other = (client.create_context()["id"] for _ in range(2))
    for one in (context, other):
        client.execute("1", context_id=one).succeeded()
    memory, descriptors = processes.anonymous_bytes(server.pid), processes.open_descriptors(server.pid)
    code = f"for number in range({PRINTED}): print(f'{{number}} '.ljust({LENGTH}, 'x'))"
    identifier = client.start(code, context_id=context)["id"]
    over = threading.Event()

    def slow():
        with Reader(server.port, identifier) as reader:
            while not over.wait(0.01):
                reader.socket.recv(1 << 16)

    def stopped(index):
        sizes = [0, 1, 1 << 18, 1 << 20]
        return [Reader(server.port, identifier).read(sizes[(index + n) % 4]) for n in range(STOPPED_EACH)]

    def neighbour():
        count = 0
        while not over.is_set():
            assert client.execute(f"{count} + 1", context_id=other).succeeded().text == str(count + 1)
            count += 1
        return count

    with LargestMemory(server.pid) as largest, ThreadPoolExecutor(64) as pool:
        whole = [pool.submit(read_whole, client, identifier, index == 0) for index in range(WHOLE)]
        crowd = [pool.submit(slow) for _ in range(SLOW)]
        lazy = [pool.submit(stopped, index) for index in range(STOPPED_THREADS)]
        short = pool.submit(neighbour)
        try:
            found = [reader.result() for reader in whole]
            readers = [reader for some in lazy for reader in some.result()]
        finally:
            over.set()
        for reader in crowd:
            reader.result()
        assert short.result() > 0
    assert len({digest for digest, _ in found}) == 1
    grown = largest.bytes - memory
    assert grown < READERS * READER_MEMORY + OTHER_MEMORY, f"grew by {grown >> 20} MiB"
    # Those that had stopped read on, while others leave.
    beginning = found[0][1]
    for index, reader in enumerate(readers):
        if index % 10 == 0:
            reader.read(1 << 20)
        assert reader.lines == beginning[: len(reader.lines)]
        reader.close()
    client.delete(f"/executions/{identifier}").expect(204)
    wait_until(lambda: processes.open_descriptors(server.pid) <= descriptors, "the descriptors are closed again")


@pytest.mark.backends("any")
def test_readers_of_a_deleted_execution_read_to_the_end(server, client, context):
    client.execute("1", context_id=context["id"]).succeeded()
    descriptors = processes.open_descriptors(server.pid)
    code = "for number in range(30): print(number, 'x' * 1_000_000)"
    identifier = client.start(code, context_id=context["id"])["id"]
    lines = b"".join(raw_lines(client, identifier))
    readers = [Reader(server.port, identifier).read(index << 17) for index in range(10)]
    client.delete(f"/executions/{identifier}").expect(204)
    check_error(client.get(f"/executions/{identifier}/events"), 404, identifier)
    for reader in readers[:5]:
        # Some leave while a block is read for them.
        reader.close()
    for reader in readers[5:]:
        while piece := reader.chunk():
            reader.lines += piece
        assert reader.lines == lines
        reader.close()
    wait_until(lambda: processes.open_descriptors(server.pid) <= descriptors, "the descriptors are closed again")


@pytest.mark.backends("any")
def test_a_reader_that_is_overtaken_is_told(start_server, gate):
    server = start_server("--max-journal", str(8 << 20))
    client = server.client
    show = "for number in range({}, {}): display({{'text/plain': f'{{number}} '.ljust(500, 'x')}}, raw=True)\n"
    # The first ones are longer than what the sockets take.
    identifier = client.start(show.format(0, 10_000) + gate.code + show.format(10_000, 25_000))["id"]
    wait_until(lambda: client.record(identifier)["lines"] == 10_001, "the first lines are there")
    with Reader(server.port, identifier) as reader:
        reader.read(1)
        gate.open()
        wait_until(lambda: client.record(identifier)["state"] == "succeeded", "the execution ends")
        while piece := reader.chunk():
            reader.lines += piece
    *results, error, end = map(json.loads, reader.lines.splitlines()[1:])
    assert [int(result["text"].split()[0]) for result in results] == list(range(len(results)))
    assert error["name"] == "OutputNotKept" and "--max-journal" in error["value"] and end == {"type": "end_of_execution"}
    # Lines are counted from 0.
    first = client.record(identifier)["first_line"]
    assert len(results) < first and f"line {first}," in error["value"]


@pytest.mark.backends("any")
def test_where_the_disk_takes_no_more_the_last_lines_are_kept(start_server):
    """The system's limit of the size of files stands for a full disk, which only root can make."""
    limit = 4 << 20
    server = start_server(before_start=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    client = server.client
    memory = processes.anonymous_bytes(server.pid)
    identifier = client.start("for number in range(300): print(number, 'x' * 100_000)")["id"]
    wait_until(lambda: client.record(identifier)["state"] == "succeeded", "the execution ends")
    assert "are kept no longer" in server.log and "EFBIG" in server.log
    record = client.record(identifier)
    check_error(client.get(f"/executions/{identifier}/events"), 410, f"after={record['first_line']}")
    kept = list(raw_lines(client, identifier, after=record["first_line"]))
    assert len(kept) == record["lines"] - record["first_line"] and json.loads(kept[-1])["type"] == "end_of_execution"
    assert processes.anonymous_bytes(server.pid) - memory < 32 << 20
    # Others go on.
    assert client.execute("1").text == "1"


@pytest.mark.backends("any")
def test_files_of_journals_leave_descriptors_for_others(start_server):
    limit = 256
    server = start_server(before_start=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    client = server.client
    context = client.create_context()["id"]
    started = []
    for number in range(limit // 4 + 20):
        started.append(client.start(f"print({number}, 'x' * 1_500_000)", context_id=context)["id"])
        client.events(started[-1]).finish().succeeded()
    kept = [record["id"] for record in client.get("/executions").json]
    assert limit // 4 - 2 <= len(kept) <= limit // 4 + 2 and kept == started[-len(kept) :]
    assert client.events(kept[0]).finish().stdout.startswith(f"{started.index(kept[0])} x")
    assert client.execute("1", context_id=client.create_context()["id"]).text == "1"
