"""How attempts and goals have ended, in a word."""

from __future__ import annotations

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.goal import GoalCancelled, GoalCompleted, GoalFailed
from agenthub_events.catalogue.task import (
    MergeConflicted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskParked,
    TaskSkipped,
    TaskTimedOut,
)

_OF_TASKS: dict[type[Event], str] = {
    TaskCompleted: "completed",
    TaskFailed: "failed",
    TaskTimedOut: "timed_out",
    TaskParked: "parked",
    TaskCancelled: "cancelled",
    TaskSkipped: "skipped",
    MergeConflicted: "conflicted",
    AgentBlocked: "blocked",
}
_OF_GOALS: dict[type[Event], str] = {
    GoalCompleted: "completed",
    GoalFailed: "failed",
    GoalCancelled: "cancelled",
}


def outcome_of_task(event: Event) -> str:
    """What has become of an attempt; empty for an event that ends none."""
    return _OF_TASKS.get(type(event), "") if getattr(event, "task_id", "") else ""


def outcome_of_goal(event: Event) -> str:
    """What has become of a goal; empty for an event that ends none."""
    return _OF_GOALS.get(type(event), "")
