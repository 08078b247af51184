"""Which account of this machine is at the other end of a connection, as the kernel tells.

A port on the loopback interface is open to every account of the machine. Without keys only two are let in: the one
that runs the hub, and root.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

_TABLES = {socket.AF_INET: ("tcp", "tcp6"), socket.AF_INET6: ("tcp6",)}
_PROC = Path("/proc/net")
_WORD = 4

ACCOUNT = "agenthub.account"


def trusted_accounts() -> frozenset[int] | None:
    """Who is let in without a key; None on a system that does not tell whose a connection is."""
    return frozenset({0, os.geteuid()}) if (_PROC / "tcp").exists() else None


def account_of(peer: tuple[str, int], here: tuple[str, int]) -> int | None:
    """The account that owns the socket at `peer` whose other end is `here`; None when nobody has it open.

    A socket that its owner has closed shows as root's in the kernel's table: it has no inode, and is nobody's.
    """
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    for table in _TABLES[family]:
        mapped = family == socket.AF_INET and table == "tcp6"
        wanted = f"{_written(peer, family, mapped)} {_written(here, family, mapped)}"
        try:
            text = (_PROC / table).read_text(encoding="ascii")
        except OSError:
            continue
        for line in text.splitlines():
            if wanted in line and (account := _owner(line, wanted)) is not None:
                return account
    return None


def _owner(line: str, wanted: str) -> int | None:
    # sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
    fields = line.split()
    if f"{fields[1]} {fields[2]}" != wanted or fields[9] == "0":
        return None
    return int(fields[7])


def _written(address: tuple[str, int], family: socket.AddressFamily, mapped: bool) -> str:
    """An address as the tables write it: words of four bytes in the order of this machine."""
    packed = socket.inet_pton(family, address[0].partition("%")[0])
    if mapped:
        packed = b"\0" * 10 + b"\xff\xff" + packed
    words = (packed[start : start + _WORD] for start in range(0, len(packed), _WORD))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{address[1]:04X}"
