"""Orders that got lost on a real server, and workers that are not there, found by what the server says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from nats.aio.client import Client
from nats.js.api import DeliverPolicy

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskStarted
from agenthub_events.ports import EventLog
from agenthub_orchestrator.queues.nats_queues import NatsQueues
from agenthub_orchestrator.queues.queue_keeper import keep_queues
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.jetstream.declared import create_missing
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_runtime.jetstream.work_queue import NatsWorkQueue
from agenthub_runtime.shutdown import end_tasks
from tests.support.deciding import deciding
from tests.support.fleet import say
from tests.support.scripted import accepted, completes, goal_id, store
from tests.support.until import until

HASTE = 100
STATUS = WorkerStatus(worker="w", instance="i", types=("coding",), slots=1)


class Hasty(SystemClock):
    """A second of the watch passes in ten milliseconds."""

    def monotonic(self) -> float:
        return super().monotonic() * HASTE

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / HASTE)


@asynccontextmanager
async def watched(bus: Client, *workers: WorkerStatus) -> AsyncIterator[EventLog]:
    """An orchestrator and its watch, on a hub where these workers say that they are alive."""
    log, clock = JetStreamEventLog(bus), Hasty()
    await create_missing(bus)
    for status in workers:
        await say(bus, status)
    async with deciding(bus) as follower:
        watching = asyncio.create_task(keep_queues(follower, NatsQueues(bus), clock))
        try:
            yield log
        finally:
            await end_tasks(watching)


async def of(log: EventLog, kind: type[Event]) -> list[Event]:
    return [r.event for r in await log.read(goal_id(1)) if isinstance(r.event, kind)]


async def ordered(log: EventLog, count: int) -> list[Event]:
    async def enough() -> list[Event]:
        found = await of(log, TaskEnqueued)
        return found if len(found) >= count else []

    return await until(enough, 300, f"{count} orders are in the log")


async def played(bus: Client, log: EventLog) -> None:
    """Take one order as a worker does, and end it."""
    queue = NatsWorkQueue(bus, ("coding",), slots=1)
    async for delivery in queue.deliveries():
        order = delivery.recorded.event
        assert isinstance(order, TaskEnqueued)
        done = await completes(order)
        found = await log.read(f"{goal_id(1)}.{order.task_id}")
        draft = Fence().after(found).draft(goal_id(1), order.task_id, done, "1")
        await store(log, draft)
        await delivery.ack()
        return


async def stolen(bus: Client) -> None:
    """What `nats consumer next EVENTS work-coding-p2` does: take an order and acknowledge it."""
    pulled = await bus.jetstream().pull_subscribe_bind("work-coding-p2", stream="EVENTS")
    (message,) = await pulled.fetch(1, timeout=60)
    await message.ack_sync()


async def test_an_order_that_somebody_took_from_its_queue_is_ordered_again(bus: Client) -> None:
    async with watched(bus, STATUS) as log:
        await store(log, accepted(tasks=[("only", ())], agent="coding"))
        await ordered(log, 1)
        await stolen(bus)
        first, second = await ordered(log, 2)
        assert isinstance(first, TaskEnqueued)
        assert isinstance(second, TaskEnqueued)
        assert (first.attempt, second.attempt, first.retry_count, second.retry_count) == (1, 1, 0, 0)
        await played(bus, log)
        assert len(await of(log, TaskCompleted)) == 1


async def test_the_one_that_was_taken_is_ordered_again_beside_others_that_wait(bus: Client) -> None:
    async with watched(bus, STATUS) as log:
        await store(log, accepted(tasks=[("a", ()), ("b", ()), ("c", ())], agent="coding"))
        await ordered(log, 3)
        await stolen(bus)
        orders = await ordered(log, 4)
        again = orders[3]
        assert isinstance(again, TaskEnqueued)
        assert again.instead_of


async def test_a_consumer_that_was_deleted_and_declared_anew_gives_its_orders_out_again(bus: Client) -> None:
    async with watched(bus, STATUS) as log:
        await store(log, accepted(tasks=[("only", ())], agent="coding"))
        await ordered(log, 1)
        await stolen(bus)
        await bus.jetstream().delete_consumer("EVENTS", "work-coding-p2")
        await create_missing(bus)
        await played(bus, log)
        assert len(await of(log, TaskCompleted)) == 1


async def test_a_consumer_that_somebody_made_anew_from_now_on_has_lost_its_orders(bus: Client) -> None:
    async with watched(bus, STATUS) as log:
        await store(log, accepted(tasks=[("only", ())], agent="coding"))
        await ordered(log, 1)
        stream = bus.jetstream()
        before = (await stream.consumer_info("EVENTS", "work-coding-p2")).config
        await stream.delete_consumer("EVENTS", "work-coding-p2")
        before.deliver_policy = DeliverPolicy.NEW
        await stream.add_consumer("EVENTS", before)
        await ordered(log, 2)
        await played(bus, log)
        assert len(await of(log, TaskCompleted)) == 1


async def claimed(bus: Client, log: EventLog) -> TaskEnqueued:
    """A worker takes the order and says that it holds it; then somebody acknowledges the order."""
    async for delivery in NatsWorkQueue(bus, ("coding",), slots=1).deliveries():
        order = delivery.recorded.event
        assert isinstance(order, TaskEnqueued)
        holding = (f"{goal_id(1)}.{order.task_id}.{order.attempt}",)
        await say(bus, msgspec.structs.replace(STATUS, holding=holding))
        started = TaskStarted(
            task_id=order.task_id,
            attempt=1,
            worker="w",
            agent="coding",
            instance="i",
            delivery=1,
            ack_subject=delivery.ack_subject,
        )
        found = await log.read(f"{goal_id(1)}.{order.task_id}")
        await store(log, Fence().after(found).draft(goal_id(1), order.task_id, started, "1"))
        await delivery.ack()
        return order
    raise AssertionError("no order came")


async def test_a_claimed_order_that_is_lost_with_its_worker_is_ordered_again_and_one_that_is_held_is_not(
    bus: Client,
) -> None:
    async with watched(bus, STATUS) as log:
        await store(log, accepted(tasks=[("first", ()), ("second", ())], agent="coding"))
        await ordered(log, 2)
        held = await claimed(bus, log)
        # The other one is stolen: once it is ordered again, the watch has had time for the first as well.
        await stolen(bus)
        (again,) = (await ordered(log, 3))[2:]
        assert isinstance(again, TaskEnqueued)
        assert again.task_id != held.task_id
        await say(bus, STATUS)
        (again,) = (await ordered(log, 4))[3:]
        assert isinstance(again, TaskEnqueued)
        assert (again.task_id, again.attempt, again.retry_count) == (held.task_id, 1, 0)


async def test_a_goal_whose_workers_do_not_run_asks_for_them(bus: Client) -> None:
    async with watched(bus) as log:
        await store(log, accepted(tasks=[("only", ())], agent="coding"))

        async def asked() -> list[Event]:
            return await of(log, AgentBlocked)

        (question,) = await until(asked, 300, "people are asked for a worker")
        assert isinstance(question, AgentBlocked)
        assert question.question.startswith("No running worker serves `coding`")
        await say(bus, STATUS)


async def test_the_question_says_why_a_worker_could_not_start(bus: Client) -> None:
    broken = WorkerStatus(worker="w", instance="", types=("coding",), slots=0, problem="Can't mount proc")
    async with watched(bus, broken) as log:
        await store(log, accepted(tasks=[("only", ())], agent="coding"))

        async def asked() -> list[Event]:
            return await of(log, AgentBlocked)

        (question,) = await until(asked, 300, "people are asked for a worker")
        assert isinstance(question, AgentBlocked)
        assert question.question.endswith("Worker w cannot start: Can't mount proc")
