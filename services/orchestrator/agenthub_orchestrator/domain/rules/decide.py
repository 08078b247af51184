"""What is due: every event that the fold of a goal calls for and does not hold yet."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from agenthub_events.catalogue.goal import GoalDeadlinePassed, GoalPaused, GoalStalled
from agenthub_events.catalogue.task import TaskParked, TaskTimedOut
from agenthub_events.rules.goal_aggregate import TERMINAL
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_orchestrator.domain.due import Due, Fired
from agenthub_orchestrator.domain.orders.orders import enqueue
from agenthub_orchestrator.domain.policy import DEFAULT, Policy
from agenthub_orchestrator.domain.rules import completion, questions
from agenthub_orchestrator.domain.rules.budget import settle
from agenthub_orchestrator.domain.rules.decision import Desk
from agenthub_orchestrator.domain.rules.gates import pass_gates, run_requested_tests
from agenthub_orchestrator.domain.rules.planning import plan, prepare
from agenthub_orchestrator.domain.rules.repairs import add_proposed, repair_diagnosed
from agenthub_orchestrator.domain.rules.retries import bury_undeliverable, climb
from agenthub_orchestrator.domain.state.goal import GoalState
from agenthub_orchestrator.domain.state.status import is_moving, why_waiting
from agenthub_orchestrator.domain.state.timer_refs import attempt_ref, deadline_of, stall_ref

_NOTHING_FIRED: frozenset[Fired] = frozenset()
_NOTHING_SENT: frozenset[str] = frozenset()
_DIAGNOSED_TASKS = 20


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
    desk = Desk(state, now, fired, policy, in_flight)
    if state.life.phase == "unknown":
        return desk.dues
    settle(desk)
    if "goal" in state.unreadable:
        questions.ask_about_unreadable(desk)
    elif state.life.phase in TERMINAL:
        completion.cancel_open(desk)
    elif state.unreadable:
        if not completion.give_up(desk):
            questions.ask_about_unreadable(desk)
    elif state.life.phase == "approved":
        completion.complete(desk)
    else:
        _advance(desk)
    completion.seal(desk)
    return desk.dues


def _advance(desk: Desk) -> None:
    _hear(desk)
    if completion.give_up(desk):
        return
    _pause(desk)
    completion.cancel_doomed(desk)
    climb(desk)
    prepare(desk)
    plan(desk)
    repair_diagnosed(desk)
    proposed = add_proposed(desk)
    _order_ready(desk)
    run_requested_tests(desk)
    if not proposed and _work_has_ended(desk.state) and pass_gates(desk):
        completion.offer_for_review(desk)
    _diagnose_stall(desk)


def _hear(desk: Desk) -> None:
    """Take timers and advisories in, and put what only people can settle before them."""
    state = desk.state
    if state.frozen:
        questions.ask_about_unreadable(desk)
    if state.stalled_unasked:
        questions.ask_about_stall(desk)
    questions.ask_about_deadline(desk)
    if state.questions:
        questions.tend_questions(desk)
    if desk.fired:
        bury_undeliverable(desk)
        _time_out(desk)
        _pass_deadline(desk)


def _time_out(desk: Desk) -> None:
    """The worker's own clock comes first; this is for a worker that cannot tell any more."""
    for task in desk.tasks(desk.state.open):
        order = task.order
        if task.word == "in_progress" and order and desk.has_fired("attempt", task.task_id, attempt_ref(task)):
            event = TaskTimedOut(
                task_id=task.task_id, attempt=task.attempt, limit_s=order.timeout_s, worker=task.worker
            )
            desk.write(task.task_id, event, str(task.attempt))


def _pass_deadline(desk: Desk) -> None:
    due = deadline_of(desk.state)
    if due is not None and desk.has_fired("deadline", GOAL_AS_A_WHOLE, due.isoformat()):
        desk.write_goal(GoalDeadlinePassed(due=due), due.isoformat())


def _pause(desk: Desk) -> None:
    """A paused goal has nothing under way; wrong configuration pauses it with a plain sentence."""
    state = desk.state
    if not state.life.paused:
        _pause_on_wrong_configuration(desk)
        return
    for task in desk.tasks(state.open):
        event = TaskParked(
            task_id=task.task_id, attempt=task.attempt, reason="paused", detail="the goal is paused"
        )
        desk.write(task.task_id, event, str(task.attempt))


def _pause_on_wrong_configuration(desk: Desk) -> None:
    for task in desk.tasks(desk.state.closed):
        parked = task.closed_by
        if not isinstance(parked, TaskParked) or parked.reason != "config":
            continue
        if task.closed_seq > desk.state.resumed_seq:
            reason = parked.detail or f"the configuration does not let {task.task_id} run"
            desk.write_goal(GoalPaused(by=questions.AGENTHUB, reason=reason), f"cfg-{task.closed_seq}")
            return


def _order_ready(desk: Desk) -> None:
    """Order every task whose dependencies are met, as far as the goal's share of the queues reaches."""
    state = desk.state
    if not state.ready or not desk.may_start or not state.plan_stands or not state.prepared:
        return
    for task_id in state.ready:
        if desk.room <= 0:
            return
        if enqueue(desk, task_id):
            desk.room -= 1


def _work_has_ended(state: GoalState) -> bool:
    if state.unfinished or state.diagnosed or not state.plan_stands or not state.prepared:
        return False
    return state.current_plan is None and state.rework is None


def is_idle(state: GoalState) -> bool:
    """Whether nothing is under way or will come back by itself, and nobody has been asked."""
    if state.life.phase != "open" or state.life.paused or state.open or state.questions:
        return False
    if state.life.planned and not state.plan_stands:
        return False
    return not is_moving(state)


def _diagnose_stall(desk: Desk) -> None:
    state = desk.state
    if desk.dues or not desk.has_fired("stall", GOAL_AS_A_WHOLE, stall_ref(state)) or not is_idle(state):
        return
    due = state.last_at + timedelta(seconds=desk.policy.stall_after_s)
    waiting = [f"{task_id}: {why_waiting(state, task_id)}" for task_id in list(state.unended)[:_DIAGNOSED_TASKS]]
    diagnosis = tuple(waiting) or ("every task has ended, and no step follows",)
    desk.write_goal(GoalStalled(diagnosis=diagnosis, due=due), due.isoformat())
