"""Which kernels the local back end finds, and how it uses their kernelspecs: as Jupyter does."""

import json
import os
import socket
import subprocess
import threading

import pytest

from support.client import at_once, check_error
from support.code import ENDLESS
from support.server import KERNEL_ENVIRONMENT, ROOT
from support.waiting import wait_until

pytestmark = pytest.mark.backends("local")

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def install(directory, name="tester", argv=IPYKERNEL, language="tester", **more):
    """Installs a kernelspec in a Jupyter data directory. In its kernels, FOUND_IN shows where it was found."""
    resources = directory / "kernels" / name
    resources.mkdir(parents=True)
    environment = {"FOUND_IN": directory.name, **more.pop("env", {})}
    specification = {"argv": argv, "display_name": name, "language": language, "env": environment, **more}
    (resources / "kernel.json").write_text(json.dumps(specification))
    return resources


@pytest.fixture
def start_with(start_server, tmp_path):
    """Starts a server whose kernelspecs are only in these places and in its Python environment."""

    def start(*jupyter_path, options=(), **environment):
        path = os.pathsep.join(map(str, jupyter_path))
        known = {"JUPYTER_PATH": path, "HOME": str(tmp_path / "home"), "XDG_DATA_HOME": "", "JUPYTER_DATA_DIR": ""}
        return start_server("--warm", "0", *options, environment={**known, **environment})

    return start


@pytest.fixture
def prefix(tmp_path):
    """A virtual environment like the kernels', with its own `share`."""
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    for entry in KERNEL_ENVIRONMENT.resolve().iterdir():
        if entry.name != "share":
            (prefix / entry.name).symlink_to(entry)
    (prefix / "share/jupyter").mkdir(parents=True)
    return prefix


def found_in(server, language="tester"):
    return server.client.execute("import os; os.environ['FOUND_IN']", language=language).succeeded().text


def test_kernelspecs_of_each_folder_of_jupyter_path_are_found(start_with, tmp_path):
    install(tmp_path / "first", "one", language="one")
    install(tmp_path / "second", "two", language="two")
    server = start_with(tmp_path / "first", tmp_path / "missing", tmp_path / "second")
    assert (found_in(server, "one"), found_in(server, "two")) == ("first", "second")
    assert found_in(server, "One") == "first"


@pytest.mark.parametrize(
    "place, variable, value",
    [
        ("home/.local/share/jupyter", "HOME", "home"),
        ("data/jupyter", "XDG_DATA_HOME", "data"),
        ("jupyter-data", "JUPYTER_DATA_DIR", "jupyter-data"),
    ],
)
def test_kernelspecs_of_the_user_are_found(start_with, tmp_path, place, variable, value):
    directory = tmp_path / place
    install(directory)
    server = start_with(**{variable: str(tmp_path / value)})
    assert found_in(server) == directory.name


def test_the_environments_kernelspecs_come_first_then_jupyter_path_then_the_users(start_with, tmp_path, prefix):
    user, listed, own = tmp_path / "home/.local/share/jupyter", tmp_path / "listed", prefix / "share/jupyter"
    for name, directories in {"all": (user, listed, own), "two": (user, listed), "one": (user,)}.items():
        for directory in directories:
            install(directory, name, language=name, env={"FOUND_IN": str(directory)})
    server = start_with(listed, options=("--python-environment", prefix))
    assert [found_in(server, name) for name in ("all", "two", "one")] == [str(own), str(listed), str(user)]


def test_python_is_the_kernel_of_our_package_whatever_is_installed(start_with, tmp_path):
    install(tmp_path / "listed", "python3", language="python")
    install(tmp_path / "listed", "another", language="python")
    server = start_with(tmp_path / "listed")
    code = "import os; type(get_ipython().kernel.parent).__name__, 'FOUND_IN' in os.environ"
    assert server.client.execute(code).succeeded().text == str(("KernelApp", False))
    assert found_in(server, "another") == "listed"


def test_a_kernelspec_is_found_by_its_name_or_language(start_with, tmp_path):
    install(tmp_path / "listed", "My-Kernel.1", language="Own Language")
    server = start_with(tmp_path / "listed")
    assert found_in(server, "my-kernel.1") == found_in(server, "own language") == "listed"


def test_an_execution_ends_though_its_kernel_stops_answering(start_with, tmp_path):
    """The server sends kernels of other languages another request after the code, to get late output."""
    install(tmp_path / "listed")
    server = start_with(tmp_path / "listed")
    code = "import time\nget_ipython().kernel.shell_handlers['kernel_info_request'] = lambda *_: time.sleep(1000)\n1"
    assert server.client.execute(code, language="tester").succeeded().text == "1"


def test_a_kernel_that_its_client_must_end_is_ended(start_with, tmp_path):
    """As IRkernel does at `q()`: it only sends a payload."""
    install(tmp_path / "listed")
    client = start_with(tmp_path / "listed").client
    client.execute("x = 1", language="tester").succeeded()
    ask = "get_ipython().payload_manager.write_payload({'source': 'ask_exit', 'keepkernel': %s})"
    client.execute(ask % True, language="tester").succeeded()
    client.execute("x", language="tester").succeeded()
    client.execute(ask % False, language="tester").succeeded()
    execution = client.execute("'x' in globals()", language="tester").succeeded()
    assert execution.types[0] == "context_restarted" and "exit()" in execution.lines[0].value["reason"]
    assert execution.text == "False" and execution.count == 1


def test_kernelspecs_installed_later_are_found(start_with, tmp_path):
    server = start_with(tmp_path / "listed")
    for language in ("first", "second"):
        check_error(server.client.post("/execute", {"code": "1", "language": language}), 400, language)
        check_error(server.client.post("/contexts", {"language": language}), 400, language)
        install(tmp_path / "listed", language, language=language)
    assert found_in(server, "first") == "listed"
    assert server.client.create_context(language="second")["language"] == "second"
    assert [context["language"] for context in server.client.contexts()] == ["python", "first", "second"]
    install(tmp_path / "listed", "js", language="javascript")
    wait_until(lambda: "javascript" in [context["language"] for context in server.client.contexts()], "it is listed")


def test_invalid_kernelspecs_are_ignored(start_with, tmp_path):
    listed = tmp_path / "listed"
    install(listed)
    broken = {
        "not-json": "{", "no-object": "[]", "no-argv": "{}", "empty-argv": '{"argv": []}', "odd-argv": '{"argv": [1]}',
        "nothing": None, "bad name": json.dumps({"argv": IPYKERNEL, "language": "bad-name"}), "not-utf8": "\udcff",
    }  # fmt: skip
    for name, content in broken.items():
        (listed / "kernels" / name).mkdir()
        if content is not None:
            (listed / "kernels" / name / "kernel.json").write_text(content, errors="surrogateescape")
    (listed / "kernels/file").write_text("")
    (listed / "kernels/loop").symlink_to("loop")
    server = start_with(listed)
    assert found_in(server) == "listed"
    refusal = check_error(server.client.post("/contexts", {"language": "cobol"}), 400, "tester").text
    assert not [name for name in [*broken, "bad-name", "file", "loop"] if name in refusal], refusal


def test_placeholders_in_a_kernelspec_are_filled_in(start_with, tmp_path):
    """Placeholders in the command, variables in `env` values, and `python` for the environment's interpreter."""
    start = "import sys\nfrom ipykernel.kernelapp import launch_new_instance\nlaunch_new_instance(sys.argv[2:])"
    resources = install(
        tmp_path / "listed", argv=["python3", "{resource_dir}/start.py", "{odd}", "--f={connection_file}"],
        env={"SEEN": "$GIVEN-${GIVEN}-$NOWHERE-$$-$", "PATH": "/first:${PATH}"},
    )  # fmt: skip
    (resources / "start.py").write_text(start)
    client = start_with(tmp_path / "listed", GIVEN="a b").client
    code = "import os, sys; print(os.environ['SEEN'], os.environ['PATH'], sys.prefix, sys.argv[1], sep='\\n')"
    seen, path, prefix, odd = client.execute(code, language="tester").succeeded().stdout.splitlines()
    assert seen == "a b-a b-$NOWHERE-$-$"
    assert path.split(":")[:2] == ["/first", f"{KERNEL_ENVIRONMENT}/bin"]
    assert (prefix, odd) == (str(KERNEL_ENVIRONMENT), "{odd}")


def test_kernels_inherit_the_servers_variables_except_its_settings(start_with):
    client = start_with(GIVEN="a b", CODE_INTERPRETER_MAX_QUEUED="7").client
    code = "import os; (os.environ['GIVEN'], [n for n in os.environ if n.startswith('CODE_INTERPRETER_') and 'KERNEL' not in n])"
    assert client.execute(code).succeeded().text == str(("a b", []))


@pytest.mark.parametrize("mode", ["signal", "message"])
def test_code_is_interrupted_by_the_kernelspecs_interrupt_mode(start_with, tmp_path, mode):
    install(tmp_path / "listed", interrupt_mode=mode)
    client = start_with(tmp_path / "listed").client
    client.execute("kept = 'kept'", language="tester").succeeded()
    stream = client.stream(ENDLESS, language="tester")
    stream.until("number_of_executions")
    stream.vanish()
    assert client.execute("kept", language="tester").succeeded().text == "kept"


def test_a_third_party_kernel_loses_no_output(start_with, tmp_path):
    """A stock ipykernel, which drops messages above its high-water mark: its output is read at once."""
    install(tmp_path / "listed")
    client = start_with(tmp_path / "listed").client
    stream = client.stream("for index in range(5000): display(index)", language="tester")
    stream.until("number_of_executions")
    execution = stream.finish().succeeded()
    assert [result["text"] for result in execution.results] == [str(index) for index in range(5000)]


# Sockets

TRANSPORT = "from ipykernel import get_connection_info; get_connection_info(unpack=True)['transport']"


@pytest.mark.parametrize("language", ["tester", "python"])
def test_a_python_kernel_behind_a_wrapper_script_has_unix_sockets(start_with, tmp_path, language):
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec {KERNEL_ENVIRONMENT}/bin/python -m ipykernel_launcher "$@"\n')
    wrapper.chmod(0o755)
    install(tmp_path / "listed", argv=[str(wrapper), "-f", "{connection_file}"], language=language)
    client = start_with(tmp_path / "listed").client
    assert client.execute(TRANSPORT, language="tester").succeeded().text == "ipc"


def test_a_kernel_without_unix_sockets_gets_ports(start_with, tmp_path):
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(
        f"#!{KERNEL_ENVIRONMENT}/bin/python\nimport json, sys\n"
        "if json.load(open(sys.argv[-1]))['transport'] != 'tcp': sys.exit('no Unix sockets here')\n"
        "from ipykernel.kernelapp import launch_new_instance\nlaunch_new_instance()\n"
    )
    wrapper.chmod(0o755)
    install(tmp_path / "listed", argv=[str(wrapper), "-f", "{connection_file}"])
    server = start_with(tmp_path / "listed")
    for _ in range(2):
        context = server.client.create_context(language="tester")
        assert server.client.execute(TRANSPORT, context_id=context["id"]).succeeded().text == "tcp"
    assert server.log.count("the kernel takes no Unix sockets") == 1


def test_a_kernelspec_can_choose_the_sockets_of_its_kernel(start_with, tmp_path):
    install(tmp_path / "listed", metadata={"code_interpreter": {"transport": "tcp"}})
    client = start_with(tmp_path / "listed").client
    assert client.execute(TRANSPORT, language="tester").succeeded().text == "tcp"


def test_ports_of_kernels_are_reserved(start_with, tmp_path):
    """Many start at once, while another process binds all free ports."""
    install(tmp_path / "listed", metadata={"code_interpreter": {"transport": "tcp"}})
    client = start_with(tmp_path / "listed").client
    is_over = threading.Event()

    def take_ports():
        while not is_over.is_set():
            held = [socket.create_server(("127.0.0.1", 0)) for _ in range(50)]
            for one in held:
                one.close()

    thread = threading.Thread(target=take_ports)
    thread.start()
    try:
        contexts = at_once(6, lambda _: client.create_context(language="tester"))
        assert all(client.execute("1", context_id=context["id"]).succeeded().text == "1" for context in contexts)
    finally:
        is_over.set()
        thread.join()


# Kernels that do not start

LISTENER = """
import json, os, socket, sys
connection = json.load(open(sys.argv[1]))
def listen(port):
    if connection["transport"] == "tcp":
        return socket.create_server((connection["ip"], port))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{connection['ip']}-{port}")
    listener.listen()
    return listener
listeners = [listen(connection[f"{name}_port"]) for name in ("iopub", "shell", "control")]
accepted = [listeners[0].accept()[0]]
"""
"""Fakes the sockets of a kernel. The test decides what happens to the first client."""


HIDDEN = ("/usr/bin/env", "PYTHONHASHSEED=0")


def listener(then, *interpreter):
    return [*interpreter, "python3", "-c", LISTENER + then, "{connection_file}"]


@pytest.mark.parametrize(
    "argv, words",
    [
        (["/no/such/program", "{connection_file}"], ["/no/such/program"]),
        (["no-such-program", "{connection_file}"], ["no-such-program"]),
        (["/bin/sh", "-c", "exit 3"], ["exited with status 3"]),
        (["/bin/sh", "-c", "kill -KILL $$"], ["killed by SIGKILL"]),
        (["/bin/sh", "-c", "echo why it failed >&2; exit 1"], ["exited with status 1", "why it failed"]),
        (["python", "-c", "import no_such_module"], ["exited with status 1", "No module named 'no_such_module'"]),
        (listener("os._exit(4)"), ["exited with status 4"]),
        (listener("os._exit(4)", "/usr/bin/env"), ["exited with status 4"]),
        (listener("os._exit(4)", *HIDDEN), ["exited with status 4"]),
        (listener("accepted[0].recv(10); os._exit(4)"), ["exited with status 4"]),
        (listener("accepted[0].sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n'); listeners[1].accept()"), ["ZMTP"]),
    ],
    ids=["no such path", "no such name", "exit 3", "SIGKILL", "reason", "traceback", "dies when spoken to", "… behind a wrapper", "… on TCP",
         "dies when greeted", "speaks HTTP"],
)
def test_a_kernel_that_does_not_start_is_reported_with_a_reason(start_with, tmp_path, argv, words):
    metadata = {"code_interpreter": {"transport": "tcp"}} if HIDDEN[1] in argv else {}
    install(tmp_path / "listed", argv=argv, metadata=metadata)
    server = start_with(tmp_path / "listed")
    client = server.client
    for _ in range(2):
        assert client.post("/contexts", {"language": "tester"}).status in (500, 503)
    check_error(client.post("/contexts", {"language": "tester"}), 503, *words)
    assert client.contexts() == [context for context in client.contexts() if context["language"] == "python"]
    assert client.execute("6 * 7").succeeded().text == "42"
    wait_until(lambda: len(server.kernels()) == 1, "no other kernel is left")


def test_a_failed_start_is_retried(start_with, tmp_path):
    marker = tmp_path / "tried"
    command = f"if [ -e {marker} ]; then exec python3 -m ipykernel_launcher -f \"$1\"; fi; touch {marker}; exit 1"
    install(tmp_path / "listed", argv=["/bin/sh", "-c", command, "sh", "{connection_file}"])
    client = start_with(tmp_path / "listed").client
    context = client.create_context(language="tester")
    assert client.execute("6 * 7", context_id=context["id"]).succeeded().text == "42"


def test_a_language_that_cannot_be_installed_is_named(tmp_path):
    outcome = subprocess.run([ROOT / "kernel/languages/install", tmp_path, "bash", "cobol"], capture_output=True, text=True)
    assert (outcome.returncode, outcome.stdout) == (2, "") and "'cobol'" in outcome.stderr
    assert not list(tmp_path.iterdir())
