"""A process whose loop hangs for ever while its heartbeat lasts: `python -m tests.support.hanging_worker`."""

from __future__ import annotations

import asyncio
import os
import threading

from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_worker.heartbeat import Heartbeat


def status() -> WorkerStatus:
    """A worker that holds nothing."""
    return WorkerStatus(worker="Hanging", instance="i1", types=(), slots=1)


async def main() -> None:
    """Beat, and stand still."""
    beating = Heartbeat(os.environ["NATS_URL"], dict, status, hung_after_s=0.5, killed_after_s=0.5)
    beating.start()
    await asyncio.sleep(0)
    threading.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
