"""Durable timers in memory, on whatever time the loop has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

from agenthub_events.ports import Clock

ACK_WAIT_S = 10.0


class InMemoryFiredTimer:
    """A due timer of `InMemoryTimers`."""

    def __init__(self, *, kind: str, goal_id: str, task_id: str, due: datetime, ref: str) -> None:
        self.kind = kind
        self.goal_id = goal_id
        self.task_id = task_id
        self.due = due
        self.ref = ref
        self.acked = False

    async def ack(self) -> None:
        """The timer's consequence is in the log."""
        self.acked = True


class InMemoryTimers:
    """The `Timers` port in memory; what is not acknowledged comes again after `ACK_WAIT_S`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self._due: asyncio.Queue[InMemoryFiredTimer] = asyncio.Queue()

    async def set(self, kind: str, goal_id: str, task_id: str, *, due: datetime, ref: str) -> None:
        """Let the timer fire at `due`; setting it again moves it."""
        key = (kind, goal_id, task_id)
        if before := self._waiting.pop(key, None):
            before.cancel()
        timer = InMemoryFiredTimer(kind=kind, goal_id=goal_id, task_id=task_id, due=due, ref=ref)
        self._waiting[key] = asyncio.get_running_loop().create_task(self._fire(timer))

    async def fired(self) -> AsyncGenerator[InMemoryFiredTimer, None]:
        """Due timers, forever."""
        while True:
            timer = await self._due.get()
            if timer.acked:
                continue
            asyncio.get_running_loop().create_task(self._again(timer))
            yield timer

    def close(self) -> None:
        """Forget what has not fired."""
        for task in self._waiting.values():
            task.cancel()

    async def _fire(self, timer: InMemoryFiredTimer) -> None:
        await self._clock.sleep(max((timer.due - self._clock.now()).total_seconds(), 0.0))
        self._due.put_nowait(timer)

    async def _again(self, timer: InMemoryFiredTimer) -> None:
        await self._clock.sleep(ACK_WAIT_S)
        if not timer.acked:
            self._due.put_nowait(timer)
