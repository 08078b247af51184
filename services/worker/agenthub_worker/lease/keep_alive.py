"""The loop of a heartbeat: keeps the orders that a worker holds from going to others, and its name alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_worker.domain.heartbeat_schedule import HeartbeatSchedule
from agenthub_worker.errors import HeartbeatLost

log = structlog.get_logger()

TICK_S = 0.5


class Wire(Protocol):
    """What a heartbeat sends. Both raise `StoreUnavailable` when that cannot be sent now."""

    async def in_progress(self, ack_subject: str) -> None:
        """Keep an order from being delivered to somebody else."""
        ...

    async def publish(self, status: WorkerStatus) -> None:
        """Say that this worker is alive, and what it holds."""
        ...


async def keep_alive(
    wire: Wire,
    schedule: HeartbeatSchedule,
    *,
    held: Callable[[], Mapping[str, str]],
    status: Callable[[], WorkerStatus],
    monotonic: Callable[[], float],
    moved: Callable[[], float],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Beat for ever; cancel it to stop.

    `held` gives the ack subject of every order that is being worked on, by task, and `moved` the time on the clock
    `monotonic` at which the worker's loop moved last. What cannot be sent is sent again at the next tick. Raises
    `HeartbeatLost` when the loop counts as hung.
    """
    failed = ""
    while True:
        now = monotonic()
        if schedule.is_hung(now, moved()):
            raise HeartbeatLost(f"the worker's loop has not moved for {now - moved():.0f} s")
        orders = held()
        beat = schedule.due(now, orders)
        try:
            await _send(wire, orders if beat.orders else {}, status() if beat.status else None)
            schedule.sent(now, orders, beat)
            failed = ""
        except StoreUnavailable as error:
            if str(error) != failed:
                log.warning("heartbeat_not_sent", reason=str(error), orders=len(orders))
            failed = str(error)
        await pause(TICK_S)


async def _send(wire: Wire, orders: Mapping[str, str], status: WorkerStatus | None) -> None:
    for ack_subject in orders.values():
        await wire.in_progress(ack_subject)
    if status is not None:
        await wire.publish(status)
