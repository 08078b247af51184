"""The money of a goal: what is set aside for its attempts, what they used of it, and how that is settled.

An attempt reserves a slice before it calls a model, and the slice is settled when the attempt is closed, so that
however many workers run, nobody spends what another one counts on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.money import BudgetExceeded, BudgetReserved, BudgetSettled
from agenthub_events.runs import Step, TurnFailed, TurnIntent, TurnReply
from agenthub_events.serialization.codec import Unreadable


class SliceKey(NamedTuple):
    """Which slice of which attempt."""

    task_id: str
    attempt: int
    number: int


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A reserved part of the budget; once it is `settled` it is no larger than what was used of it."""

    task_id: str
    attempt: int
    number: int
    calls: int
    cost_usd: float
    settled: bool = False

    @property
    def key(self) -> SliceKey:
        """Which slice it is."""
        return SliceKey(self.task_id, self.attempt, self.number)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt used: answered calls, calls that may have been billed unanswered, and money.

    `cost_usd` None: a price is not known.
    """

    calls: int = 0
    unknown_calls: int = 0
    cost_usd: float | None = 0.0


@dataclass(slots=True)
class Ledger:
    """What has happened to the budget of one goal. Updated in place by `fold`, read by everything else.

    `open` are slices that are set aside, `settled` what is left of the others, `used_calls` and `used_cost_usd`
    their sum. `settled_seq` is the last message that gave something back.
    """

    open: dict[SliceKey, Slice] = field(default_factory=dict)
    settled: dict[SliceKey, Slice] = field(default_factory=dict)
    used_calls: int = 0
    used_cost_usd: float = 0.0
    settled_seq: int = 0
    exceeded: list[BudgetExceeded] = field(default_factory=list)

    @property
    def committed_calls(self) -> int:
        """Calls that are used or set aside."""
        return self.used_calls + sum(held.calls for held in self.open.values())

    @property
    def committed_cost_usd(self) -> float:
        """Money that is used or set aside."""
        return self.used_cost_usd + sum(held.cost_usd for held in self.open.values())

    def of_attempt(self, task_id: str, attempt: int) -> tuple[Slice, ...]:
        """All slices of one attempt, in order."""
        slices = {**self.open, **self.settled}
        return tuple(slices[key] for key in sorted(slices) if key[:2] == (task_id, attempt))


def fold(ledger: Ledger, seq: int, event: Event | Unreadable) -> Ledger:
    """Take one more message of `evt.<goal>._.budget.>` into `ledger`, which is changed in place and returned.

    What does not fit any more, or cannot be read, changes nothing.
    """
    match event:
        case BudgetReserved():
            _reserve(ledger, event)
        case BudgetSettled():
            _settle(ledger, seq, event)
        case BudgetExceeded():
            ledger.exceeded.append(event)
        case _:
            pass
    return ledger


def _reserve(ledger: Ledger, event: BudgetReserved) -> None:
    whole = Slice(
        task_id=event.task_id,
        attempt=event.attempt,
        number=event.slice,
        calls=event.calls,
        cost_usd=event.cost_usd,
    )
    if whole.key not in ledger.settled:
        ledger.open[whole.key] = whole


def _settle(ledger: Ledger, seq: int, event: BudgetSettled) -> None:
    key = SliceKey(event.task_id, event.attempt, event.slice)
    held = ledger.open.pop(key, None)
    if held is None:
        return
    # An unknown cost keeps all that was reserved.
    cost = held.cost_usd if event.cost_usd is None else event.cost_usd
    calls = event.calls + event.unknown_calls
    ledger.settled[key] = msgspec.structs.replace(held, settled=True, calls=calls, cost_usd=cost)
    ledger.used_calls += calls
    ledger.used_cost_usd += cost
    ledger.settled_seq = seq


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
