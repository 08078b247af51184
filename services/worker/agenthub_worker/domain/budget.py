"""The ledger of a goal, folded from `evt.<goal>._.budget.>`: what is reserved, what is used, what is left.

An attempt reserves a slice before it calls a model, and the slice is settled when the attempt is closed, so that
however many workers run, nobody spends what another one counts on. What cannot be priced cannot be kept within a
limit of money that a person has set; under the default limit it is bounded by the number of calls alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from agenthub_events.catalogue.money import BudgetReserved, BudgetSettled
from agenthub_events.ports import Recorded
from agenthub_events.rules.budget import Slice, Spent, after_settlement, slice_of
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


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The fold. `last_seq` and `count` are the fence of the next event of the family."""

    last_seq: int = 0
    count: int = 0
    slices: tuple[Slice, ...] = ()
    used_calls: int = 0
    used_cost_usd: float = 0.0

    def of_attempt(self, task_id: str, attempt: int) -> tuple[Slice, ...]:
        """All slices of one attempt, in order."""
        return tuple(s for s in self.slices if (s.task_id, s.attempt) == (task_id, attempt))

    @property
    def committed_calls(self) -> int:
        """Calls used, and calls that open slices hold."""
        return self.used_calls + sum(s.calls for s in self.slices if not s.settled)

    @property
    def committed_cost_usd(self) -> float:
        """Money used, and money that open slices hold."""
        return self.used_cost_usd + sum(s.cost_usd for s in self.slices if not s.settled)


def fold(ledger: Ledger, messages: Iterable[Recorded]) -> Ledger:
    """The ledger after more messages of its family; what it cannot read counts for the fence alone."""
    for recorded in messages:
        moved = msgspec.structs.replace(ledger, last_seq=recorded.seq, count=ledger.count + 1)
        match recorded.event:
            case BudgetReserved() as reserved:
                ledger = _reserved(moved, reserved)
            case BudgetSettled() as settled:
                ledger = _settled(moved, settled)
            case _:
                ledger = moved
    return ledger


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


def _reserved(ledger: Ledger, event: BudgetReserved) -> Ledger:
    return msgspec.structs.replace(ledger, slices=(*ledger.slices, slice_of(event)))


def _settled(ledger: Ledger, event: BudgetSettled) -> Ledger:
    key = (event.task_id, event.attempt, event.slice)
    slices, used = [], None
    for piece in ledger.slices:
        if (piece.task_id, piece.attempt, piece.number) == key and not piece.settled:
            used = after_settlement(piece, event)
            slices.append(used)
        else:
            slices.append(piece)
    if used is None:
        return ledger
    return msgspec.structs.replace(
        ledger,
        slices=tuple(slices),
        used_calls=ledger.used_calls + used.calls,
        used_cost_usd=ledger.used_cost_usd + used.cost_usd,
    )
