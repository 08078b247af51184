"""The worker's loop: orders in, attempts side by side, an acknowledgement only after a closing event."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import TypeAlias

import structlog

from agenthub_events.catalogue.values import TaskResult
from agenthub_events.ports import Delivery, WorkQueue
from agenthub_events.subjects import parse_subject
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_runtime.shutdown import CLEANS_UP_S, end_tasks
from agenthub_runtime.telemetry.logs import mask_also
from agenthub_worker.agent.setup import AgentSetup
from agenthub_worker.attempt import Attempt, AttemptEnd, Preparation, prepare
from agenthub_worker.domain.claim_decision import ACK_WAIT_S
from agenthub_worker.domain.outcomes import RunSummary, completed_event
from agenthub_worker.lease.claiming import claim, order_of
from agenthub_worker.lease.lease import Lease, LeaseLost
from agenthub_worker.observed import told
from agenthub_worker.ports import WorkerPorts

log = structlog.get_logger()

STOP_WITHIN_S = 4.0
_AFTER_A_FAULT_S = 5.0

_Key: TypeAlias = tuple[str, tuple[int, int]]
"""A task, and which of its orders: the attempt, and the order for which it stands in."""


class Worker:
    """Runs the orders of a queue, `slots` at once. `run` works until it is cancelled; then call `stop`."""

    def __init__(
        self, ports: WorkerPorts, queue: WorkQueue, agent_setup: AgentSetup, *, types: Sequence[str], slots: int
    ) -> None:
        self._ports = ports
        self._queue = queue
        self._agent_setup = agent_setup
        self._types = tuple(types)
        self._slots = slots
        self._held: dict[_Key, tuple[Lease, str]] = {}
        self._draining = False
        # Ordered, so that a simulation can be played again.
        self._working: dict[asyncio.Task[None], None] = {}

    def held(self) -> dict[str, str]:
        """The ack subject of each order that is being worked on, by task and attempt."""
        # The last order of an attempt is the one that counts.
        return {
            f"{task}.{order[0]}": subject for (task, order), (_, subject) in sorted([*self._held.items()], key=_at)
        }

    def status(self) -> WorkerStatus:
        """What this worker says of itself."""
        return WorkerStatus(
            worker=self._ports.worker,
            instance=self._ports.instance,
            types=self._types,
            slots=self._slots,
            holding=tuple(self.held()),
            draining=self._draining,
            sandbox=self._ports.sandbox.name,
        )

    def drain(self) -> None:
        """Finish what is held and take nothing new, until `undrain` or the next start."""
        self._draining = True
        self._queue.pause()

    def undrain(self) -> None:
        """Take orders again."""
        self._draining = False
        self._queue.resume()

    async def run(self) -> None:
        """Take orders and work on them, forever."""
        async with aclosing(self._queue.deliveries()) as deliveries:
            async for delivery in deliveries:
                task = asyncio.get_running_loop().create_task(self._handle(delivery))
                self._working[task] = None
                task.add_done_callback(self._working.pop)

    async def stop(self) -> None:
        """Park what is being worked on and wait for it; what does not end in time is left to a successor."""
        self._ports.stopping.set()
        if self._working:
            await asyncio.wait(self._working, timeout=STOP_WITHIN_S)
        await end_tasks(*self._working)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self._take(delivery)
        except LeaseLost as lost:
            # No acknowledgement: whoever holds the task now, or the server's patience, decides about the order.
            log.info("attempt_left", subject=delivery.recorded.subject, why=str(lost))
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("attempt_broke", subject=delivery.recorded.subject)
            await delivery.nak(_AFTER_A_FAULT_S)
        finally:
            self._queue.release()

    async def _take(self, delivery: Delivery) -> None:
        order = order_of(delivery)
        if order is None:
            log.error("order_unreadable", subject=delivery.recorded.subject, seq=delivery.recorded.seq)
            await delivery.nak(ACK_WAIT_S)
            return
        goal_id = parse_subject(delivery.recorded.subject).goal_id
        lease = Lease(
            self._ports,
            goal_id,
            order,
            delivery=delivery.num_delivered,
            trace=delivery.recorded.headers.get("traceparent", ""),
        )
        mask_also(lambda: lease.secrets)
        if order.agent_type == "noop":
            await self._measure(lease, delivery)
        elif not self._is_running_here(lease, delivery):
            await self._work(lease, delivery)

    async def _measure(self, lease: Lease, delivery: Delivery) -> None:
        """The `noop` agent exists for measuring alone: it claims and completes, with nothing between."""
        if await claim(self._ports, lease, delivery):
            result = TaskResult(summary="noop")
            await lease.append(completed_event(result, lease.order, RunSummary(worker=self._ports.worker)))
            await delivery.ack()

    def _is_running_here(self, lease: Lease, delivery: Delivery) -> bool:
        """The server gave out again what this very process works on: only the ack subject is new."""
        key = _key_of(lease)
        if key not in self._held:
            return False
        self._held[key] = (self._held[key][0], delivery.ack_subject)
        return True

    async def _work(self, lease: Lease, delivery: Delivery) -> None:
        key = _key_of(lease)
        # An order that was followed by this one is closed: it may come again, to be acknowledged.
        for older in [held for held in self._held if held[0] == key[0] and held[1] < key[1]]:
            del self._held[older]
        self._held[key] = (lease, delivery.ack_subject)
        with told(lease, delivery) as attempt:
            preparing = asyncio.get_running_loop().create_task(self.prepare(lease))
            try:
                if await claim(self._ports, lease, delivery):
                    await attempt.link_earlier(lease, delivery)
                    attempt.ended(await self.attempt(lease, preparing))
                    await delivery.ack()
            finally:
                if self._held.get(key, (None, ""))[0] is lease:
                    del self._held[key]
                await _dispose(preparing)

    async def prepare(self, lease: Lease) -> Preparation:
        """Everything that an attempt needs before its first step; begun while the claim is on its way."""
        return await prepare(lease)

    async def attempt(self, lease: Lease, preparing: asyncio.Task[Preparation]) -> AttemptEnd | None:
        """One claimed attempt, to its closing event; what became of it."""
        return await Attempt(lease, self._agent_setup).run(preparing)


def _key_of(lease: Lease) -> _Key:
    # A retry may run beside the attempt before it, whose order comes once more before it is let go; and so may an
    # order beside the one for which it stands in.
    return lease.prefix, (lease.order.attempt, lease.order.instead_of)


def _at(held: tuple[_Key, object]) -> _Key:
    return held[0]


async def _dispose(preparing: asyncio.Task[Preparation]) -> None:
    """End a preparation that nobody uses any more, and throw its workspace away: what counts is saved."""
    await end_tasks(preparing, again_s=CLEANS_UP_S)
    if not preparing.cancelled() and preparing.exception() is None:
        workspace = preparing.result().workspace
        if workspace is not None:
            await workspace.close()
