"""The goal family's decider: what people may do to a goal, and what has been done.

Pure code, used by the gateway for commands and by the orchestrator for its fold. `evolve` never refuses: a
fact has happened. `decide` returns no draft for what is already so, and raises `CommandRefused` for what no
longer fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec

from agenthub_events.base import Draft, Event, Fence, type_of
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue.values import Priority
from agenthub_events.errors import CommandRefused
from agenthub_events.rules.goal_commands import (
    Approve,
    ApprovePlan,
    Cancel,
    EditPlan,
    Erase,
    GoalCommand,
    Pause,
    RaiseBudget,
    Reprioritize,
    RequestTests,
    Resume,
    Rework,
)
from agenthub_events.rules.requirements import DEFAULT_LLM_CALLS, DEFAULT_MAX_COST_USD
from agenthub_events.subjects import GOAL_AS_A_WHOLE, aggregate_of, event_id

Phase: TypeAlias = Literal["unknown", "open", "ready", "approved", "completed", "failed", "cancelled"]

TERMINAL: frozenset[Phase] = frozenset({"completed", "failed", "cancelled"})


class GoalAggregate(msgspec.Struct, frozen=True, kw_only=True):
    """The fold of a goal's own family, with the fence of its next event.

    `seen` holds the ids of all its events, by which a command that comes again is known. `money_limit_set` says
    that the submission named a limit of money: then no call is made whose price is unknown. Raising the default
    does not set it, for that would stop a goal whose model has no known price.
    """

    goal_id: str
    fence: Fence = Fence()
    accepted: g.GoalAccepted | None = None
    phase: Phase = "unknown"
    paused: bool = False
    paused_by: str = ""
    planned: bool = False
    revision: int = 0
    plan_approved: bool = False
    ready_seq: int = 0
    head: str = ""
    rework_round: int = 0
    priority: Priority = "normal"
    max_llm_calls: int = DEFAULT_LLM_CALLS
    max_cost_usd: float = DEFAULT_MAX_COST_USD
    money_limit_set: bool = False
    closing_seq: int = 0
    erased: bool = False
    seen: frozenset[str] = frozenset()


EVENT_OF: Mapping[type[GoalCommand], type[Event]] = {
    Approve: g.GoalApproved,
    Rework: g.GoalReworkRequested,
    Cancel: g.GoalCancelled,
    Pause: g.GoalPaused,
    Resume: g.GoalResumed,
    RequestTests: g.GoalTestsRequested,
    RaiseBudget: g.GoalBudgetRaised,
    Reprioritize: g.GoalReprioritized,
    Erase: g.GoalErased,
    ApprovePlan: g.GoalPlanApproved,
    EditPlan: g.GoalReplanned,
}
"""What each command becomes in the log."""


def initial(goal_id: str) -> GoalAggregate:
    """A goal of which nothing is known."""
    return GoalAggregate(goal_id=goal_id)


def evolve(aggregate: GoalAggregate, seq: int, event: Event) -> GoalAggregate:
    """The goal after one more event of its family, stored at stream sequence `seq`."""
    seen = aggregate.seen | {event.event_id}
    moved = msgspec.structs.replace(aggregate, fence=aggregate.fence.moved(seq), seen=seen)
    changes = _changes(moved, seq, event)
    return msgspec.structs.replace(moved, **changes) if changes else moved


IGNORED: frozenset[type[Event]] = frozenset(
    {g.GoalPlanRejected, g.GoalTestsRequested, g.GoalDeadlinePassed, g.GoalStalled}
)
"""Events of the family that leave the goal where it is."""


def _changes(aggregate: GoalAggregate, seq: int, event: Event) -> dict[str, object]:  # noqa: C901, PLR0912  one line a fact
    match event:
        case g.GoalAccepted(constraints=bounds):
            return {
                "accepted": event,
                "phase": "open",
                "priority": event.priority,
                "max_llm_calls": bounds.max_llm_calls or DEFAULT_LLM_CALLS,
                "max_cost_usd": bounds.max_cost_usd or DEFAULT_MAX_COST_USD,
                "money_limit_set": bool(bounds.max_cost_usd),
                "plan_approved": event.fork is not None and event.fork.plan_approved,
            }
        case g.GoalPlanned(revision=revision):
            return {"planned": True, "revision": revision}
        case g.GoalReplanned(revision=revision):
            # Whoever looks at what was ready before now looks at something else.
            return {"revision": revision, "phase": "open" if aggregate.phase == "ready" else aggregate.phase}
        case g.GoalPlanApproved():
            return {"plan_approved": True}
        case g.GoalReadyForReview(head=head):
            return {"phase": "ready", "ready_seq": seq, "head": head}
        case g.GoalApproved():
            return {"phase": "approved", "closing_seq": seq}
        case g.GoalReworkRequested():
            return {"phase": "open", "rework_round": aggregate.rework_round + 1, "priority": event.priority}
        case g.GoalErased():
            return {"erased": True}
        case g.GoalCompleted():
            return {"phase": "completed", "closing_seq": seq}
        case g.GoalFailed():
            return {"phase": "failed", "closing_seq": seq}
        case g.GoalCancelled():
            return {"phase": "cancelled", "closing_seq": seq}
        case g.GoalPaused(by=by):
            return {"paused": True, "paused_by": by}
        case g.GoalResumed():
            return {"paused": False, "paused_by": ""}
        case g.GoalBudgetRaised():
            return _raised(aggregate, event)
        case g.GoalReprioritized(priority=priority):
            return {"priority": priority}
        case _:
            return {}


def _raised(aggregate: GoalAggregate, event: g.GoalBudgetRaised) -> dict[str, object]:
    changes: dict[str, object] = {}
    if event.max_llm_calls is not None:
        changes["max_llm_calls"] = max(aggregate.max_llm_calls, event.max_llm_calls)
    if event.max_cost_usd is not None:
        changes["max_cost_usd"] = max(aggregate.max_cost_usd, event.max_cost_usd)
    return changes


def draft(aggregate: GoalAggregate, event: Event, ordinal: str) -> Draft:
    """A draft of the goal's next own event, fenced by what `aggregate` has folded."""
    return aggregate.fence.draft(aggregate.goal_id, GOAL_AS_A_WHOLE, event, ordinal)


def decide(aggregate: GoalAggregate, command: GoalCommand) -> list[Draft]:
    """What a person's command means now; nothing when this very request was carried out before.

    Raises `CommandRefused` when it does not fit.
    """
    if asked_id(aggregate.goal_id, command) in aggregate.seen:
        return []
    if aggregate.phase == "unknown":
        raise CommandRefused("goal-unknown", f"There is no goal `{aggregate.goal_id}`")
    event = _answer(aggregate, command)
    return [] if event is None else [draft(aggregate, event, command.request_id)]


def asked_id(goal_id: str, command: GoalCommand) -> str:
    """The id of the event that carries this request out."""
    kind = type_of(EVENT_OF[type(command)])
    return event_id(aggregate_of(goal_id, GOAL_AS_A_WHOLE, kind), kind, command.request_id)


def _answer(aggregate: GoalAggregate, command: GoalCommand) -> Event | None:  # noqa: C901, PLR0912  one line a command
    match command:
        case Approve():
            return _approve(aggregate, command)
        case Rework():
            return _rework(aggregate, command)
        case Cancel():
            return _cancel(aggregate, command)
        case Pause():
            return _pause(aggregate, command)
        case Resume():
            _must_be_open(aggregate, "resume")
            return g.GoalResumed(by=command.by) if aggregate.paused else None
        case RequestTests():
            return _request_tests(aggregate, command)
        case RaiseBudget():
            return _raise_budget(aggregate, command)
        case Reprioritize():
            _must_be_open(aggregate, "reprioritize")
            if aggregate.priority == command.priority:
                return None
            return g.GoalReprioritized(by=command.by, priority=command.priority)
        case Erase():
            return _erase(aggregate, command)
        case ApprovePlan():
            return _approve_plan(aggregate, command)
        case EditPlan():
            return _edit_plan(aggregate, command)
        case _:
            assert_never(command)


def _must_be_open(aggregate: GoalAggregate, verb: str) -> None:
    if aggregate.phase in TERMINAL:
        raise CommandRefused(
            "goal-closed", f"Goal `{aggregate.goal_id}` is {aggregate.phase}: there is nothing to {verb}"
        )


def _approve(aggregate: GoalAggregate, command: Approve) -> Event | None:
    if aggregate.phase in ("approved", "completed"):
        return None
    _must_be_open(aggregate, "approve")
    if not aggregate.ready_seq:
        raise CommandRefused(
            "not-ready",
            f"Goal `{aggregate.goal_id}` is not ready for review: nothing has been offered for approval yet",
        )
    if aggregate.phase != "ready" or aggregate.ready_seq != command.ready_seq:
        raise CommandRefused(
            "changed-since", f"Goal `{aggregate.goal_id}` has changed since you looked: look again, then approve"
        )
    if aggregate.paused:
        raise CommandRefused(
            "changed-since",
            f"Goal `{aggregate.goal_id}` was paused by {aggregate.paused_by}: resume it, then approve",
        )
    return g.GoalApproved(by=command.by, ready_seq=command.ready_seq)


def _rework(aggregate: GoalAggregate, command: Rework) -> Event:
    if aggregate.erased:
        raise CommandRefused(
            "goal-erased", f"What goal `{aggregate.goal_id}` was made of is erased: submit a new goal instead"
        )
    if aggregate.phase in ("cancelled", "failed"):
        raise CommandRefused(
            "goal-closed", f"Goal `{aggregate.goal_id}` is {aggregate.phase}: submit a new goal instead"
        )
    if not aggregate.planned:
        raise CommandRefused(
            "not-planned", f"Goal `{aggregate.goal_id}` has no plan yet: wait for it, or cancel the goal"
        )
    return g.GoalReworkRequested(
        rework_id=command.request_id,
        feedback=command.feedback,
        by=command.by,
        priority=command.priority or aggregate.priority,
    )


def _erase(aggregate: GoalAggregate, command: Erase) -> Event | None:
    if aggregate.phase not in TERMINAL:
        raise CommandRefused(
            "goal-open",
            f"Goal `{aggregate.goal_id}` is not finished: cancel it, or approve its result, then erase",
        )
    return None if aggregate.erased else g.GoalErased(by=command.by, reason=command.reason)


def _cancel(aggregate: GoalAggregate, command: Cancel) -> Event | None:
    if aggregate.phase == "cancelled":
        return None
    if aggregate.phase in ("completed", "failed"):
        raise CommandRefused(
            "goal-closed", f"Goal `{aggregate.goal_id}` is {aggregate.phase}: there is nothing to cancel"
        )
    return g.GoalCancelled(by=command.by, reason=command.reason)


def _pause(aggregate: GoalAggregate, command: Pause) -> Event | None:
    _must_be_open(aggregate, "pause")
    return None if aggregate.paused else g.GoalPaused(by=command.by, reason=command.reason)


def _request_tests(aggregate: GoalAggregate, command: RequestTests) -> Event:
    _must_be_open(aggregate, "test")
    workflow = aggregate.accepted.workflow if aggregate.accepted else None
    if workflow and all(task.agent == "noop" for task in workflow):
        raise CommandRefused(
            "nothing-to-test",
            f"Goal `{aggregate.goal_id}` has only `noop` tasks: there is nothing to test",
        )
    return g.GoalTestsRequested(by=command.by)


def _raise_budget(aggregate: GoalAggregate, command: RaiseBudget) -> Event | None:
    _must_be_open(aggregate, "raise")
    calls, cost = command.max_llm_calls, command.max_cost_usd
    if calls is not None and calls < aggregate.max_llm_calls:
        raise CommandRefused(
            "budget-lowered", f"max_llm_calls is {aggregate.max_llm_calls}: it can only be raised"
        )
    if cost is not None and cost < aggregate.max_cost_usd:
        raise CommandRefused("budget-lowered", f"max_cost_usd is {aggregate.max_cost_usd}: it can only be raised")
    if calls in (None, aggregate.max_llm_calls) and cost in (None, aggregate.max_cost_usd):
        return None
    return g.GoalBudgetRaised(by=command.by, max_cost_usd=cost, max_llm_calls=calls)


def _approve_plan(aggregate: GoalAggregate, command: ApprovePlan) -> Event | None:
    _plan_stands(aggregate, command.revision)
    return None if aggregate.plan_approved else g.GoalPlanApproved(revision=command.revision, by=command.by)


def _edit_plan(aggregate: GoalAggregate, command: EditPlan) -> Event:
    _plan_stands(aggregate, command.revision)
    if aggregate.plan_approved:
        raise CommandRefused("plan-approved", "The plan is approved: ask for changes with a rework")
    return g.GoalReplanned(
        revision=aggregate.revision + 1,
        added=command.tasks,
        dropped=command.dropped,
        origin="human",
        cause=command.request_id,
        reason=f"edited by {command.by}",
    )


def _plan_stands(aggregate: GoalAggregate, revision: int) -> None:
    _must_be_open(aggregate, "plan")
    if not aggregate.planned:
        raise CommandRefused("not-planned", f"Goal `{aggregate.goal_id}` has no plan yet")
    if aggregate.accepted is None or aggregate.accepted.autonomy != "approve_plan":
        raise CommandRefused("plan-approved", "This goal's plan needs no approval")
    if revision != aggregate.revision:
        raise CommandRefused(
            "changed-since", f"The plan is at revision {aggregate.revision}, you saw {revision}: look again"
        )
