"""Isolated contexts, and contexts without network: what works in them, and how they are asked for. What they keep code from is in `escape`."""

import json
import os
import subprocess
import threading
import zipfile

import pytest

from support.server import BINARY, ROOT
from support.waiting import wait_until

ISOLATED = {"isolated": True, "network": False}


@pytest.fixture
def isolated(server, tmp_path):
    """A function that runs code in an isolated context, and fails with it."""
    context = server.client.create_context(cwd=str(tmp_path), **ISOLATED)

    def run(code):
        return server.client.execute(code, context_id=context["id"]).succeeded()

    run.context = context["id"]
    return run


def shown(server, context):
    fields = server.client.get(f"/contexts/{context}").expect(200).json
    return fields["isolated"], fields["network"]


@pytest.mark.backends("local")
@pytest.mark.parametrize(
    "code, output",
    [
        ("import numpy; print(numpy.linalg.inv(numpy.eye(3)).sum())", "3.0"),
        ("import pandas; print(pandas.DataFrame({'a': [1, 2]}).sum()['a'])", "3"),
        ("from multiprocessing import Pool\nwith Pool(2) as pool: print(pool.map(abs, [-1, -2]))", "[1, 2]"),
        ("from multiprocessing import Process, Queue\nq = Queue(); p = Process(target=q.put, args=(7,)); p.start(); print(q.get()); p.join()", "7"),
        ("import multiprocessing\nwith multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(abs, [-1]))", "[1]"),
        ("from multiprocessing.shared_memory import SharedMemory\nm = SharedMemory(create=True, size=9); m.buf[0] = 7; print(m.buf[0]); m.close(); m.unlink()", "7"),
        ("from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as pool: print(list(pool.map(abs, [-3])))", "[3]"),
        ("import subprocess; print(subprocess.run(['sh', '-c', 'echo $((6*7))'], capture_output=True, text=True).stdout)", "42"),
        ("!echo $((6*7)); ls", "42"),
        ("%%bash\necho one; cat <(echo two)", "one\ntwo"),
        ("import os; os.system('echo 42')", "42"),
        ("import tempfile\nwith tempfile.NamedTemporaryFile('w+') as file: print(file.write('four'))", "4"),
        ("import asyncio\nasync def f(): return await asyncio.to_thread(lambda: 42)\nprint(await f())", "42"),
        ("import asyncio, threading\ndef f(): print(asyncio.run(asyncio.sleep(0, 42)))\nt = threading.Thread(target=f); t.start(); t.join()", "42"),
        ("import sqlite3; c = sqlite3.connect('data.db'); c.execute('create table t (n)'); print(c.execute('select count(*) from t').fetchone())", "(0,)"),
        ("open('here', 'w').write('x'); import os; os.rename('here', 'there'); os.mkdir('d'); os.rename('there', 'd/there'); print(os.listdir('d'))", "['there']"),
        ("import os, pathlib; print(pathlib.Path.home().joinpath('.config').write_text('x'), os.getcwd() == str(pathlib.Path.cwd()))", "1 True"),
        ("import ssl, zoneinfo, locale, platform; print(len(ssl.create_default_context().get_ciphers()) > 0, zoneinfo.ZoneInfo('Europe/Vienna'), platform.system())", "True Europe/Vienna Linux"),
        ("import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0)", "True"),
    ],
)  # fmt: skip
def test_what_people_use_works(isolated, code, output):
    assert output in isolated(code).stdout


@pytest.mark.backends("local")
def test_a_figure_is_shown(isolated):
    assert isolated("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()").of("result")[0]["png"]


@pytest.mark.backends("local")
def test_pip_installs_into_the_context_and_nowhere_else(isolated, server, tmp_path):
    wheel = tmp_path / "onlyhere-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("onlyhere.py", "answer = 42\n")
        archive.writestr("onlyhere-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: onlyhere\nVersion: 1.0\n")
        archive.writestr("onlyhere-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("onlyhere-1.0.dist-info/RECORD", "")
    isolated(f"%pip install -q --no-index {wheel}")
    assert isolated("import onlyhere; print(onlyhere.answer)").stdout == "42\n"
    assert isolated("!python -c 'import onlyhere; print(onlyhere.answer)'").stdout == "42\n"
    # What is there already is not installed again.
    assert "already satisfied" in isolated("%pip install --no-index numpy").stdout
    other = server.client.create_context()["id"]
    assert server.client.execute("import onlyhere", context_id=other).error["name"] == "ModuleNotFoundError"


@pytest.mark.backends("local")
def test_an_interrupt_and_a_restart_keep_it_isolated(isolated, server):
    context = isolated.context
    interrupted = []
    running = threading.Thread(target=lambda: interrupted.append(server.client.execute("while True: pass", context_id=context)))
    running.start()
    wait_until(lambda: server.client.get(f"/contexts/{context}").json["state"] == "busy", "it runs")
    server.client.post(f"/contexts/{context}/interrupt").expect(204)
    running.join(60)
    assert interrupted[0].error["name"] == "KeyboardInterrupt"
    server.client.post(f"/contexts/{context}/restart").expect(200)
    assert server.client.execute("open('/tmp/not-to-be-made', 'w')", context_id=context).error["name"] == "PermissionError"
    # So does a kernel that has died.
    server.client.execute("import os; os._exit(1)", context_id=context)
    assert server.client.execute("open('/tmp/not-to-be-made', 'w')", context_id=context).error["name"] == "PermissionError"
    assert shown(server, context) == (True, False)


@pytest.mark.backends("local")
def test_its_temporary_files_end_with_it(isolated, server):
    directory = isolated("import tempfile, os; open(tempfile.mkstemp()[1], 'w').write('x'); print(os.path.dirname(tempfile.gettempdir()))").stdout.strip()
    assert os.path.isdir(directory)
    server.client.delete_context(isolated.context).expect(200)
    assert not os.path.exists(directory)


@pytest.mark.backends("local")
def test_a_forked_process_that_displays_says_that_it_cannot(isolated):
    code = """
from multiprocessing import Process, Queue
def show(queue):
    try: display(1); queue.put("shown")
    except OSError as error: queue.put(str(error))
queue = Queue(); process = Process(target=show, args=(queue,)); process.start(); print(queue.get()); process.join()
"""
    assert "can display nothing" in isolated(code).stdout


def test_what_others_run_is_not_isolated(server, backend):
    if backend == "local":
        assert shown(server, server.client.create_context(**ISOLATED)["id"]) == (True, False)
        assert shown(server, server.client.create_context(network=False)["id"]) == (False, False)
        assert shown(server, server.client.create_context()["id"]) == (False, True)
    else:
        for fields in (ISOLATED, {"network": False}):
            answer = server.client.post("/contexts", fields)
            assert answer.status == 501 and "--backend local" in answer.text
        server.client.create_context(isolated=False, network=True)


@pytest.mark.backends("local")
def test_isolation_with_network_needs_a_token(server):
    answer = server.client.post("/contexts", {"isolated": True})
    assert answer.status == 501 and "--token-file" in answer.text


@pytest.mark.backends("local")
def test_kernels_that_need_the_network_are_refused(server):
    answer = server.client.post("/contexts", {"language": "deno", **ISOLATED})
    assert answer.status == 501 and "ports" in answer.text


@pytest.mark.backends("local")
def test_a_kernel_of_another_language_has_no_network(server, tmp_path):
    context = server.client.create_context(language="bash", cwd=str(tmp_path), network=False)["id"]
    assert server.client.execute("echo $((6*7))", context_id=context).succeeded().stdout == "42\n"
    code = f"exec 3<>/dev/tcp/127.0.0.1/{server.port} && echo it is connected"
    assert "it is connected" not in server.client.execute(code, context_id=context).stdout
    other = server.client.create_context(language="bash", cwd=str(tmp_path))["id"]
    assert "it is connected" in server.client.execute(code, context_id=other).stdout


@pytest.mark.backends("local")
def test_a_kernel_that_is_not_of_this_project_is_isolated(start_server, tmp_path):
    resources = tmp_path / "data/kernels/stock"
    resources.mkdir(parents=True)
    argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (resources / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "", "language": "stock"}))
    server = start_server("--warm", "0", environment={"JUPYTER_PATH": str(tmp_path / "data")})
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("a secret")
    context = server.client.create_context(language="stock", cwd=str(tmp_path / "own"), **ISOLATED)["id"]

    def error(code):
        return server.client.execute(code, context_id=context).error["name"]

    assert server.client.execute("open('x', 'w').write('x'); print(6 * 7)", context_id=context).succeeded().stdout == "42\n"
    assert error("open('../secret')") == "PermissionError"
    assert error("import socket; socket.socket()") == "PermissionError"
    # It may listen on Unix sockets, as it does for the server, and connect to none.
    assert error("import socket; socket.socket(socket.AF_UNIX).connect('/nowhere')") == "PermissionError"
    assert error("import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)") == "PermissionError"
    assert error("import os; os.kill(os.getppid(), 0)") == "PermissionError"
    server.client.delete_context(context).expect(200)


@pytest.mark.backends("local")
@pytest.mark.parametrize("more", [(), ("--no-fork-server",)])
def test_the_default_of_the_server(start_server, tmp_path, more):
    server = start_server("--isolated", "--no-network", *more)
    assert server.client.execute("open('/tmp/not-to-be-made', 'w')").error["name"] == "PermissionError"
    assert server.client.execute("open('x', 'w').write('x'); 6 * 7").succeeded().text == "42"
    assert server.client.execute("import socket; socket.socket()").error["name"] == "PermissionError"
    assert shown(server, server.client.create_context()["id"]) == (True, False)
    assert shown(server, server.client.create_context(isolated=False)["id"]) == (False, False)
    assert "isolated=Landlock" in server.log or "isolated=\"Landlock" in server.log


@pytest.mark.backends("local")
@pytest.mark.parametrize("value, network", [("false", False), ("true", True)])
def test_the_variable_of_network(start_server, value, network):
    server = start_server(environment={"CODE_INTERPRETER_NETWORK": value})
    assert shown(server, server.client.create_context()["id"]) == (False, network)


def test_options_without_effect_are_refused():
    for options, reason in (
        (["--isolated"], "--token-file"),
        (["--isolated", "--no-network", "--backend", "jupyter"], "--isolated is for --backend local"),
        (["--no-network", "--jupyter-url", "http://127.0.0.1:1"], "--no-network is for kernels that this server runs"),
    ):
        ended = subprocess.run([BINARY, "serve", *options], capture_output=True, text=True, timeout=60, cwd=ROOT)
        assert ended.returncode == 64 and reason in ended.stderr


def test_the_doctor_says_what_is_enforced():
    ended = subprocess.run([BINARY, "doctor"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == (1 if ": no\n" in ended.stdout else 0)
    for name in ("memory_limit", "process_limit", "isolated", "network: false"):
        assert f"{name}: " in ended.stdout


#: Modules that the kernel, and what starts it, import.
SHADOWED = ["json", "ctypes", "os", "shutil", "struct", "errno", "platform", "typing", "ipykernel", "IPython", "zmq", "traitlets", "tornado",
            "matplotlib_inline", "comm", "psutil", "debugpy", "code_interpreter_kernel"]  # fmt: skip


@pytest.mark.backends("local")
@pytest.mark.parametrize("fields", [{}, {"env_vars": {"OWN": "variable"}}])
def test_what_code_leaves_behind_does_not_run_before_the_next_kernel_is_isolated(server, tmp_path, fields):
    """With a variable of its own, a kernel is not forked."""
    own, outside = tmp_path / "own", tmp_path / "outside"
    own.mkdir()
    outside.mkdir()
    context = server.client.create_context(cwd=str(own), **fields, **ISOLATED)["id"]
    trap = f"""
import os as _os, socket as _socket
try:
    with open({str(own / "ran")!r}, "a") as _file: _file.write(__name__ + chr(10))
    _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    with open({str(own / "early")!r}, "a") as _file: _file.write(__name__ + chr(10))
except OSError: pass
try:
    open({str(outside)!r} + "/" + __name__, "w")
except OSError: pass
"""
    left = server.client.execute(f"""
import os
for name in {SHADOWED}:
    os.makedirs(name)
    for file in ("__init__.py", "isolated.py", "isolation.py", "kernel.py", "seccomp.py"):
        with open(f"{{name}}/{{file}}", "w") as module: module.write({trap!r})
""", context_id=context)  # fmt: skip
    assert not left.of("error"), left.brief()
    server.client.post(f"/contexts/{context}/restart").expect(200)
    assert server.client.execute("print(6 * 7)", context_id=context).stdout == "42\n"
    assert list(outside.iterdir()) == []
    assert not (own / "early").exists(), (own / "early").read_text()
    assert server.client.execute("import socket; socket.socket(socket.AF_UNIX)", context_id=context).error["name"] == "PermissionError"
    server.client.delete_context(context).expect(200)


@pytest.mark.backends("local")
def test_a_directory_behind_a_link_is_refused(server, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "own/link").symlink_to(tmp_path / "outside")
    answer = server.client.post("/contexts", {"cwd": str(tmp_path / "own/link"), **ISOLATED})
    assert answer.status == 400 and "links" in answer.text
    # So is one that becomes a link later: the context is as it was, or there is none.
    (tmp_path / "own/directory").mkdir()
    context = server.client.create_context(cwd=str(tmp_path / "own/directory"), **ISOLATED)["id"]
    (tmp_path / "own/directory").rmdir()
    (tmp_path / "own/directory").symlink_to(tmp_path / "outside")
    assert server.client.post(f"/contexts/{context}/restart").status in (400, 503)
    server.client.delete_context(context).expect(200)


@pytest.mark.backends("local")
@pytest.mark.parametrize("fields", [{}, {"env_vars": {"OWN": "variable"}}])
def test_a_workspace_behind_a_link_works(start_server, tmp_path, fields):
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    server = start_server("--isolated", "--no-network", workspace=tmp_path / "link")
    for cwd in (None, "deep", str(tmp_path / "link/deep")):
        context = server.client.create_context(cwd=cwd, **fields)
        assert server.client.execute("open('x', 'w').write('four')", context_id=context["id"]).succeeded().text == "4"


@pytest.mark.backends("local")
def test_variables_reach_an_isolated_kernel_and_not_what_isolates_it(server, tmp_path):
    """A library that LD_PRELOAD names is not loaded before the kernel is isolated, nor a module before its sockets are."""
    (tmp_path / "own").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "own/sitecustomize.py").write_text(f"open({str(outside / 'made')!r}, 'w')")
    variables = {"A": "a b", "LD_PRELOAD": str(tmp_path / "own/none.so"), "PYTHONPATH": str(tmp_path / "own"), "PATH": os.environ["PATH"]}
    context = server.client.create_context(cwd=str(tmp_path / "own"), env_vars=variables, **ISOLATED)["id"]
    shown = "import os, sys; print({name: os.environ.get(name) for name in ('A', 'LD_PRELOAD')}, %r in sys.path)" % str(tmp_path / "own")
    assert server.client.execute(shown, context_id=context).stdout == f"{ {name: variables[name] for name in ('A', 'LD_PRELOAD')} } True\n"
    assert not any("CODE_INTERPRETER_" in name for name in server.client.execute("print(*__import__('os').environ)", context_id=context).stdout.split() if name != "CODE_INTERPRETER_KERNEL")
    assert list(outside.iterdir()) == []


@pytest.mark.backends("local")
def test_no_program_of_the_context_runs_before_its_sockets_are_closed(start_server, tmp_path):
    """While Python starts, libraries run programs such as `uname`, by the PATH."""
    (tmp_path / "own/bin").mkdir(parents=True)
    for name in ("uname", "ldconfig", "gcc", "sh", "file", "fc-list"):
        program = tmp_path / "own/bin" / name
        program.write_text(f"#!/usr/bin/python3\nimport socket\nsocket.socket(socket.AF_UNIX)\nopen({str(tmp_path / 'own/early')!r}, 'a').write('{name} ')\n")
        program.chmod(0o755)
    token = "t" * 64
    server = start_server("--token", token, token=token)
    path = f"{tmp_path / 'own/bin'}:{os.environ['PATH']}"
    context = server.client.create_context(cwd=str(tmp_path / "own"), isolated=True, env_vars={"PATH": path, "TZ": "Asia/Tokyo"})["id"]
    code = "import os, time; print(os.environ['PATH'].endswith(%r), time.tzname[0], os.environ['HOME'].startswith('/tmp'))" % path
    assert server.client.execute(code, context_id=context).succeeded().stdout == "True JST True\n"
    assert not (tmp_path / "own/early").exists(), (tmp_path / "own/early").read_text()
    assert server.client.execute("import socket; socket.socket(socket.AF_INET); print(1)", context_id=context).succeeded().stdout == "1\n"
    assert server.client.execute("import socket; socket.socket(socket.AF_UNIX)", context_id=context).error["name"] == "PermissionError"
