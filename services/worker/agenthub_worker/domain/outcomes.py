"""How an attempt can end, and the event that says so."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias, assert_never

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import (
    MergeConflicted,
    TaskCompleted,
    TaskEnqueued,
    TaskFailed,
    TaskParked,
    TaskTimedOut,
)
from agenthub_events.catalogue.values import FailureClass, ParkReason, TaskResult, Usage


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """The task is done, and its commit (if any) is on the branch."""

    result: TaskResult


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """No result; the rule of retries decides what is tried next."""

    failure_class: FailureClass
    reason: str


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """Put aside without costing a retry; `until` None: a person or an event moves it."""

    reason: ParkReason
    detail: str
    until: datetime | None = None


class TimedOut(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt used up its time."""


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """Only a person can say how it goes on. `tool_use_id`: the call that the answer becomes the result of.

    `consequences`: what follows from each option, as far as the agent has said so.
    """

    question: str
    options: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    evidence: str = ""
    reason: str = ""
    tool_use_id: str = ""


class ConflictingMerge(msgspec.Struct, frozen=True, kw_only=True):
    """The work is done but does not fit what others merged meanwhile, or what the branch `target` has become."""

    files: tuple[str, ...]
    base: str
    head: str
    commit: str
    bundle_ref: str
    summary: str
    target: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A gate's verdict, complete."""

    verdict: Event


AttemptOutcome: TypeAlias = Completed | Failed | Parked | TimedOut | Blocked | ConflictingMerge | Judged


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What every closing event carries of the attempt: who ran it, where its work is saved, what it used."""

    worker: str
    checkpoint: str = ""
    bundle_ref: str = ""
    usage: Usage = Usage()


def closing_event(outcome: AttemptOutcome, order: TaskEnqueued, run_summary: RunSummary) -> Event:
    """The event that closes the attempt of `order`."""
    saved: dict[str, Any] = {
        "worker": run_summary.worker,
        "checkpoint": run_summary.checkpoint,
        "bundle_ref": run_summary.bundle_ref,
        "usage": run_summary.usage,
    }
    task_id, attempt = order.task_id, order.attempt
    match outcome:
        case Completed(result=result):
            return completed_event(result, order, run_summary)
        case Failed(failure_class=kind, reason=reason):
            return TaskFailed(task_id=task_id, attempt=attempt, failure_class=kind, reason=reason, **saved)
        case Parked(reason=why, detail=detail, until=until):
            return TaskParked(task_id=task_id, attempt=attempt, reason=why, detail=detail, until=until, **saved)
        case TimedOut():
            return TaskTimedOut(task_id=task_id, attempt=attempt, limit_s=order.timeout_s, **saved)
        case Blocked():
            return AgentBlocked(
                task_id=task_id,
                attempt=attempt,
                retry_count=order.retry_count,
                question=outcome.question,
                options=outcome.options,
                consequences=outcome.consequences,
                evidence=outcome.evidence,
                reason=outcome.reason,
                tool_use_id=outcome.tool_use_id,
                **saved,
            )
        case ConflictingMerge():
            return MergeConflicted(
                task_id=task_id,
                attempt=attempt,
                files=outcome.files,
                base=outcome.base,
                head=outcome.head,
                commit=outcome.commit,
                bundle_ref=outcome.bundle_ref,
                worker=run_summary.worker,
                summary=outcome.summary,
                usage=run_summary.usage,
                target=outcome.target,
            )
        case Judged(verdict=verdict):
            return verdict
        case _:
            assert_never(outcome)


def outcome_word(outcome: AttemptOutcome | None) -> str:
    """How an attempt ended, in one word; None: its work is on the branch."""
    match outcome:
        case None | Completed():
            return "completed"
        case Failed():
            return "failed"
        case Parked():
            return "parked"
        case TimedOut():
            return "timed_out"
        case Blocked():
            return "blocked"
        case ConflictingMerge():
            return "conflicted"
        case Judged(verdict=verdict):
            return verdict.type
        case _:
            assert_never(outcome)


def completed_event(result: TaskResult, order: TaskEnqueued, run_summary: RunSummary) -> TaskCompleted:
    """`task.completed` for the attempt of `order`."""
    return TaskCompleted(
        task_id=order.task_id,
        agent=order.agent,
        attempt=order.attempt,
        result=result,
        worker=run_summary.worker,
        usage=run_summary.usage,
    )
