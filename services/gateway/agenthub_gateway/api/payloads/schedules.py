"""What calls about schedules take and answer."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agenthub_events.catalogue.schedule import ScheduleRan, ScheduleTriggered
from agenthub_events.rules.schedules import NAME, NAME_MAX, Schedule, ScheduleHistory
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_runtime.schedules.cron import coming

_SHOWN = 3


class ScheduleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A goal that begins by the clock. `goal` is a submission; its limits hold for each run."""

    name: Annotated[
        str,
        Meta(
            max_length=NAME_MAX,
            pattern=f"^{NAME}$",
            description="What you call it",
            examples=["nightly"],
        ),
    ]
    cron: Annotated[
        str,
        Meta(
            min_length=9,
            max_length=200,
            description="Minute, hour, day of month, month and day of week, as cron reads them",
            examples=["0 3 * * MON-FRI"],
        ),
    ]
    time_zone: Annotated[str, Meta(min_length=1, max_length=60, examples=["Europe/Berlin"])] = "UTC"
    overlap: Annotated[
        bool,
        Meta(description="Whether a run begins while the goal of an earlier one is still being worked on"),
    ] = False
    goal: SubmitBody


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the newest due time. Not `began`: `goal_id`, begun earlier, was still being worked on.

    `missed` due times before it began nothing, because no orchestrator ran. Of a webhook `due` is when it came.
    """

    due: datetime
    goal_id: str
    began: bool
    missed: int


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule. `next` are its next times, none while it is paused; `last` is null before the first."""

    name: str
    state: Literal["active", "paused"]
    cron: str
    time_zone: str
    overlap: bool
    goal: str
    repository: str
    ref: str
    max_cost_usd: float | None
    max_llm_calls: int | None
    next: list[datetime]
    last: RunView | None
    since: datetime
    added_by: str
    paused_by: str
    reason: str


class ScheduleList(msgspec.Struct, frozen=True):
    """All of them, by name."""

    items: list[ScheduleView]


class ScheduleChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Where the event stands in the log; `event_id` is null when it was so already."""

    name: str
    state: Literal["active", "paused", "removed"]
    next: list[datetime]
    event_id: str | None
    sequence: int


def schedule_view(schedule: Schedule, history: ScheduleHistory | None, now: datetime) -> ScheduleView:
    """A schedule for readers; of a history that this version cannot read nothing is shown."""
    wanted, paused = schedule.wanted, schedule.paused
    limits = wanted.goal.constraints
    return ScheduleView(
        name=schedule.name,
        state="paused" if paused else "active",
        cron=wanted.cron,
        time_zone=wanted.time_zone,
        overlap=wanted.overlap,
        goal=wanted.goal.goal,
        repository=wanted.goal.repository,
        ref=wanted.goal.ref,
        max_cost_usd=limits.max_cost_usd,
        max_llm_calls=limits.max_llm_calls,
        next=next_times(schedule, now),
        last=_run(history),
        since=schedule.since,
        added_by=wanted.by,
        paused_by=paused.by if paused else "",
        reason=paused.reason if paused else "",
    )


def next_times(schedule: Schedule | None, now: datetime) -> list[datetime]:
    """The next few times; none for a schedule that is paused, or is not there."""
    if schedule is None or schedule.paused is not None:
        return []
    wanted = schedule.wanted
    return list(islice(coming(wanted.cron, wanted.time_zone, after=now), _SHOWN))


def _run(history: ScheduleHistory | None) -> RunView | None:
    last = history.last if history else None
    if last is None:
        return None
    if isinstance(last, ScheduleTriggered):
        return RunView(due=last.timestamp, goal_id=last.goal_id, began=True, missed=0)
    return RunView(due=last.due, goal_id=last.goal_id, began=isinstance(last, ScheduleRan), missed=last.missed)
