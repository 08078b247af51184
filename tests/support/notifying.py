"""A notifier in this process, on a real nats-server, and goals to be told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from nats.aio.client import Client

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.ports import Stamp, Stored
from agenthub_events.subjects import aggregate_of
from agenthub_notifier.app import Pace, notify
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.settings.records import read_notifier_settings
from agenthub_runtime.shutdown import end_tasks

E = TypeVar("E", bound=Event)

GOAL = "g-" + "0" * 25 + "1"
OTHER = "g-" + "0" * 25 + "2"
WORDS = "Build complete authentication system"
SOON = Pace(window=timedelta(seconds=0.3))


@asynccontextmanager
async def notifying(nc: Client, pace: Pace = SOON, /, **settings: str) -> AsyncIterator[None]:
    """Notify at that pace while the block runs; `settings` by their names in small letters without `AGENTHUB_`."""
    env = {f"AGENTHUB_{name.upper()}": value for name, value in settings.items()}
    read = read_notifier_settings({"NATS_URL": "nats://unused:1", **env})
    running = asyncio.create_task(notify(nc, read, pace=pace))
    try:
        yield
    finally:
        await end_tasks(running)


class Chronicle:
    """Writes what happened to goals."""

    def __init__(self, nc: Client) -> None:
        self.log = JetStreamEventLog(nc)

    async def accept(self, goal_id: str = GOAL, goal: str = WORDS, **facts: object) -> int:
        """A goal begins."""
        return await self.write(GoalAccepted(goal=goal, **facts), goal_id=goal_id)  # type: ignore[arg-type]

    async def write(self, event: Event, *, goal_id: str = GOAL, task_id: str = "_") -> int:
        """Append behind whatever the aggregate holds; the sequence."""
        records = await self.log.read(aggregate_of(goal_id, task_id, event.type))
        draft = Fence().after(records).draft(goal_id, task_id, event, f"test-{len(records)}")
        stored = await self.log.append(draft, Stamp(now=SystemClock().now(), metadata={"actor": "test"}))
        assert isinstance(stored, Stored), stored
        return stored.seq

    async def of(self, kind: type[E]) -> list[E]:
        """Every event of a kind that notifiers write."""
        found = await self.log.read("*.*.notification")
        return [recorded.event for recorded in found if isinstance(recorded.event, kind)]
