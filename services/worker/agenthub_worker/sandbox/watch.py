"""Looks at a running sandbox from outside: what all its processes use together, and what its folders grow to.

The kernel bounds single processes and single files. What only the sum tells is looked at again and again, so a
command may be over for a moment; a look takes a small share of the time. And it holds a sandbox still, so that
nothing in it can put a link in the hub's way while the hub works on the same files.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from agenthub_runtime.repository.trees import walk
from agenthub_worker.sandbox.port import ResourceLimits

_EVERY_S = 0.25
_IDLE_S = 5.0
_SHARE = 10
_BLOCK = 512
_KILOBYTE = 1024
_HOLD_TRIES = 200
_HOLD_PAUSE_S = 0.001
_STOPPED, _DEAD = b"Tt", b"ZX"
_SWITCHES = re.compile(rb"^(?:non)?voluntary_ctxt_switches:\t(\d+)$", re.M)


class _Size(msgspec.Struct, frozen=True):
    bytes: int
    entries: int


async def until_exceeded(
    pid: int, folders: Sequence[Path], limits: ResourceLimits, *, busy: asyncio.Event | None = None
) -> str:
    """Wait until the processes below `pid`, or the folders, are over a limit; which one, in words.

    While `busy` is not set, only programs in the background run, and looks are rarer.
    """
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
        if busy is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_S):
                    await busy.wait()


def memory_below(pid: int, enough: int) -> int:
    """Bytes that a process and all below it use together; what they share is counted once when it matters."""
    pids = list(_below(pid))
    private = sum(_kilobytes(one, "status", "RssAnon:") for one in pids) * _KILOBYTE
    if private <= enough:
        return private
    return sum(_kilobytes(one, "smaps_rollup", "Pss:") for one in pids) * _KILOBYTE


def hold_still(pid: int) -> bool:
    """Stop everything below `pid`. False: it does not stop, as programs that wake each other up need not.

    True only when no thread has run between two looks, so that none is left to wake another one.
    """
    for _ in range(_HOLD_TRIES):
        seen = _threads_below(pid)
        moving = {one for (one, _), (state, *_) in seen.items() if state not in _STOPPED}
        if not moving and _threads_below(pid) == seen:
            return True
        _signal(moving, signal.SIGSTOP)
        time.sleep(_HOLD_PAUSE_S)
    return False


def let_go(pid: int) -> None:
    """Let everything below `pid` go on."""
    _signal({one for one, _ in _threads_below(pid)}, signal.SIGCONT)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def _threads_below(top: int) -> dict[tuple[int, int], tuple[bytes, ...]]:
    """The living threads of all processes below one: their state, and how often they have stopped running."""
    found: dict[tuple[int, int], tuple[bytes, ...]] = {}
    for pid in _below(top):
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task") if pid != top else ():
                text = Path(f"/proc/{pid}/task/{thread}/status").read_bytes()
                state = text.partition(b"\nState:\t")[2][:1]
                if state not in _DEAD:
                    found[pid, int(thread)] = (state, *_SWITCHES.findall(text))
    return found


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
