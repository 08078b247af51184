"""An orchestrator in this process, on a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client

from agenthub_events.ports import Clock
from agenthub_orchestrator.domain import Policy
from agenthub_orchestrator.follower import Follower
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.jetstream.timers import NatsTimers
from agenthub_runtime.shutdown import end_tasks


@asynccontextmanager
async def deciding(
    nc: Client, policy: Policy | None = None, clock: Clock | None = None
) -> AsyncIterator[Follower]:
    """Decide for every goal while the block runs."""
    follower = Follower(
        log=JetStreamEventLog(nc),
        runs=JetStreamRunLog(nc),
        artifacts=JetStreamArtifacts(nc),
        timers=NatsTimers(nc),
        clock=clock or SystemClock(),
        ids=SystemIds(),
        policy=policy or Policy(),
    )
    running = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        await end_tasks(running)
