"""The file API: listing, reading, writing and deleting files in the workspace."""

import collections
import email.utils
import hashlib
import json
import os
import socket
import threading
import time
from urllib.parse import quote

import pytest

from support import processes
from support.client import at_once, check_error
from support.raw import RawConnection
from support.waiting import wait_until

pytestmark = pytest.mark.backends("any")

NAMES = [
    "plain.txt", "with space", "ü-😀", "100%", "a%41", "plus+plus", "a#b", "a?b=c", "a&b", "-dash", ".hidden", "'\"",
    "back\\slash", "new\nline", "tab\t", "a:b", "~", "...", "x" * 255,
]  # fmt: skip


def url(path):
    return "/files/" + quote(path, safe="/")


def listing(client, path):
    return client.get("/files?path=" + quote(path, safe="")).expect(200).json


# Listing


def test_a_listing_has_directories_first_then_names(client, workspace):
    (workspace / "b.txt").write_text("12345")
    (workspace / "A.txt").write_text("")
    (workspace / "z").mkdir()
    (workspace / "d").mkdir()
    reply = client.get("/files?path=.").expect(200)
    assert reply.headers["Content-Type"] == "application/json"
    assert set(reply.json) == {"path", "entries"} and reply.json["path"] == "."
    entries = reply.json["entries"]
    assert [(entry["name"], entry["type"], entry["size"]) for entry in entries] == [
        ("d", "dir", None), ("z", "dir", None), ("A.txt", "file", 0), ("b.txt", "file", 5),
    ]  # fmt: skip
    for entry in entries:
        assert set(entry) == {"name", "type", "size", "modified"}
        assert entry["modified"] == pytest.approx((workspace / entry["name"]).stat().st_mtime, abs=0.001)
        assert isinstance(entry["modified"], float)


def test_a_subdirectory_is_listed_with_the_requested_path(client, workspace):
    (workspace / "a ü" / "b").mkdir(parents=True)
    (workspace / "a ü" / "b" / "c").write_text("")
    for path in ("a ü/b", "./a ü/b/", "a ü/../a ü/b"):
        reply = listing(client, path)
        assert (reply["path"], [entry["name"] for entry in reply["entries"]]) == (path, ["c"])


def test_an_empty_directory_is_an_empty_list(client):
    assert listing(client, ".") == {"path": ".", "entries": []}


def test_head_of_a_listing_has_no_body(client):
    assert client.head("/files?path=.").expect(200).body == b""


def test_any_names_are_listed(client, workspace):
    for name in NAMES:
        (workspace / name).write_text("")
    assert {entry["name"] for entry in listing(client, ".")["entries"]} == set(NAMES)


def test_a_name_that_is_not_utf8_does_not_break_a_listing(client, workspace):
    (workspace / os.fsdecode(b"bad-\xff")).write_text("")
    (workspace / "good").write_text("")
    names = [entry["name"] for entry in listing(client, ".")["entries"]]
    assert "good" in names


def test_ten_thousand_entries_are_listed(client, workspace):
    for index in range(10_000):
        (workspace / f"{index:05}").touch()
    assert [entry["name"] for entry in listing(client, ".")["entries"]] == [f"{index:05}" for index in range(10_000)]


def test_links_and_pipes_do_not_stop_a_listing(client, workspace):
    os.mkfifo(workspace / "pipe")
    (workspace / "dangling").symlink_to("nowhere")
    (workspace / "loop").symlink_to("loop")
    (workspace / "out").symlink_to("/etc")
    (workspace / "file").write_text("a")
    names = [entry["name"] for entry in listing(client, ".")["entries"]]
    assert "file" in names


def test_a_path_that_cannot_be_listed_is_refused_with_a_reason(client, workspace):
    (workspace / "file").write_text("")
    check_error(client.get("/files?path=file"), 400)
    check_error(client.get("/files?path=nothing"), 404)


# Reading


@pytest.mark.parametrize("name", NAMES)
def test_any_names_can_be_written_read_and_deleted(client, workspace, name):
    client.put(url(name), b"content").expect(201)
    assert (workspace / name).read_bytes() == b"content"
    assert client.get(url(name)).expect(200).body == b"content"
    client.delete(url(name)).expect(204)
    assert list(workspace.iterdir()) == []


def test_a_path_is_decoded_once(client, workspace):
    (workspace / "a%41").write_text("encoded")
    (workspace / "aA").write_text("decoded")
    assert client.get("/files/a%2541").expect(200).text == "encoded"
    assert client.get("/files/a%41").expect(200).text == "decoded"
    (workspace / "a+b").write_text("plus")
    assert client.get("/files/a+b").expect(200).text == "plus"


@pytest.mark.parametrize("path", ["a%", "a%4", "a%zz"])
def test_a_broken_escape_is_refused(client, path):
    check_error(client.get("/files/" + path), 400)


def test_a_partial_upload_is_refused(client, workspace):
    (workspace / "a").write_bytes(b"0123456789")
    reply = client.request("PUT", "/files/a", b"89", {"Content-Range": "bytes 8-9/10"})
    check_error(reply, 400, "Content-Range")
    assert (workspace / "a").read_bytes() == b"0123456789"


def test_a_file_has_the_header_fields_for_caches(client, workspace):
    (workspace / "a.txt").write_bytes(b"0123456789")
    reply = client.get("/files/a.txt").expect(200)
    assert reply.body == b"0123456789"
    assert reply.headers["Content-Length"] == "10"
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.headers["ETag"].strip("W/").startswith('"')
    modified = email.utils.parsedate_to_datetime(reply.headers["Last-Modified"]).timestamp()
    assert modified == int((workspace / "a.txt").stat().st_mtime)
    head = client.head("/files/a.txt").expect(200)
    assert head.body == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"):
        assert head.headers[name] == reply.headers[name]


@pytest.mark.parametrize(
    "name, media_type",
    [
        ("a.txt", "text/plain"), ("a.html", "text/html"), ("a.css", "text/css"), ("a.csv", "text/csv"),
        ("a.json", "application/json"), ("a.png", "image/png"), ("a.PNG", "image/png"), ("a.jpg", "image/jpeg"),
        ("a.jpeg", "image/jpeg"), ("a.gif", "image/gif"), ("a.svg", "image/svg+xml"), ("a.webp", "image/webp"),
        ("a.pdf", "application/pdf"), ("a.zip", "application/zip"), ("a.gz", "application/gzip"),
        ("a.mp4", "video/mp4"), ("a.mp3", "audio/mpeg"), ("a.tar.gz", "application/gzip"),
        ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a.xyz", "application/octet-stream"), ("a", "application/octet-stream"), (".txt", "application/octet-stream"),
        ("a.", "application/octet-stream"), ("a.txt.unknown", "application/octet-stream"),
    ],
)  # fmt: skip
def test_the_media_type_follows_the_extension(client, workspace, name, media_type):
    (workspace / name).write_bytes(b"x")
    seen = client.get(url(name)).expect(200).headers["Content-Type"].split(";")[0]
    assert seen == media_type


def test_an_empty_file_is_a_file(client, workspace):
    (workspace / "empty").touch()
    reply = client.get("/files/empty").expect(200)
    assert (reply.body, reply.headers["Content-Length"]) == (b"", "0")


@pytest.mark.parametrize(
    "ask, start, end",
    [("bytes=0-0", 0, 1), ("bytes=2-4", 2, 5), ("bytes=5-", 5, 10), ("bytes=-3", 7, 10), ("bytes=8-1000", 8, 10),
     ("bytes=-1000", 0, 10), ("Bytes=1-1", 1, 2), ("bytes=0-18446744073709551616", 0, 10)],
)  # fmt: skip
def test_a_range_is_a_part_of_the_file(client, workspace, ask, start, end):
    content = b"0123456789"
    (workspace / "a").write_bytes(content)
    reply = client.get("/files/a", {"Range": ask}).expect(206)
    assert reply.body == content[start:end]
    assert reply.headers["Content-Range"] == f"bytes {start}-{end - 1}/10"
    assert reply.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("ask", ["bytes=10-", "bytes=11-20", "bytes=-0"])
def test_a_range_outside_the_file_is_refused_with_the_length(client, workspace, ask):
    (workspace / "a").write_bytes(b"0123456789")
    assert client.get("/files/a", {"Range": ask}).expect(416).headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("ask", ["bytes=5-2", "bytes=a-b", "bytes", "lines=1-2", "bytes=", "bytes=--1", "bytes=1", "bytes=-"])
def test_an_invalid_range_is_ignored(client, workspace, ask):
    (workspace / "a").write_bytes(b"0123456789")
    assert client.get("/files/a", {"Range": ask}).expect(200).body == b"0123456789"


def test_a_range_of_another_version_gives_the_whole_file(client, workspace):
    (workspace / "a").write_bytes(b"0123456789")
    tag = client.get("/files/a").headers["ETag"]
    assert client.get("/files/a", {"Range": "bytes=1-1", "If-Range": '"other"'}).expect(200).body == b"0123456789"
    if not tag.startswith("W/"):
        assert client.get("/files/a", {"Range": "bytes=1-1", "If-Range": tag}).expect(206).body == b"1"


def test_a_cached_file_is_not_sent_again(client, workspace):
    (workspace / "a").write_bytes(b"a")
    first = client.get("/files/a")
    tag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    weak = tag if tag.startswith("W/") else "W/" + tag
    for fields in (
        {"If-None-Match": tag}, {"If-None-Match": weak}, {"If-None-Match": "*"}, {"If-None-Match": f'"x", {tag}'},
        {"If-Modified-Since": modified},
        {"If-None-Match": tag, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-None-Match": tag, "Range": "bytes=0-0"},
    ):  # fmt: skip
        reply = client.get("/files/a", fields).expect(304)
        assert (reply.body, reply.headers["ETag"]) == (b"", tag)
    for fields in (
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
    ):
        assert client.get("/files/a", fields).expect(200).body == b"a"


def test_a_changed_file_of_the_same_length_has_another_tag(client):
    client.put("/files/a", b"one").expect(201)
    one = client.get("/files/a").headers["ETag"]
    client.put("/files/a", b"two").expect(200)
    assert client.get("/files/a", {"If-None-Match": one}).expect(200).body == b"two"


def test_only_files_can_be_read(client, workspace):
    (workspace / "directory").mkdir()
    (workspace / "file").write_text("")
    check_error(client.get("/files/directory"), 400)
    check_error(client.get("/files/directory/"), 400)
    check_error(client.get("/files/"), 400)
    check_error(client.get("/files/nothing"), 404)
    check_error(client.get("/files/directory/nothing"), 404)
    check_error(client.get("/files/file/below"), 400)
    check_error(client.get("/files/file/"), 400)
    assert client.head("/files/nothing").expect(404).body == b""


def test_a_pipe_or_a_socket_is_refused_and_blocks_nobody(client, workspace):
    os.mkfifo(workspace / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(workspace / "socket"))
        for name in ("pipe", "socket"):
            check_error(client.get("/files/" + name), 400)
            check_error(client.get("/files?path=" + name), 400)


@pytest.mark.parametrize("name", ["x" * 256, "a/" + "y" * 300, "/".join(["deep"] * 1500)])
def test_an_invalid_file_name_is_refused(client, workspace, name):
    (workspace / "a").mkdir()
    for reply in (client.get(url(name)), client.put(url(name), b"a"), client.delete(url(name))):
        check_error(reply, 400)


def test_a_file_that_shrinks_during_a_download_blocks_nobody(client, workspace, server):
    path = workspace / "shrinks"
    path.write_bytes(bytes(40 << 20))
    with RawConnection(server.port) as connection:
        connection.send(b"GET /files/shrinks HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.head().status == 200
        os.truncate(path, 1000)
        assert len(connection.rest()) < 40 << 20
    assert client.is_healthy()


# Writing


def test_a_new_file_is_created_and_an_old_one_overwritten(client, workspace):
    client.put("/files/a.txt", b"one").expect(201)
    assert (workspace / "a.txt").read_bytes() == b"one"
    client.put("/files/a.txt", b"").expect(200)
    assert (workspace / "a.txt").read_bytes() == b""
    client.put("/files/a.txt", bytes(range(256)) * 1000, {"Content-Type": "text/plain"}).expect(200)
    assert client.get("/files/a.txt").body == bytes(range(256)) * 1000


def test_missing_directories_are_created(client, workspace):
    client.put("/files/a/b%20c/d.txt", b"deep").expect(201)
    assert (workspace / "a" / "b c" / "d.txt").read_bytes() == b"deep"


def test_only_files_can_be_written(client, workspace):
    (workspace / "directory").mkdir()
    (workspace / "file").write_text("kept")
    for path in ("directory", "directory/", "", ".", "new/", "file/below", "directory/.."):
        check_error(client.put("/files/" + path, b"a"), 400)
    assert (workspace / "file").read_text() == "kept"
    assert sorted(os.listdir(workspace)) == ["directory", "file"]


def test_code_and_clients_see_each_others_files(client):
    client.execute("open('made', 'wb').write(bytes(range(256)))").succeeded()
    assert client.get("/files/made").expect(200).body == bytes(range(256))
    client.put("/files/sent", b"sent").expect(201)
    assert client.execute("open('sent').read()").succeeded().text == "sent"


def upload_head(path, *fields):
    return ("\r\n".join([f"PUT /files/{path} HTTP/1.1", "Host: localhost", *fields]) + "\r\n\r\n").encode()


def test_a_chunked_body_is_accepted(client, server, workspace):
    with RawConnection(server.port) as connection:
        connection.send(upload_head("a", "Transfer-Encoding: chunked"))
        connection.send(b"3\r\none\r\n4;extension=1\r\n two\r\n00\r\nTrailer: ignored\r\n\r\n")
        assert connection.response().status == 201
        connection.send(b"GET /files/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.response().body == b"one two"


def test_a_client_that_waits_gets_100_continue(server, workspace):
    with RawConnection(server.port) as connection:
        connection.send(upload_head("a", "Expect: 100-continue", "Content-Length: 3"))
        assert connection.response().status == 100
        assert connection.send(b"abc").response().status == 201
    assert (workspace / "a").read_bytes() == b"abc"


def test_a_refused_upload_gets_no_100_continue(server):
    with RawConnection(server.port) as connection:
        connection.send(upload_head("..%2fout", "Expect: 100-continue", "Content-Length: 3"))
        assert connection.response().status == 400


CUT_UPLOADS = {
    "length": (("Content-Length: 1000000",), b"x" * 500_000),
    "nothing": (("Content-Length: 5",), b""),
    "chunked": (("Transfer-Encoding: chunked",), b"5\r\nhello\r\n"),
    "within a chunk": (("Transfer-Encoding: chunked",), b"10\r\nhello"),
    "before the end of trailers": (("Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\n"),
}


@pytest.mark.parametrize("fields, body", CUT_UPLOADS.values(), ids=CUT_UPLOADS.keys())
@pytest.mark.parametrize("before", [None, b"old"], ids=["new", "old"])
def test_a_truncated_upload_leaves_the_old_file(client, server, workspace, fields, body, before):
    if before is not None:
        (workspace / "a").write_bytes(before)
    with RawConnection(server.port) as connection:
        connection.send(upload_head("a", *fields) + body)
        wait_until(client.is_healthy, "others are served meanwhile")
        if before is not None:
            assert client.get("/files/a").body == before
    expected = [] if before is None else ["a"]
    wait_until(lambda: os.listdir(workspace) == expected, f"only {expected} is left")
    if before is not None:
        assert (workspace / "a").read_bytes() == before


def test_a_malformed_chunked_upload_leaves_the_old_file(server, workspace):
    (workspace / "a").write_bytes(b"old")
    with RawConnection(server.port) as connection:
        connection.send_quietly(upload_head("a", "Transfer-Encoding: chunked") + b"5\r\nhello\r\nzz\r\n")
        assert connection.response().status == 400
    assert (workspace / "a").read_bytes() == b"old"
    wait_until(lambda: os.listdir(workspace) == ["a"], "nothing else is left")


def test_a_reader_sees_the_old_file_or_the_new_one(client):
    sizes = {b"a": 3_000_000, b"b": 1_000_000}
    contents = {letter * size for letter, size in sizes.items()}
    client.put("/files/a", b"a" * sizes[b"a"]).expect(201)

    def work(index):
        for turn in range(10):
            if index < 2:
                letter = b"ab"[index : index + 1]
                client.put("/files/a", letter * sizes[letter]).expect(200)
            else:
                assert client.get("/files/a").expect(200).body in contents

    at_once(5, work)
    assert [entry["name"] for entry in listing(client, ".")["entries"]] == ["a"]


def test_large_files_are_transferred_in_bounded_memory(client, server, workspace):
    size = 192 << 20
    block = os.urandom(1 << 20)
    digest = hashlib.sha256(block * (size >> 20)).hexdigest()
    peaks, done = [], threading.Event()

    def watch():
        while not done.wait(0.02):
            peaks.append(processes.resident_bytes(server.pid))

    before = processes.resident_bytes(server.pid)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        chunks = (block for _ in range(size >> 20))
        client.request("PUT", "/files/big", chunks, {"Content-Length": str(size)}).expect(201)
        connection = client.connect()
        connection.request("GET", "/files/big")
        response, seen = connection.getresponse(), hashlib.sha256()
        while piece := response.read1(1 << 20):
            seen.update(piece)
    finally:
        done.set()
        watcher.join()
    assert seen.hexdigest() == digest
    assert max(peaks) - before < 48 << 20, f"grew by {(max(peaks) - before) >> 20} MiB"


# Deleting


def test_files_and_trees_are_deleted(client, workspace):
    (workspace / "tree" / "a" / "b").mkdir(parents=True)
    (workspace / "tree" / "a" / "file").write_text("")
    (workspace / "tree" / "file").write_text("")
    reply = client.delete("/files/tree").expect(204)
    assert reply.body == b"" and reply.headers["Content-Length"] is None
    assert os.listdir(workspace) == []
    check_error(client.delete("/files/tree"), 404)


def test_deleting_a_link_keeps_its_target(client, workspace, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("kept")
    (workspace / "inside").mkdir()
    (workspace / "inside" / "file").write_text("kept")
    for name, target in {"a": tmp_path / "outside", "b": tmp_path / "outside" / "file", "c": "inside", "d": "nowhere"}.items():
        (workspace / name).symlink_to(target)
        client.delete("/files/" + name).expect(204)
    assert os.listdir(workspace) == ["inside"]
    assert (workspace / "inside" / "file").read_text() == (tmp_path / "outside" / "file").read_text() == "kept"


def test_a_tree_is_deleted_without_following_its_links(client, workspace, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("kept")
    (workspace / "tree").mkdir()
    (workspace / "tree" / "link").symlink_to(tmp_path / "outside")
    (workspace / "tree" / "loop").symlink_to("loop")
    os.mkfifo(workspace / "tree" / "pipe")
    client.delete("/files/tree").expect(204)
    assert (tmp_path / "outside" / "file").read_text() == "kept"


@pytest.mark.parametrize("path", ["", ".", "./", "a/..", "%2e", "a/b/../.."])
def test_the_workspace_itself_cannot_be_deleted(client, workspace, path):
    (workspace / "a" / "b").mkdir(parents=True)
    check_error(client.delete("/files/" + path), 400)
    assert os.listdir(workspace) == ["a"]


# Paths that try to leave


HIDDEN = "words that nobody may see"


@pytest.fixture
def outside(workspace):
    """A secret next to the workspace, in a directory whose name begins like the workspace's. It must never be read or
    changed.
    """
    directory = workspace.parent / (workspace.name + "2")
    directory.mkdir()
    (directory / "secret").write_text(HIDDEN)
    yield directory
    assert (directory / "secret").read_text() == HIDDEN
    assert os.listdir(directory) == ["secret"]
    (directory / "secret").unlink()
    directory.rmdir()


ESCAPES = [
    "../{name}/secret", "%2e%2e/{name}/secret", "..%2f{name}%2fsecret", "a/../../{name}/secret",
    "./../{name}/secret", "a/b/../../../{name}/secret", "{absolute}/secret", "/{absolute}/secret", "%2f{absolute}/secret",
    "../{name}", "..", "../", "%2e%2e", "a/../..", "link/secret", "absolute-link/secret", "chain/secret", "secret-link",
    "../{workspace}/../{name}/secret", "a/up/{name}/secret",
]  # fmt: skip


def hostile(escape, workspace, outside):
    (workspace / "a" / "b").mkdir(parents=True)
    (workspace / "a" / "up").symlink_to("../..")
    (workspace / "link").symlink_to(f"../{outside.name}")
    (workspace / "absolute-link").symlink_to(outside)
    (workspace / "chain").symlink_to("link")
    (workspace / "secret-link").symlink_to(outside / "secret")
    return escape.format(name=outside.name, absolute=str(outside).lstrip("/") if "%2f" in escape else outside,
                         workspace=workspace.name)  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_path_that_leaves_the_workspace_is_refused(client, workspace, outside, escape):
    path = hostile(escape, workspace, outside)
    before = sorted(os.listdir(workspace))
    replies = [client.get("/files/" + path), client.get("/files?path=" + path), client.put("/files/" + path, b"changed")]
    if not escape.endswith("-link"):
        replies.append(client.delete("/files/" + path))
    for reply in replies:
        check_error(reply, 400)
        assert HIDDEN not in reply.text
    assert client.head("/files/" + path).status == 400
    assert sorted(os.listdir(workspace)) == before


@pytest.mark.parametrize("path", ["a%00b", "%00", "a/%00", "a%00/../../secret"])
def test_nul_bytes_are_refused(client, path):
    for reply in (client.get("/files/" + path), client.get("/files?path=" + path), client.put("/files/" + path, b"a"),
                  client.delete("/files/" + path)):  # fmt: skip
        check_error(reply, 400)


@pytest.mark.parametrize("target", ["inside", "{workspace}/inside", "../{name}/inside", "./hop"])
def test_links_that_stay_inside_work(client, workspace, target):
    (workspace / "inside").mkdir()
    (workspace / "inside" / "file").write_text("content")
    (workspace / "hop").symlink_to("inside")
    (workspace / "link").symlink_to(target.format(workspace=workspace, name=workspace.name))
    assert client.get("/files/link/file").expect(200).text == "content"
    assert [entry["name"] for entry in listing(client, "link")["entries"]] == ["file"]
    client.put("/files/link/new", b"new").expect(201)
    assert (workspace / "inside" / "new").read_bytes() == b"new"
    client.delete("/files/link/new").expect(204)
    assert os.listdir(workspace / "inside") == ["file"]


def test_dot_dot_inside_the_workspace_works(client, workspace):
    (workspace / "a").mkdir()
    (workspace / "b").write_text("b")
    assert client.get("/files/a/../b").expect(200).text == "b"


def test_a_dangling_link_or_a_loop_cannot_be_read(client, workspace):
    (workspace / "dangling").symlink_to("nowhere")
    (workspace / "loop").symlink_to("loop")
    assert client.get("/files/dangling").status == 404
    assert client.get("/files/loop").status == 400


def test_writing_to_a_link_that_leads_out_writes_nothing_outside(client, workspace, outside):
    (workspace / "link").symlink_to(outside / "new")
    check_error(client.put("/files/link", b"changed"), 400)


def test_no_race_between_check_and_use_lets_a_path_out(client, workspace, outside):
    """A directory and a link to the outside alternate under one name as fast as possible, while others use it."""
    (workspace / "real").mkdir()
    (workspace / "real" / "secret").write_text("harmless")
    (workspace / "bad").symlink_to(outside)
    done = threading.Event()

    def flip():
        while not done.is_set():
            for name in ("real", "bad"):
                temporary = workspace / "next"
                temporary.symlink_to(workspace / "real" if name == "real" else outside)
                os.rename(temporary, workspace / "flips")

    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        statuses = collections.Counter()
        end = time.monotonic() + 2
        # A busy machine may do little in that time.
        while time.monotonic() < end or min(statuses[200], statuses[400]) < 30:
            reply = client.get("/files/flips/secret")
            statuses[reply.status] += 1
            assert HIDDEN not in reply.text
            client.put("/files/flips/new", b"new")
            client.delete("/files/flips/new")
            names = client.get("/files?path=flips")
            if names.status == 200:
                sizes = {entry["name"]: entry["size"] for entry in json.loads(names.body)["entries"]}
                assert sizes.pop("secret") == len("harmless") and sizes.keys() <= {"new"}
            assert sorted(os.listdir(outside)) == ["secret"]
    finally:
        done.set()
        flipper.join()


def test_methods_that_do_not_exist_are_refused_with_those_that_do(client):
    allowed = check_error(client.post("/files/a", {}), 405).headers["Allow"]
    assert {"GET", "HEAD", "PUT", "DELETE"} <= {method.strip() for method in allowed.split(",")}


# Conditional writes


def test_a_file_is_created_only_if_there_is_none(client):
    only_new = {"If-None-Match": "*"}
    client.put("/files/new/a", b"first", only_new).expect(201)
    check_error(client.put("/files/new/a", b"second", only_new), 412, "new/a")
    assert client.get("/files/new/a").body == b"first"


def test_a_file_is_written_and_deleted_only_if_it_is_unchanged(client):
    client.put("/files/a", b"first").expect(201)
    known = {"If-Match": client.get("/files/a").headers["ETag"]}
    client.put("/files/a", b"second", {"If-Match": f'"x", {known["If-Match"]}'}).expect(200)
    for condition in (known, {"If-Match": '"x"'}, {"If-Match": "no tag"}):
        check_error(client.put("/files/a", b"third", condition), 412)
        check_error(client.request("DELETE", "/files/a", headers=condition), 412)
    assert client.get("/files/a").body == b"second"
    client.put("/files/a", b"fourth", {"If-Match": "*"}).expect(200)
    known = {"If-Match": client.get("/files/a").headers["ETag"]}
    client.request("DELETE", "/files/a", headers=known).expect(204)
    check_error(client.put("/files/a", b"fifth", {"If-Match": "*"}), 412)
    check_error(client.request("DELETE", "/files/a", headers=known), 412)
    client.get("/files/a").expect(404)


def test_one_of_many_concurrent_creations_succeeds(client):
    statuses = at_once(8, lambda number: client.put("/files/a", b"%d" % number, {"If-None-Match": "*"}).status)
    assert sorted(statuses) == [201] + [412] * 7
    assert client.get("/files/a").body == b"%d" % statuses.index(201)


def test_conditional_writes_of_a_file_do_not_wait_for_others(client):
    """Each writer requires the version that it has seen: of several writers of one file, one succeeds at a time, by any
    path.
    """
    client.put("/files/d/a", b"0").expect(201)
    client.put("/files/b", b"0").expect(201)

    def count(number):
        path = ("/files/d/a", "/files/d/../d/a", "/files/b")[number % 3]
        for _ in range(5):
            while True:
                now = client.get(path)
                reply = client.put(path, b"%d" % (int(now.body) + 1), {"If-Match": now.headers["ETag"]})
                if reply.status == 200:
                    break
                check_error(reply, 412)

    at_once(6, count)
    assert (client.get("/files/d/a").body, client.get("/files/b").body) == (b"20", b"10")


# Pages that code has written


@pytest.mark.parametrize("method, path, field, status", [
    ("GET", "/files/page.html", {}, 200), ("HEAD", "/files/page.html", {}, 200), ("GET", "/files/page.html", {"Range": "bytes=0-3"}, 206),
    ("GET", "/files/page.html", {"Range": "bytes=99-"}, 416), ("GET", "/files/page.html", {"If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT"}, 304),
    ("GET", "/files/none", {}, 404), ("GET", "/files/../x", {}, 400), ("GET", "/files/d", {}, 400), ("GET", "/files?path=.", {}, 200),
    ("POST", "/files/page.html", {}, 405), ("OPTIONS", "/files", {}, 405), ("GET", "/%66iles/%zz", {}, 400),
    ("DELETE", "/files/page.html", {"If-Match": '"x"'}, 412), ("PUT", "/files/page.html", {"If-None-Match": "*"}, 412),
    ("GET", "/files/page.html", {"Origin": "http://evil.example"}, 403), ("GET", "/files/page.html", {"Host": "evil.example"}, 421),
    ("GET", "/files/" + "x" * 20_000, {}, 414), ("GET", "/files/page.html", {"X": "x" * 200_000}, 431),
    ("PUT", "/files/page.html", {"Expect": "tea"}, 417),
    ("PUT", "/files/new", {}, 201), ("PUT", "/files/page.html", {}, 200), ("DELETE", "/files/page.html", {}, 204),
])  # fmt: skip
def test_a_page_in_the_workspace_cannot_act_as_this_server(client, workspace, method, path, field, status):
    (workspace / "page.html").write_text("<script>fetch('/contexts')</script>")
    (workspace / "d").mkdir()
    headers = client.request(method, path, headers=field).expect(status).headers
    assert headers.get_all("Content-Security-Policy") == ["sandbox allow-scripts"]
    assert headers.get_all("Cross-Origin-Resource-Policy") == ["same-origin"]
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
