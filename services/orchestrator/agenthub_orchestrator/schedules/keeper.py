"""Begins the goals of schedules: each due time once, whoever looks and however often.

Nothing is remembered that matters. A look reads what people want and the end of what came of it, and writes what
is due: the goal and the word that its time is dealt with, in one atomic write. The fence of the schedule's
aggregate lets one of several orchestrators write; who is killed before it leaves the time due, and who is killed
after it leaves nothing undone.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from agenthub_events.base import Draft
from agenthub_events.errors import InvalidInput
from agenthub_events.ports import AppendResult, Clock, EventLog, Stamp, Stored
from agenthub_events.rules.schedules import (
    Schedule,
    ScheduleHistory,
    counted_from,
    history_of,
    is_worked_on,
    left_out,
    place_of,
    run_of,
)
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_runtime.following import look_forever
from agenthub_runtime.schedules.cron import check_cron, check_time_zone, newest_due, newest_time
from agenthub_runtime.schedules.reading import read_outcome, read_schedules
from agenthub_runtime.telemetry.goal_trace import in_words
from agenthub_runtime.telemetry.tracing import Telemetry

log = structlog.get_logger(__name__)

LOOK_S = 5.0


async def keep_schedules(event_log: EventLog, clock: Clock, telemetry: Telemetry | None = None) -> None:
    """Begin what is due, and look again every few seconds, for ever."""
    keeper = ScheduleKeeper(event_log, clock, telemetry)
    await look_forever(keeper.look, every_s=LOOK_S, clock=clock, what="schedules")


class ScheduleKeeper:
    """One orchestrator's look after the schedules."""

    def __init__(self, event_log: EventLog, clock: Clock, telemetry: Telemetry | None = None) -> None:
        self._log = event_log
        self._clock = clock
        self._telemetry = telemetry
        # Only spares questions: up to these times everything is known to be dealt with.
        self._done: dict[str, datetime] = {}

    async def look(self) -> None:
        """Begin everything that is due now. Raises `StoreUnavailable`."""
        for schedule in (await read_schedules(self._log)).values():
            if schedule.paused is None and self._is_usable(schedule):
                await self._deal_with(schedule)
            # Working out times must not hold up the decisions for goals.
            await asyncio.sleep(0)

    async def _deal_with(self, schedule: Schedule) -> None:
        wanted, now = schedule.wanted, self._clock.now()
        newest = newest_time(wanted.cron, wanted.time_zone, now)
        if newest is None or newest <= max(schedule.since, self._done.get(schedule.name, schedule.since)):
            return
        history = history_of(await read_outcome(self._log, schedule.name))
        if history is None:
            log.warning("schedule_not_readable", schedule=schedule.name)
            return
        after = counted_from(schedule, history)
        due = newest_due(wanted.cron, wanted.time_zone, after=after, now=now)
        if due is None:
            self._done[schedule.name] = newest
            return
        running = await self._running(schedule, history)
        if running:
            await self._write(schedule, left_out(schedule, history, due, running))
        else:
            await self._write(schedule, *run_of(schedule, history, due))

    def _is_usable(self, schedule: Schedule) -> bool:
        """Whether this version and this machine know its times: another one may have taken it."""
        try:
            check_cron(schedule.wanted.cron)
            check_time_zone(schedule.wanted.time_zone)
        except InvalidInput as error:
            log.warning("schedule_not_usable", schedule=schedule.name, reason=str(error))
            return False
        return True

    async def _running(self, schedule: Schedule, history: ScheduleHistory) -> str:
        """The goal for which the schedule waits; empty when there is none."""
        if schedule.wanted.overlap or history.last is None:
            return ""
        goal_id = history.last.goal_id
        own = await self._log.read(f"{goal_id}.{GOAL_AS_A_WHOLE}.goal")
        return goal_id if is_worked_on(goal_id, own) else ""

    async def _write(self, schedule: Schedule, *drafts: Draft) -> None:
        goal = drafts[-1]
        result = await self._append(schedule, drafts)
        if isinstance(result, Stored):
            if not result.duplicate:
                log.info("schedule_dealt_with", schedule=schedule.name, type=goal.event.type, goal_id=goal.goal_id)
        else:
            # Another orchestrator was first, or nobody answers: the next look sees which.
            log.info("schedule_not_written", schedule=schedule.name, result=type(result).__name__)

    async def _append(self, schedule: Schedule, drafts: tuple[Draft, ...]) -> AppendResult:
        goal_id = drafts[-1].goal_id
        metadata = {
            "actor": f"schedule {schedule.name}",
            "causation_id": drafts[0].event_id,
            "correlation_id": goal_id,
            "input": f"schedule:{place_of(schedule.name)}",
            "observed_seq": str(drafts[0].expected),
        }
        begins = self._telemetry is not None and len(drafts) > 1
        trace = in_words(self._telemetry.root(goal_id)) if self._telemetry is not None and begins else ""
        stamp = Stamp(now=self._clock.now(), metadata=metadata, traceparent=trace)
        return await self._log.append_together(drafts, stamp)
