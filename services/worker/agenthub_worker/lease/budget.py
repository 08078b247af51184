"""Keeps an attempt within the budget of its goal: a slice is reserved before the calls that it is for.

Slices are settled by the orchestrator once the attempt is closed: whoever holds an attempt may have lost it
already, and would give back what its successor uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.base import Fence
from agenthub_events.catalogue.money import BudgetReserved
from agenthub_events.ports import Conflict, Recorded
from agenthub_events.rules.authors import own
from agenthub_events.rules.budget import Ledger, Slice, Spent, fold
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_worker.domain.budget import Limits, NoRoom, covers, next_slice
from agenthub_worker.domain.outcomes import Parked
from agenthub_worker.lease.lease import AttemptOver, Lease


class AttemptBudget:
    """The money of one attempt. All events of the ledger are fenced by the goal's `budget` family."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._fence = Fence()
        self._ledger = Ledger()
        self._known = False

    async def make_room(self, spent: Spent, worst_call_usd: float | None) -> None:
        """Make sure that one more call is reserved. Raises `AttemptOver` (parked) when nothing is left."""
        await self._learn()
        while not covers(self._slices, spent, self._limits, worst_call_usd):
            wanted = next_slice(
                self._ledger,
                self._limits,
                task_id=self._lease.task_id,
                attempt=self._lease.order.attempt,
                worst_call_usd=worst_call_usd,
            )
            if isinstance(wanted, NoRoom):
                why = f"The goal's budget has no room: {wanted.detail}{_unanswered(spent)}."
                raise AttemptOver(Parked(reason="budget", detail=why))
            await self._append(wanted)

    @property
    def _slices(self) -> tuple[Slice, ...]:
        return self._ledger.of_attempt(self._lease.task_id, self._lease.order.attempt)

    @property
    def _limits(self) -> Limits:
        aggregate = self._lease.aggregate
        return Limits(
            max_llm_calls=aggregate.max_llm_calls,
            max_cost_usd=aggregate.max_cost_usd,
            prices_known=aggregate.money_limit_set,
        )

    @property
    def _family(self) -> str:
        return f"{self._lease.goal_id}.{GOAL_AS_A_WHOLE}.budget"

    async def _learn(self) -> None:
        if not self._known:
            await self._refold()
            self._known = True

    async def _refold(self) -> None:
        told = await self._lease.ports.grown(self._family)
        await self._take_in([recorded for recorded in told if recorded.seq > self._fence.seq])

    async def _take_in(self, tail: Sequence[Recorded]) -> None:
        self._fence = self._fence.after(tail)
        for recorded in own(tail, await self._lease.ports.orders_of(self._lease.goal_id)):
            fold(self._ledger, recorded.seq, recorded.event)

    async def _append(self, event: BudgetReserved) -> None:
        lease = self._lease
        ordinal = f"{lease.task_id}-{lease.order.attempt}-{event.slice}"
        draft = self._fence.draft(lease.goal_id, GOAL_AS_A_WHOLE, event, ordinal, route=lease.author)
        result = await lease.ports.append((draft,), lease.stamp())
        if isinstance(result, Conflict):
            await self._take_in(result.tail)
        elif result.duplicate:
            await self._refold()
        else:
            self._fence = self._fence.moved(result.seq)
            fold(self._ledger, result.seq, event)


def _unanswered(spent: Spent) -> str:
    """What a person would not guess: that calls which brought nothing have used up the room."""
    if not spent.unknown_calls:
        return ""
    return f"; {spent.unknown_calls} calls of this attempt brought no answer and count as if they were billed"
