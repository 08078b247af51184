"""A run of a schedule that a webhook asks for: its goal and the word of it in one atomic write."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from agenthub_events.base import Draft
from agenthub_events.catalogue.schedule import ScheduleTriggered
from agenthub_events.errors import CommandRefused, StoreUnavailable
from agenthub_events.ports import EventLog, Stamp, Stored, Unavailable
from agenthub_events.rules.schedules import (
    Schedule,
    ScheduleHistory,
    goal_of_webhook,
    history_of,
    is_worked_on,
    place_of,
    triggered_by,
)
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_gateway.commands.append import TRIES
from agenthub_gateway.errors import NotFound, TooManyRuns
from agenthub_runtime.schedules.reading import read_outcome, read_schedules
from agenthub_runtime.telemetry.goal_trace import in_words
from agenthub_runtime.telemetry.tracing import Telemetry

PAUSE = timedelta(seconds=60)
"""So long after a webhook has begun a goal the next one of its schedule is refused."""


class Triggered(msgspec.Struct, frozen=True):
    """What came of a webhook: `goal_id` has begun, had begun before, or is the one that is still worked on."""

    result: Literal["began", "known", "left_out"]
    goal_id: str


class Trigger:
    """Begins goals of schedules for webhooks. `now` is the time of the server."""

    def __init__(self, log: EventLog, now: Callable[[], datetime], telemetry: Telemetry) -> None:
        self._log = log
        self._now = now
        self._telemetry = telemetry

    async def run(self, name: str, webhook_id: str) -> Triggered:
        """Begin the goal of a webhook, once.

        Raises `NotFound`, `CommandRefused` for a schedule that is paused, `TooManyRuns` and `StoreUnavailable`.
        """
        goal_id = goal_of_webhook(name, webhook_id)
        for _ in range(TRIES):
            if await self._log.last(f"{goal_id}.{GOAL_AS_A_WHOLE}.goal") is not None:
                return Triggered("known", goal_id)
            schedule, history = await self._standing(name)
            if running := await self._running(schedule, history):
                return Triggered("left_out", running)
            self._check_pace(history)
            if await self._write(schedule, triggered_by(schedule, history, webhook_id)):
                return Triggered("began", goal_id)
        raise StoreUnavailable("Too many runs of one schedule at the same moment: send the same again")

    async def _standing(self, name: str) -> tuple[Schedule, ScheduleHistory]:
        schedule = (await read_schedules(self._log)).get(name)
        if schedule is None:
            raise NotFound(f"There is no schedule `{name[:60]}`")
        if schedule.paused is not None:
            raise CommandRefused("not-now", f"The schedule `{name}` is paused")
        history = history_of(await read_outcome(self._log, name))
        if history is None:
            raise CommandRefused(
                "unreadable", f"What came of the schedule `{name}` cannot be read by this version"
            )
        return schedule, history

    async def _running(self, schedule: Schedule, history: ScheduleHistory) -> str:
        if schedule.wanted.overlap or history.last is None:
            return ""
        goal_id = history.last.goal_id
        own = await self._log.read(f"{goal_id}.{GOAL_AS_A_WHOLE}.goal")
        return goal_id if is_worked_on(goal_id, own) else ""

    def _check_pace(self, history: ScheduleHistory) -> None:
        last = history.last
        left = last.timestamp + PAUSE - self._now() if isinstance(last, ScheduleTriggered) else timedelta()
        # One of the future shows a clock that was set back, and nobody waits until it is there again.
        if timedelta() < left <= PAUSE:
            raise TooManyRuns(
                "A webhook has begun a goal of this schedule a moment ago",
                wait_s=math.ceil(left.total_seconds()),
            )

    async def _write(self, schedule: Schedule, drafts: tuple[Draft, Draft]) -> bool:
        triggered, begin = drafts
        stamp = Stamp(
            now=self._now(),
            metadata={
                "actor": f"schedule {schedule.name}",
                "causation_id": triggered.event_id,
                "correlation_id": begin.goal_id,
                "input": f"webhook:{place_of(schedule.name)}",
                "observed_seq": str(triggered.expected),
            },
            traceparent=in_words(self._telemetry.root(begin.goal_id)),
        )
        result = await self._log.append_together(drafts, stamp)
        if isinstance(result, Unavailable):
            raise StoreUnavailable(f"The event log did not take the goal ({result.reason})")
        return isinstance(result, Stored)
