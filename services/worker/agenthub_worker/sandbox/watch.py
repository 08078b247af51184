"""Looks at a running sandbox from outside: what all its processes use together, and what its folders grow to.

The kernel bounds single processes and single files. What only the sum tells is looked at again and again, so a
command may be over for a moment; a look takes a small share of the time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import walk
from agenthub_worker.sandbox.port import ResourceLimits

_EVERY_S = 0.25
_SHARE = 10
_BLOCK = 512
_KILOBYTE = 1024


class _Size(msgspec.Struct, frozen=True):
    bytes: int
    entries: int


async def until_exceeded(pid: int, folders: Sequence[Path], limits: ResourceLimits) -> str:
    """Wait until the processes below `pid`, or the folders, are over a limit; which one, in words."""
    start = await asyncio.to_thread(_size_of, folders, None)
    most = _Size(max(limits.disk, start.bytes), max(limits.disk_entries, start.entries))
    while True:
        began = time.monotonic()
        memory = await asyncio.to_thread(memory_below, pid, limits.memory_together)
        if memory > limits.memory_together:
            return f"its processes used {memory >> 20} MiB together, more than {limits.memory_together >> 20}"
        size = await asyncio.to_thread(_size_of, folders, most)
        if size.bytes > most.bytes:
            return f"its files have {size.bytes >> 20} MiB, more than {most.bytes >> 20}"
        if size.entries > most.entries:
            return f"it has more than {most.entries} files and folders"
        await asyncio.sleep(max(_EVERY_S, _SHARE * (time.monotonic() - began)))


def memory_below(pid: int, enough: int) -> int:
    """Bytes that a process and all below it use together; what they share is counted once when it matters."""
    pids = list(_below(pid))
    private = sum(_kilobytes(one, "status", "RssAnon:") for one in pids) * _KILOBYTE
    if private <= enough:
        return private
    return sum(_kilobytes(one, "smaps_rollup", "Pss:") for one in pids) * _KILOBYTE


def _below(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{one}/task"):
                with suppress(OSError):
                    text = Path(f"/proc/{one}/task/{thread}/children").read_text()
                    waiting.extend(map(int, text.split()))


def _kilobytes(pid: int, file: str, field: str) -> int:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def _size_of(folders: Sequence[Path], most: _Size | None) -> _Size:
    """What the folders take on their disk; no further than a limit."""
    taken = entries = 0
    for top in folders:
        for folder, names, files in walk(top):
            for name in (*names, *files):
                with suppress(OSError):
                    taken += os.lstat(f"{folder}/{name}").st_blocks * _BLOCK
                entries += 1
            if most is not None and (taken > most.bytes or entries > most.entries):
                return _Size(taken, entries)
    return _Size(taken, entries)
