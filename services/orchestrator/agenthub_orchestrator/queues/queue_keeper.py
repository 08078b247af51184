"""Looks after orders that wait: tells the follower of those that no queue has, and of those that nobody serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import structlog

from agenthub_events.base import UNWRITTEN
from agenthub_events.ports import Clock
from agenthub_orchestrator.domain import Fired, LaneView, QueueWatch, Workers
from agenthub_orchestrator.domain.queued import Lane
from agenthub_orchestrator.follower import Follower
from agenthub_runtime.following import look_forever

log = structlog.get_logger(__name__)

LOOK_S = 10.0


class Queues(Protocol):
    """What the server says of the work lanes, and the workers of themselves. Both raise `StoreUnavailable`."""

    async def lanes(self) -> Mapping[Lane, LaneView]:
        """Every lane that has its consumer."""
        ...

    async def workers(self) -> Workers:
        """What the living workers serve."""
        ...


class QueueFinding:
    """What was found out about an order, in the shape of a timer that has fired."""

    def __init__(self, goal_id: str, fired: Fired) -> None:
        self.goal_id = goal_id
        self.kind = fired.kind
        self.task_id = fired.task_id
        self.ref = fired.ref
        self.due: datetime = UNWRITTEN

    async def ack(self) -> None:
        """Nothing to do: what is still true is found again."""


async def keep_queues(follower: Follower, queues: Queues, clock: Clock) -> None:
    """Look every few seconds, for ever; a hub without open orders costs nothing."""
    watch = QueueWatch()

    async def look() -> None:
        if not (orders := follower.queued()):
            return
        lanes, workers = await asyncio.gather(queues.lanes(), queues.workers())
        found = watch.look(
            orders, lanes, workers, now=clock.now(), monotonic=clock.monotonic(), policy=follower.policy
        )
        for goal_id, fired in found:
            log.warning("order_waits", goal=goal_id, task=fired.task_id, seq=fired.ref, why=fired.kind)
            await follower.receive(QueueFinding(goal_id, fired), fired.detail)

    await clock.sleep(LOOK_S)
    await look_forever(look, every_s=LOOK_S, clock=clock, what="queues")
