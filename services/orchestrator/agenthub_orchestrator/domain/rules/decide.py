"""What is due: every event that the fold of a goal calls for and does not hold yet."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from agenthub_events.catalogue.goal import GoalDeadlinePassed, GoalPaused, GoalStalled
from agenthub_events.catalogue.task import TaskParked, TaskTimedOut
from agenthub_events.rules.goal_aggregate import TERMINAL
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.due import Due, Fired
from agenthub_orchestrator.domain.orders.orders import enqueue, order_again
from agenthub_orchestrator.domain.policy import DEFAULT, Policy
from agenthub_orchestrator.domain.rules import completion, questions
from agenthub_orchestrator.domain.rules.budget import settle
from agenthub_orchestrator.domain.rules.gates import pass_gates, run_requested_tests
from agenthub_orchestrator.domain.rules.planning import inherit, plan, prepare
from agenthub_orchestrator.domain.rules.repairs import add_proposed, repair_diagnosed
from agenthub_orchestrator.domain.rules.retries import dead_letter_undeliverable, decide_retries
from agenthub_orchestrator.domain.rules.waiting_orders import ask_about_waits
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.status import is_moving, why_waiting
from agenthub_orchestrator.domain.state.timer_refs import attempt_ref, deadline_of, stall_ref

_NOTHING_FIRED: frozenset[Fired] = frozenset()
_NOTHING_SENT: frozenset[str] = frozenset()
_DIAGNOSED_TASKS = 20
_ONLY_PEOPLE_MEND = frozenset({"config", "unreachable"})


def decide(
    state: GoalState,
    *,
    now: datetime,
    fired: AbstractSet[Fired] = _NOTHING_FIRED,
    policy: Policy = DEFAULT,
    in_flight: AbstractSet[str] = _NOTHING_SENT,
) -> list[Due]:
    """Everything that is due and not yet in the log; at most one draft for each aggregate; deterministic.

    `now` is compared only with dates that an orchestrator has written. `fired` holds timers that have fired and
    are not settled. Aggregates in `in_flight` are left out: an event of theirs is on its way into the log.
    The state is not changed.
    """
    decision = Decision(state, now, fired, policy, in_flight)
    if state.aggregate.phase == "unknown":
        return decision.dues
    settle(decision)
    if "goal" in state.unreadable:
        questions.ask_about_unreadable(decision)
    elif state.aggregate.phase in TERMINAL:
        completion.cancel_open(decision)
    elif state.unreadable:
        if not completion.give_up(decision):
            questions.ask_about_unreadable(decision)
    elif state.aggregate.phase == "approved":
        _finish(decision)
    else:
        _advance(decision)
    completion.seal(decision)
    return decision.dues


def _finish(decision: Decision) -> None:
    """An approved result is delivered, as far as the goal says so, and then the goal is complete.

    What its target has become meanwhile is merged with it and judged first.
    """
    if not decision.state.delivering:
        completion.complete(decision)
        return
    _process_inputs(decision)
    if completion.give_up(decision):
        return
    _pause(decision)
    completion.cancel_doomed(decision)
    decide_retries(decision)
    completion.deliver(decision)
    if completion.is_judged_again(decision.state) and _work(decision):
        completion.deliver_judged(decision)
    _diagnose_stall(decision)


def _advance(decision: Decision) -> None:
    _process_inputs(decision)
    if completion.give_up(decision):
        return
    _pause(decision)
    completion.cancel_doomed(decision)
    completion.recall(decision)
    decide_retries(decision)
    if inherit(decision):
        return
    prepare(decision)
    plan(decision)
    if _work(decision):
        completion.offer_for_review(decision)
    _diagnose_stall(decision)


def _work(decision: Decision) -> bool:
    """Take the next steps of the work; True when it has ended and every gate stands well."""
    repair_diagnosed(decision)
    proposed = add_proposed(decision)
    _order_ready(decision)
    run_requested_tests(decision)
    return not proposed and _work_has_ended(decision.state) and pass_gates(decision)


def _process_inputs(decision: Decision) -> None:
    """Take timers and advisories in, and put what only people can settle before them."""
    state = decision.state
    if state.frozen:
        questions.ask_about_unreadable(decision)
    if state.stalled_unasked:
        questions.ask_about_stall(decision)
    questions.ask_about_deadline(decision)
    if state.questions:
        questions.tend_questions(decision)
    if decision.fired:
        dead_letter_undeliverable(decision)
        order_again(decision)
        ask_about_waits(decision)
        _time_out(decision)
        _pass_deadline(decision)


def _time_out(decision: Decision) -> None:
    """The worker's own clock comes first; this is for a worker that cannot tell any more."""
    for task in decision.tasks(decision.state.open):
        order = task.order
        if task.word == "in_progress" and order and decision.has_fired("attempt", task.task_id, attempt_ref(task)):
            event = TaskTimedOut(
                task_id=task.task_id, attempt=task.attempt, limit_s=order.timeout_s, worker=task.worker
            )
            decision.write(task.task_id, event, str(task.attempt))


def _pass_deadline(decision: Decision) -> None:
    due = deadline_of(decision.state)
    if due is not None and decision.has_fired("deadline", GOAL_AS_A_WHOLE, due.isoformat()):
        decision.write_goal(GoalDeadlinePassed(due=due), due.isoformat())


def _pause(decision: Decision) -> None:
    """A paused goal has nothing under way; what only people can mend pauses it with a plain sentence."""
    state = decision.state
    if not state.aggregate.paused:
        _pause_on_wrong_configuration(decision)
        return
    for task in decision.tasks(state.open):
        event = TaskParked(
            task_id=task.task_id, attempt=task.attempt, reason="paused", detail="the goal is paused"
        )
        decision.write(task.task_id, event, str(task.attempt))


def _pause_on_wrong_configuration(decision: Decision) -> None:
    for task in decision.tasks(decision.state.closed):
        parked = task.closed_by
        if not isinstance(parked, TaskParked) or parked.reason not in _ONLY_PEOPLE_MEND:
            continue
        if task.closed_seq > decision.state.resumed_seq:
            reason = parked.detail or f"the configuration does not let {task.task_id} run"
            decision.write_goal(GoalPaused(by=questions.AGENTHUB, reason=reason), f"cfg-{task.closed_seq}")
            return


def _order_ready(decision: Decision) -> None:
    """Order every task whose dependencies are met, as far as the goal's share of the queues reaches."""
    state = decision.state
    if not state.ready or not decision.may_start or not state.plan_stands or not state.prepared:
        return
    for task_id in state.ready:
        if decision.room <= 0:
            return
        if enqueue(decision, task_id):
            decision.room -= 1


def _work_has_ended(state: GoalState) -> bool:
    if state.unfinished or state.diagnosed or not state.plan_stands or not state.prepared:
        return False
    return state.current_plan is None and state.rework is None


def is_idle(state: GoalState) -> bool:
    """Whether nothing is under way or will come back by itself, and nobody has been asked."""
    if state.aggregate.phase != "open" and not state.delivering:
        return False
    if state.aggregate.paused or state.open or state.questions:
        return False
    if state.aggregate.planned and not state.plan_stands:
        return False
    return not is_moving(state)


def _diagnose_stall(decision: Decision) -> None:
    state = decision.state
    if decision.dues or not decision.has_fired("stall", GOAL_AS_A_WHOLE, stall_ref(state)) or not is_idle(state):
        return
    due = state.last_at + timedelta(seconds=decision.policy.stall_after_s)
    waiting = [f"{task_id}: {why_waiting(state, task_id)}" for task_id in list(state.unended)[:_DIAGNOSED_TASKS]]
    diagnosis = tuple(waiting) or ("every task has ended, and no step follows",)
    decision.write_goal(GoalStalled(diagnosis=diagnosis, due=due), due.isoformat())
