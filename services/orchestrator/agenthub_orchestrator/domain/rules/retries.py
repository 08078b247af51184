"""After an attempt: try again, let a debugger look, ask a person, or do what the person said."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.task import (
    MergeConflicted,
    TaskCancelled,
    TaskDeadLettered,
    TaskFailed,
    TaskParked,
    TaskRetryScheduled,
    TaskSkipped,
    TaskTimedOut,
)
from agenthub_events.catalogue.values import TaskEdits
from agenthub_events.context import Answered
from agenthub_events.rules import answer_options
from agenthub_events.task_ids import task_debug_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.orders.orders import enqueue
from agenthub_orchestrator.domain.rules.budget import ask_for_budget, has_room
from agenthub_orchestrator.domain.rules.merge_conflicts import after_conflict
from agenthub_orchestrator.domain.rules.questions import AGENTHUB, ask
from agenthub_orchestrator.domain.rules.repairs import diagnose_task
from agenthub_orchestrator.domain.state.task import TaskState
from agenthub_orchestrator.domain.state.timer_refs import park_ref, retry_ref

_GOES_ON: frozenset[str] = frozenset({"transient", "crash", "workspace", "timed_out"})
_FINAL: frozenset[str] = frozenset({"limit", "refused"})
_WORTH_A_DEBUGGER: frozenset[str] = frozenset({"model", "tool", "invalid"})
_ERROR_MAX = 2_000


def decide_retries(decision: Decision) -> None:
    """Decide the next step of every task whose last attempt is over."""
    for task in decision.tasks(decision.state.closed):
        if task.task_id not in decision.state.doomed:
            _step(decision, task)


def _step(decision: Decision, task: TaskState) -> None:
    if task.answer is not None:
        _apply_answer(decision, task, task.answer)
        return
    match task.closed_by:
        case TaskFailed() as failed:
            _after_failure(decision, task, failed.reason)
        case TaskTimedOut() as late:
            _after_failure(decision, task, f"no result within {late.limit_s} seconds")
        case TaskParked() as parked:
            _after_park(decision, task, parked)
        case MergeConflicted() as conflict:
            after_conflict(decision, task, conflict)
        case TaskDeadLettered() as dead:
            _ask_about_dead_letter(decision, task, dead)
        case _:
            pass  # blocked: a person has not answered yet


def resumable(task: TaskState) -> int:
    """The attempt whose recorded run goes on: the last one that anybody has claimed; 0 when there is none."""
    if task.claims:
        return task.attempt
    return task.order.resumes if task.order else 0


def _after_failure(decision: Decision, task: TaskState, error: str) -> None:
    retries = task.retry_count - task.retry_base
    if task.retry is not None:
        _retry_when_due(decision, task, error)
    elif task.failure not in _FINAL and retries <= decision.policy.max_retries:
        _schedule(decision, task, error)
    elif task.failure == "crash":
        _dead_letter(decision, task, error)
    elif task.failure in _WORTH_A_DEBUGGER and _may_be_diagnosed(task):
        _diagnose(decision, task, error)
    else:
        _block(decision, task, error)


def _retry_when_due(decision: Decision, task: TaskState, error: str) -> None:
    if task.retry is None or not decision.may_start:
        return
    if task.retry.due <= decision.now or decision.has_fired("retry", task.task_id, retry_ref(task)):
        resumes = resumable(task) if task.failure in _GOES_ON else 0
        enqueue(decision, task.task_id, resumes=resumes, changed=(f"the attempt before ended: {error[:500]}",))


def _schedule(decision: Decision, task: TaskState, error: str) -> None:
    attempt = task.attempt + 1
    pause = decision.policy.backoff_s(decision.state.goal_id, task.task_id, task.retry_count - task.retry_base)
    due = decision.now + timedelta(seconds=pause)
    event = TaskRetryScheduled(task_id=task.task_id, attempt=attempt, due=due, reason=error[:500])
    decision.write(task.task_id, event, str(attempt))


def _may_be_diagnosed(task: TaskState) -> bool:
    planned = task.planned
    return planned is not None and planned.agent_type != "noop" and task.kind in ("work", "fix", "merge")


def _diagnose(decision: Decision, task: TaskState, error: str) -> None:
    debug = decision.state.tasks.get(task_debug_id(task.task_id, 1))
    cause = f"{task.task_id}:{task.attempt}"
    if debug is None:
        diagnose_task(decision, task, cause)
    elif cause not in decision.state.causes or (debug.ended and debug.word != "done"):
        _block(decision, task, error)
    elif debug.ended and decision.may_start:
        enqueue(decision, task.task_id, changed=(f"{debug.task_id} has found out: {debug.summary[:500]}",))


def _block(decision: Decision, task: TaskState, error: str) -> None:
    retries = max(0, task.retry_count - task.retry_base - 1)
    tried = "" if task.failure == "refused" else f"Failed after {retries} retries: "
    event = AgentBlocked(
        question=f"{tried}{error[:_ERROR_MAX]}",
        task_id=task.task_id,
        options=(answer_options.TRY_AGAIN, answer_options.SKIP_IT, answer_options.CANCEL_IT),
        error=error[:_ERROR_MAX],
        retry_count=task.retry_count,
        attempt=task.attempt,
        reason="retries",
    )
    decision.write(task.task_id, event, str(task.attempt))


def _dead_letter(decision: Decision, task: TaskState, error: str) -> None:
    causes = tuple(f"attempt {tried.attempt} {tried.outcome}: {tried.reason[:300]}" for tried in task.attempts)
    event = TaskDeadLettered(task_id=task.task_id, attempt=task.attempt, reason=error[:_ERROR_MAX], causes=causes)
    decision.write(task.task_id, event, str(task.attempt))


def dead_letter_undeliverable(decision: Decision) -> None:
    """The server gave up delivering an order: nobody can have read it."""
    for fired in decision.fired:
        task = decision.state.tasks.get(fired.task_id)
        if fired.kind == "advisory" and task and task.is_open and fired.ref == str(task.attempt):
            _dead_letter(decision, task, "the order was delivered as often as allowed and never claimed")


def _ask_about_dead_letter(decision: Decision, task: TaskState, dead: TaskDeadLettered) -> None:
    ask(
        decision,
        "dead_letter",
        f"Task {task.task_id} is a dead letter after {task.attempt} attempts: {dead.reason}",
        options=(answer_options.TRY_AGAIN, answer_options.SKIP_IT, answer_options.CANCEL_IT),
        task_id=task.task_id,
        evidence="\n".join(dead.causes),
    )


def _after_park(decision: Decision, task: TaskState, parked: TaskParked) -> None:
    match parked.reason:
        case "paused" | "restart":
            due = True
        case "overload":
            due = decision.has_fired("park", task.task_id, park_ref(task))
        case "moved":
            due = task.kind != "deliver"  # a delivery goes on once the result is judged again
        case "config" | "unreachable":
            due = decision.state.resumed_seq > task.closed_seq
        case "budget":
            due = _money_is_there(decision, task, parked)
        case _:
            assert_never(parked.reason)
    if due and decision.may_start:
        enqueue(decision, task.task_id, resumes=resumable(task))


def _money_is_there(decision: Decision, task: TaskState, parked: TaskParked) -> bool:
    state = decision.state
    moved = max(state.ledger.settled_seq, state.raised_seq, state.money_answered_seq)
    if has_room(state) and moved > task.closed_seq:
        return True
    if not state.ledger.open:
        ask_for_budget(decision, parked.detail or "no room for one more model call")
    return False


def _apply_answer(decision: Decision, task: TaskState, answer: AgentAnswered) -> None:
    said = answer.text or answer.option
    match answer.action:
        case "answer" | "retry" | "edit":
            _go_on(decision, task, answer, said)
        case "skip" | "take_over":
            reason = said or ("done by hand" if answer.action == "take_over" else "not needed")
            decision.write(task.task_id, TaskSkipped(task_id=task.task_id, by=answer.by, reason=reason), "1")
        case "cancel":
            reason = f"cancelled by {answer.by}" + (f": {said}" if said else "")
            decision.write(task.task_id, TaskCancelled(task_id=task.task_id, reason=reason), "1")
        case _:
            assert_never(answer.action)


def _go_on(decision: Decision, task: TaskState, answer: AgentAnswered, said: str) -> None:
    if not decision.may_start:
        return
    asked = task.question.asked if task.question else None
    answered = None
    if asked is not None and answer.by != AGENTHUB:
        answered = Answered(tool_use_id=asked.tool_use_id, question=asked.question, answer=said or answer.action)
    edited = tuple(name for name in TaskEdits.__struct_fields__ if getattr(answer.edits, name) is not None)
    changed = tuple(f"{name} edited by {answer.by}" for name in edited)
    # Another agent cannot go on with the recorded run of the first one.
    resumes = resumable(task) if _run_can_go_on(task) and "agent" not in edited else 0
    enqueue(decision, task.task_id, resumes=resumes, changed=changed, answered=answered, by_person=True)


def _run_can_go_on(task: TaskState) -> bool:
    """Whether the recorded run waits for an answer, or broke from outside; any other has come to its end."""
    if task.question is None or task.word != "blocked":
        return False
    return bool(task.question.asked.worker) or task.failure in _GOES_ON
