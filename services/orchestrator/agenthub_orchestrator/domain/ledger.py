"""Money: giving back what dead attempts held, and asking when nothing is left."""

from __future__ import annotations

from agenthub_events.catalogue.money import BudgetExceeded, BudgetReserved, BudgetSettled
from agenthub_orchestrator.domain import options
from agenthub_orchestrator.domain.desk import Desk
from agenthub_orchestrator.domain.questions import ask
from agenthub_orchestrator.domain.state import GoalState, SliceKey
from agenthub_orchestrator.domain.task_state import Spent

_NOTHING = Spent()
_SAID_BY_THE_RUN = frozenset({"task.completed", "gate.passed", "gate.failed", "merge.conflicted", "agent.blocked"})


def settle(desk: Desk) -> None:
    """Settle one slice whose attempt is closed: its worker died before it could."""
    for key, held in desk.state.ledger.open.items():
        if _is_closed(desk.state, key):
            ordinal = f"{key.task_id}-{key.attempt}-{key.slice}"
            desk.write_family("budget", _settlement(desk.state, key, held), ordinal)
            return


def _is_closed(state: GoalState, key: SliceKey) -> bool:
    task = state.tasks.get(key.task_id)
    if task is None or task.unreadable_seq:
        return False
    return task.attempt > key.attempt or (task.attempt == key.attempt and not task.is_open)


def _settlement(state: GoalState, key: SliceKey, held: BudgetReserved) -> BudgetSettled:
    """The attempt's known calls go to its slices in order; each dead worker's last may be unanswered.

    A further slice is taken only when the one before is used up: what was not answered of that one was lost.
    """
    siblings = sorted(k for k in state.ledger.open if (k.task_id, k.attempt) == (key.task_id, key.attempt))
    spent = state.tasks[key.task_id].spent.get(key.attempt, _NOTHING)
    before = spent.settled_calls + sum(state.ledger.open[k].calls for k in siblings if k < key)
    calls = min(max(0, spent.calls - before), held.calls)
    unknown = held.calls - calls
    if key == siblings[-1]:
        lost = 0 if _was_closed_by_its_worker(state, key) else max(1, spent.claims)
        unknown = min(lost, unknown)
    share = spent.cost_usd * calls / spent.calls if spent.calls else 0.0
    return BudgetSettled(
        task_id=key.task_id,
        attempt=key.attempt,
        slice=key.slice,
        calls=calls,
        cost_usd=round(share + unknown * held.cost_usd / max(1, held.calls), 9),
        unknown_calls=unknown,
    )


def _was_closed_by_its_worker(state: GoalState, key: SliceKey) -> bool:
    """Whether the attempt's end came from the run itself, which then had no call under way."""
    attempts = state.tasks[key.task_id].attempts
    return any(tried.attempt == key.attempt and tried.outcome in _SAID_BY_THE_RUN for tried in attempts)


def has_room(state: GoalState) -> bool:
    """Whether the goal may still set a slice aside."""
    life, ledger = state.life, state.ledger
    return ledger.held_calls < life.max_llm_calls and ledger.held_cost_usd < life.max_cost_usd


def ask_for_budget(desk: Desk, detail: str) -> None:
    """Nothing is left and nothing will come back: say so in the log, then ask a person."""
    exceeded = _exceeded(desk.state)
    said = any(
        (known.limit, known.value) == (exceeded.limit, exceeded.value) for known in desk.state.ledger.exceeded
    )
    if not said:
        desk.write_family("budget", exceeded, f"{exceeded.limit}-{exceeded.value:g}")
        return
    ask(
        desk,
        "budget",
        f"The budget of this goal ({exceeded.limit} {exceeded.value:g}) has no room for another model call:"
        f" {detail}. Raise it to let the work go on.",
        options=(options.TRY_AGAIN, options.GIVE_UP),
    )


def _exceeded(state: GoalState) -> BudgetExceeded:
    life, ledger = state.life, state.ledger
    # The limit that is used up further; only one of money that was set can also fail for an unknown price.
    calls_used, money_used = ledger.held_calls / life.max_llm_calls, ledger.held_cost_usd / life.max_cost_usd
    if calls_used >= 1 or (calls_used >= money_used and not life.money_limit_set):
        return BudgetExceeded(limit="max_llm_calls", value=life.max_llm_calls, used=ledger.held_calls)
    return BudgetExceeded(limit="max_cost_usd", value=life.max_cost_usd, used=round(ledger.held_cost_usd, 6))
