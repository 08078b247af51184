"""Where a goal stands: the words for it and for its tasks, why a task waits, and whether nothing is left to do."""

from __future__ import annotations

from typing import Literal, TypeAlias

from agenthub_events.catalogue.task import MergeConflicted, TaskParked
from agenthub_events.rules.goal_aggregate import TERMINAL
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import SATISFIED, TaskState, TaskWord
from agenthub_orchestrator.domain.state.timer_refs import may_start

GoalWord: TypeAlias = Literal[
    "accepted",
    "planning",
    "workflow_generated",
    "running",
    "validating",
    "awaiting_human",
    "paused",
    "rework",
    "ready_for_review",
    "completed",
    "failed",
    "cancelled",
]
SHOWN_CAUSES = 3


def derived_status(state: GoalState) -> GoalWord:
    """The one word for where the goal stands."""
    match state.aggregate.phase:
        case "completed" | "failed" | "cancelled" as over:
            return over
        case "approved" if state.delivering:
            return _open_status(state)
        case "ready" | "approved":
            return "ready_for_review"
        case _:
            return _open_status(state)


def _open_status(state: GoalState) -> GoalWord:
    if state.aggregate.paused:
        return "paused"
    if waits_for_answer(state) and not is_moving(state):
        return "awaiting_human"
    if state.rework is not None:
        return "rework"
    if not state.aggregate.planned:
        return "accepted" if state.current_plan is None else "planning"
    if not state.started:
        return "workflow_generated"
    return "validating" if _gate_is_open(state) else "running"


def is_settled(state: GoalState) -> bool:
    """Whether the goal is over and nothing of it is left to do, until somebody says something new about it.

    It says so of facts alone, whatever the rules are: no task that has not ended, no money that is set aside, no
    seal that is missing. What cannot be read may call for something once it can: such a goal is not settled.
    """
    if state.aggregate.phase not in TERMINAL or state.unreadable:
        return False
    return not (state.unended or state.ledger.open or state.unsealed)


def waits_for_answer(state: GoalState) -> bool:
    """Whether people are asked something: a question, or a message that nobody here can read."""
    return bool(state.questions or state.unreadable)


def is_moving(state: GoalState) -> bool:
    """Whether anything is queued, running, scheduled, or parked with a date that will be kept."""
    if state.open:
        return True
    return may_start(state) and any(_comes_back(state.tasks[task_id]) for task_id in state.closed)


def _comes_back(task: TaskState) -> bool:
    if task.retry is not None:
        return True
    return isinstance(task.closed_by, TaskParked) and task.closed_by.reason in ("overload", "restart")


def _gate_is_open(state: GoalState) -> bool:
    if state.unfinished:
        return False
    return any(state.tasks[task_id].kind == "gate" for task_id in state.unended)


def task_status(state: GoalState, task_id: str) -> TaskWord:
    """The one word for where the task stands. Raises `KeyError` for a task that the goal does not have."""
    return state.tasks[task_id].word


def why_waiting(state: GoalState, task_id: str) -> str:
    """In one sentence why the task does not run now; empty when it runs or has ended.

    Raises `KeyError` for a task that the goal does not have.
    """
    task = state.tasks[task_id]
    if task.ended:
        return ""
    if task.unreadable_seq:
        return f"message {task.unreadable_seq} of this task cannot be read"
    if task.word == "in_progress":
        return ""
    if task.word == "enqueued":
        return f"waits for a free {task.order.agent_type if task.order else ''} worker"
    if task.word == "pending":
        return _why_pending(state, task)
    return _why_closed(state, task)


def _why_pending(state: GoalState, task: TaskState) -> str:
    if task.task_id in state.doomed:
        return "will be cancelled"
    if state.aggregate.paused:
        return "the goal is paused"
    if not state.plan_stands:
        return "the plan waits for approval"
    if state.deadline_passed_at is not None:
        return "the goal's time is over: a person decides"
    planned = task.planned
    waits = [dep for dep in planned.depends_on if not _is_met(state, dep)] if planned else []
    if not waits:
        return "is next in line"
    named = ", ".join(_named(state, dep) for dep in waits[:SHOWN_CAUSES])
    more = f" and {len(waits) - SHOWN_CAUSES} more" if len(waits) > SHOWN_CAUSES else ""
    return f"waits on {named}{more}"


def _is_met(state: GoalState, task_id: str) -> bool:
    task = state.tasks.get(task_id)
    return task is not None and task.word in SATISFIED


def _named(state: GoalState, task_id: str) -> str:
    task = state.tasks.get(task_id)
    return f"unknown {task_id}" if task is None else f"{task.word} {task_id}"


def _why_closed(state: GoalState, task: TaskState) -> str:
    if task.retry is not None:
        return f"attempt {task.retry.attempt} starts at {task.retry.due:%Y-%m-%d %H:%M:%S} UTC"
    if task.question is not None and task.word == "blocked":
        return f"waits for an answer: {task.question.asked.question}"
    if isinstance(task.closed_by, MergeConflicted):
        if task.closed_by.target:
            return f"{task.closed_by.target} conflicts with the result in {', '.join(task.closed_by.files)}"
        return f"its changes conflict with others in {', '.join(task.closed_by.files)}"
    if isinstance(task.closed_by, TaskParked):
        return f"parked: {task.closed_by.detail or task.closed_by.reason}"
    if task.word == "dead_lettered":
        return "is a dead letter: a person decides"
    return f"{task.word}: the next step is being decided"
