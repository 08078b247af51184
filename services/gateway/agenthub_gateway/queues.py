"""What waits in the work queues, asked of the server."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from agenthub_events.errors import StoreUnavailable
from agenthub_events.subjects import STREAM
from agenthub_runtime.jetstream.fleet import FollowerStatus, ModelReport, NatsFleet, WorkerStatus, ask_for_model

_PREFIX = "work-"


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """One lane of one agent type: orders that nobody has taken, and orders that workers hold.

    `workers`: how many living workers serve the type; `pulls`: how many of their requests for work stand open.
    """

    agent_type: str
    lane: str
    waiting: int
    held: int
    workers: int
    pulls: int


async def read_queues(nc: Client) -> list[QueueView]:
    """Every work lane. Raises `StoreUnavailable`."""
    try:
        found, living = await asyncio.gather(nc.jetstream().consumers_info(STREAM), NatsFleet(nc).living())
    except NotFoundError:
        return []
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The queues cannot be read: {error}") from error
    serving = Counter(agent_type for worker in living for agent_type in worker.types)
    views = []
    for info in found:
        agent_type, _, lane = info.name.removeprefix(_PREFIX).rpartition("-")
        if info.name.startswith(_PREFIX) and agent_type:
            views.append(
                QueueView(
                    agent_type=agent_type,
                    lane=lane,
                    waiting=info.num_pending or 0,
                    held=info.num_ack_pending or 0,
                    workers=serving[agent_type],
                    pulls=info.num_waiting or 0,
                )
            )
    return sorted(views, key=lambda view: (view.agent_type, view.lane))


async def read_workers(nc: Client) -> list[WorkerStatus]:
    """Every worker that has lately said that it lives, by name. Raises `StoreUnavailable`."""
    try:
        return sorted(await NatsFleet(nc).living(), key=lambda worker: (worker.worker, worker.instance))
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The fleet cannot be read: {error}") from error


async def read_model(nc: Client, *, probe: bool) -> ModelReport | None:
    """Which model the workers ask; None when none of them has one. Raises `StoreUnavailable`."""
    try:
        return await ask_for_model(nc, probe=probe)
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"No worker says which model it asks: {error}") from error


async def read_followers(nc: Client) -> list[FollowerStatus]:
    """Every orchestrator that has lately said how far it is. Raises `StoreUnavailable`."""
    try:
        return await NatsFleet(nc).followers()
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The fleet cannot be read: {error}") from error


async def log_generation(nc: Client) -> str:
    """Which log this is: when its stream was made, as a word. Raises `StoreUnavailable`."""
    try:
        info = await nc.jetstream().stream_info(STREAM)
    except (NatsError, TimeoutError) as error:
        raise StoreUnavailable(f"The event log does not answer: {error}") from error
    created = info.created
    if created is None:
        raise StoreUnavailable("The server does not say when the event log was made")
    return f"{int(created.timestamp() * 1_000):x}"
