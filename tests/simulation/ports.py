"""The servers of the simulated hub as its processes reach them: through the adversary's gates."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded, StepResult, Unavailable
from agenthub_events.runs import RecordedStep, RunId, Step
from agenthub_orchestrator.domain import LaneView, Workers
from agenthub_orchestrator.domain.queued import Lane
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.in_memory.fleet import InMemoryFleet
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.in_memory.timers import InMemoryFiredTimer, InMemoryTimers
from agenthub_runtime.in_memory.work_queue import InMemoryBroker, InMemoryDelivery, InMemoryWorkQueue
from agenthub_runtime.jetstream.fleet import WorkerStatus
from tests.simulation.faults import Adversary
from tests.simulation.process import at_server
from tests.support.virtual_time import VirtualClock


class SeenLog(InMemoryEventLog):
    """The event log, which the world can look into without asking."""

    @property
    def messages(self) -> Sequence[Recorded]:
        """Everything that is stored, in order."""
        return self._messages


class SkewedClock(VirtualClock):
    """The clock of one machine: as fast as all others, but set a little differently."""

    def __init__(self, skew_s: float) -> None:
        self._skew = timedelta(seconds=skew_s)

    def now(self) -> datetime:
        return super().now() + self._skew


class GatedRunLog:
    """RUNS, over a wire."""

    def __init__(self, inner: InMemoryRunLog, adversary: Adversary) -> None:
        self._inner = inner
        self._gate = adversary.gate

    async def append(self, run: RunId, step: Step, *, expected: int) -> StepResult:
        try:
            await self._gate("runs.append.before")
            result = await self._inner.append(run, step, expected=expected)
            await self._gate("runs.append.after")
        except StoreUnavailable as error:
            return Unavailable(str(error))
        return result

    async def read(self, run: RunId) -> list[RecordedStep]:
        await self._gate("runs.read")
        return await self._inner.read(run)

    async def emit(self, run: RunId, kind: str, data: bytes) -> None:
        await self._inner.emit(run, kind, data)


class GatedArtifacts:
    """The object store, over a wire."""

    def __init__(self, inner: InMemoryArtifacts, adversary: Adversary) -> None:
        self._inner = inner
        self._gate = adversary.gate

    async def put(self, data: bytes) -> str:
        await self._gate("artifacts.put.before")
        digest = await self._inner.put(data)
        await self._gate("artifacts.put.after")
        return digest

    async def get(self, digest: str) -> bytes:
        await self._gate("artifacts.get")
        return await self._inner.get(digest)

    async def put_file(self, path: Path) -> str:
        await self._gate("artifacts.put.before")
        digest = await self._inner.put_file(path)
        await self._gate("artifacts.put.after")
        return digest

    async def get_file(self, digest: str, path: Path) -> None:
        await self._gate("artifacts.get")
        await self._inner.get_file(digest, path)


class GatedTimer:
    """A due timer, whose acknowledgement may not arrive."""

    def __init__(self, inner: InMemoryFiredTimer, adversary: Adversary) -> None:
        self.kind = inner.kind
        self.goal_id = inner.goal_id
        self.task_id = inner.task_id
        self.ref = inner.ref
        self.due = inner.due
        self._inner = inner
        self._gate = adversary.gate

    async def ack(self) -> None:
        await self._gate("timer.ack.before")
        await self._inner.ack()
        await self._gate("timer.ack.after")


class GatedTimers:
    """TIMERS, over a wire. A due timer goes to one orchestrator, and to another one when that one dies."""

    def __init__(self, inner: InMemoryTimers, adversary: Adversary) -> None:
        self._inner = inner
        self._adversary = adversary

    async def set(self, kind: str, goal_id: str, task_id: str, *, due: datetime, ref: str) -> None:
        await self._adversary.gate("timers.set.before")
        await at_server(lambda: self._inner.set(kind, goal_id, task_id, due=due, ref=ref))
        await self._adversary.gate("timers.set.after")

    async def fired(self) -> AsyncGenerator[GatedTimer, None]:
        due = self._inner.fired()
        while True:
            timer = await at_server(lambda: anext(due))
            await self._adversary.gate("timers.fired")
            yield GatedTimer(timer, self._adversary)


class GatedDelivery:
    """An order in a worker's hands. Acknowledgements are not answered: one that is lost is not missed."""

    def __init__(self, inner: InMemoryDelivery, adversary: Adversary) -> None:
        self.recorded = inner.recorded
        self.num_delivered = inner.num_delivered
        self.ack_subject = inner.ack_subject
        self._inner = inner
        self._adversary = adversary

    async def ack(self) -> None:
        await self._pass("delivery.ack")
        if not self._adversary.loses("delivery.ack"):
            await self._inner.ack()

    async def nak(self, delay_s: float = 0.0) -> None:
        await self._pass("delivery.nak")
        if not self._adversary.loses("delivery.nak"):
            await at_server(lambda: self._inner.nak(delay_s))

    async def _pass(self, point: str) -> None:
        try:
            await self._adversary.gate(point)
        except StoreUnavailable:
            # A publish without an answer goes into the buffer of the connection.
            return


class GatedWorkQueue:
    """One worker's pulls. `held` are the orders that were given to it, by the sequence of the order."""

    def __init__(self, broker: InMemoryBroker, types: Sequence[str], adversary: Adversary, *, slots: int) -> None:
        self._inner = InMemoryWorkQueue(broker, types, slots=slots)
        self._adversary = adversary
        self.held: dict[int, InMemoryDelivery] = {}

    async def deliveries(self) -> AsyncGenerator[GatedDelivery, None]:
        async for delivery in self._inner.deliveries():
            self.held[delivery.recorded.seq] = delivery
            try:
                await self._adversary.gate("queue.deliver")
            except StoreUnavailable:
                self._inner.release()
                continue
            again = self._adversary.repeats("queue.deliver")
            if again is not None:
                await at_server(partial(delivery.nak, again))
            yield GatedDelivery(delivery, self._adversary)

    def release(self) -> None:
        self._inner.release()

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        self._inner.resume()

    async def in_progress(self, ack_subject: str) -> None:
        await self._inner.in_progress(ack_subject)


class GatedFleet:
    """Who is alive, as far as one hears."""

    def __init__(self, inner: InMemoryFleet, adversary: Adversary) -> None:
        self._inner = inner
        self._adversary = adversary

    async def publish(self, status: WorkerStatus) -> None:
        if not self._adversary.loses("fleet.publish"):
            await self._inner.publish(status)

    async def alive(self, worker: str, instance: str, holding: str) -> bool:
        try:
            await self._adversary.gate("fleet.alive")
        except StoreUnavailable:
            return False
        return await self._inner.alive(worker, instance, holding)


class GatedLanes:
    """The lanes as they are held, over a wire."""

    def __init__(self, broker: InMemoryBroker, adversary: Adversary) -> None:
        self._broker = broker
        self._gate = adversary.gate

    async def hold(self, types: Collection[str]) -> list[str]:
        """Exactly these are held."""
        await self._gate("lanes.hold")
        return await self._broker.hold(types)


class BrokerQueues:
    """What the broker says of its lanes; every type is served, since a dead worker is started again."""

    def __init__(self, broker: InMemoryBroker, fleet: InMemoryFleet, adversary: Adversary) -> None:
        self._broker = broker
        self._fleet = fleet
        self._adversary = adversary

    async def lanes(self) -> Mapping[Lane, LaneView]:
        """Every lane that has given something out."""
        await self._adversary.gate("queues")
        return {
            (state.agent_type, state.lane): LaneView(
                acked=state.acked,
                delivered=state.delivered,
                held=state.held,
                paused=bool(state.paused_until),
            )
            for state in self._broker.lane_states()
        }

    async def workers(self) -> Workers:
        """Everybody, and what those hold that have lately been heard of."""
        holding = frozenset(attempt for status in self._fleet.living() for attempt in status.holding)
        return Workers(served=frozenset(AGENT_TYPES), holding=holding)
