"""What an attempt has used of its slices, and how these are settled when it is closed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agenthub_events.catalogue.money import BudgetReserved, BudgetSettled
from agenthub_events.runs import Step, TurnFailed, TurnIntent, TurnReply


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A reserved part of the budget; once it is `settled` it is no larger than what was used of it."""

    task_id: str
    attempt: int
    number: int
    calls: int
    cost_usd: float
    settled: bool = False


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt used: answered calls, calls that may have been billed unanswered, and money.

    `cost_usd` None: a price is not known.
    """

    calls: int = 0
    unknown_calls: int = 0
    cost_usd: float | None = 0.0


def slice_of(event: BudgetReserved) -> Slice:
    """The slice that was reserved, still whole."""
    return Slice(
        task_id=event.task_id,
        attempt=event.attempt,
        number=event.slice,
        calls=event.calls,
        cost_usd=event.cost_usd,
    )


def after_settlement(piece: Slice, event: BudgetSettled) -> Slice:
    """What is left of a slice: what was used of it. An unknown cost keeps all that was reserved."""
    cost = piece.cost_usd if event.cost_usd is None else event.cost_usd
    return msgspec.structs.replace(piece, settled=True, calls=event.calls + event.unknown_calls, cost_usd=cost)


def spent_in(steps: Iterable[Step], worst_call_usd: float) -> Spent:
    """What a run shows that its attempt has used. A call that may be billed unanswered costs `worst_call_usd`."""
    asked = unbilled = answered = 0
    cost: float | None = 0.0
    for step in steps:
        match step:
            case TurnIntent():
                asked += 1
            case TurnFailed(may_be_billed=False):
                unbilled += 1
            case TurnReply(usage=usage):
                answered += 1
                cost = None if cost is None or usage.cost_usd is None else cost + usage.cost_usd
            case _:
                pass
    unknown = asked - unbilled - answered
    return Spent(
        calls=answered,
        unknown_calls=unknown,
        cost_usd=None if cost is None else cost + unknown * worst_call_usd,
    )


def settlements(slices: Iterable[Slice], spent: Spent) -> list[BudgetSettled]:
    """How the open slices of an attempt are settled: each takes its share of what was used, the last the rest."""
    held = list(slices)
    events: list[BudgetSettled] = []
    calls, unknown, cost = spent.calls, spent.unknown_calls, spent.cost_usd
    for index, piece in enumerate(held):
        last = index == len(held) - 1
        answered = calls if last else min(calls, piece.calls)
        unanswered = unknown if last else min(unknown, piece.calls - answered)
        share = cost if last or cost is None else min(cost, piece.cost_usd)
        calls, unknown = calls - answered, unknown - unanswered
        cost = None if cost is None or share is None else cost - share
        if not piece.settled:
            events.append(
                BudgetSettled(
                    task_id=piece.task_id,
                    attempt=piece.attempt,
                    slice=piece.number,
                    calls=answered,
                    cost_usd=share,
                    unknown_calls=unanswered,
                )
            )
    return events
