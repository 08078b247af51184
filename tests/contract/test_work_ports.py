"""One suite over the NATS adapters and their in-memory ones: artifacts, runs, timers, work queue, fleet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.base import Fence
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import Lane
from agenthub_events.errors import ArtifactMissing
from agenthub_events.ports import EventLog, Stamp, StepConflict, Stored
from agenthub_events.runs import Closed, Nudge, Resumed, RunId, TurnIntent
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.in_memory.fleet import InMemoryFleet
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.in_memory.timers import InMemoryTimers
from agenthub_runtime.in_memory.work_queue import InMemoryBroker, InMemoryWorkQueue
from agenthub_runtime.jetstream.artifacts import BUCKET, JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_runtime.jetstream.run_log import JetStreamRunLog, closed_steps
from agenthub_runtime.jetstream.timers import NatsTimers
from agenthub_runtime.jetstream.work_queue import GATHER_S, NatsWorkQueue
from agenthub_runtime.operations.holding import Lanes, NatsLanes
from tests.support.until import until

GOAL = "g-" + "0" * 26
RUN = RunId(GOAL, "t-a", 1)
# So long that every lane has answered, also on a busy machine.
PATIENCE_S = 0.3
CLOCK = SystemClock()


class Ports:
    """The ports of one kind, real or in memory."""

    def __init__(self, nc: Client | None) -> None:
        self.nc = nc
        self.log: EventLog = JetStreamEventLog(nc) if nc else InMemoryEventLog()
        self.artifacts = JetStreamArtifacts(nc) if nc else InMemoryArtifacts()
        self.runs = JetStreamRunLog(nc) if nc else InMemoryRunLog()
        self.timers = NatsTimers(nc) if nc else InMemoryTimers(CLOCK)
        self.fleet = NatsFleet(nc) if nc else InMemoryFleet(CLOCK)
        self.broker = None if nc else InMemoryBroker(self.log, CLOCK)
        self.feeder = asyncio.create_task(self.broker.run()) if self.broker else None

    def queue(self, *types: str, slots: int, gather_s: float = GATHER_S) -> Any:
        if self.nc:
            return NatsWorkQueue(self.nc, types, slots=slots, gather_s=gather_s)
        assert self.broker is not None
        return InMemoryWorkQueue(self.broker, types, slots=slots)

    def lanes(self) -> Lanes:
        if self.nc:
            return NatsLanes(self.nc)
        assert self.broker is not None
        return self.broker

    async def enqueue(self, task_id: str, agent_type: str, lane: Lane) -> int:
        event = TaskEnqueued(
            task_id=task_id, agent=agent_type, agent_type=agent_type, attempt=1, lane=lane, title="x", timeout_s=60
        )
        draft = Fence().draft(GOAL, task_id, event, "1", route=(agent_type, lane))
        result = await self.log.append(draft, Stamp(now=CLOCK.now(), metadata={}))
        assert isinstance(result, Stored)
        return result.seq


@pytest.fixture(params=["nats", "memory"])
def nc(request: pytest.FixtureRequest) -> Client | None:
    return request.getfixturevalue("bus") if request.param == "nats" else None


@pytest.fixture
async def ports(nc: Client | None) -> AsyncIterator[Ports]:
    made = Ports(nc)
    yield made
    if made.feeder:
        made.feeder.cancel()


async def soon(work: Any) -> Any:
    return await asyncio.wait_for(work, 120)


async def test_an_object_is_found_under_the_hash_of_its_content(ports: Ports) -> None:
    digest = await ports.artifacts.put(b"a report")

    assert await ports.artifacts.put(b"a report") == digest
    assert await ports.artifacts.get(digest) == b"a report"
    assert await ports.artifacts.get(await ports.artifacts.put(b"")) == b""


async def test_a_file_goes_in_and_out_as_the_same_object(ports: Ports, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for data in (b"a report", bytes(range(256)) * 60_000, b""):
        source.write_bytes(data)
        digest = await ports.artifacts.put_file(source)
        assert digest == await ports.artifacts.put(data)
        assert await ports.artifacts.get(digest) == data
        await ports.artifacts.get_file(digest, target)
        assert target.read_bytes() == data
    with pytest.raises(ArtifactMissing, match="f" * 64):
        await ports.artifacts.get_file("f" * 64, target)


async def test_a_missing_object_is_named(ports: Ports) -> None:
    with pytest.raises(ArtifactMissing, match="f" * 64):
        await ports.artifacts.get("f" * 64)


async def test_an_object_that_has_lost_pieces_is_missing_and_never_waited_for_without_end(
    bus: Client, tmp_path: Path
) -> None:
    js, artifacts = bus.jetstream(), JetStreamArtifacts(bus)
    some, none = await artifacts.put(b"a" * 400_000), await artifacts.put(b"b" * 400_000)
    store = await js.object_store(BUCKET)
    for digest, kept in ((some, 1), (none, 0)):
        pieces = f"$O.{BUCKET}.C.{(await store.get_info(digest)).nuid}"
        await js.purge_stream(f"OBJ_{BUCKET}", subject=pieces, keep=kept)
    for digest in (some, none):
        with pytest.raises(ArtifactMissing, match="damaged"):
            await artifacts.get(digest)
        with pytest.raises(ArtifactMissing, match="damaged"):
            await artifacts.get_file(digest, tmp_path / "file")


async def test_an_object_is_whole_for_its_readers_while_others_write_it_again(bus: Client) -> None:
    data = b"c" * 300_000
    digest = await JetStreamArtifacts(bus).put(data)
    store = await bus.jetstream().object_store(BUCKET)

    async def write_again() -> None:
        for _ in range(5):
            await store.put(digest, data)

    async def read() -> None:
        for _ in range(20):
            assert await soon(JetStreamArtifacts(bus).get(digest)) == data

    await asyncio.gather(write_again(), read(), read())


async def test_steps_come_back_in_order_and_a_repeat_is_stored_once(ports: Ports) -> None:
    intent = TurnIntent(turn=1, tries=1, request_hash="h", model="m")
    first = await ports.runs.append(RUN, intent, expected=0)
    assert isinstance(first, Stored)

    again = await ports.runs.append(RUN, intent, expected=0)
    second = await ports.runs.append(RUN, Nudge(text="go on"), expected=first.seq)

    assert isinstance(again, Stored)
    assert again.seq == first.seq
    assert isinstance(second, Stored)
    assert [recorded.step for recorded in await ports.runs.read(RUN)] == [intent, Nudge(text="go on")]


async def test_a_step_behind_somebody_elses_is_refused(ports: Ports) -> None:
    first = await ports.runs.append(RUN, Nudge(text="mine"), expected=0)
    assert isinstance(first, Stored)

    late = await ports.runs.append(RUN, Closed(reason="timed out"), expected=0)

    assert late == StepConflict(first.seq)


async def test_a_step_that_a_successor_has_made_as_well_is_not_taken_for_ones_own(ports: Ports) -> None:
    before = await ports.runs.append(RUN, Nudge(text="go on"), expected=0)
    assert isinstance(before, Stored)
    taken_over = await ports.runs.append(RUN, Resumed(instance="b", worker="w", delivery=2), expected=before.seq)
    assert isinstance(taken_over, Stored)
    intent = TurnIntent(turn=1, tries=1, request_hash="h", model="m")
    theirs = await ports.runs.append(RUN, intent, expected=taken_over.seq)
    assert isinstance(theirs, Stored)

    late = await ports.runs.append(RUN, intent, expected=before.seq)

    assert late == StepConflict(theirs.seq)


async def test_a_closed_run_takes_no_more_steps_and_is_closed_once(ports: Ports) -> None:
    first = await ports.runs.append(RUN, Nudge(text="go on"), expected=0)
    assert isinstance(first, Stored)

    steps = await closed_steps(ports.runs, RUN, "timed out")
    again = await closed_steps(ports.runs, RUN, "paused")
    late = await ports.runs.append(RUN, Nudge(text="and on"), expected=first.seq)

    assert [recorded.step for recorded in steps] == [Nudge(text="go on"), Closed(reason="timed out")]
    assert again == steps
    assert late == StepConflict(steps[-1].seq)


async def test_runs_of_other_attempts_are_apart(ports: Ports) -> None:
    await ports.runs.append(RUN, Nudge(text="mine"), expected=0)

    other = await ports.runs.append(RUN._replace(attempt=2), Nudge(text="mine"), expected=0)

    assert isinstance(other, Stored)
    assert len(await ports.runs.read(RUN)) == 1


async def test_output_needs_no_fence(ports: Ports) -> None:
    await ports.runs.emit(RUN, "output", b"a line")

    assert await ports.runs.read(RUN) == []


async def test_a_timer_that_is_due_fires_with_what_it_was_set_for(ports: Ports) -> None:
    due = CLOCK.now() - timedelta(seconds=1)
    await ports.timers.set("retry", GOAL, "t-a", due=due, ref="2")

    fired = await soon(anext(aiter(ports.timers.fired())))

    assert (fired.kind, fired.goal_id, fired.task_id, fired.ref) == ("retry", GOAL, "t-a", "2")
    await fired.ack()


async def test_setting_a_timer_again_moves_it(ports: Ports) -> None:
    await ports.timers.set("deadline", GOAL, GOAL_AS_A_WHOLE, due=CLOCK.now() + timedelta(hours=1), ref="far")
    await ports.timers.set("deadline", GOAL, GOAL_AS_A_WHOLE, due=CLOCK.now(), ref="near")

    fired = await soon(anext(aiter(ports.timers.fired())))

    assert (fired.task_id, fired.ref) == (GOAL_AS_A_WHOLE, "near")
    await fired.ack()


async def test_an_order_is_delivered_to_the_queue_of_its_type(ports: Ports) -> None:
    seq = await ports.enqueue("t-a", "coding", "p2")
    await ports.enqueue("t-b", "review", "p2")
    orders = aiter(ports.queue("coding", slots=2).deliveries())

    order = await soon(anext(orders))

    assert order.recorded.seq == seq
    assert order.num_delivered == 1
    assert isinstance(order.recorded.event, TaskEnqueued)
    await order.ack()


async def test_higher_lanes_come_first(ports: Ports) -> None:
    given: tuple[tuple[str, Lane], ...] = (("t-low", "p3"), ("t-mid", "p2"), ("t-top", "p0"))
    for task_id, lane in given:
        await ports.enqueue(task_id, "coding", lane)
    queue = ports.queue("coding", slots=1, gather_s=PATIENCE_S)
    orders = aiter(queue.deliveries())

    got = []
    for _ in range(3):
        order = await soon(anext(orders))
        got.append(order.recorded.event.task_id)
        await order.ack()
        queue.release()

    assert got[0] == "t-top"
    assert sorted(got) == ["t-low", "t-mid", "t-top"]


async def test_every_fourth_order_comes_from_the_lowest_lane_with_work_so_that_nothing_starves(
    ports: Ports,
) -> None:
    for number in range(16):
        await ports.enqueue(f"t-top-{number}", "coding", "p0")
    await ports.enqueue("t-low", "coding", "p3")
    queue = ports.queue("coding", slots=1, gather_s=PATIENCE_S)
    orders = aiter(queue.deliveries())

    got: list[str] = []
    while "t-low" not in got and len(got) < 4:
        order = await soon(anext(orders))
        got.append(order.recorded.event.task_id)
        await order.ack()
        queue.release()

    assert got[-1] == "t-low"


async def test_no_more_orders_come_than_slots_are_free(ports: Ports) -> None:
    third = [await ports.enqueue(f"t-{number}", "coding", "p2") for number in range(3)][2]
    queue = ports.queue("coding", slots=2)
    orders = aiter(queue.deliveries())
    first = await soon(anext(orders))
    await soon(anext(orders))
    waiting = asyncio.create_task(anext(orders))
    other = ports.queue("coding", slots=1)
    left = await soon(anext(aiter(other.deliveries())))

    assert left.recorded.seq == third, "what one worker has no slot for is free for the next"
    assert not waiting.done()

    await first.ack()
    queue.release()
    await left.nak()
    assert (await soon(waiting)).recorded.seq == third


async def test_a_queue_that_was_told_to_pause_takes_nothing_until_it_is_told_to_go_on(ports: Ports) -> None:
    held = await ports.enqueue("t-held", "coding", "p1")
    queue, other = ports.queue("coding", slots=2), ports.queue("coding", slots=1)
    orders = aiter(queue.deliveries())
    assert (await soon(anext(orders))).recorded.seq == held
    queue.pause()
    left = await ports.enqueue("t-left", "coding", "p1")
    waiting = asyncio.create_task(anext(orders))

    taken = await soon(anext(aiter(other.deliveries())))

    assert (taken.recorded.seq, waiting.done()) == (left, False)
    queue.resume()
    await taken.nak()
    assert (await soon(waiting)).recorded.seq == left


@pytest.mark.extra
async def test_lanes_that_are_held_give_nothing_out_and_those_beside_them_go_on(ports: Ports) -> None:
    lanes = ports.lanes()
    await lanes.hold(["coding", "review"])
    queue = ports.queue("coding", "testing", slots=2)
    orders = aiter(queue.deliveries())
    coding = await ports.enqueue("t-coding", "coding", "p0")
    testing = await ports.enqueue("t-testing", "testing", "p3")

    assert (await soon(anext(orders))).recorded.seq == testing
    waiting = asyncio.create_task(anext(orders))
    assert await lanes.hold(["coding"])
    assert await lanes.hold(["coding"]) == [], "what is so already is left alone"
    assert not waiting.done()
    await lanes.hold([])
    assert (await soon(waiting)).recorded.seq == coding


async def test_an_order_that_was_handed_back_comes_again_with_a_higher_count(ports: Ports) -> None:
    await ports.enqueue("t-a", "coding", "p1")
    queue = ports.queue("coding", slots=1)
    orders = aiter(queue.deliveries())
    first = await soon(anext(orders))

    await first.nak()
    queue.release()
    second = await soon(anext(orders))

    assert second.recorded.seq == first.recorded.seq
    assert second.num_delivered == 2
    assert second.ack_subject != first.ack_subject


async def test_an_acknowledged_order_does_not_come_again(ports: Ports) -> None:
    await ports.enqueue("t-a", "coding", "p1")
    queue = ports.queue("coding", slots=1)
    orders = aiter(queue.deliveries())
    await (await soon(anext(orders))).ack()
    queue.release()
    await ports.enqueue("t-b", "coding", "p1")

    assert (await soon(anext(orders))).recorded.event.task_id == "t-b"


async def test_a_request_for_work_that_cannot_be_sent_is_told(bus: Client) -> None:
    ports = Ports(bus)
    await ports.enqueue("t-a", "noop", "p2")
    queue = ports.queue("noop", slots=1)
    deliveries = queue.deliveries()
    await soon(anext(deliveries))
    await bus.close()
    with structlog.testing.capture_logs() as lines:
        queue.release()
        await until(lambda: lines, what="it is told")
    assert [line["event"] for line in lines] == ["work_queue_cannot_send"]
    with pytest.raises(NatsError):
        await deliveries.aclose()


async def test_the_fleet_tells_who_holds_a_task(ports: Ports) -> None:
    status = WorkerStatus(worker="Worker-1", instance="abc", types=("coding",), slots=1, holding=(f"{GOAL}.t-a",))
    await ports.fleet.publish(status)

    await until(lambda: ports.fleet.alive("Worker-1", "abc", f"{GOAL}.t-a"), what="the worker is seen")
    assert not await ports.fleet.alive("Worker-1", "other", f"{GOAL}.t-a")
    assert not await ports.fleet.alive("Worker-1", "abc", f"{GOAL}.t-b")
    assert not await ports.fleet.alive("Worker-9", "abc", f"{GOAL}.t-a")
