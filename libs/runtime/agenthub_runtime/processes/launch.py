"""The first program of every child: becomes what the child has to be, then the child's own program.

It is a program and not a function that runs between fork and exec (`preexec_fn`): with one, every start is a full
fork, and a child that runs Python there also runs what libraries have asked to run after a fork. The tracing
library starts threads then, and Linux lets no process with threads into a new user namespace. Run by its path and
without `site`: standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def enter_namespace(user: int, group: int) -> None:
    """Become `user` in a new user namespace, in which it stands for root outside. Raises `OSError`."""
    if _LIBC.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no new user namespace")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} 0 1"), ("gid_map", f"{group} 0 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)


def main(parent: int) -> None:
    """Read an order (of `processes.spawn`) from the socket `parent` and follow it, or answer why not."""
    os.set_inheritable(parent, False)  # closed by the exec: that is how the parent knows of success
    with open(parent, "rb", closefd=False) as orders:
        order = json.load(orders)
    try:
        _become(order)
    except OSError as error:
        os.write(parent, json.dumps([error.errno, error.strerror]).encode())
        sys.exit(1)


def _become(order: dict[str, Any]) -> None:
    if order["seen_as"] is not None:
        enter_namespace(*order["seen_as"])
    if order["group"] is not None:
        os.setgroups([])
        os.setgid(order["group"])
    if order["user"] is not None:
        os.setuid(order["user"])
    if sys.platform == "linux":
        # After the change of credentials, which clears the setting.
        _LIBC.prctl(_PR_SET_PDEATHSIG, order["death_signal"], 0, 0, 0)
        if os.getppid() != order["parent"]:
            sys.exit(1)  # the parent died before the setting was made
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and an exec would hand that on
    os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]))
