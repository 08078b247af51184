"""The fold of what is said about the goal as a whole: its life, branch, money and questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenthub_events.base import Event
from agenthub_events.catalogue import agent, gate, log, money
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import notification as n
from agenthub_events.catalogue import operations as ops
from agenthub_events.catalogue import schedule as sch
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.fork import Fork
from agenthub_events.context import Knowledge
from agenthub_events.rules import budget, goal_aggregate
from agenthub_events.rules.answer_options import action_of
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.task_ids import gate_of
from agenthub_orchestrator.domain.state.goal import GoalState, Seal
from agenthub_orchestrator.domain.state.graph import drop, end_task, grow
from agenthub_orchestrator.domain.state.task import WAITS, Question
from agenthub_orchestrator.domain.state.task_fold import decide_on

PROPOSAL = "proposal-"


def fold_family(state: GoalState, family: str, seq: int, event: Event | Unreadable) -> None:
    """Take one more message about the goal as a whole in. An unreadable one freezes the goal (but for a seal)."""
    state.families[family] = state.fence(family).moved(seq)
    if isinstance(event, Unreadable):
        if family != "seal":
            state.unreadable.setdefault(family, seq)
        return
    if family in state.unreadable:
        return
    if family == "goal":
        state.aggregate = goal_aggregate.evolve(state.aggregate, seq, event)
    known = _FOLDS.get(type(event))
    if known is not None:
        known(state, seq, event)


def _accepted(state: GoalState, seq: int, event: g.GoalAccepted) -> None:
    state.clock_from = event.timestamp
    if event.fork is not None:
        _inherit(state, event.fork)


def _inherit(state: GoalState, fork: Fork) -> None:
    """What agents are told of the parent is known at once; tasks and merges follow as events of this goal."""
    state.heritage = {ended.task_id: ended for ended in fork.ended}
    state.knowledge.extend(Knowledge(task_id=note.task_id, kind=note.kind, text=note.text) for note in fork.notes)
    state.reworks.extend(
        g.GoalReworkRequested(rework_id=one.rework_id, feedback=one.feedback, by=one.by) for one in fork.reworks
    )
    state.reworks_answered = fork.reworks_answered


def _planned(state: GoalState, seq: int, event: g.GoalPlanned) -> None:
    state.judged.add(event.plan_task)
    _forget_rejections(state)
    grow(state, event.tasks)


def _plan_rejected(state: GoalState, seq: int, event: g.GoalPlanRejected) -> None:
    state.judged.add(event.plan_task)
    state.rejections.extend(event.reasons)
    state.rejected += 1


def _replanned(state: GoalState, seq: int, event: g.GoalReplanned) -> None:
    added = {task.task_id for task in event.added}
    drop(state, [task_id for task_id in event.dropped if task_id not in added])
    grow(state, event.added)
    state.causes.add(event.cause)
    state.diagnosed.pop(event.cause, None)
    if event.origin == "agent":
        state.proposed += len(event.added)
        state.proposals.pop(int(event.cause.removeprefix(PROPOSAL)), None)
    if event.origin in ("rework", "human"):
        state.rearmed_seq = seq
        for gate in state.gates.values():
            gate.restart()
            gate.waived = False
    if event.origin == "rework":
        state.judged.add(event.cause)
        state.reworks_answered += 1
        _forget_rejections(state)
    named = gate_of(event.cause)
    if named is not None:
        state.gates[named[0]].repairs += 1


def _forget_rejections(state: GoalState) -> None:
    state.rejections.clear()
    state.rejected = 0
    state.guidance = ""


def _rework(state: GoalState, seq: int, event: g.GoalReworkRequested) -> None:
    state.reworks.append(event)
    _restart_clock(state, event)


def _restart_clock(state: GoalState, event: Event) -> None:
    state.clock_from = event.timestamp
    state.deadline_passed_at = None


def _approved(state: GoalState, seq: int, event: g.GoalApproved) -> None:
    state.approvals += 1


def _tests_requested(state: GoalState, seq: int, event: g.GoalTestsRequested) -> None:
    state.tests_wanted_seq = seq


def _ready_for_review(state: GoalState, seq: int, event: g.GoalReadyForReview) -> None:
    state.announced = (event.revision, event.head)
    state.offered = event
    state.seal_due = Seal(seq, state.messages, b"".join(state.to_seal))


def _resumed(state: GoalState, seq: int, event: g.GoalResumed) -> None:
    state.resumed_seq = seq


def _budget_raised(state: GoalState, seq: int, event: g.GoalBudgetRaised) -> None:
    state.raised_seq = seq


def _deadline_passed(state: GoalState, seq: int, event: g.GoalDeadlinePassed) -> None:
    state.deadline_passed_at = event.due


def _stalled(state: GoalState, seq: int, event: g.GoalStalled) -> None:
    state.stalled_unasked = True


def _sealed(state: GoalState, seq: int, event: g.SealRecorded) -> None:
    state.sealed_seq = event.up_to_seq


def _merged(state: GoalState, seq: int, event: t.MergeDone) -> None:
    if not state.base:
        state.base = event.head if event.origin == "prepare" else event.base
    if event.origin == "base":
        state.base = event.commit
    if event.origin in ("prepare", "base"):
        state.tests_before = event.tests
    state.head = event.head
    state.merges.append(event)


def _about_money(state: GoalState, seq: int, event: Event) -> None:
    budget.fold(state.ledger, seq, event)


def _asked(state: GoalState, seq: int, event: agent.AgentBlocked) -> None:
    state.asked[event.reason] = state.asked.get(event.reason, 0) + 1
    state.questions[seq] = Question(seq, "", event, event.timestamp)
    if event.reason == "stalled":
        state.stalled_unasked = False
    task = state.tasks.get(event.task_id)
    if event.reason in WAITS and task is not None:
        task.wait_asked_seq = seq


def _escalated(state: GoalState, seq: int, event: agent.AgentEscalated) -> None:
    question = state.questions.get(event.blocked_seq)
    if question is not None:
        question.level, question.raised_at = event.level, event.timestamp


def _answered(state: GoalState, seq: int, event: agent.AgentAnswered) -> None:
    question = state.questions.pop(event.blocked_seq, None)
    if question is None:
        return
    question.answer = event
    action = action_of(question.asked, event)
    if question.asked.reason == "dead_letter":
        _decide_dead_letter(state, question, event)
    elif action == "cancel":
        said = f": {event.text}" if event.text else ""
        state.abandoned = f"{event.by} gave the goal up after the question “{question.asked.question}”{said}"
    elif (effect := _EFFECTS.get(question.asked.reason)) is not None:
        effect(state, seq, question, event, action in ("skip", "take_over"))


def _decide_dead_letter(state: GoalState, question: Question, event: agent.AgentAnswered) -> None:
    task = state.tasks.get(question.asked.task_id)
    if task is not None and task.word == "dead_lettered" and task.answer is None:
        decide_on(task, _with_action(question, event))


def _with_action(question: Question, event: agent.AgentAnswered) -> agent.AgentAnswered:
    return agent.AgentAnswered(
        action=action_of(question.asked, event),
        by=event.by,
        blocked_seq=event.blocked_seq,
        text=event.text,
        option=event.option,
        edits=event.edits,
    )


def _about_plan(state: GoalState, seq: int, question: Question, event: agent.AgentAnswered, skip: bool) -> None:
    state.rejected = 0
    state.guidance = event.text
    if skip and state.rework is not None:
        state.dropped_rework = f"{event.by} left everything as it was"


def _about_rounds(state: GoalState, seq: int, question: Question, event: agent.AgentAnswered, skip: bool) -> None:
    named = gate_of(question.asked.task_id)
    if named is None:
        return
    gate = state.gates[named[0]]
    gate.restart()
    gate.guidance = event.text
    gate.waived = skip


def _about_budget(state: GoalState, seq: int, question: Question, event: agent.AgentAnswered, skip: bool) -> None:
    state.money_answered_seq = seq


def _about_deadline(
    state: GoalState, seq: int, question: Question, event: agent.AgentAnswered, skip: bool
) -> None:
    _restart_clock(state, event)


def _about_unreadable(
    state: GoalState, seq: int, question: Question, event: agent.AgentAnswered, skip: bool
) -> None:
    task = state.tasks.get(question.asked.task_id)
    if skip and task is not None and not task.ended:
        task.ended_by, task.summary = event.by, event.text
        end_task(state, task, "skipped")


_EFFECTS: dict[str, Callable[[GoalState, int, Question, agent.AgentAnswered, bool], None]] = {
    "plan": _about_plan,
    "rounds": _about_rounds,
    "budget": _about_budget,
    "deadline": _about_deadline,
    "unreadable": _about_unreadable,
}

_FOLDS: dict[type[Event], Callable[[GoalState, int, Any], None]] = {
    g.GoalAccepted: _accepted,
    g.GoalPlanned: _planned,
    g.GoalPlanRejected: _plan_rejected,
    g.GoalReplanned: _replanned,
    g.GoalReworkRequested: _rework,
    g.GoalApproved: _approved,
    g.GoalTestsRequested: _tests_requested,
    g.GoalReadyForReview: _ready_for_review,
    g.GoalResumed: _resumed,
    g.GoalBudgetRaised: _budget_raised,
    g.GoalDeadlinePassed: _deadline_passed,
    g.GoalStalled: _stalled,
    g.SealRecorded: _sealed,
    t.MergeDone: _merged,
    money.BudgetReserved: _about_money,
    money.BudgetSettled: _about_money,
    money.BudgetExceeded: _about_money,
    agent.AgentBlocked: _asked,
    agent.AgentEscalated: _escalated,
    agent.AgentAnswered: _answered,
}

IGNORED: frozenset[type[Event]] = frozenset(
    {
        # They change the goal's life alone.
        g.GoalPlanApproved,
        g.GoalCompleted,
        g.GoalFailed,
        g.GoalCancelled,
        g.GoalPaused,
        g.GoalReprioritized,
        g.GoalErased,
        # They are said about a task.
        *(kind for kind in t.EVENTS if kind is not t.MergeDone),
        *gate.EVENTS,
        money.LlmCalled,
        # They are said about the hub.
        *log.EVENTS,
        *ops.EVENTS,
        *sch.EVENTS,
        # The notifier alone follows them.
        *n.EVENTS,
    }
)
"""Events that mean nothing to the fold of the goal as a whole."""
