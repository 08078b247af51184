"""Claims an attempt: appends `task.started` behind the order that this worker holds, or leaves the order alone."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from agenthub_events.base import Fence
from agenthub_events.catalogue.task import TaskEnqueued, TaskFailed, TaskStarted
from agenthub_events.ports import Conflict, Delivery, Recorded, Stored
from agenthub_worker.domain.claim_decision import (
    AckAndLeave,
    Claim,
    ClaimDecision,
    FailCrashed,
    NakLater,
    TakeOver,
    claim_decision,
    claims_of,
)
from agenthub_worker.lease.lease import Lease
from agenthub_worker.ports import WorkerPorts

log = structlog.get_logger()


async def claim(ports: WorkerPorts, lease: Lease, delivery: Delivery) -> bool:
    """Append `task.started` for `lease`. False: the attempt is not ours; its order is acked or handed back.

    Raises `LeaseLost` when the order comes again for an open attempt of a goal that wants no work any more.
    """
    order = lease.order
    before = await _before(ports, lease, delivery.recorded.seq) if order.instead_of else ()
    tail: Sequence[Recorded] = ()
    if delivery.num_delivered > 1:
        tail = await _tail_of(ports, lease, delivery.recorded.seq)
    while True:
        decision = claim_decision(
            order_seq=delivery.recorded.seq,
            order=order,
            delivery=delivery.num_delivered,
            tail=tail,
            holder_alive=await _holder_alive(ports, lease, tail),
        )
        match decision:
            case Claim(fence=fence) | TakeOver(fence=fence):
                if delivery.num_delivered > 1:
                    # A claim that ends at once would count as one more dead worker.
                    await lease.look_at_goal()
                lease.begin(fence, (*before, *tail))
                if await _started(ports, lease, delivery):
                    return True
            case FailCrashed(fence=fence, claims=claims):
                if await _failed(ports, lease, fence, claims):
                    await delivery.ack()
                    return False
            case _:
                await _leave(delivery, decision)
                return False
        tail = await _tail_of(ports, lease, delivery.recorded.seq)


async def _started(ports: WorkerPorts, lease: Lease, delivery: Delivery) -> bool:
    event = TaskStarted(
        task_id=lease.task_id,
        attempt=lease.order.attempt,
        worker=ports.worker,
        agent=lease.order.agent,
        instance=ports.instance,
        delivery=delivery.num_delivered,
        ack_subject=delivery.ack_subject,
    )
    result = await ports.append((lease.draft(event),), lease.stamp())
    if isinstance(result, Conflict):
        return False
    lease.moved(result.seq)
    return True


async def _failed(ports: WorkerPorts, lease: Lease, fence: Fence, claims: int) -> bool:
    lease.fence = fence
    event = TaskFailed(
        task_id=lease.task_id,
        attempt=lease.order.attempt,
        failure_class="crash",
        reason=f"{claims} times a worker took this attempt and did not end it; it was not given to another one",
        worker=ports.worker,
    )
    return isinstance(await ports.append((lease.draft(event),), lease.stamp()), Stored)


async def _leave(delivery: Delivery, decision: ClaimDecision) -> None:
    match decision:
        case AckAndLeave(why=why):
            log.info("order_already_closed", subject=delivery.recorded.subject, closed_by=why)
            await delivery.ack()
        case NakLater(delay_s=delay_s, why=why):
            log.info("order_handed_back", subject=delivery.recorded.subject, why=why, delay_s=delay_s)
            await delivery.nak(delay_s)


async def _tail_of(ports: WorkerPorts, lease: Lease, order_seq: int) -> list[Recorded]:
    return await ports.patiently(lambda: ports.events.read(lease.prefix, after=order_seq))


async def _before(ports: WorkerPorts, lease: Lease, order_seq: int) -> list[Recorded]:
    """What claims of the attempt have written under the orders for which this one stands in."""
    told = await ports.patiently(lambda: ports.events.read(lease.prefix))
    attempt = lease.order.attempt
    first = next(
        (r.seq for r in told if isinstance(r.event, TaskEnqueued) and r.event.attempt == attempt), order_seq
    )
    return [recorded for recorded in told if first < recorded.seq < order_seq]


async def _holder_alive(ports: WorkerPorts, lease: Lease, tail: Sequence[Recorded]) -> bool:
    claims = claims_of(lease.own(tail), lease.order.attempt)
    if not claims:
        return False
    return await ports.fleet.alive(claims[-1].worker, claims[-1].instance, lease.attempt_key)


def order_of(delivery: Delivery) -> TaskEnqueued | None:
    """The work order in a delivery; None when this version cannot read it."""
    event = delivery.recorded.event
    return event if isinstance(event, TaskEnqueued) else None
