"""What the decider and the timers must agree on: references of timers, and when new work may start."""

from __future__ import annotations

from datetime import datetime, timedelta

from agenthub_events.rules.requirements import DEFAULT_MAX_TIME_S
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import Question, TaskState


def may_start(state: GoalState) -> bool:
    """Whether an order may be written now: the goal is neither paused, held by its deadline, nor frozen."""
    if state.aggregate.paused or state.unreadable or state.abandoned:
        return False
    return state.alive and state.deadline_passed_at is None


def deadline_of(state: GoalState) -> datetime | None:
    """When the goal's time is over; None when it is ready, or the date has passed already."""
    accepted = state.aggregate.accepted
    if accepted is None or state.aggregate.phase != "open" or state.deadline_passed_at is not None:
        return None
    return state.clock_from + timedelta(seconds=accepted.constraints.max_time_s or DEFAULT_MAX_TIME_S)


def retry_ref(task: TaskState) -> str:
    """The attempt that a retry timer starts."""
    return str(task.attempt + 1)


def park_ref(task: TaskState) -> str:
    """The attempt that a park timer ends the rest of."""
    return str(task.attempt)


def attempt_ref(task: TaskState) -> str:
    """The attempt and the claim that an attempt timer limits: who takes an attempt over has its full time."""
    return f"{task.attempt}-{task.claims}"


def order_ref(task: TaskState) -> str:
    """The order of the open attempt, and the claim that it has: a newer claim is another matter."""
    return str(task.order_seq) if task.word == "enqueued" else f"{task.order_seq}-{task.claims}"


def escalation_ref(question: Question) -> str:
    """The question and the level that an escalation timer raises it to."""
    return f"{question.seq}-{question.level + 1}"


def stall_ref(state: GoalState) -> str:
    """The last thing that happened before nothing happened any more."""
    return str(state.last_seq)
