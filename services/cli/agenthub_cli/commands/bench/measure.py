"""Start and end of every task, out of the event log, and what is computed from them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

import msgspec

from agenthub_events.catalogue.goal import GoalPlanned
from agenthub_events.catalogue.task import TaskCompleted, TaskStarted
from agenthub_events.ports import EventLog, Recorded


class TaskTimes(msgspec.Struct):
    """When one task started and ended, by the clock of this machine."""

    depends_on: tuple[str, ...]
    started: datetime | None = None
    completed: datetime | None = None


class Spread(msgspec.Struct, frozen=True):
    """Median and range of repetitions."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Median, least and greatest of `values`, which must not be empty."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Watch:
    """Folds the events of some goals until every planned task has ended."""

    def __init__(self, goals: set[str]) -> None:
        self._goals = goals
        self._planned: set[str] = set()
        self.tasks: dict[tuple[str, str], TaskTimes] = {}
        self._open = 0

    @property
    def done(self) -> bool:
        """Whether every task of every goal has ended."""
        return self._planned == self._goals and self._open == 0

    def take(self, recorded: Recorded) -> None:
        """Note one event."""
        _, goal_id, task_id, *_ = recorded.subject.split(".")
        if goal_id not in self._goals:
            return
        match recorded.event:
            case GoalPlanned(tasks=tasks):
                self._planned.add(goal_id)
                self._open += len(tasks)
                self.tasks.update({(goal_id, task.task_id): TaskTimes(task.depends_on) for task in tasks})
            case TaskStarted(timestamp=at) if (goal_id, task_id) in self.tasks:
                self.tasks[goal_id, task_id].started = at
            case TaskCompleted(timestamp=at) if (goal_id, task_id) in self.tasks:
                if self.tasks[goal_id, task_id].completed is None:
                    self._open -= 1
                self.tasks[goal_id, task_id].completed = at


async def watch_until_done(log: EventLog, goals: set[str], *, after: int) -> Watch:
    """Follow the log from `after` until the goals' tasks have all ended."""
    watch = Watch(goals)
    async with aclosing(log.follow(after=after)) as batches:
        async for batch in batches:
            for recorded in batch:
                watch.take(recorded)
            if watch.done:
                break
    return watch


def tasks_per_second(tasks: Mapping[tuple[str, str], TaskTimes]) -> float:
    """Tasks divided by the time from the first start to the last end."""
    starts = [task.started for task in tasks.values() if task.started]
    ends = [task.completed for task in tasks.values() if task.completed]
    return len(ends) / (max(ends) - min(starts)).total_seconds()


def hops_ms(tasks: Mapping[tuple[str, str], TaskTimes]) -> list[float]:
    """For every task with dependencies: milliseconds from the end of the last of them to its start."""
    found = []
    for (goal_id, _), task in tasks.items():
        ends = [tasks[goal_id, name].completed for name in task.depends_on]
        known = [end for end in ends if end is not None]
        if known and task.started is not None:
            found.append((task.started - max(known)).total_seconds() * 1e3)
    return found
