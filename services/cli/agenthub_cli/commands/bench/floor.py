"""What the parts can do without the hub: fsync of the disk, and raw awaited appends to JetStream."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agenthub_runtime.processes.spawn import Process

if TYPE_CHECKING:
    from nats.aio.client import Client

_BODY = b"x" * 400
_WRITERS = 8
_APPENDS = 800
_SYNCS = 200
_PROGRAMS = 30


def fdatasync_ms(folder: Path) -> float:
    """Median milliseconds of a 400-byte append with fdatasync in `folder`."""
    path = folder / "fdatasync.probe"
    times = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(_SYNCS):
            start = time.perf_counter()
            os.write(descriptor, _BODY)
            os.fdatasync(descriptor)
            times.append((time.perf_counter() - start) * 1e3)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(times)


def program_ms() -> float:
    """Median milliseconds to start the smallest program and wait for its end: a task starts dozens."""
    times = []
    for _ in range(_PROGRAMS):
        start = time.perf_counter()
        Process(["/bin/true"]).wait()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


async def raw_appends_per_second(nc: Client) -> float:
    """Awaited, fsynced appends a second with 8 writers on a scratch stream of the hub's own server."""
    js = nc.jetstream()
    await js.add_stream(name="BENCH_FLOOR", subjects=["bench.floor.*"], storage="file")
    try:

        async def writer(number: int) -> None:
            for _ in range(_APPENDS // _WRITERS):
                await js.publish(f"bench.floor.{number}", _BODY)

        start = time.perf_counter()
        await asyncio.gather(*(writer(n) for n in range(_WRITERS)))
        return _APPENDS / (time.perf_counter() - start)
    finally:
        await js.delete_stream("BENCH_FLOOR")
