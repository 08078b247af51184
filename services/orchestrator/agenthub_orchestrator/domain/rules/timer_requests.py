"""Which timers a goal needs, and when one that has fired needs no answer any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agenthub_events.catalogue.task import TaskParked
from agenthub_events.notifications.escalation import raised_again_at
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_orchestrator.domain.due import Fired, TimerKind, TimerRequest
from agenthub_orchestrator.domain.policy import DEFAULT, Policy
from agenthub_orchestrator.domain.rules.decide import decide, is_idle
from agenthub_orchestrator.domain.rules.questions import has_default_answer
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.task import Question, TaskState
from agenthub_orchestrator.domain.state.timer_refs import (
    attempt_ref,
    deadline_of,
    escalation_ref,
    may_start,
    order_ref,
    park_ref,
    retry_ref,
    stall_ref,
)


def timers_of(state: GoalState, policy: Policy = DEFAULT, *, busy: bool = False) -> list[TimerRequest]:
    """The timers that should be set for the goal now, at most one for each (kind, task).

    A timer of a goal that is paused or held is not requested: it comes back with the work. `busy` says that
    `decide` has just returned something or an event is on its way, so that no stall can be judged.
    """
    if not state.alive or state.unreadable:
        return []
    requests = [*_running(state, policy), *_escalations(state, policy), *_deadline(state)]
    if may_start(state):
        requests.extend(_returning(state, policy))
    if not busy and is_idle(state) and not decide(state, now=state.last_at, policy=policy):
        requests.append(_request(state, "stall", GOAL_AS_A_WHOLE, stall_ref(state), after_s=policy.stall_after_s))
    return requests


def _request(
    state: GoalState,
    kind: TimerKind,
    task_id: str,
    ref: str,
    *,
    due: datetime | None = None,
    after_s: float | None = None,
) -> TimerRequest:
    return TimerRequest(kind=kind, goal_id=state.goal_id, task_id=task_id, ref=ref, due=due, after_s=after_s)


def _running(state: GoalState, policy: Policy) -> Iterator[TimerRequest]:
    for task_id in state.open:
        task = state.tasks[task_id]
        if task.word == "in_progress" and task.order is not None:
            after = task.order.timeout_s + policy.attempt_grace_s
            yield _request(state, "attempt", task_id, attempt_ref(task), after_s=after)


def _returning(state: GoalState, policy: Policy) -> Iterator[TimerRequest]:
    for task_id in state.closed:
        task = state.tasks[task_id]
        if task.retry is not None:
            yield _request(state, "retry", task_id, retry_ref(task), due=task.retry.due)
        elif isinstance(task.closed_by, TaskParked) and task.closed_by.reason == "overload":
            until = task.closed_by.until
            after = None if until else policy.park_s
            yield _request(state, "park", task_id, park_ref(task), due=until, after_s=after)


def _escalations(state: GoalState, policy: Policy) -> Iterator[TimerRequest]:
    first: dict[str, TimerRequest] = {}
    for question in state.questions.values():
        if question.level >= policy.max_escalations and not has_default_answer(question, policy):
            continue
        task_id = question.task_id or GOAL_AS_A_WHOLE
        due = _escalates_at(question, policy)
        known = first.get(task_id)
        if known is None or (known.due is not None and due < known.due):
            first[task_id] = _request(state, "escalate", task_id, escalation_ref(question), due=due)
    yield from first.values()


def _escalates_at(question: Question, policy: Policy) -> datetime:
    return raised_again_at(question.raised_at or question.asked_at, question.level, policy.escalate_after_s)


def _deadline(state: GoalState) -> Iterator[TimerRequest]:
    due = deadline_of(state)
    if due is not None:
        yield _request(state, "deadline", GOAL_AS_A_WHOLE, due.isoformat(), due=due)


def is_settled_by(fired: Fired, state: GoalState) -> bool:
    """Whether a fired timer may be acknowledged: answered in the fold, or no longer true.

    A timer that comes while the goal is paused or held is settled as well: `timers_of` requests it again when
    the work goes on.
    """
    if not state.alive or state.unreadable:
        return True
    if fired.task_id == GOAL_AS_A_WHOLE:
        return not _true_of_goal(fired, state)
    task = state.tasks.get(fired.task_id)
    return task is None or task.unreadable_seq > 0 or not _true_of_task(fired, state, task)


def _true_of_goal(fired: Fired, state: GoalState) -> bool:
    match fired.kind:
        case "deadline":
            due = deadline_of(state)
            return due is not None and fired.ref == due.isoformat()
        case "escalate":
            return _is_asked(fired, state)
        case "stall":
            return fired.ref == stall_ref(state) and is_idle(state)
        case _:
            return False


def _true_of_task(fired: Fired, state: GoalState, task: TaskState) -> bool:
    match fired.kind:
        case "retry":
            return task.retry is not None and fired.ref == retry_ref(task) and may_start(state)
        case "park":
            parked = isinstance(task.closed_by, TaskParked) and task.word == "parked"
            return parked and fired.ref == park_ref(task) and may_start(state)
        case "attempt":
            return task.word == "in_progress" and fired.ref == attempt_ref(task)
        case "lost":
            return task.is_open and fired.ref == order_ref(task)
        case "unserved" | "queued":
            return _waits(fired, task) and task.wait_asked_seq < task.order_seq
        case "advisory":
            return task.is_open and fired.ref == str(task.attempt)
        case "escalate":
            return _is_asked(fired, state)
        case _:
            return False


def _waits(fired: Fired, task: TaskState) -> bool:
    return task.word == "enqueued" and fired.ref == str(task.order_seq)


def _is_asked(fired: Fired, state: GoalState) -> bool:
    return any(fired.ref == escalation_ref(question) for question in state.questions.values())
