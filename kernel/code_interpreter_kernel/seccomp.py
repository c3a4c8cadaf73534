"""Filters of system calls (seccomp(2)), in the instructions of the system's packet filters."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)


class Machine(NamedTuple):
    """What differs between processors."""

    #: `AUDIT_ARCH_*`, which the filter sees.
    architecture: int
    seccomp: int
    numbers: dict[str, int]


def _numbers(column: int) -> dict[str, int]:
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


#: System calls, and their numbers on x86-64 and on 64-bit ARM; "-" where there is none.
_TABLE = """
socket             41  198
connect            42  203
sendto             44  206
sendmsg            46  211
sendmmsg          307  269
socketpair         53  199
clone              56  220
clone3            435  435
unshare           272   97
setns             308  268
ptrace            101  117
process_vm_readv  310  270
process_vm_writev 311  271
process_madvise   440  440
pidfd_getfd       438  438
kcmp              312  272
io_uring_setup    425  425
io_uring_enter    426  426
io_uring_register 427  427
add_key           248  217
request_key       249  218
keyctl            250  219
shmget             29  194
shmat              30  196
shmctl             31  195
semget             64  190
semop              65  193
semctl             66  191
semtimedop        220  192
msgget             68  186
msgsnd             69  189
msgrcv             70  188
msgctl             71  187
mq_open           240  180
mq_unlink         241  181
inotify_init      253    -
inotify_init1     294   26
inotify_add_watch 254   27
fanotify_init     300  262
bpf               321  280
perf_event_open   298  241
userfaultfd       323  282
open_by_handle_at 304  265
mount             165   40
umount2           166   39
pivot_root        155   41
chroot            161   51
open_tree         428  428
move_mount        429  429
fsopen            430  430
fsconfig          431  431
fsmount           432  432
fspick            433  433
mount_setattr     442  442
quotactl          179   60
acct              163   89
swapon            167  224
swapoff           168  225
reboot            169  142
syslog            103  116
settimeofday      164  170
clock_settime     227  112
adjtimex          159  171
clock_adjtime     305  266
sethostname       170  161
setdomainname     171  162
init_module       175  105
finit_module      313  273
delete_module     176  106
kexec_load        246  104
kexec_file_load   320  294
prlimit64         302  261
setpriority       141  140
sched_setaffinity 203  122
sched_setscheduler 144 119
sched_setparam    142  118
sched_setattr     314  274
ioprio_set        251   30
migrate_pages     256  238
move_pages        279  239
setrlimit         160  164
fcntl              72   25
chmod              90    -
fchmod             91   52
fchmodat          268   53
fchmodat2         452  452
chown              92    -
lchown             94    -
fchown             93   55
fchownat          260   54
fsetxattr         190    7
fremovexattr      199   16
ioctl              16   29
getxattr          191    8
lgetxattr         192    9
listxattr         194   11
llistxattr        195   12
setxattr          188    5
lsetxattr         189    6
removexattr       197   14
lremovexattr      198   15
setxattrat        463  463
getxattrat        464  464
listxattrat       465  465
removexattrat     466  466
open_tree_attr    467  467
file_getattr      468  468
file_setattr      469  469
quotactl_fd       443  443
process_mrelease  448  448
statmount         457  457
listmount         458  458
"""

MACHINES = {
    "x86_64": Machine(0xC000003E, 317, _numbers(1)),
    "aarch64": Machine(0xC00000B7, 277, _numbers(2)),
}


class Condition(NamedTuple):
    """What an argument must be for a rule to apply: the argument with a mask compared with a value."""

    argument: int
    value: int
    mask: int = 0xFFFF_FFFF
    #: Whether it must differ from the value.
    differs: bool = False


class Rule(NamedTuple):
    """A system call that fails if all conditions hold."""

    call: str
    error: int
    conditions: tuple[Condition, ...] = ()


#: AF_UNIX, AF_NETLINK, by which a program learns its addresses, and with that one AF_INET and AF_INET6.
_UNIX, _NETLINK = 1, 16
_NETWORK = (2, 10, _NETLINK)
_STREAM, _KIND = 1, 0xF
_FAST_OPEN = 0x2000_0000
#: Namespaces: CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET.
_NAMESPACES = (0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000)

#: Looks at other processes, which Landlock prevents as well, except for the comparison.
_TRACING = ("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "perf_event_open")
#: Names that all processes of a user share: keys, System V's and POSIX's queues and memory, changes of other's files.
_SHARED = (
    "add_key", "request_key", "keyctl", "shmget", "shmat", "shmctl", "semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd",
    "msgrcv", "msgctl", "mq_open", "mq_unlink", "inotify_init", "inotify_init1", "inotify_add_watch", "fanotify_init",
)  # fmt: skip
#: What only root may do, or what gets around the rules for paths.
_SYSTEM = (
    "unshare", "setns", "bpf", "userfaultfd", "open_by_handle_at", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "quotactl", "acct", "swapon", "swapoff", "reboot", "syslog",
    "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load", "open_tree_attr", "quotactl_fd", "process_mrelease", "statmount", "listmount",
)  # fmt: skip
#: What Landlock does not govern: attributes hold data. Those of a file can be changed with a descriptor that only reads.
_ATTRIBUTES = (
    "getxattr", "lgetxattr", "listxattr", "llistxattr", "setxattr", "lsetxattr", "removexattr", "lremovexattr", "setxattrat", "getxattrat",
    "listxattrat", "removexattrat", "fsetxattr", "fremovexattr",
)  # fmt: skip
#: The owner of a file, which only root may change, and would for any file. `tar` does it for each, so it is told that it is done.
_OWNERS = ("chown", "lchown", "fchown", "fchownat")
#: FS_IOC_SETFLAGS, the same for 32 bits, FS_IOC_FSSETXATTR and FS_IOC_ENABLE_VERITY: flags that make a file unchangeable.
_SET_FLAGS = (0x4008_6602, 0x4004_6602, 0x401C_5820, 0x4080_6685)
#: PIDFD_GET_INFO tells of any process. The upper half has the size of the answer.
_PROCESS_INFORMATION = 0xFF0B
#: Calls that set the mode of a file, and which of their arguments is the mode.
_MODES = (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2))
_SET_USER_OR_GROUP = 0o6000
#: With a lease on a file that it may read, a process lets all wait that open the file.
_SET_LEASE = 1024
#: The limit that has the tag by which the server finds what a context has started (`processes.RLIMIT_LOCKS`).
_TAG = 10
#: Calls that change the process in their first argument; 0 is the caller.
_OTHERS = ("prlimit64", "sched_setattr", "migrate_pages", "move_pages")
#: The same for threads, which libraries call for their own, as libzmq does, and end without. Nothing is done, and they are told that
#: it is.
_OTHER_THREADS = ("sched_setaffinity", "sched_setscheduler", "sched_setparam")
#: Programs do without these when they are not there. The arguments of a ring are in memory, where no filter sees them: with one,
#: a process makes sockets as well.
_RINGS = ("io_uring_setup", "io_uring_enter", "io_uring_register")


def process_rules() -> tuple[Rule, ...]:
    """For a process that is to leave others alone."""
    other = Condition(0, 0, differs=True)
    return (
        *(Rule(call, errno.EPERM) for call in (*_TRACING, *_SHARED, *_SYSTEM)),
        *(Rule(call, errno.ENOSYS) for call in _RINGS),
        # Its flags are in memory. The C library then takes clone(2).
        Rule("clone3", errno.ENOSYS),
        *(Rule("clone", errno.EPERM, (Condition(0, flag, flag),)) for flag in _NAMESPACES),
        # Limits, processors and priorities of other processes of the same user.
        *(Rule(call, errno.EPERM, (other,)) for call in _OTHERS),
        *(Rule(call, 0, (other,)) for call in _OTHER_THREADS),
        Rule("setrlimit", errno.EPERM, (Condition(0, _TAG),)),
        Rule("prlimit64", errno.EPERM, (Condition(1, _TAG),)),
        Rule("fcntl", errno.EPERM, (Condition(1, _SET_LEASE),)),
        *(Rule(call, errno.EOPNOTSUPP) for call in _ATTRIBUTES),
        *(Rule(call, errno.ENOSYS) for call in ("file_getattr", "file_setattr")),
        *(Rule("ioctl", errno.EPERM, (Condition(1, number),)) for number in _SET_FLAGS),
        Rule("ioctl", errno.EPERM, (Condition(1, _PROCESS_INFORMATION, 0xFFFF),)),
        *(Rule(call, 0) for call in _OWNERS),
        *(Rule(call, errno.EPERM, (Condition(index, 0, _SET_USER_OR_GROUP, differs=True),)) for call, index in _MODES),
        *(
            Rule(call, errno.EPERM, conditions)
            for call, own in (("setpriority", 0), ("ioprio_set", 1))
            for conditions in ((Condition(0, own, differs=True),), (Condition(1, 0, differs=True),))
        ),
    )


def socket_rules(isolated: bool, network: bool, *, needs_own: bool) -> tuple[Rule, ...]:
    """For a process whose sockets are there, or with `needs_own` for one that must still make Unix sockets to listen on."""
    rules = [Rule(call, errno.ENOSYS) for call in _RINGS]
    rules.append(Rule("socketpair", errno.EACCES, (Condition(0, _UNIX, differs=True),)))
    if not network:
        rules += [
            # libzmq, which asks by such a socket for the machine's addresses, ends the process for any other error.
            Rule("socket", errno.EOPNOTSUPP, (Condition(0, _NETLINK),)),
            Rule("socket", errno.EACCES, (Condition(0, _UNIX, differs=True),)),
        ]
    if not isolated:
        return tuple(rules)
    # Other protocols than the one for addresses (NETLINK_ROUTE) tell of all processes and connections of the machine.
    rules.append(Rule("socket", errno.EPROTONOSUPPORT, (Condition(0, _NETLINK), Condition(2, 0, differs=True))))
    # A pair of datagram sockets can be connected elsewhere, one of streams cannot.
    rules.append(Rule("socketpair", errno.EACCES, (Condition(1, _STREAM, _KIND, differs=True),)))
    if not needs_own:
        families = _NETWORK if network else ()
        return (*rules, Rule("socket", errno.EACCES, tuple(Condition(0, family, differs=True) for family in families)))
    return (
        *rules,
        Rule("connect", errno.EACCES),
        Rule("socket", errno.EACCES, (Condition(1, _STREAM, _KIND, differs=True),)),
        # These connect as well.
        *(Rule(call, errno.EACCES, (Condition(index, _FAST_OPEN, _FAST_OPEN),)) for call, index in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3))),
    )


_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW, _FAIL = 0x7FFF_0000, 0x0005_0000
_NUMBER, _ARCHITECTURE = 0, 4
#: Numbers from here on are those of x32, other names for the same calls.
_X32 = 0x4000_0000


@functools.cache
def program(rules: tuple[Rule, ...], name: str) -> bytes:
    """The instructions (`struct sock_filter`) for a machine by its name. Raises `OSError` if its system calls are not known."""
    if name not in MACHINES:
        raise OSError(errno.EOPNOTSUPP, f"the system calls of {name} are not known")
    machine = MACHINES[name]
    code: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.architecture),
        # Such as a program of 32 bits, whose calls have other numbers.
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
    ]
    for rule in rules:
        number = machine.numbers.get(rule.call)
        if number is None:
            continue
        # Backwards, as each check jumps over what follows it. Only the lower half of an argument is compared: the kernel takes an `int`
        # and drops the rest.
        tail = [(_RETURN, 0, 0, _FAIL | rule.error)]
        for condition in reversed(rule.conditions):
            length = len(tail)
            matches, differs = (length, 0) if condition.differs else (0, length)
            tail = [
                (_LOAD, 0, 0, 16 + 8 * condition.argument),
                (_AND, 0, 0, condition.mask),
                (_EQUAL, matches, differs, condition.value),
                *tail,
            ]
        # Conditions have replaced the number.
        code += [(_EQUAL, 0, len(tail) + 1, number), *tail, (_LOAD, 0, 0, _NUMBER)]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def install(rules: tuple[Rule, ...]) -> None:
    """Applies rules to all threads of this process, and to what it starts. Raises `OSError`."""
    name = os.uname().machine
    instructions = program(rules, name)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))

    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    all_threads, by_filter = 1, 1
    result = _libc.syscall(
        MACHINES[name].seccomp, by_filter, all_threads, ctypes.byref(Program(len(instructions) // 8, ctypes.addressof(buffer)))
    )
    if result != 0:
        number = ctypes.get_errno()
        # A positive result is a thread with other filters.
        raise OSError(number or errno.EBUSY, "the system calls of a thread cannot be restricted")
