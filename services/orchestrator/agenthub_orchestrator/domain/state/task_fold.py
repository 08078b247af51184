"""The fold of a task's own messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue import agent, gate, log, money
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import notification as n
from agenthub_events.catalogue import operations as ops
from agenthub_events.catalogue import schedule as sch
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import TaskEdits
from agenthub_events.context import Checkpoint, Knowledge
from agenthub_events.gates import TESTS
from agenthub_events.rules.answer_options import action_of, new_setup
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.task_ids import gate_of
from agenthub_orchestrator.domain.state.goal import GoalState, Proposal
from agenthub_orchestrator.domain.state.graph import add_task, end_task
from agenthub_orchestrator.domain.state.task import AttemptRecord, Question, TaskState, TaskWord


def fold_task(state: GoalState, task_id: str, seq: int, event: Event | Unreadable) -> None:
    """Take one more message of the task in. After an unreadable one the task is frozen: nobody guesses."""
    task = state.tasks.get(task_id) or add_task(state, task_id)
    task.fence = task.fence.moved(seq)
    if isinstance(event, Unreadable):
        _freeze(state, task, seq)
        return
    if task.unreadable_seq:
        return
    known = _FOLDS.get(type(event))
    if known is not None:
        known(state, task, seq, event)


def _freeze(state: GoalState, task: TaskState, seq: int) -> None:
    if task.ended:
        return
    task.unreadable_seq = task.unreadable_seq or seq
    state.frozen[task.task_id] = None
    _forget_question(state, task)
    for index in (state.ready, state.open, state.closed):
        index.pop(task.task_id, None)


def _enqueued(state: GoalState, task: TaskState, seq: int, event: t.TaskEnqueued) -> None:
    if task.ended:
        return
    # An order in the place of a lost one is of the same attempt, which may have been claimed and have a run.
    task.claims = task.claims if event.instead_of else 0
    task.attempt, task.word, task.worker = event.attempt, "enqueued", ""
    task.order, task.order_seq, task.failure = event, seq, ""
    task.closed_by = task.retry = task.answer = None
    _forget_question(state, task)
    state.ready.pop(task.task_id, None)
    state.closed.pop(task.task_id, None)
    state.open[task.task_id] = None
    if task.kind == "plan" and task.task_id not in state.plans:
        state.plans.append(task.task_id)
    _gate_ordered(state, task, seq)


def _gate_ordered(state: GoalState, task: TaskState, seq: int) -> None:
    named = gate_of(task.task_id)
    if named is None:
        return
    name, round_ = named
    state.gates[name].rounds = max(state.gates[name].rounds, round_)
    if name == TESTS:
        state.tests_ordered_seq = seq


def _started(state: GoalState, task: TaskState, seq: int, event: t.TaskStarted) -> None:
    if task.is_open and event.attempt == task.attempt:
        task.word, task.worker = "in_progress", event.worker
        task.claims += 1
        state.started = state.started or task.planned is not None


def _completed(state: GoalState, task: TaskState, seq: int, event: t.TaskCompleted) -> None:
    if task.ended:
        return
    _record(task, seq, event, event.result.summary)
    task.result, task.summary = event.result, event.result.summary
    end_task(state, task, "done")


def _judged(state: GoalState, task: TaskState, seq: int, event: gate.GatePassed | gate.GateFailed) -> None:
    named = gate_of(task.task_id)
    if task.ended or named is None:
        return
    _record(task, seq, event, event.summary)
    task.verdict, task.summary = event, event.summary
    rounds = state.gates[named[0]]
    rounds.streak = rounds.streak + 1 if _same_failure(rounds.verdict, event) else 1
    rounds.verdict, rounds.verdict_ordered_seq = event, task.order_seq
    end_task(state, task, "done")


def _same_failure(
    before: gate.GatePassed | gate.GateFailed | None, event: gate.GatePassed | gate.GateFailed
) -> bool:
    if not isinstance(before, gate.GateFailed) or not isinstance(event, gate.GateFailed):
        return False
    return _failure_of(before) == _failure_of(event)


def _failure_of(event: gate.GateFailed) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    return frozenset(event.failing), frozenset((found.file, found.message) for found in event.findings)


def _failed(state: GoalState, task: TaskState, seq: int, event: t.TaskFailed) -> None:
    if task.is_open:
        task.retry_count += 1
        task.failure = event.failure_class
        _save(task, event.attempt, event.checkpoint, event.bundle_ref)
        _close(state, task, "failed", seq=seq, event=event, reason=event.reason)


def _timed_out(state: GoalState, task: TaskState, seq: int, event: t.TaskTimedOut) -> None:
    if task.is_open:
        task.retry_count += 1
        task.failure = "timed_out"
        _save(task, event.attempt, event.checkpoint, event.bundle_ref)
        _close(state, task, "timed_out", seq=seq, event=event, reason=f"no result within {event.limit_s} s")


def _parked(state: GoalState, task: TaskState, seq: int, event: t.TaskParked) -> None:
    if task.is_open:
        task.moves += event.reason == "moved"
        _save(task, event.attempt, event.checkpoint, event.bundle_ref)
        _close(state, task, "parked", seq=seq, event=event, reason=event.detail or event.reason)


def _conflicted(state: GoalState, task: TaskState, seq: int, event: t.MergeConflicted) -> None:
    if task.is_open:
        task.conflicts += 1
        task.summary = event.summary or task.summary
        if event.target:
            task.moves += 1
        else:
            _save(task, event.attempt, event.commit, event.bundle_ref)
        _close(state, task, "parked", seq=seq, event=event, reason=f"conflict in {', '.join(event.files)}")


def _blocked(state: GoalState, task: TaskState, seq: int, event: agent.AgentBlocked) -> None:
    if task.ended:
        return
    _save(task, event.attempt, event.checkpoint, event.bundle_ref)
    _forget_question(state, task)
    question = Question(seq, task.task_id, event, event.timestamp)
    task.question = state.questions[seq] = question
    task.answer = None
    _close(state, task, "blocked", seq=seq, event=event, reason=event.error or event.question)


def _escalated(state: GoalState, task: TaskState, seq: int, event: agent.AgentEscalated) -> None:
    question = state.questions.get(event.blocked_seq)
    if question is not None:
        question.level, question.raised_at = event.level, event.timestamp


def _answered(state: GoalState, task: TaskState, seq: int, event: agent.AgentAnswered) -> None:
    question = state.questions.pop(event.blocked_seq, None)
    if question is None:
        return
    question.answer = event
    state.setup = new_setup(question.asked, event) or state.setup
    decide_on(task, msgspec.structs.replace(event, action=action_of(question.asked, event)))


def _dead_lettered(state: GoalState, task: TaskState, seq: int, event: t.TaskDeadLettered) -> None:
    if not task.ended:
        _forget_question(state, task)
        task.answer = None
        _close(state, task, "dead_lettered", seq=seq, event=event, reason=event.reason)


def _requeued(state: GoalState, task: TaskState, seq: int, event: t.TaskRequeued) -> None:
    if task.word == "dead_lettered":
        answer = agent.AgentAnswered(action="edit", by=event.by, blocked_seq=task.closed_seq, edits=event.edits)
        decide_on(task, answer)


def _discarded(state: GoalState, task: TaskState, seq: int, event: t.TaskDiscarded) -> None:
    if task.word == "dead_lettered":
        task.ended_by, task.summary = event.by, event.reason
        end_task(state, task, "cancelled")


def _cancelled(state: GoalState, task: TaskState, seq: int, event: t.TaskCancelled) -> None:
    if not task.ended:
        task.causes, task.summary = event.causes, event.reason
        _record(task, seq, event, event.reason)
        end_task(state, task, "cancelled")


def _skipped(state: GoalState, task: TaskState, seq: int, event: t.TaskSkipped) -> None:
    if not task.ended:
        task.ended_by, task.summary = event.by, event.reason
        _record(task, seq, event, event.reason)
        end_task(state, task, "skipped")


def _scheduled(state: GoalState, task: TaskState, seq: int, event: t.TaskRetryScheduled) -> None:
    if event.attempt == task.attempt + 1:
        task.retry = event


def _proposed(state: GoalState, task: TaskState, seq: int, event: t.TaskProposed) -> None:
    state.proposals[seq] = Proposal(seq, event)


def _learned(state: GoalState, task: TaskState, seq: int, event: t.KnowledgeRecorded) -> None:
    state.knowledge.append(Knowledge(task_id=task.task_id, kind=event.kind, text=event.text))


def decide_on(task: TaskState, answer: agent.AgentAnswered) -> None:
    """Take a person's decision about the task in, with its edits; the retries before it are forgiven."""
    task.answer = answer
    task.moves = 0
    task.retry_base = task.retry_count
    task.edits = _merged(task.edits, answer.edits)


def _merged(before: TaskEdits, edits: TaskEdits) -> TaskEdits:
    changes = {name: value for name in edits.__struct_fields__ if (value := getattr(edits, name)) is not None}
    return msgspec.structs.replace(before, **changes) if changes else before


def _close(state: GoalState, task: TaskState, word: TaskWord, *, seq: int, event: Event, reason: str) -> None:
    _record(task, seq, event, reason)
    task.word, task.closed_by, task.closed_seq, task.retry = word, event, seq, None
    state.open.pop(task.task_id, None)
    state.ready.pop(task.task_id, None)
    state.closed[task.task_id] = None


def _record(task: TaskState, seq: int, event: Event, reason: str) -> None:
    if task.is_open:
        task.attempts.append(AttemptRecord(task.attempt, event.type, reason, seq))


def _save(task: TaskState, attempt: int, commit: str, bundle_ref: str) -> None:
    if commit or bundle_ref:
        task.checkpoint = Checkpoint(attempt=attempt, commit=commit, bundle_ref=bundle_ref)


def _forget_question(state: GoalState, task: TaskState) -> None:
    if task.question is not None:
        state.questions.pop(task.question.seq, None)


_FOLDS: dict[type[Event], Callable[[GoalState, TaskState, int, Any], None]] = {
    t.TaskEnqueued: _enqueued,
    t.TaskStarted: _started,
    t.TaskCompleted: _completed,
    t.TaskFailed: _failed,
    t.TaskTimedOut: _timed_out,
    t.TaskParked: _parked,
    t.TaskRetryScheduled: _scheduled,
    t.TaskCancelled: _cancelled,
    t.TaskSkipped: _skipped,
    t.TaskDeadLettered: _dead_lettered,
    t.TaskRequeued: _requeued,
    t.TaskDiscarded: _discarded,
    t.TaskProposed: _proposed,
    t.KnowledgeRecorded: _learned,
    t.MergeConflicted: _conflicted,
    agent.AgentBlocked: _blocked,
    agent.AgentEscalated: _escalated,
    agent.AgentAnswered: _answered,
    gate.GatePassed: _judged,
    gate.GateFailed: _judged,
}

IGNORED: frozenset[type[Event]] = frozenset(
    {
        # The worker alone reads a note, and money is settled from the run.
        t.TaskNoted,
        *money.EVENTS,
        # They are said about the goal as a whole.
        *g.EVENTS,
        t.MergeDone,
        # They are said about the hub.
        *log.EVENTS,
        *ops.EVENTS,
        *sch.EVENTS,
        # The notifier alone follows them.
        *n.EVENTS,
    }
)
"""Events that mean nothing to the fold of a task."""
