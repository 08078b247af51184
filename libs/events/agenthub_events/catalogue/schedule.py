"""Goals that begin by the clock.

What people want stands in `evt.hub._.schedule.>`, what came of it in `evt.hub.s-<name>.schedule.>`. That is one
aggregate a schedule, and its fence is why no due time is dealt with twice.
"""

from __future__ import annotations

from datetime import datetime

from agenthub_events.base import Event, Record
from agenthub_events.catalogue.values import Autonomy, Constraints, Delivery, PlanTask, Priority, ProjectCheck


class GoalTemplate(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What every run of a schedule begins with, named as in `GoalAccepted`; limits hold for each run.

    With a `ref` and no `base_commit` a run starts from what the ref stands for when it begins.
    """

    goal: str
    requirements: tuple[str, ...] = ()
    constraints: Constraints = Constraints()
    priority: Priority = "normal"
    repository: str = ""
    ref: str = ""
    base_commit: str = ""
    delivery: Delivery = "none"
    delivery_branch: str = ""
    test_command: str = ""
    setup: tuple[str, ...] = ()
    checks: tuple[ProjectCheck, ...] = ()
    autonomy: Autonomy = "full"
    workflow: tuple[PlanTask, ...] | None = None
    notify: tuple[str, ...] = ()


class ScheduleAdded(Event, frozen=True, kw_only=True, tag="schedule.added"):
    """From here on `goal` begins at every minute that `cron` names by the clocks of `time_zone`.

    Without `overlap` a due time is left out at which the goal of an earlier one is still being worked on.
    """

    schedule: str
    cron: str
    goal: GoalTemplate
    time_zone: str = "UTC"
    overlap: bool = False
    by: str = ""


class SchedulePaused(Event, frozen=True, kw_only=True, tag="schedule.paused"):
    """From here on the schedule begins nothing; goals that it has begun go on."""

    schedule: str
    reason: str = ""
    by: str = ""


class ScheduleResumed(Event, frozen=True, kw_only=True, tag="schedule.resumed"):
    """The schedule counts again, from here on: what was due in between is not made up for."""

    schedule: str
    by: str = ""


class ScheduleRemoved(Event, frozen=True, kw_only=True, tag="schedule.removed"):
    """There is no such schedule any more; goals that it has begun go on."""

    schedule: str
    by: str = ""


class ScheduleRan(Event, frozen=True, kw_only=True, tag="schedule.ran"):
    """The goal of the due time `due` has begun, in the same atomic write as this.

    Every due time up to `due` is dealt with; `missed` of them began nothing because no orchestrator ran.
    """

    schedule: str
    due: datetime
    goal_id: str
    missed: int = 0


class ScheduleTriggered(Event, frozen=True, kw_only=True, tag="schedule.triggered"):
    """The goal of a webhook has begun, in the same atomic write as this.

    `webhook_id` is what its sender calls it. `due` is the due time up to which everything is dealt with, as before
    it; None: none was.
    """

    schedule: str
    goal_id: str
    webhook_id: str
    due: datetime | None = None


class ScheduleSkipped(Event, frozen=True, kw_only=True, tag="schedule.skipped"):
    """Nothing began at `due`: `goal_id`, which the schedule had begun earlier, is still being worked on."""

    schedule: str
    due: datetime
    goal_id: str
    missed: int = 0


EVENTS: tuple[type[Event], ...] = (
    ScheduleAdded,
    SchedulePaused,
    ScheduleResumed,
    ScheduleRemoved,
    ScheduleRan,
    ScheduleTriggered,
    ScheduleSkipped,
)
