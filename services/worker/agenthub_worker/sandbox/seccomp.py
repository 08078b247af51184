"""The system calls that a sandbox does not need: a filter of the kernel (seccomp) in its own byte code.

Refused are what speaks to the kernel's rarely tried parts (keys, BPF, io_uring, exotic sockets), what could steer
another process, what makes a file that lends its owner's rights, and new user namespaces. The `libseccomp` of a
system would write the same, but is not on every machine.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000

_SET_ID = 0o6000
_NEW_USER_NAMESPACE = 0x10000000
_CREATES = 0o100 | 0o20000000  # O_CREAT, and what O_TMPFILE adds to O_DIRECTORY
_FIRST_PROCESS = 1
_TYPED_FOR_THE_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_SOCKETS = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK

# Numbers on x86-64 and on 64-bit ARM; None: the call does not exist there.
_CALLS: Mapping[str, tuple[int | None, int | None]] = {
    "open": (2, None),
    "creat": (85, None),
    "chmod": (90, None),
    "mknod": (133, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "mknodat": (259, 33),
    "openat": (257, 56),
    "openat2": (437, 437),
    "clone": (56, 220),
    "clone3": (435, 435),
    "unshare": (272, 97),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "ioctl": (16, 29),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "setns": (308, 268),
    "iopl": (172, None),
    "ioperm": (173, None),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "vhangup": (153, 58),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
# Libraries try these first and go on without them when the kernel does not know them.
_UNKNOWN = frozenset({"openat2", "io_uring_setup", "io_uring_enter", "io_uring_register", "clone3"})
# Which argument of a call is the mode of a file, and which one tells whether there is a mode.
_MODES: Mapping[str, tuple[int, int | None]] = {
    "open": (2, 1),
    "openat": (3, 2),
    "creat": (1, None),
    "chmod": (1, None),
    "fchmod": (1, None),
    "fchmodat": (2, None),
    "fchmodat2": (2, None),
    "mknod": (1, None),
    "mknodat": (2, None),
}
_OF_PROCESSES: Mapping[str, int] = {"ptrace": 1, "process_vm_readv": 0, "process_vm_writev": 0}


class _Machine(NamedTuple):
    column: int
    architecture: int


_MACHINES = {"x86_64": _Machine(0, 0xC000003E), "aarch64": _Machine(1, 0xC00000B7)}

_Step = tuple[int, int, int, int]


def syscall_filter() -> bytes | None:
    """The filter as bubblewrap takes it; None on a machine whose system calls it does not know."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return None
    steps: list[_Step] = [
        _load(_ARCHITECTURE),
        (_EQUAL, 1, 0, machine.architecture),
        _refuse(errno.ENOSYS),
        _load(_NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        _refuse(errno.ENOSYS),
    ]
    for name, numbers in _CALLS.items():
        number = numbers[machine.column]
        if number is not None:
            block = list(_block(name))
            steps += [_load(_NUMBER), (_EQUAL, 0, len(block), number), *block]
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _block(name: str) -> Iterator[_Step]:
    """What is done at a call of this name; at its end the next rule follows."""
    if name in _MODES:
        mode, flags = _MODES[name]
        if flags is not None:
            yield _argument(flags)
            yield (_ANY_BIT, 0, 3, _CREATES)
        yield _argument(mode)
        yield (_ANY_BIT, 0, 1, _SET_ID)
        yield _refuse(errno.EPERM)
    elif name in ("clone", "unshare"):
        yield _argument(0)
        yield (_ANY_BIT, 0, 1, _NEW_USER_NAMESPACE)
        yield _refuse(errno.EPERM)
    elif name in ("socket", "socketpair"):
        yield _argument(0)
        for number, family in enumerate(_SOCKETS):
            yield (_EQUAL, len(_SOCKETS) - number, 0, family)
        yield _refuse(errno.EAFNOSUPPORT)
    elif name == "ioctl":
        yield _argument(1)
        yield (_EQUAL, 1, 0, _TYPED_FOR_THE_TERMINAL[0])
        yield (_EQUAL, 0, 1, _TYPED_FOR_THE_TERMINAL[1])
        yield _refuse(errno.EPERM)
    elif name in _OF_PROCESSES:
        yield _argument(_OF_PROCESSES[name])
        yield (_EQUAL, 0, 1, _FIRST_PROCESS)
        yield _refuse(errno.EPERM)
    else:
        yield _refuse(errno.ENOSYS if name in _UNKNOWN else errno.EPERM)


def _load(offset: int) -> _Step:
    return _LOAD, 0, 0, offset


def _argument(number: int) -> _Step:
    """The lower half of an argument: what these calls look at has 32 bits."""
    return _load(_ARGUMENTS + 8 * number)


def _refuse(error: int) -> _Step:
    return _RETURN, 0, 0, _REFUSE | error
