"""How much the files of a context may take."""

import pytest

pytestmark = pytest.mark.backends("local")

LIMIT = 64 << 20


@pytest.fixture
def limited(client):
    """Makes contexts with a limit, all in one directory, and runs code in them."""

    def make():
        identifier = client.create_context(disk_limit=LIMIT)["id"]
        return lambda code: client.execute(code, context_id=identifier)

    return make


#: Ways to write far more than the limit, in the working directory, and to wait then.
DISK_BOMBS = {
    "one file": "open('bomb', 'wb').write(bytes(96 << 20))",
    "many files": "for i in range(96):\n    with open(f'bomb-{i}', 'wb') as file: file.write(bytes(1 << 20))",
    "a program": "import subprocess; subprocess.run('head -c 100000000 /dev/zero > bomb; sleep 60', shell=True)",
    "mapped": "import mmap\nfile = open('bomb', 'w+b')\nfile.truncate(96 << 20)\npages = mmap.mmap(file.fileno(), 0)\n"
    "for i in range(0, len(pages), 4096): pages[i] = 1",
    "without a name": "import os\nfile = open('bomb', 'wb')\nos.remove('bomb')\nfile.write(bytes(96 << 20))\nfile.flush()",
    "deep": "import os, pathlib\nhome = os.getcwd()\nfor i in range(96):\n    os.mkdir('bomb'); os.chdir('bomb')\n"
    "    pathlib.Path('file').write_bytes(bytes(1 << 20))\nos.chdir(home)",
}


@pytest.mark.parametrize("code", DISK_BOMBS.values(), ids=DISK_BOMBS)
def test_who_fills_the_disk_is_ended_and_nobody_else(limited, code):
    bomb, neighbour = limited(), limited()
    # It has written more than anybody, and nothing to the disk.
    neighbour("import os\nkept = 1\nfor _ in range(256): os.write(os.memfd_create('x'), bytes(1 << 20))").succeeded()
    error = bomb(f"{code}\nimport time; time.sleep(60)").error
    assert (error["name"], error["value"]) == ("KernelDied", "over the disk limit of 64 MiB")
    assert neighbour("kept").succeeded().text == "1"
    # There is too much still; who makes it less is not ended.
    bomb("import subprocess, time; subprocess.run('rm -rf bomb*', shell=True, check=True); time.sleep(2)").succeeded()
    assert bomb("open('small', 'wb').write(bytes(1 << 20)); time.sleep(2)").succeeded().restart is None


def test_the_own_directory_of_an_isolated_context_is_limited_too(start_server):
    client = start_server("--isolated", "--no-network", "--context-disk", str(LIMIT)).client
    code = "import tempfile, time\nfile = tempfile.NamedTemporaryFile()\nfile.write(bytes(96 << 20)); time.sleep(60)"
    assert client.execute(code).error["value"] == "over the disk limit of 64 MiB"
    assert client.execute("import tempfile; tempfile.NamedTemporaryFile().write(b'x')").text == "1"
    assert client.get(f"/contexts/{client.contexts()[0]['id']}").json["disk_limit"] == LIMIT


def test_who_writes_nothing_is_not_ended_for_what_others_have_written(start_server):
    """Isolated contexts have a directory of their own beside the one that they share."""
    client = start_server("--isolated", "--no-network", "--context-disk", str(LIMIT)).client
    neighbour, bomb = (client.create_context()["id"] for _ in range(2))
    client.execute("kept = 42", context_id=neighbour).succeeded()
    error = client.execute("open('bomb', 'wb').write(bytes(96 << 20))\nimport time; time.sleep(60)", context_id=bomb).error
    assert error["value"] == "over the disk limit of 64 MiB"
    assert client.execute("kept", context_id=neighbour).succeeded().text == "42"


def test_what_was_there_before_is_nobodys_fault(start_server, tmp_path):
    """The workspace is named by a link, too."""
    (tmp_path / "place").mkdir()
    (tmp_path / "place/large").write_bytes(b"x" * (96 << 20))
    (tmp_path / "link").symlink_to("place")
    client = start_server("--context-disk", str(LIMIT), workspace=tmp_path / "link").client
    assert client.execute("open('small', 'wb').write(b'x')\nprint('x' * 1_000_000)\nimport time; time.sleep(2)").succeeded().restart is None
    assert client.execute("open('more', 'wb').write(bytes(1 << 20))\nimport time; time.sleep(60)").error["value"] == "over the disk limit of 64 MiB"
