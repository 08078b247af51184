"""The rows of one goal as they stand, and which of them have changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from agenthub_events.base import Event
from agenthub_events.task_ids import kind_of
from agenthub_orchestrator.domain.state.goal import GoalState, initial
from agenthub_runtime.readmodels.rows import (
    AttemptRow,
    DeadLetterRow,
    GateRow,
    GoalRow,
    InterventionRow,
    Row,
    TaskRow,
    UsageRow,
)

# Ids of ours are shorter; a foreign program's must not break an index.
ID_MAX = 128


class GoalRows:
    """Rows of one goal that later events may still change, beside the decider's fold of the same events."""

    def __init__(self, goal_id: str) -> None:
        self.goal = GoalRow(goal_id=goal_id)
        self.state: GoalState = initial(goal_id)
        self.tasks: dict[str, TaskRow] = {}
        self.attempts: dict[tuple[str, int], AttemptRow] = {}
        self.gates: dict[tuple[str, int], GateRow] = {}
        self.questions: dict[int, InterventionRow] = {}
        self.usage: dict[tuple[str, str, str], UsageRow] = {}
        self.letters: dict[str, DeadLetterRow] = {}
        self.parked: dict[str, DeadLetterRow] = {}
        self._dirty: dict[int, Row] = {}

    def touch(self, row: Row) -> None:
        """Remember that a row has changed."""
        self._dirty[id(row)] = row

    def changed(self) -> list[Row]:
        """The rows that have changed since the last call."""
        rows, self._dirty = list(self._dirty.values()), {}
        return rows

    def task(self, task_id: str, seq: int) -> TaskRow:
        """The row of a task, made when it is met for the first time."""
        row = self.tasks.get(task_id)
        if row is None:
            row = self.tasks[task_id] = TaskRow(
                goal_id=self.goal.goal_id,
                task_id=task_id,
                key_name=task_id,
                ordinal=len(self.tasks) + 1,
                kind=kind_of(task_id),
                first_seq=seq,
            )
            self.goal.tasks_total += 1
        row.last_seq = seq
        self.touch(row)
        return row

    def attempt(self, task_id: str, number: int) -> AttemptRow:
        """The row of an attempt, made when it is met for the first time."""
        row = self.attempts.get((task_id, number))
        if row is None:
            row = self.attempts[task_id, number] = AttemptRow(
                goal_id=self.goal.goal_id, task_id=task_id, attempt=number
            )
        self.touch(row)
        return row


Handler: TypeAlias = Callable[[GoalRows, int, Any], None]
Handlers: TypeAlias = dict[type[Event], Handler]


def minutes_after(at: datetime, minutes: float) -> datetime | None:
    """`at` plus `minutes`; None when that is beyond the calendar."""
    try:
        return at + timedelta(minutes=minutes)
    except OverflowError:
        return None
