"""A lock on an open file, for all processes of this machine; it goes with the last descriptor of the file."""

from __future__ import annotations

import fcntl


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock, or return False at once when somebody else holds it. `shared`: beside other sharers."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
