"""Who may run an attempt: the decision of a worker that holds a work order, from the log alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_events.catalogue.task import TaskEnqueued, TaskStarted
from agenthub_events.ports import Recorded
from agenthub_events.rules.authors import is_foreign
from agenthub_events.serialization.codec import Unreadable

MAX_CLAIMS = 3
ACK_WAIT_S = 10.0
LOOK_AGAIN_S = 1.0


class Claim(msgspec.Struct, frozen=True):
    """Nobody has claimed the attempt: append `task.started` behind `fence`."""

    fence: Fence


class TakeOver(msgspec.Struct, frozen=True):
    """The holder died: append `task.started` behind `fence`, which shuts it out, and go on where it stopped."""

    fence: Fence


class AckAndLeave(msgspec.Struct, frozen=True):
    """The attempt is over: acknowledge, run nothing."""

    why: str


class NakLater(msgspec.Struct, frozen=True):
    """Somebody may be at work: hand the order back for `delay_s` seconds, run nothing."""

    delay_s: float
    why: str


class FailCrashed(msgspec.Struct, frozen=True):
    """The attempt has killed its worker again and again: append `task.failed` behind `fence`."""

    fence: Fence
    claims: int


ClaimDecision: TypeAlias = Claim | TakeOver | AckAndLeave | NakLater | FailCrashed


def claim_decision(
    *, order_seq: int, order: TaskEnqueued, delivery: int, tail: Sequence[Recorded], holder_alive: bool
) -> ClaimDecision:
    """What to do with an order, given all messages of its aggregate after it (`tail`); foreign ones say nothing.

    `delivery` is the number of times the order was handed out, `holder_alive` whether the last claimant says of
    itself that it still holds this task.
    """
    told = [recorded for recorded in tail if not is_foreign(recorded, {order.task_id: order.agent_type})]
    if over := _closed_by(told):
        return AckAndLeave(over)
    if any(isinstance(recorded.event, Unreadable) for recorded in told):
        return NakLater(ACK_WAIT_S, "the task holds a message that this version cannot read")
    claims = claims_of(told, order.attempt)
    fence = Fence(order_seq, order.originator_version).after(tail)
    if not claims:
        return Claim(fence)
    if claims[-1].delivery >= delivery:
        return NakLater(ACK_WAIT_S, "the order was claimed under a later delivery")
    if holder_alive:
        return NakLater(LOOK_AGAIN_S, "the holder says that it is alive")
    if len(claims) >= MAX_CLAIMS:
        return FailCrashed(fence, len(claims))
    return TakeOver(fence)


def claims_of(tail: Sequence[Recorded], attempt: int) -> list[TaskStarted]:
    """The claims of an attempt, in order."""
    return [
        recorded.event
        for recorded in tail
        if isinstance(recorded.event, TaskStarted) and recorded.event.attempt == attempt
    ]


def still_held(tail: Sequence[Recorded], instance: str, delivery: int) -> bool:
    """Whether the claim `instance`/`delivery` survives what was appended after it."""
    if _closed_by(tail) or any(isinstance(recorded.event, Unreadable) for recorded in tail):
        return False
    return all(
        (claim.instance, claim.delivery) == (instance, delivery)
        for claim in (recorded.event for recorded in tail)
        if isinstance(claim, TaskStarted)
    )


def _closed_by(tail: Sequence[Recorded]) -> str:
    for recorded in tail:
        name = _type_of(recorded.event)
        if name in CLOSES_ATTEMPT or name == "task.enqueued":
            return name
    return ""


def _type_of(event: Event | Unreadable) -> str:
    return event.type
