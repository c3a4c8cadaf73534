"""Takes from a process what its context may not reach: files, processes, sockets.

A process that calls `enter` cannot undo it, and neither can what it starts. Nothing here needs privileges. Files, signals, abstract
sockets and TCP are restricted by Landlock (https://docs.kernel.org/userspace-api/landlock.html), which also keeps a process from
tracing others. The rest is restricted by a seccomp filter: Landlock governs no other sockets, and no `connect` to the path of a
Unix socket before its ninth version.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pwd
import struct
import sys
import sysconfig
import time
from typing import Iterable, NamedTuple, TypeVar

from code_interpreter_kernel import seccomp

#: What everybody may read: programs, libraries, settings. What does not exist is left out.
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/etc", "/var/cache/fontconfig", "/sys/devices",
    "/sys/class", "/sys/bus", "/sys/kernel/mm",
)  # fmt: skip

#: What tells of the machine, and not of the processes of others. Each entry of a process is hidden but its own.
MACHINE = tuple(
    f"/proc/{name}"
    for name in ("cpuinfo", "meminfo", "stat", "uptime", "loadavg", "version", "vmstat", "filesystems", "sys")
)

DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))

#: Semaphores and shared memory of POSIX have no place of their own. Their names cannot be listed.
SHARED_MEMORY = "/dev/shm"

#: The lowest version of Landlock that keeps signals and abstract sockets apart, in Linux 6.12.
LOWEST_VERSION = 6

#: The access rights of files and directories by the version of Landlock that brought them.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY, _REMOVE_DIRECTORY, _REMOVE_FILE = (1 << n for n in range(6))
_MAKE_CHARACTER, _MAKE_DIRECTORY, _MAKE_FILE, _MAKE_SOCKET, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_LINK = (1 << n for n in range(6, 13))
_REFER, _TRUNCATE, _DEVICE_CONTROL = (1 << n for n in range(13, 16))
_ALL = (1 << 16) - 1
_READ = _EXECUTE | _READ_FILE | _READ_DIRECTORY
_WRITE = _ALL & ~(_MAKE_CHARACTER | _MAKE_BLOCK | _DEVICE_CONTROL)
_DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _DEVICE_CONTROL
_SHARE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _MAKE_FILE | _REMOVE_FILE
#: Those that a rule for something other than a directory may name.
_OF_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
_ALL_TCP = 0b11
_ALL_SCOPES = 0b11

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
#: openat2(2) with RESOLVE_NO_SYMLINKS.
_OPEN, _NO_LINKS = 437, 0x04
_NO_NEW_PRIVILEGES = 38
_DROP_CAPABILITY = 24
_CLEAR_AMBIENT = 47

#: The capabilities that root keeps: those for files, which Landlock confines. CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of
#: capabilities(7).
_KEPT_CAPABILITIES = 0b111

_libc = ctypes.CDLL(None, use_errno=True)

_Rules = TypeVar("_Rules", bound="_Ruleset")

#: The variables that `_use_own_directory` sets, and the mark of our processes. No value of theirs is a context's.
_OWN_VARIABLES = ("HOME", "TMPDIR", "IPYTHONDIR", "CODE_INTERPRETER_KERNEL")

#: The variable in which a kernel that is started by exec finds its policy.
VARIABLE = "CODE_INTERPRETER_ISOLATION"


class Policy(NamedTuple):
    """What a kernel and everything that it starts may reach. An empty one restricts nothing."""

    #: Whether only the directories below are reachable, beside the system's, and no processes of others.
    isolated: bool = False
    #: Whether there are sockets other than Unix ones.
    network: bool = True
    #: Its own directory, for temporary files, its home and packages. It may also be written.
    directory: str = ""
    #: The working directory, without links in its path. It may be written. An isolated kernel without one is told later, see `deferred`.
    cwd: str = ""
    #: What else may be read.
    readable: list[str] = []
    #: Variables that its process gets when its sockets are restricted.
    variables: dict[str, str] = {}

    @property
    def is_any(self) -> bool:
        """Whether anything is restricted."""
        return self.isolated or not self.network

    @property
    def is_deferred(self) -> bool:
        """Whether files are restricted when the working directory is known."""
        return self.isolated and not self.cwd

    @classmethod
    def from_environment(cls) -> Policy:
        """The policy in the environment, which is removed there. Raises `ValueError` if it is not one."""
        text = os.environ.pop(VARIABLE, "")
        try:
            return cls(**json.loads(text)) if text else cls()
        except TypeError as error:
            raise ValueError(f"not a policy: {error}") from error


def take_variables() -> dict[str, str]:
    """Removes the variables by which a context could make its kernel run code while that starts, which are too many to name, and
    returns them.
    """
    return {name: os.environ.pop(name) for name in list(os.environ) if name not in _OWN_VARIABLES}


def apply_late(variables: dict[str, str]) -> None:
    """Sets variables that were taken. Those that count only when a program starts then hold for what the kernel starts."""
    os.environ.update(variables)
    time.tzset()
    sys.path += [path for path in variables.get("PYTHONPATH", "").split(":") if path and path not in sys.path]


def prepare() -> None:
    """Does once what `enter` would do in each process that is forked from this one. It takes some 15 ms."""
    sysconfig.get_config_vars()
    machine = os.uname().machine
    if machine in seccomp.MACHINES:
        seccomp.program(seccomp.process_rules(), machine)
        for isolated, network in ((True, True), (True, False), (False, False)):
            seccomp.program(seccomp.socket_rules(isolated, network, needs_own=False), machine)


def enter(policy: Policy, program: str | None = None) -> None:
    """Restricts this process, which has one thread. Raises `OSError` if the system cannot do that.

    Its sockets are restricted later, by `close_sockets`: a kernel has to make some before.

    `program` is the one that it will execute, if it does.
    """
    if not policy.is_any:
        return
    _check(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    if policy.isolated:
        _use_own_directory(policy.directory)
        _restrict_scopes()
        if not policy.is_deferred:
            with FileRules(policy, program) as rules:
                rules.allow_directory(policy.cwd)
                rules.apply()
        seccomp.install(seccomp.process_rules())
        _drop_capabilities()


def close_sockets(policy: Policy, *, needs_own: bool) -> None:
    """Keeps this process, in all of its threads, from making sockets that it may not have. Raises `OSError`.

    With `needs_own` it may still listen on Unix sockets, but connect to none: for kernels whose start this package does not know.
    """
    if policy.is_any:
        seccomp.install(seccomp.socket_rules(policy.isolated, policy.network, needs_own=needs_own))


def _use_own_directory(directory: str) -> None:
    """Points programs at places that they may write."""
    for name, variable in (("home", "HOME"), ("tmp", "TMPDIR"), ("ipython", "IPYTHONDIR")):
        path = f"{directory}/{name}"
        os.makedirs(path, mode=0o700, exist_ok=True)
        os.environ[variable] = path
    # What pip installs. What this Python has already is not installed again.
    prefix = f"{directory}/packages"
    packages = sysconfig.get_path("purelib", vars={"base": prefix, "platbase": prefix})
    os.environ["PIP_PREFIX"] = prefix
    for variable, path in (("PYTHONPATH", packages), ("PATH", f"{prefix}/bin")):
        known = os.environ.get(variable)
        os.environ[variable] = f"{path}:{known}" if known else path
    os.makedirs(packages, exist_ok=True)
    sys.path.append(packages)


def _restrict_scopes() -> None:
    """Keeps this thread, and those that it starts, from signalling other processes and from their abstract sockets.

    Apart from the rules for files, which differ between the threads of a deferred kernel: those of one scope may signal each other's
    children.
    """
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < LOWEST_VERSION:
        raise OSError(errno.EOPNOTSUPP, f"Landlock has version {version}, and {LOWEST_VERSION} is needed (Linux 6.12)")
    # Before Linux 6.13, rules that do not govern files keep them from moving to another directory.
    with _Ruleset(files=_REFER, scopes=_ALL_SCOPES) as ruleset:
        ruleset.allow("/", _REFER)
        ruleset.apply()


class _Ruleset:
    """Rules of Landlock. Raises `OSError`."""

    def __init__(self, *, files: int, tcp: int = 0, scopes: int = 0):
        attributes = struct.pack("=QQQ", files, tcp, scopes)
        self._descriptor = _check(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))

    def __enter__(self: _Rules) -> _Rules:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def allow(self, path: str, rights: int, *, keeps_open: bool = False) -> None:
        """Allows access to what is below a path.

        `keeps_open` is for entries of a process: the system makes a new one when memory is short, unless somebody has it open.
        """
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return  # What this process cannot reach needs no rule.
        if keeps_open:
            os.set_inheritable(os.dup(descriptor), True)
        self.allow_below(descriptor, rights if os.path.isdir(path) else rights & _OF_FILE)

    def allow_below(self, descriptor: int, rights: int) -> None:
        """Allows access to what is below a directory, and closes it."""
        try:
            rule = struct.pack("=Qi", rights, descriptor)
            _check(_libc.syscall(_ADD_RULE, self._descriptor, _PATH_BENEATH, rule, 0))
        finally:
            os.close(descriptor)

    def apply(self) -> None:
        """Restricts this thread, and the threads and processes that it starts from now on."""
        _check(_libc.syscall(_RESTRICT_SELF, self._descriptor, 0))


class FileRules(_Ruleset):
    """What an isolated process may do with files and TCP, but for its working directory.

    `program` is the one that it will execute, if it does.
    """

    def __init__(self, policy: Policy, program: str | None = None):
        super().__init__(files=_ALL, tcp=0 if policy.network else _ALL_TCP)
        for paths, rights in (
            (SYSTEM, _READ),
            (MACHINE, _READ),
            (installation(program, (policy.cwd, policy.directory)), _READ),
            (policy.readable, _READ),
            ((policy.directory,), _WRITE),
            (DEVICES, _DEVICE),
            ((SHARED_MEMORY,), _SHARE),
        ):
            for path in paths:
                self.allow(path, rights)
        self.allow("/proc/self", _READ, keeps_open=True)

    def allow_directory(self, path: str) -> None:
        """Allows to change a directory. Raises `OSError` if there is none, or a link in its path."""
        self.allow_below(_open_without_links(path), _WRITE)


def _open_without_links(path: str) -> int:
    """Opens a directory. Raises `OSError` if there is a link in its path: code of another context may have put it there, to what is out
    of its own reach.
    """
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY, 0, _NO_LINKS)
    return _check(_libc.syscall(_OPEN, -100, os.fsencode(path), how, ctypes.c_size_t(len(how))))


def installation(program: str | None, private: Iterable[str] = ()) -> Iterable[str]:
    """The directories of this Python, and of a program that is not the system's; none that contains one of `private`."""
    yield from {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    yield from (path for path in sys.path if os.path.isabs(path))
    try:
        home = os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        home = "/"  # A user without a name, as in a container.
    if program is None or any(_contains(os.path.realpath(directory), os.path.abspath(program)) for directory in private if directory):
        return  # Code may have put it there, or a link to something.
    for path in {program, os.path.realpath(program)}:
        yield path
        directory = os.path.dirname(path)
        prefix = os.path.realpath(os.path.dirname(directory))
        # An installation, and not everything in /, in the home or in the workspace, if the program is in a `bin` there.
        if os.path.basename(directory) == "bin" and os.path.isdir(f"{prefix}/lib"):
            if not any(_contains(prefix, os.path.realpath(other)) for other in (home, *private)):
                yield prefix


def _contains(directory: str, path: str) -> bool:
    return f"{path}/".startswith(f"{directory.rstrip('/')}/")


def _drop_capabilities() -> None:
    """For kernels of root: without that they could load modules, set clocks, raise their limits."""
    for number in range(64):
        if not _KEPT_CAPABILITIES >> number & 1 and _libc.prctl(_DROP_CAPABILITY, number, 0, 0, 0) != 0:
            break  # Without rights to drop, or beyond the last one.
    _libc.prctl(_CLEAR_AMBIENT, 4, 0, 0, 0)
    header = struct.pack("=Ii", 0x20080522, 0)
    data = bytearray(24)
    buffer = (ctypes.c_char * 24).from_buffer(data)
    if _libc.capget(header, buffer) == 0:
        effective, permitted, _, *high = struct.unpack("=6I", data)
        # The inheritable ones go as well.
        kept = (effective & _KEPT_CAPABILITIES, permitted & _KEPT_CAPABILITIES, 0, 0, 0, 0)
        _check(_libc.capset(header, struct.pack("=6I", *kept)))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
