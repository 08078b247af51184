"""What schedules there are, and what is due because of them: pure, for gateway and orchestrator alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

import msgspec

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.schedule import (
    GoalTemplate,
    ScheduleAdded,
    SchedulePaused,
    ScheduleRan,
    ScheduleRemoved,
    ScheduleResumed,
    ScheduleSkipped,
    ScheduleTriggered,
)
from agenthub_events.errors import InvalidInput
from agenthub_events.ports import Recorded
from agenthub_events.rules import goal_aggregate
from agenthub_events.rules.holds import Hold
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB, goal_id_for_key

WANTED = f"{HUB}.{GOAL_AS_A_WHOLE}.schedule"
NAME_MAX = 40
NAME = "[a-z0-9][a-z0-9-]*"
BY_SCHEDULE = "schedule"
"""Ends the subject of a goal that nobody submitted: who begins those may write no others."""

Outcome: TypeAlias = ScheduleRan | ScheduleSkipped | ScheduleTriggered


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it stands. DueTime times count after `since`: its addition, or its last resumption."""

    wanted: ScheduleAdded
    since: datetime
    paused: Hold | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.wanted.schedule


class ScheduleHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a schedule up to now: the end of its aggregate, and what came last."""

    fence: Fence = Fence()
    last: Outcome | None = None


class DueTime(msgspec.Struct, frozen=True, kw_only=True):
    """The newest time that is due, and how many before it began nothing."""

    at: datetime
    missed: int = 0


def check_name(name: str) -> str:
    """Return the name of a schedule when it can be one: it is a token of a subject. Raises `InvalidInput`."""
    if not re.fullmatch(NAME, name) or len(name) > NAME_MAX:
        raise InvalidInput(
            f"A schedule is called by lower-case letters, digits and dashes, at most {NAME_MAX}", field="name"
        )
    return name


def place_of(name: str) -> str:
    """The aggregate with what came of a schedule."""
    return f"{HUB}.{_task_of(name)}"


def template_of(accepted: GoalAccepted) -> GoalTemplate:
    """What every run begins with, of a goal as it would begin now."""
    found = {name: getattr(accepted, name) for name in GoalTemplate.__struct_fields__}
    # A branch or a tag is followed; a commit that was named by its id stays.
    return GoalTemplate(**{**found, "base_commit": "" if accepted.ref else accepted.base_commit})


def schedules_of(records: Iterable[Recorded]) -> dict[str, Schedule]:
    """Fold the messages of `WANTED`, by name; others, and those that cannot be read, change nothing."""
    found: dict[str, Schedule] = {}
    for recorded in records:
        match recorded.event:
            case ScheduleAdded() as event:
                found.setdefault(event.schedule, Schedule(wanted=event, since=event.timestamp))
            case SchedulePaused(schedule=name) as event if name in found and found[name].paused is None:
                hold = Hold(since=event.timestamp, by=event.by, reason=event.reason)
                found[name] = msgspec.structs.replace(found[name], paused=hold)
            case ScheduleResumed(schedule=name) as event if name in found and found[name].paused is not None:
                found[name] = msgspec.structs.replace(found[name], since=event.timestamp, paused=None)
            case ScheduleRemoved(schedule=name):
                found.pop(name, None)
            case _:
                continue
    return found


def history_of(last: Recorded | None) -> ScheduleHistory | None:
    """The history whose newest message is `last`; None when that cannot be read: then nobody may go on."""
    if last is None:
        return ScheduleHistory()
    event = last.event
    if not isinstance(event, Outcome):
        return None
    return ScheduleHistory(fence=Fence(last.seq, event.originator_version), last=event)


def counted_from(schedule: Schedule, history: ScheduleHistory) -> datetime:
    """The moment after which due times are still to be dealt with."""
    due = None if history.last is None else history.last.due
    return schedule.since if due is None else max(schedule.since, due)


def run_of(schedule: Schedule, history: ScheduleHistory, due: DueTime) -> tuple[Draft, Draft]:
    """What begins the goal of a due time: two events that are written together or not at all."""
    goal_id = goal_of(schedule.name, due.at)
    ran = ScheduleRan(schedule=schedule.name, due=due.at, goal_id=goal_id, missed=due.missed)
    begin = Fence().draft(goal_id, GOAL_AS_A_WHOLE, _accepted(schedule), due.at.isoformat(), route=(BY_SCHEDULE,))
    return _outcome(history, ran), begin


def triggered_by(schedule: Schedule, history: ScheduleHistory, webhook_id: str) -> tuple[Draft, Draft]:
    """What begins the goal of a webhook: two events that are written together or not at all."""
    goal_id = goal_of_webhook(schedule.name, webhook_id)
    due = None if history.last is None else history.last.due
    triggered = ScheduleTriggered(schedule=schedule.name, goal_id=goal_id, webhook_id=webhook_id, due=due)
    begin = Fence().draft(goal_id, GOAL_AS_A_WHOLE, _accepted(schedule), webhook_id)
    return history.fence.draft(HUB, _task_of(schedule.name), triggered, f"webhook {webhook_id}"), begin


def goal_of_webhook(name: str, webhook_id: str) -> str:
    """The goal of a webhook: always the same, however often it is sent."""
    return goal_id_for_key(place_of(name), f"webhook {webhook_id}")


def is_worked_on(goal_id: str, records: Iterable[Recorded]) -> bool:
    """Whether a schedule waits for this goal, by the messages of its own; not for a person's verdict on it."""
    aggregate = goal_aggregate.initial(goal_id)
    for recorded in records:
        if isinstance(recorded.event, Event):
            aggregate = goal_aggregate.evolve(aggregate, recorded.seq, recorded.event)
    return aggregate.phase in ("open", "approved")


def left_out(schedule: Schedule, history: ScheduleHistory, due: DueTime, running: str) -> Draft:
    """What says that nothing begins at a due time, because the goal `running` is not finished."""
    return _outcome(
        history, ScheduleSkipped(schedule=schedule.name, due=due.at, goal_id=running, missed=due.missed)
    )


def goal_of(name: str, due: datetime) -> str:
    """The goal of a due time: always the same, whoever begins it."""
    return goal_id_for_key(place_of(name), due.isoformat())


def _accepted(schedule: Schedule) -> GoalAccepted:
    return GoalAccepted(**msgspec.structs.asdict(schedule.wanted.goal), submitted_by=f"schedule {schedule.name}")


def _outcome(history: ScheduleHistory, event: Event) -> Draft:
    assert isinstance(event, ScheduleRan | ScheduleSkipped)
    return history.fence.draft(HUB, _task_of(event.schedule), event, event.due.isoformat())


def _task_of(name: str) -> str:
    return f"s-{name}"
