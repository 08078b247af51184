"""The keeper of timers, on virtual time."""

from __future__ import annotations

import asyncio
from datetime import datetime

from agenthub_orchestrator.domain import TimerRequest
from agenthub_orchestrator.timer_keeper import TimerKeeper
from agenthub_runtime.following import Backoff
from agenthub_runtime.in_memory.timers import InMemoryTimers
from tests.support.virtual_time import BEGIN, SeededIds, VirtualClock, run_virtually


class FiringTimers(InMemoryTimers):
    """While one timer is being set, another one fires."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.keeper: TimerKeeper | None = None
        self.seen: list[str] = []

    async def set(self, kind: str, goal_id: str, task_id: str, *, due: datetime, ref: str) -> None:
        await super().set(kind, goal_id, task_id, due=due, ref=ref)
        self.seen.append(task_id)
        if self.keeper is not None:
            self.keeper.has_fired(kind, goal_id, "t-a")


def test_a_timer_that_fires_while_another_is_being_set_stops_nothing() -> None:
    async def play() -> None:
        clock = VirtualClock()
        timers = FiringTimers(clock)
        requests = [TimerRequest(kind="retry", goal_id="g", task_id=f"t-{x}", ref="1", due=BEGIN) for x in "abc"]
        timers.keeper = TimerKeeper(timers, clock, Backoff(clock, SeededIds(1)), lambda _: requests)
        running = asyncio.ensure_future(timers.keeper.run())
        timers.keeper.touch("g")
        await asyncio.sleep(1.0)
        assert timers.seen == ["t-a", "t-b", "t-c"]
        assert not running.done()
        running.cancel()
        timers.close()

    run_virtually(play())
