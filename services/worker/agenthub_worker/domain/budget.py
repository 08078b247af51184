"""How much of a goal's budget an attempt may take: the next slice, and whether its slices cover one more call.

What cannot be priced cannot be kept within a limit of money that a person has set; under the default limit it is
bounded by the number of calls alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from agenthub_events.catalogue.money import BudgetReserved
from agenthub_events.rules.budget import Ledger, Slice, Spent
from agenthub_events.rules.requirements import DEFAULT_MAX_COST_USD

_SHARES = 32
_LARGEST_SLICE = 10
_CENT_DUST = 1e-9


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the goal may spend as a whole. `prices_known`: only calls whose price is known may be made."""

    max_llm_calls: int
    max_cost_usd: float = DEFAULT_MAX_COST_USD
    prices_known: bool = False


class NoRoom(msgspec.Struct, frozen=True):
    """Nothing can be reserved now; `detail` says why, in a sentence for people."""

    detail: str


def next_slice(
    ledger: Ledger, limits: Limits, *, task_id: str, attempt: int, worst_call_usd: float | None
) -> BudgetReserved | NoRoom:
    """The next slice of an attempt. `worst_call_usd`: the most that one call can cost; None: not known."""
    left = limits.max_llm_calls - ledger.committed_calls
    if left < 1:
        return NoRoom(f"all {limits.max_llm_calls} model calls of the goal are used or reserved")
    affordable = _affordable(ledger, limits, worst_call_usd)
    if isinstance(affordable, NoRoom):
        return affordable
    calls = min(slice_size(left), affordable)
    return BudgetReserved(
        task_id=task_id,
        attempt=attempt,
        slice=len(ledger.of_attempt(task_id, attempt)) + 1,
        calls=calls,
        cost_usd=calls * (worst_call_usd or 0.0),
    )


def slice_size(remaining: int) -> int:
    """How many calls one slice takes of `remaining`, so that many attempts find room beside each other."""
    return max(1, min(_LARGEST_SLICE, remaining // _SHARES))


def covers(slices: Iterable[Slice], spent: Spent, limits: Limits, worst_call_usd: float | None) -> bool:
    """Whether one more call fits into the attempt's own slices."""
    held = list(slices)
    if spent.calls + spent.unknown_calls >= sum(s.calls for s in held):
        return False
    if worst_call_usd is None or spent.cost_usd is None:
        return not limits.prices_known
    return spent.cost_usd + worst_call_usd <= sum(s.cost_usd for s in held) + _CENT_DUST


def _affordable(ledger: Ledger, limits: Limits, worst_call_usd: float | None) -> int | NoRoom:
    if worst_call_usd is None and limits.prices_known:
        return NoRoom(
            "the price of the model is not known, so the goal's money limit cannot be kept: use a model with a"
            " known price, or submit the goal without a money limit"
        )
    if not worst_call_usd:
        return _LARGEST_SLICE
    left = limits.max_cost_usd - ledger.committed_cost_usd
    calls = math.floor(min((left + _CENT_DUST) / worst_call_usd, _LARGEST_SLICE))
    if calls < 1:
        return NoRoom(
            f"{max(left, 0.0):.4f} USD of {limits.max_cost_usd:.4f} are left, and one call can cost"
            f" {worst_call_usd:.4f} USD"
        )
    return calls
