"""The fold of one task: where it stands, which attempt it is at, and what closed the last one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.task import TaskEnqueued, TaskRetryScheduled
from agenthub_events.catalogue.values import PlannedTask, TaskEdits, TaskResult
from agenthub_events.context import Checkpoint
from agenthub_events.task_ids import TaskKind

TaskWord: TypeAlias = Literal[
    "pending",
    "enqueued",
    "in_progress",
    "done",
    "failed",
    "timed_out",
    "parked",
    "blocked",
    "skipped",
    "cancelled",
    "dead_lettered",
]

ENDED: frozenset[TaskWord] = frozenset({"done", "skipped", "cancelled"})
SATISFIED: frozenset[TaskWord] = frozenset({"done", "skipped"})
WAITS: frozenset[str] = frozenset({"unserved", "queued"})
"""Reasons of questions about an order that nobody takes."""


class AttemptRecord(NamedTuple):
    """How one attempt ended: the closing event's type, the reason in words, its stream sequence."""

    attempt: int
    outcome: str
    reason: str
    seq: int


@dataclass(slots=True)
class Question:
    """A question to people: the event at `seq`, how often it was raised again, and the answer."""

    seq: int
    task_id: str
    asked: AgentBlocked
    asked_at: datetime
    level: int = 0
    raised_at: datetime | None = None
    answer: AgentAnswered | None = None


@dataclass(slots=True)
class TaskState:
    """One task, with the fence of its next event; `word` is its status.

    `unmet` counts dependencies that have not ended well. `closed_by` is the event that closed the last attempt,
    `failure` the class of its failure (or `timed_out`), `retry_base` the retries that a person's answer has
    forgiven. `moves` counts how often the target of a delivery was found elsewhere since people last had a say.
    `wait_asked_seq` is the last question about an order of it that waits in its queue.
    """

    task_id: str
    kind: TaskKind
    index: int = 0
    fence: Fence = field(default_factory=Fence)
    word: TaskWord = "pending"
    planned: PlannedTask | None = None
    unmet: int = 0
    dependents: list[str] = field(default_factory=list)
    attempt: int = 0
    claims: int = 0
    worker: str = ""
    order: TaskEnqueued | None = None
    order_seq: int = 0
    wait_asked_seq: int = 0
    closed_by: Event | None = None
    closed_seq: int = 0
    failure: str = ""
    retry: TaskRetryScheduled | None = None
    question: Question | None = None
    answer: AgentAnswered | None = None
    edits: TaskEdits = field(default_factory=TaskEdits)
    checkpoint: Checkpoint | None = None
    retry_count: int = 0
    retry_base: int = 0
    conflicts: int = 0
    moves: int = 0
    attempts: list[AttemptRecord] = field(default_factory=list)
    result: TaskResult | None = None
    verdict: GatePassed | GateFailed | None = None
    summary: str = ""
    ended_by: str = ""
    causes: tuple[str, ...] = ()
    unreadable_seq: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the task."""
        return self.word in ENDED

    @property
    def is_open(self) -> bool:
        """Whether an attempt is under way or waits in a queue."""
        return self.word in ("enqueued", "in_progress")
