"""A schedule in the simulation: people who add, pause, resume and remove it, and what must be true of its runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from agenthub_events.base import Event
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.schedule import (
    GoalTemplate,
    ScheduleAdded,
    SchedulePaused,
    ScheduleRan,
    ScheduleRemoved,
    ScheduleResumed,
    ScheduleSkipped,
)
from agenthub_events.catalogue.values import Constraints
from agenthub_events.ports import Clock, Recorded
from agenthub_events.rules import goal_aggregate
from agenthub_events.rules.goal_aggregate import GoalAggregate
from agenthub_events.rules.schedules import BY_SCHEDULE, counted_from, goal_of, history_of, schedules_of
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.subjects import parse_subject
from agenthub_orchestrator.schedules.keeper import LOOK_S
from agenthub_runtime.schedules.cron import newest_due
from tests.simulation.checks import Violated
from tests.simulation.people import People
from tests.simulation.script import Script, Scripts

NAME = "each-minute"
CRON = "* * * * *"
_BY = "schedule "
_CALM_S = 65.0
_SKEW_MAX_S = 4.0
_RUNNING = ("open", "approved")


class Scheduling:
    """What people do about the schedule of one world."""

    def __init__(self, seed: int, people: People, scripts: Scripts) -> None:
        self._chance = Random(f"schedule-{seed}")
        self._people = people
        self._script = Script(scripts.seed, NAME, calm=scripts.calm)

    async def begin(self) -> None:
        """Add the schedule."""
        goal = GoalTemplate(
            goal="A goal each minute",
            requirements=("Unit tests",),
            constraints=Constraints(max_llm_calls=self._script.max_llm_calls),
            workflow=self._script.tasks[:1],
        )
        overlap = self._chance.random() < 0.5
        await self._people.schedule(ScheduleAdded(schedule=NAME, cron=CRON, goal=goal, overlap=overlap))

    async def meddle(self) -> None:
        """Pause it, or resume it."""
        if self._chance.random() < 0.1:
            await self._people.schedule(SchedulePaused(schedule=NAME))
        elif self._chance.random() < 0.3:
            await self._people.schedule(ScheduleResumed(schedule=NAME))

    async def end(self, log: Sequence[Recorded], clock: Clock) -> list[Violated]:
        """Let it run in the calm, see that nothing is forgotten, and remove it."""
        await self._people.schedule(ScheduleResumed(schedule=NAME))
        await asyncio.sleep(_CALM_S)
        found = list(_forgotten(log, clock.now()))
        await self._people.schedule(ScheduleRemoved(schedule=NAME))
        return found


def _forgotten(log: Sequence[Recorded], now: datetime) -> Iterator[Violated]:
    late = now - timedelta(seconds=2 * LOOK_S + _SKEW_MAX_S)
    outcomes = [recorded for recorded in log if isinstance(recorded.event, ScheduleRan | ScheduleSkipped)]
    history = history_of(outcomes[-1] if outcomes else None)
    assert history is not None
    for schedule in schedules_of(log).values():
        due = newest_due(CRON, "UTC", after=counted_from(schedule, history), now=late)
        if due is not None:
            yield Violated("schedule forgotten", f"{due.at} was due and nothing came of it")


def of_log(log: Sequence[Recorded]) -> Iterator[Violated]:
    """Each due time is dealt with once, in order, and its goal begins together with the word of it."""
    latest: datetime | None = None
    rests = _Rests()
    overlap, previous = False, ""
    for place, recorded in enumerate(log):
        event = recorded.event
        rests.take(recorded)
        if isinstance(event, ScheduleAdded):
            overlap = event.overlap
        elif isinstance(event, GoalAccepted) and event.submitted_by.startswith(_BY):
            yield from _of_goal(recorded, log[place - 1].event)
        elif isinstance(event, ScheduleRan | ScheduleSkipped):
            if latest is not None and event.due <= latest:
                yield Violated("schedule once", f"{event.due} at {recorded.seq} comes after {latest}")
            if isinstance(event, ScheduleRan):
                yield from _of_run(event, place, log)
                if previous and not overlap and previous not in rests.rested:
                    yield Violated("schedule overlap", f"{event.goal_id} began while {previous} was worked on")
            latest, previous = event.due, event.goal_id


class _Rests:
    """The goals of schedules that have ever come to rest: what people do to them later is their own affair."""

    def __init__(self) -> None:
        self._goals: dict[str, GoalAggregate] = {}
        self.rested: set[str] = set()

    def take(self, recorded: Recorded) -> None:
        event, (goal_id, _, _, _) = recorded.event, parse_subject(recorded.subject)
        if isinstance(event, GoalAccepted) and event.submitted_by.startswith(_BY):
            self._goals[goal_id] = goal_aggregate.initial(goal_id)
        if goal_id in self._goals and isinstance(event, Event) and event.originator_id.endswith("._.goal"):
            goal = self._goals[goal_id] = goal_aggregate.evolve(self._goals[goal_id], recorded.seq, event)
            if goal.phase not in _RUNNING:
                self.rested.add(goal_id)


def _of_goal(recorded: Recorded, before: Event | Unreadable) -> Iterator[Violated]:
    subject = parse_subject(recorded.subject)
    goal_id = subject.goal_id
    if not isinstance(before, ScheduleRan) or before.goal_id != goal_id or subject.route != (BY_SCHEDULE,):
        yield Violated("schedule together", f"goal {goal_id} at {recorded.seq} came without a word")


def _of_run(event: ScheduleRan, place: int, log: Sequence[Recorded]) -> Iterator[Violated]:
    after = log[place + 1] if place + 1 < len(log) else None
    begun = after is not None and isinstance(after.event, GoalAccepted)
    if not begun or after is None or parse_subject(after.subject).goal_id != event.goal_id:
        yield Violated("schedule together", f"{event.goal_id} was said to begin at {place + 1} and did not")
    if event.goal_id != goal_of(event.schedule, event.due):
        yield Violated("schedule once", f"{event.goal_id} is not the goal of {event.due}")
