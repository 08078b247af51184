"""The worker as NATS and people find it, and what they tell it: drain, and take orders again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from nats.aio.client import Client

from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_runtime.operations.registry import DRAIN, SURVEY, UNDRAIN, Answer, registered
from agenthub_worker.ports import Fleet
from agenthub_worker.worker import Worker
from agenthub_worker.workspace.surveying import Surveyor

log = structlog.get_logger()


@asynccontextmanager
async def worker_registered(nats: Client, fleet: Fleet, runner: Worker, surveyor: Surveyor) -> AsyncIterator[None]:
    """Be found under the worker's name for as long as the body runs."""

    async def told(change: Callable[[], None], word: str) -> Answer:
        change()
        status = runner.status()
        log.warning(word, worker=status.worker, holding=len(status.holding))
        # Whoever looks next sees it, not only after the next heartbeat.
        await fleet.publish(status)
        return _in_figures(status)

    first = runner.status()
    async with registered(
        nats,
        "worker",
        instance=first.worker,
        description="Works on the orders of its agent types",
        about={"types": ",".join(first.types), "slots": str(first.slots)},
        status=lambda: _in_figures(runner.status()),
        orders={
            DRAIN: lambda _: told(runner.drain, "worker_drains"),
            UNDRAIN: lambda _: told(runner.undrain, "worker_takes_orders_again"),
            SURVEY: surveyor.survey,
        },
    ):
        yield


def _in_figures(status: WorkerStatus) -> Answer:
    busy = len(status.holding)
    return {
        "holding": status.holding,
        "busy": busy,
        "free": max(status.slots - busy, 0),
        "load": round(busy / status.slots, 2) if status.slots else 0.0,
        "draining": status.draining,
    }
