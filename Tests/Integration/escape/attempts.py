"""What code in a context may try, each as a function that runs in a cell there. It returns something true if it got what it was after.

An attempt that fails raises, or returns something false. `target` says where the victims are, see `victims`.
"""

import ast
import inspect
import textwrap
from dataclasses import dataclass

#: The settings of the context that code tries to leave, in the order of the table, and the fields of their requests.
SETTINGS = {
    "plain": {"network": True, "isolated": False},
    "no network": {"network": False, "isolated": False},
    "isolated": {"network": False, "isolated": True},
    "isolated, with network": {"network": True, "isolated": True},
}

LANDLOCK, SECCOMP, RIGHTS, TOKEN, HIDDEN = "Landlock", "seccomp", "the system's rights", "the token", "a server that is not dumpable"

ATTEMPTS = []


@dataclass
class Attempt:
    """One attempt."""

    group: str
    title: str
    function: object
    #: What stops it, by setting.
    stopped: dict
    #: Whether it also fails on some machines without any isolation: they lack the system call, or keep processes from tracing others.
    may_fail: bool

    @property
    def name(self):
        return self.function.__name__

    def cell(self, target):
        """The code of the cell."""
        tree = ast.parse(textwrap.dedent(inspect.getsource(self.function)))
        tree.body[0].decorator_list = []
        return f"{PRELUDE}\ntarget = {target!r}\n{ast.unparse(tree)}\nprint('reached' if {self.name}(target) else 'not reached')"


def attempt(group, title, *, everywhere=None, isolated=None, no_network=None, may_fail=False):
    """Registers a function, with what stops it: in the isolated settings, in those without network, and in all others."""
    stopped = {}
    for setting, fields in SETTINGS.items():
        by = (isolated if fields["isolated"] else None) or (None if fields["network"] else no_network) or everywhere
        if by:
            stopped[setting] = by

    def register(function):
        ATTEMPTS.append(Attempt(group, title, function, stopped, may_fail))
        return function

    return register


PRELUDE = r"""
import ctypes, glob, json, mmap, os, resource, select, signal, socket, struct, subprocess, sys, threading, time
import multiprocessing.shared_memory, urllib.request
libc = ctypes.CDLL(None, use_errno=True)
# With it, Python's lock is held during the call. A child that has been made without it may wait for a thread that it does not have.
locked = ctypes.PyDLL(None, use_errno=True)
is_arm = os.uname().machine == "aarch64"

def call(number, *arguments, library=libc):
    result = library.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def read(path):
    with open(path, "rb") as file:
        return file.read()

def read_in(loop, path):
    # In the thread of an event loop.
    result, done = [], threading.Event()

    def look():
        try:
            result.append(read(path))
        except OSError:
            pass
        done.set()

    loop.add_callback(look)
    assert done.wait(10)
    return result

def message_from(kernel):
    # What a new subscriber of a kernel's output gets at once is the greeting of ZMTP.
    kernel.settimeout(5)
    return kernel.recv(64)
"""

VICTIMS = r"""
import ctypes, json, multiprocessing.shared_memory, os, pty, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
home = os.environ["HOME"]
os.makedirs(home, exist_ok=True)
for path in (f"{home}/secret", "secret"):
    with open(path, "w") as file: file.write("a secret")
child = subprocess.Popen(["sleep", "1000"], env={"SECRET": "a secret", "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL)
listeners = []
def listen(family, address, kind=socket.SOCK_STREAM):
    listener = socket.socket(family, kind)
    listener.bind(address)
    if kind == socket.SOCK_STREAM: listener.listen(64)
    listeners.append(listener)
    return listener
paths = {name: f"{home}/{name}.socket" for name in ("stream", "datagram")}
listen(socket.AF_UNIX, paths["stream"]); listen(socket.AF_UNIX, paths["datagram"], socket.SOCK_DGRAM)
abstract = f"victim-{os.getpid()}"
listen(socket.AF_UNIX, "\0" + abstract)
tcp = listen(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
udp_listener = listen(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM)
try: tcp6 = listen(socket.AF_INET6, ("::1", 0)).getsockname()[1]
except OSError: tcp6 = None
segment = libc.shmget(os.getpid(), 100, 0o1600)
queue = f"victim-{os.getpid()}"
libc.mq_open(f"/{queue}".encode(), 0o102, 0o600, None)
shared = multiprocessing.shared_memory.SharedMemory(create=True, size=100); shared.buf[:8] = b"a secret"
master, terminal = os.openpty()
libc.syscall(248 if os.uname().machine != "aarch64" else 217, b"user", abstract.encode(), b"a secret", 8, -4)
run = os.path.dirname(get_ipython().kernel.config.IPKernelApp.connection_file)
print(json.dumps({
    "directory": os.getcwd(), "home": home, "kernel": os.getpid(), "child": child.pid, "paths": paths, "abstract": abstract, "tcp": tcp, "tcp6": tcp6,
    "udp": udp_listener.getsockname()[1], "segment": os.getpid(), "queue": queue, "shared": shared.name, "terminal": os.ttyname(terminal),
    "run": run, "connection": get_ipython().kernel.config.IPKernelApp.connection_file,
}))
"""

# ---- Other contexts

CONTEXTS = "other contexts"


@attempt(CONTEXTS, "read a file in another's directory", isolated=LANDLOCK)
def read_a_file(target):
    return read(f"{target['directory']}/secret")


@attempt(CONTEXTS, "list another's directory", isolated=LANDLOCK)
def list_a_directory(target):
    return os.listdir(target["directory"])


@attempt(CONTEXTS, "make a file there", isolated=LANDLOCK)
def make_a_file(target):
    return open(f"{target['directory']}/made", "w").write("x")


@attempt(CONTEXTS, "change a file there", isolated=LANDLOCK)
def change_a_file(target):
    return open(f"{target['directory']}/secret", "r+").write("a")


@attempt(CONTEXTS, "cut a file there, by its path", isolated=LANDLOCK)
def truncate_a_file(target):
    os.truncate(f"{target['directory']}/secret", 8)
    return True


@attempt(CONTEXTS, "make a file without a name there", isolated=LANDLOCK, may_fail=True)
def make_an_unnamed_file(target):
    return os.open(target["directory"], os.O_TMPFILE | os.O_RDWR)


@attempt(CONTEXTS, "remove a file there", isolated=LANDLOCK)
def remove_a_file(target):
    name = f"{target['directory']}/made-to-be-removed"
    try:
        open(name, "w").close()
    except PermissionError:
        name = f"{target['directory']}/secret"
    os.unlink(name)
    return True


@attempt(CONTEXTS, "read it by a link to it", isolated=LANDLOCK)
def follow_a_link(target):
    link = f"link-{os.getpid()}"
    os.symlink(f"{target['directory']}/secret", link)
    try:
        return read(link)
    finally:
        os.unlink(link)


@attempt(CONTEXTS, "let another thread of its kernel read it", isolated=LANDLOCK)
def read_in_a_thread_of_the_kernel(target):
    import asyncio

    async def read_secret():
        return read(f"{target['directory']}/secret")

    return asyncio.run_coroutine_threadsafe(read_secret(), get_ipython().kernel.control_thread.io_loop.asyncio_loop).result(30)


@attempt(CONTEXTS, "give it another name here (hard link)", isolated=LANDLOCK)
def link_a_file(target):
    name = f"hard-{os.getpid()}"
    os.link(f"{target['directory']}/secret", name)
    data = read(name)
    os.unlink(name)
    return data


@attempt(CONTEXTS, "move it here", isolated=LANDLOCK)
def move_a_file(target):
    name = f"moved-{os.getpid()}"
    os.rename(f"{target['directory']}/secret", name)
    os.rename(name, f"{target['directory']}/secret")
    return True


@attempt(CONTEXTS, "read it by `/proc/self/root`", isolated=LANDLOCK)
def read_by_proc_root(target):
    return read(f"/proc/self/root{target['directory']}/secret")


@attempt(CONTEXTS, "read it by a descriptor of its directory", isolated=LANDLOCK)
def read_by_a_descriptor(target):
    directory = os.open(target["directory"], os.O_PATH)
    return os.open("secret", os.O_RDONLY, dir_fd=directory)


@attempt(CONTEXTS, "read it by a program (`!cat`)", isolated=LANDLOCK)
def read_by_a_program(target):
    return subprocess.run(["cat", f"{target['directory']}/secret"], capture_output=True).stdout


@attempt(CONTEXTS, "read it by a daemon, forked twice", isolated=LANDLOCK)
def read_by_a_daemon(target):
    reading, writing = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            try:
                os.write(writing, read(f"{target['directory']}/secret"))
            finally:
                os._exit(0)
        os._exit(0)
    os.close(writing)
    return os.read(reading, 100)


@attempt(CONTEXTS, "read it in the kernel's thread for output", isolated=LANDLOCK)
def read_in_the_output_thread(target):
    return read_in(get_ipython().kernel.iopub_thread.io_loop, f"{target['directory']}/secret")


@attempt(CONTEXTS, "read it in the kernel's thread for control", isolated=LANDLOCK)
def read_in_the_control_thread(target):
    return read_in(get_ipython().kernel.control_thread.io_loop, f"{target['directory']}/secret")


@attempt(CONTEXTS, "read it by native code that calls the system itself", isolated=LANDLOCK)
def read_by_native_code(target):
    # openat(2), not by way of any library function that could have been replaced.
    return call(56 if is_arm else 257, -100, f"{target['directory']}/secret".encode(), 0)


@attempt(CONTEXTS, "learn the size and times of a file whose path is known")
def stat_a_file(target):
    return os.stat(f"{target['directory']}/secret").st_size


@attempt(CONTEXTS, "change the mode of a file whose path is known")
def change_a_mode(target):
    os.chmod(f"{target['directory']}/secret", 0o644)
    return True


@attempt(CONTEXTS, "take a file away by removing rights of its directory, if its path is known")
def lock_a_directory(target):
    os.chmod(target["directory"], 0)
    os.chmod(target["directory"], 0o755)
    return True


@attempt(CONTEXTS, "read an attribute of a file", isolated=SECCOMP, may_fail=True)
def read_an_attribute(target):
    return os.getxattr(f"{target['directory']}/secret", "user.data")


@attempt(CONTEXTS, "change an attribute of a file", isolated=SECCOMP, may_fail=True)
def change_an_attribute(target):
    os.setxattr(f"{target['directory']}/secret", "user.data", b"changed")
    return True


@attempt(CONTEXTS, "leave a message in an attribute of a file that all may read, by a descriptor", isolated=SECCOMP, may_fail=True)
def change_an_attribute_by_a_descriptor(target):
    with open(glob.glob(os.environ["MPLCONFIGDIR"] + "/*.json")[0]) as file:
        os.setxattr(file.fileno(), "user.data", b"message")
        os.removexattr(file.fileno(), "user.data")
    return True


@attempt(CONTEXTS, "change the flags of a file that all may read", isolated=SECCOMP, may_fail=True)
def change_flags(target):
    import array, fcntl

    with open(glob.glob(os.environ["MPLCONFIGDIR"] + "/*.json")[0]) as file:
        flags = array.array("l", [0])
        fcntl.ioctl(file, 0x80086601, flags, True)
        fcntl.ioctl(file, 0x40086602, flags)
    return True


@attempt(CONTEXTS, "ask for another's parent and user by a descriptor", isolated=SECCOMP, may_fail=True)
def ask_about_a_process(target):
    import fcntl

    return fcntl.ioctl(call(434, target["child"], 0), 0xC040FF0B, struct.pack("=Q", 7) + bytes(56))


@attempt(CONTEXTS, "let all wait that open a file (F_SETLEASE)", isolated=SECCOMP, may_fail=True)
def take_a_lease(target):
    import fcntl

    own = f"leased-{os.getpid()}"
    open(own, "w").close()
    with open(own) as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


@attempt(CONTEXTS, "watch another's directory", isolated=SECCOMP)
def watch_a_directory(target):
    watch = libc.inotify_init()
    if watch < 0:
        raise OSError(ctypes.get_errno(), "inotify_init")
    return libc.inotify_add_watch(watch, target["directory"].encode(), 0xFFF) > 0


@attempt(CONTEXTS, "read another kernel's key", isolated=LANDLOCK)
def read_a_key(target):
    return json.loads(read(target["connection"]))["key"]


@attempt(CONTEXTS, "connect to another kernel's sockets", isolated=SECCOMP)
def connect_to_a_kernel(target):
    kernel = socket.socket(socket.AF_UNIX)
    kernel.connect(f"{target['run']}/s-2")
    return message_from(kernel)


@attempt(CONTEXTS, "connect to them by a socket from a pair", everywhere="the system: they are connected to each other", isolated=SECCOMP)
def connect_a_pair(target):
    kernel, _ = socket.socketpair()
    kernel.connect(f"{target['run']}/s-2")
    return message_from(kernel)


@attempt(CONTEXTS, "connect to them by libzmq", isolated=SECCOMP)
def connect_by_libzmq(target):
    import zmq

    subscriber = zmq.Context.instance().socket(zmq.SUB)
    subscriber.linger = 0
    monitor = subscriber.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    subscriber.connect(f"ipc://{target['run']}/s-2")
    return monitor.poll(1000)


@attempt(CONTEXTS, "connect to another's socket with a path", isolated=SECCOMP)
def connect_to_a_path(target):
    socket.socket(socket.AF_UNIX).connect(target["paths"]["stream"])
    return True


@attempt(CONTEXTS, "send a datagram to another's socket with a path", isolated=SECCOMP)
def send_to_a_path(target):
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", target["paths"]["datagram"])


@attempt(CONTEXTS, "send it by a socket from a pair of datagram sockets", isolated=SECCOMP)
def send_by_a_pair(target):
    sender, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(target["paths"]["datagram"])
    return sender.send(b"x")


@attempt(CONTEXTS, "connect to another's abstract socket", isolated=f"{LANDLOCK}, {SECCOMP}")
def connect_to_an_abstract_socket(target):
    socket.socket(socket.AF_UNIX).connect("\0" + target["abstract"])
    return True


@attempt(CONTEXTS, "list the names of the machine's Unix sockets")
def list_sockets(target):
    return target["abstract"].encode() in read("/proc/self/net/unix")


@attempt(CONTEXTS, "list `/proc`", isolated=LANDLOCK)
def list_processes(target):
    return str(target["kernel"]) in os.listdir("/proc")


@attempt(CONTEXTS, "learn whether there is a process with a number")
def guess_a_process(target):
    return os.path.exists(f"/proc/{target['child']}")


@attempt(CONTEXTS, "find the numbers of processes in `/sys/fs/cgroup`", isolated=LANDLOCK, may_fail=True)
def list_processes_in_sys(target):
    return os.listdir("/sys/fs/cgroup")


@attempt(CONTEXTS, "read another's command line", isolated=LANDLOCK)
def read_a_command_line(target):
    return read(f"/proc/{target['child']}/cmdline")


@attempt(CONTEXTS, "read another's environment", isolated=LANDLOCK)
def read_an_environment(target):
    return b"a secret" in read(f"/proc/{target['child']}/environ")


@attempt(CONTEXTS, "read another's memory by `/proc`", isolated=LANDLOCK, may_fail=True)
def read_memory(target):
    with open(f"/proc/{target['child']}/maps") as maps, open(f"/proc/{target['child']}/mem", "rb") as memory:
        memory.seek(int(maps.readline().split("-")[0], 16))
        return memory.read(4)


@attempt(CONTEXTS, "read another's memory by a system call", isolated=f"{LANDLOCK}, {SECCOMP}", may_fail=True)
def read_memory_by_a_call(target):
    data = ctypes.create_string_buffer(16)
    near, far = (ctypes.c_void_p * 2)(ctypes.addressof(data), 16), (ctypes.c_void_p * 2)(0x10000, 16)
    try:
        return call(270 if is_arm else 310, target["child"], near, 1, far, 1, 0)
    except OSError as error:
        return error.errno == 14  # Allowed, only that nothing is at this address.


@attempt(CONTEXTS, "trace another's process", isolated=f"{LANDLOCK}, {SECCOMP}", may_fail=True)
def trace(target):
    call(117 if is_arm else 101, 0x4206, target["child"], None, None)
    call(117 if is_arm else 101, 0x4207, target["child"], None, None)
    os.waitpid(target["child"], 0x40000000)
    call(117 if is_arm else 101, 17, target["child"], None, None)
    return True


@attempt(CONTEXTS, "take another's open descriptor", isolated=f"{LANDLOCK}, {SECCOMP}", may_fail=True)
def take_a_descriptor(target):
    return call(438, call(434, target["child"], 0), 0, 0) >= 0


@attempt(CONTEXTS, "open what another has open", isolated=LANDLOCK)
def open_what_another_has(target):
    return os.listdir(f"/proc/{target['child']}/fd") and os.open(f"/proc/{target['child']}/cwd", os.O_RDONLY)


@attempt(CONTEXTS, "signal another's process", isolated=LANDLOCK)
def send_a_signal(target):
    os.kill(target["kernel"], 0)
    return True


@attempt(CONTEXTS, "signal another's process group", isolated=LANDLOCK)
def signal_a_group(target):
    os.killpg(target["kernel"], 0)
    return True


@attempt(CONTEXTS, "signal another's process by a descriptor", isolated=LANDLOCK)
def signal_by_a_descriptor(target):
    return call(424, call(434, target["kernel"], 0), 0, None, 0) == 0


@attempt(CONTEXTS, "change another's limits", isolated=SECCOMP)
def change_limits(target):
    limits = resource.prlimit(target["child"], resource.RLIMIT_NOFILE)
    resource.prlimit(target["child"], resource.RLIMIT_NOFILE, limits)
    return True


@attempt(CONTEXTS, "change another's priority", isolated=SECCOMP)
def change_priority(target):
    before = os.getpriority(os.PRIO_PROCESS, target["child"])
    os.setpriority(os.PRIO_PROCESS, target["child"], before + 1)
    return os.getpriority(os.PRIO_PROCESS, target["child"]) == before + 1


@attempt(CONTEXTS, "change how another is scheduled", isolated=SECCOMP)
def change_scheduling(target):
    wanted = os.SCHED_BATCH if os.sched_getscheduler(target["child"]) == os.SCHED_OTHER else os.SCHED_OTHER
    os.sched_setscheduler(target["child"], wanted, os.sched_param(0))
    return os.sched_getscheduler(target["child"]) == wanted


@attempt(CONTEXTS, "choose the processors of another", isolated=SECCOMP)
def change_processors(target):
    before = os.sched_getaffinity(target["child"])
    wanted = {min(before)} if len(before) > 1 else set(range(os.cpu_count()))
    os.sched_setaffinity(target["child"], wanted)
    changed = os.sched_getaffinity(target["child"]) == wanted
    os.sched_setaffinity(target["child"], set(range(os.cpu_count())))
    return changed


@attempt(CONTEXTS, "attach another's memory of System V", isolated=SECCOMP)
def attach_memory(target):
    return libc.shmget(target["segment"], 100, 0) >= 0


@attempt(CONTEXTS, "open another's message queue", isolated=SECCOMP, may_fail=True)
def open_a_queue(target):
    return call(180 if is_arm else 240, target["queue"].encode(), 0, 0, None) >= 0


@attempt(CONTEXTS, "find another's key in the system's keyring", isolated=SECCOMP, may_fail=True)
def find_a_key(target):
    # KEYCTL_SEARCH in the user's keyring.
    return call(219 if is_arm else 250, 10, ctypes.c_long(-4), b"user", target["abstract"].encode(), 0) > 0


@attempt(CONTEXTS, "list the shared memory of others", isolated=LANDLOCK)
def list_shared_memory(target):
    return target["shared"] in os.listdir("/dev/shm")


@attempt(CONTEXTS, "open another's shared memory whose random name is known")
def open_shared_memory(target):
    return read(f"/dev/shm/{target['shared']}")


@attempt(CONTEXTS, "write to another's terminal", isolated=LANDLOCK)
def write_to_a_terminal(target):
    return os.write(os.open(target["terminal"], os.O_WRONLY | os.O_NOCTTY), b"x")


# ---- The server

SERVER = "the server"


@attempt(SERVER, "run code in another context by its API", everywhere=TOKEN, no_network=SECCOMP)
def use_the_server(target):
    request = urllib.request.Request(
        f"http://127.0.0.1:{target['port']}/execute", b'{"code": "1"}', {"Content-Type": "application/json"}
    )
    return urllib.request.urlopen(request, timeout=5).status == 200


@attempt(SERVER, "read its environment", everywhere=HIDDEN)
def read_its_environment(target):
    return read(f"/proc/{target['server']}/environ")


@attempt(SERVER, "read its memory", everywhere=HIDDEN)
def read_its_memory(target):
    return open(f"/proc/{target['server']}/mem", "rb")


@attempt(SERVER, "trace it", everywhere=HIDDEN)
def trace_it(target):
    return call(117 if is_arm else 101, 0x4206, target["server"], None, None) == 0


@attempt(SERVER, "hide a process from it, or count it as another context's, by its tag", isolated=SECCOMP)
def change_a_tag(target):
    code = "import resource as r; r.setrlimit(10, (r.getrlimit(10)[0] + 1, r.getrlimit(10)[1])); print('changed')"
    return b"changed" in subprocess.run([sys.executable, "-c", code], capture_output=True).stdout


@attempt(SERVER, "signal it", isolated=LANDLOCK)
def signal_it(target):
    os.kill(target["server"], 0)
    return True


@attempt(SERVER, "change its limits", isolated=SECCOMP)
def change_its_limits(target):
    limits = resource.prlimit(target["server"], resource.RLIMIT_NOFILE)
    resource.prlimit(target["server"], resource.RLIMIT_NOFILE, limits)
    return True


@attempt(SERVER, "read the memory of the process that its kernels are forked from", isolated=LANDLOCK, may_fail=True)
def read_the_fork_server(target):
    return open(f"/proc/{target['forker']}/mem", "rb")


@attempt(SERVER, "list its run directory", isolated=LANDLOCK)
def list_its_directory(target):
    return os.listdir(os.path.dirname(target["run"]))


@attempt(SERVER, "take the place of the next kernel's directory", isolated=LANDLOCK)
def take_a_place(target):
    path = f"{os.path.dirname(target['run'])}/100000"
    os.mkdir(path)
    os.rmdir(path)
    return True


@attempt(SERVER, "remove another kernel's socket", isolated=LANDLOCK)
def remove_a_socket(target):
    path = f"{target['run']}/s-5"
    os.rename(path, path + "-moved")
    os.rename(path + "-moved", path)
    return True


# ---- The host

HOST = "the host"


@attempt(HOST, "read a file of the user's home", isolated=LANDLOCK)
def read_a_file_at_home(target):
    return read(f"{target['home']}/secret")


@attempt(HOST, "write to the user's home", isolated=LANDLOCK)
def write_at_home(target):
    return open(f"{target['home']}/.profile", "w").write("x")


@attempt(HOST, "write to `/tmp`", isolated=LANDLOCK)
def write_to_tmp(target):
    path = f"/tmp/escape-{os.getpid()}"
    open(path, "w").close()
    os.unlink(path)
    return True


@attempt(HOST, "change the Python that all kernels run", everywhere=RIGHTS, isolated=f"{LANDLOCK}, {RIGHTS}", may_fail=True)
def change_python(target):
    return open(os.__file__, "a")


@attempt(HOST, "read what only root may", everywhere=RIGHTS)
def read_a_secret_of_root(target):
    return read("/etc/shadow")


@attempt(HOST, "make a namespace in which it is root", isolated=SECCOMP, may_fail=True)
def make_a_namespace(target):
    return call(97 if is_arm else 272, 0x1000_0000) == 0


@attempt(HOST, "make one by clone(2)", isolated=SECCOMP, may_fail=True)
def clone_a_namespace(target):
    pid = call(220 if is_arm else 56, 0x1000_0000 | signal.SIGCHLD, None, None, None, None, library=locked)
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)


@attempt(HOST, "make one by clone3(2)", isolated=SECCOMP, may_fail=True)
def clone_a_namespace_newly(target):
    arguments = struct.pack("=8Q", 0x1000_0000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    pid = call(435, arguments, ctypes.c_size_t(len(arguments)), library=locked)
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)


@attempt(HOST, "mount a file system", everywhere=RIGHTS, isolated=SECCOMP)
def mount(target):
    return call(40 if is_arm else 165, b"none", b"/tmp", b"tmpfs", 0, None) == 0


@attempt(HOST, "call the system by a ring (io_uring), where no filter looks", isolated=SECCOMP, no_network=SECCOMP, may_fail=True)
def make_a_ring(target):
    return call(425, 1, ctypes.create_string_buffer(120)) >= 0


@attempt(HOST, "load a program into the system (bpf)", everywhere=RIGHTS, isolated=SECCOMP, may_fail=True)
def load_a_program(target):
    return call(280 if is_arm else 321, 0, ctypes.create_string_buffer(64), 64) >= 0


@attempt(HOST, "gain rights by a program of root", isolated="no_new_privs", no_network="no_new_privs")
def gain_rights(target):
    # Whether such a program would gain any: PR_GET_NO_NEW_PRIVS.
    return libc.prctl(39, 0, 0, 0, 0) == 0


@attempt(HOST, "read the environment of a process of root", everywhere=RIGHTS, isolated=f"{LANDLOCK}, {RIGHTS}")
def read_the_environment_of_root(target):
    return read("/proc/1/environ")


@attempt(HOST, "list `/`", isolated=LANDLOCK)
def list_the_root(target):
    return os.listdir("/")


# ---- The network

NETWORK = "the network"


@attempt(NETWORK, "connect by TCP", no_network=SECCOMP)
def connect_by_tcp(target):
    socket.create_connection(("127.0.0.1", target["tcp"]), timeout=5)
    return True


@attempt(NETWORK, "connect by TCP over IPv6", no_network=SECCOMP, may_fail=True)
def connect_by_tcp6(target):
    socket.create_connection(("::1", target["tcp6"]), timeout=5)
    return True


@attempt(NETWORK, "connect by a program (`!`)", no_network=SECCOMP)
def connect_by_a_program(target):
    command = ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{target['tcp']}"]
    return subprocess.run(command, capture_output=True).returncode == 0


@attempt(NETWORK, "connect by a thread of libzmq that was there before", no_network=SECCOMP)
def connect_by_a_thread(target):
    import zmq

    pusher = zmq.Context.instance().socket(zmq.PUSH)
    pusher.linger = 0
    monitor = pusher.get_monitor_socket(zmq.EVENT_CONNECTED)
    pusher.connect(f"tcp://127.0.0.1:{target['tcp']}")
    return monitor.poll(1000)


@attempt(NETWORK, "connect with the first packet (MSG_FASTOPEN)", no_network=SECCOMP, may_fail=True)
def connect_with_data(target):
    return socket.socket().sendto(b"x", 0x2000_0000, ("127.0.0.1", target["tcp"]))


@attempt(NETWORK, "connect by Multipath TCP", no_network=SECCOMP, may_fail=True)
def connect_by_mptcp(target):
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(("127.0.0.1", target["tcp"]))
    return True


@attempt(NETWORK, "send by UDP", no_network=SECCOMP)
def send_by_udp(target):
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", target["udp"]))


@attempt(NETWORK, "listen on a port", no_network=SECCOMP)
def listen_on_a_port(target):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener.getsockname()[1]


@attempt(NETWORK, "listen without having asked for a port", no_network=SECCOMP)
def listen_on_any_port(target):
    listener = socket.socket()
    listener.listen()
    return listener.getsockname()[1]


@attempt(NETWORK, "ask the system for its addresses (netlink)", no_network=SECCOMP)
def open_netlink(target):
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@attempt(NETWORK, "be told of all that starts and ends on the machine (netlink)", isolated=SECCOMP, no_network=SECCOMP, may_fail=True)
def open_connector(target):
    return socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 11)


@attempt(NETWORK, "list the connections of all (netlink)", isolated=SECCOMP, no_network=SECCOMP, may_fail=True)
def open_diagnosis(target):
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)


@attempt(NETWORK, "send raw packets", everywhere=RIGHTS, no_network=f"{SECCOMP}, {RIGHTS}", isolated=f"{SECCOMP}, {RIGHTS}")
def open_a_packet_socket(target):
    return socket.socket(17, socket.SOCK_RAW)


@attempt(NETWORK, "reach the machine around a virtual one (vsock)", no_network=SECCOMP, isolated=SECCOMP, may_fail=True)
def open_vsock(target):
    return socket.socket(40, socket.SOCK_STREAM)


@attempt(NETWORK, "use the system's cryptography (AF_ALG)", no_network=SECCOMP, isolated=SECCOMP, may_fail=True)
def open_cryptography(target):
    return socket.socket(38, socket.SOCK_SEQPACKET)


@attempt(NETWORK, "make a socket by the numbers of another architecture (x32)", no_network=SECCOMP, isolated=SECCOMP, may_fail=True)
def use_other_numbers(target):
    return call(0x4000_0000 | 41, 2, 1, 0) >= 0


@attempt(NETWORK, "make a socket by a system call of 32 bits", no_network=SECCOMP, isolated=SECCOMP, may_fail=True)
def use_32_bits(target):
    # mov eax, 359 (socket); mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80; ret. Registers that a caller expects are kept.
    code = b"\x53\xb8\x67\x01\x00\x00\xbb\x02\x00\x00\x00\xb9\x01\x00\x00\x00\x31\xd2\xcd\x80\x5b\xc3"
    if is_arm:
        raise OSError("for x86 only")
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))() >= 0
