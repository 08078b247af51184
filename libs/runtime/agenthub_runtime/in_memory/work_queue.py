"""The work lanes in memory: the same promises, in one process, on whatever time the loop has."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.ports import Clock, EventLog, Recorded
from agenthub_runtime.jetstream.work_queue import FAIR_EVERY, HELD_UNTIL, LANES, LaneState

ACK_WAIT_S = 10.0
_SWEEP_LEAST_S = 0.1


class _Order:
    """One order inside the broker; `held_until` is infinite when nobody holds it."""

    def __init__(self, recorded: Recorded, key: str) -> None:
        self.recorded = recorded
        self.key = key
        self.delivered = 0
        self.acked = False


class InMemoryDelivery:
    """One delivery of an order; like the server, the broker accepts a stale ack or nak."""

    def __init__(self, broker: InMemoryBroker, order: _Order) -> None:
        self.recorded = order.recorded
        self.num_delivered = order.delivered
        self.ack_subject = f"$JS.ACK.EVENTS.work-{order.key}.{order.delivered}.{order.recorded.seq}"
        self._broker = broker
        self._order = order

    async def ack(self) -> None:
        """The attempt is closed in the log."""
        self._broker.settle(self._order)

    async def nak(self, delay_s: float = 0.0) -> None:
        """Hand the order back."""
        self._broker.hand_back(self._order, delay_s)


class InMemoryBroker:
    """All work lanes in memory, fed by following an event log."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._lanes: defaultdict[str, deque[_Order]] = defaultdict(deque)
        self._held: dict[int, tuple[_Order, float]] = {}
        self._news = asyncio.Event()
        self._holding = asyncio.Event()
        self._given_out: dict[str, int] = {}
        self._paused: frozenset[str] = frozenset()

    async def hold(self, types: Collection[str]) -> list[str]:
        """Give out nothing for these agent types, and whatever there is for all others."""
        changed = sorted(self._paused ^ frozenset(types))
        self._paused = frozenset(types)
        self._wake()
        return changed

    async def run(self) -> None:
        """Take orders from the log, and give out again what nobody acknowledged in time; forever."""
        sweeper = asyncio.get_running_loop().create_task(self._sweep())
        try:
            async with aclosing(self._log.follow(after=0, subjects=("evt.*.*.task.enqueued.>",))) as batches:
                async for batch in batches:
                    self._take_in(batch)
        finally:
            sweeper.cancel()

    def _take_in(self, batch: Sequence[Recorded]) -> None:
        for recorded in batch:
            if isinstance(recorded.event, TaskEnqueued):
                key = ".".join(recorded.subject.split(".")[-2:])
                self._lanes[key].append(_Order(recorded, key))
        self._wake()

    def take(self, types: Sequence[str], *, lowest: bool = False) -> InMemoryDelivery | None:
        """The next order for one of `types`, out of the highest lane that has one, or out of the lowest."""
        for lane in reversed(LANES) if lowest else LANES:
            for agent_type in types:
                waiting = self._lanes[f"{agent_type}.{lane}"]
                if waiting and agent_type not in self._paused:
                    return self._deliver(waiting.popleft())
        return None

    def pending(self) -> list[str]:
        """Subjects of the orders that are not acknowledged, waiting or held."""
        waiting = [order.recorded.subject for lane in self._lanes.values() for order in lane]
        return waiting + [order.recorded.subject for order, _ in self._held.values()]

    def lane_states(self) -> list[LaneState]:
        """What a server would say of each lane that has given something out."""
        states = []
        for key, delivered in self._given_out.items():
            agent_type, _, lane = key.rpartition(".")
            held = [order.recorded.seq for order, _ in self._held.values() if order.key == key]
            back = [order.recorded.seq for order in self._lanes[key] if order.delivered]
            states.append(
                LaneState(
                    agent_type=agent_type,
                    lane=lane,
                    waiting=len(self._lanes[key]) - len(back),
                    held=len(held) + len(back),
                    pulls=0,
                    acked=min([*held, *back], default=delivered + 1) - 1,
                    delivered=delivered,
                    paused_until=HELD_UNTIL if agent_type in self._paused else "",
                )
            )
        return states

    async def news(self) -> None:
        """Wait until something may have changed."""
        event = self._news
        await event.wait()

    def settle(self, order: _Order) -> None:
        """An acknowledged order never comes again."""
        order.acked = True
        self._held.pop(order.recorded.seq, None)
        # It may just have been put back, to be given out once more.
        lane = self._lanes[order.key]
        if order in lane:
            lane.remove(order)

    def hand_back(self, order: _Order, delay_s: float) -> None:
        """Give the order out again after `delay_s`."""
        if not order.acked:
            self._held[order.recorded.seq] = (order, self._clock.monotonic() + delay_s)
            asyncio.get_running_loop().create_task(self._return_later(order, delay_s))

    def in_progress(self, ack_subject: str) -> None:
        """Start the order's wait anew."""
        seq = int(ack_subject.rpartition(".")[2])
        if seq in self._held:
            self._held[seq] = (self._held[seq][0], self._clock.monotonic() + ACK_WAIT_S)

    def _deliver(self, order: _Order) -> InMemoryDelivery:
        order.delivered += 1
        self._given_out[order.key] = max(self._given_out.get(order.key, 0), order.recorded.seq)
        self._held[order.recorded.seq] = (order, self._clock.monotonic() + ACK_WAIT_S)
        self._holding.set()
        return InMemoryDelivery(self, order)

    async def _return_later(self, order: _Order, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        self._give_back_due()

    async def _sweep(self) -> None:
        while True:
            # What was given out may be acknowledged before this is scheduled.
            while not self._held:
                self._holding.clear()
                await self._holding.wait()
            # What is due sooner than that by then was handed back, and comes by itself.
            earliest = min(until for _, until in self._held.values())
            await self._clock.sleep(max(earliest - self._clock.monotonic(), _SWEEP_LEAST_S))
            self._give_back_due()

    def _give_back_due(self) -> None:
        now = self._clock.monotonic()
        for seq, (order, until) in list(self._held.items()):
            if until <= now and not order.acked:
                del self._held[seq]
                self._lanes[order.key].appendleft(order)
                self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class InMemoryWorkQueue:
    """The `WorkQueue` port on a `InMemoryBroker`."""

    def __init__(self, broker: InMemoryBroker, types: Sequence[str], *, slots: int) -> None:
        self._broker = broker
        self._types = tuple(types)
        self._free = slots
        self._slots = slots
        self._grants = 0
        self._freed = asyncio.Event()
        self._paused = False

    async def deliveries(self) -> AsyncGenerator[InMemoryDelivery, None]:
        """Orders, never more at once than there are free slots."""
        while True:
            if self._free <= 0 or self._paused:
                self._freed.clear()
                await self._freed.wait()
                continue
            delivery = self._broker.take(self._types, lowest=(self._grants + 1) % FAIR_EVERY == 0)
            if delivery is None:
                await self._broker.news()
                continue
            self._grants += 1
            self._free -= 1
            yield delivery

    def release(self) -> None:
        """One slot has become free."""
        self._free = min(self._free + 1, self._slots)
        self._freed.set()

    def pause(self) -> None:
        """Take nothing new."""
        self._paused = True

    def resume(self) -> None:
        """Take orders again."""
        self._paused = False
        self._freed.set()

    async def in_progress(self, ack_subject: str) -> None:
        """Keep an order from being delivered to somebody else."""
        self._broker.in_progress(ack_subject)
