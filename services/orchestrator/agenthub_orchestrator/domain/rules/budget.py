"""Money: giving back what closed attempts held, and asking when nothing is left."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agenthub_events.base import Draft
from agenthub_events.catalogue.money import BudgetExceeded, BudgetSettled
from agenthub_events.rules import answer_options
from agenthub_events.rules.budget import Slice, SliceKey, settlements, spent_in
from agenthub_events.runs import RunId, Step
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.due import Charge
from agenthub_orchestrator.domain.rules.questions import ask
from agenthub_orchestrator.domain.state.goal import GoalState


def settle(decision: Decision) -> None:
    """Settle one slice whose attempt is closed: nobody can use it any more."""
    state = decision.state
    for key, held in state.ledger.open.items():
        if _is_closed(state, key):
            slices = state.ledger.of_attempt(key.task_id, key.attempt)
            run = RunId(state.goal_id, key.task_id, key.attempt)
            ordinal = f"{key.task_id}-{key.attempt}-{key.number}"
            charge = Charge(run=run, slices=slices, number=key.number)
            decision.write_family("budget", _used_up(held), ordinal, charge=charge)
            return


def charged(draft: Draft, charge: Charge, steps: Sequence[Step]) -> Draft:
    """The settlement with what the closed run shows, instead of the whole slice."""
    worst = max((s.cost_usd / s.calls for s in charge.slices if s.calls and not s.settled), default=0.0)
    events = settlements(charge.slices, spent_in(steps, worst))
    event = next(event for event in events if event.slice == charge.number)
    return msgspec.structs.replace(draft, event=event)


def _used_up(held: Slice) -> BudgetSettled:
    return BudgetSettled(
        task_id=held.task_id,
        attempt=held.attempt,
        slice=held.number,
        calls=0,
        cost_usd=held.cost_usd,
        unknown_calls=held.calls,
    )


def _is_closed(state: GoalState, key: SliceKey) -> bool:
    task = state.tasks.get(key.task_id)
    if task is None or task.unreadable_seq:
        return False
    return task.attempt > key.attempt or (task.attempt == key.attempt and not task.is_open)


def has_room(state: GoalState) -> bool:
    """Whether the goal may still set a slice aside."""
    aggregate, ledger = state.aggregate, state.ledger
    return ledger.committed_calls < aggregate.max_llm_calls and ledger.committed_cost_usd < aggregate.max_cost_usd


def ask_for_budget(decision: Decision, detail: str) -> None:
    """Nothing is left and nothing will come back: say so in the log, then ask a person."""
    exceeded = _exceeded(decision.state)
    said = any(
        (known.limit, known.value) == (exceeded.limit, exceeded.value) for known in decision.state.ledger.exceeded
    )
    if not said:
        decision.write_family("budget", exceeded, f"{exceeded.limit}-{exceeded.value:g}")
        return
    ask(
        decision,
        "budget",
        f"The budget of this goal ({exceeded.limit} {exceeded.value:g}) has no room for another model call:"
        f" {detail.rstrip('.')}. Raise it to let the work go on.",
        options=(answer_options.TRY_AGAIN, answer_options.GIVE_UP),
    )


def _exceeded(state: GoalState) -> BudgetExceeded:
    aggregate, ledger = state.aggregate, state.ledger
    # The limit that is used up further; only one of money that was set can also fail for an unknown price.
    calls_used = ledger.committed_calls / aggregate.max_llm_calls
    money_used = ledger.committed_cost_usd / aggregate.max_cost_usd
    if calls_used >= 1 or (calls_used >= money_used and not aggregate.money_limit_set):
        value, used = float(aggregate.max_llm_calls), float(ledger.committed_calls)
        return BudgetExceeded(limit="max_llm_calls", value=value, used=used)
    return BudgetExceeded(
        limit="max_cost_usd", value=aggregate.max_cost_usd, used=round(ledger.committed_cost_usd, 6)
    )
