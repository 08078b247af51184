"""Drafts and stamps for tests of the log."""

from __future__ import annotations

from datetime import UTC, datetime

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.goal import GoalCancelled, GoalPaused
from agenthub_events.catalogue.task import MergeDone, TaskCompleted, TaskFailed, TaskNoted, TaskSkipped
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.ports import Stamp

GOAL = "g-" + "0" * 25 + "1"
OTHER_GOAL = "g-" + "0" * 25 + "2"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOW = datetime(2026, 11, 24, 9, 20, 45, 123456, tzinfo=UTC)
STAMP = Stamp(now=NOW, metadata={"actor": "test"}, traceparent=TRACE)


def draft(
    event: Event,
    ordinal: str = "1",
    *,
    task_id: str = "_",
    expected: int = 0,
    version: int = 1,
    goal_id: str = GOAL,
    route: tuple[str, ...] = (),
) -> Draft:
    """A draft on GOAL, or on another one."""
    return Fence(expected, version - 1).draft(goal_id, task_id, event, ordinal, route=route)


def paused(by: str = "ada") -> Event:
    """Something small on a goal's own family."""
    return GoalPaused(by=by, reason="lunch")


def cancelled() -> Event:
    """Something else on a goal's own family."""
    return GoalCancelled(by="ada")


def noted(text: str = "look here", task_id: str = "t-a") -> Event:
    """Something small on a task."""
    return TaskNoted(task_id=task_id, by="ada", text=text)


def failed(task_id: str = "t-a") -> Event:
    """The end of an attempt."""
    return TaskFailed(task_id=task_id, attempt=1, failure_class="tool", reason="no such file")


def skipped(task_id: str = "t-a") -> Event:
    """The end of a task."""
    return TaskSkipped(task_id=task_id, by="ada")


def completed(task_id: str = "t-a") -> Event:
    """A task's result."""
    return TaskCompleted(task_id=task_id, agent="coding", attempt=1, result=TaskResult(summary="done"))


def merged(task_id: str = "t-a", base: str = "a" * 40, head: str = "b" * 40) -> Event:
    """A move of the goal's branch."""
    return MergeDone(
        task_id=task_id, attempt=1, base=base, head=head, commit=head, tree="c" * 40, bundle_ref="d" * 64
    )
