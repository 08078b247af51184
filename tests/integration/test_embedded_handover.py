"""The work of a dead worker goes to another at once: the supervisor answers in its name."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext

from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.handover import Handover
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.declared import apply_assets
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from tests.support.following import BACKOFF
from tests.support.until import until

GOAL = "g-01jd0000000000000000000000"
DEAD_PID = 4711


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(DataDir(tmp_path))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def nc(server: NatsServer) -> AsyncIterator[Client]:
    client = await connect(server.authorised_url, "test")
    await apply_assets(client)
    yield client
    await client.close()


@pytest.fixture
async def handover(nc: Client) -> AsyncIterator[Handover]:
    handover = Handover(nc, {"Worker-1", "Worker-2"}, BACKOFF)
    await handover.start()
    yield handover
    await handover.stop()


@pytest.fixture
async def queue(nc: Client) -> AsyncIterator[JetStreamContext.PullSubscription]:
    subscription = await nc.jetstream().pull_subscribe_bind("work-noop-p2", stream="EVENTS")
    yield subscription
    await subscription.unsubscribe()


async def _enqueue(nc: Client, task: str) -> None:
    await nc.jetstream().publish(f"evt.{GOAL}.{task}.task.enqueued.noop.p2", b"{}")


async def _claim(nc: Client, queue: JetStreamContext.PullSubscription, worker: str) -> Msg:
    """Take the next order and say so in the log, as a worker does."""
    (order,) = await queue.fetch(1, timeout=60)
    task = order.subject.split(".")[2]
    body = {"type": "task.started", "worker": worker, "ack_subject": order.reply, "attempt": 1}
    await nc.jetstream().publish(f"evt.{GOAL}.{task}.task.started", json.dumps(body).encode())
    return order


async def _seen(handover: Handover, count: int) -> None:
    await until(lambda: len(handover.held) == count, what=f"{count} claims are known")


async def test_every_order_of_a_dead_worker_is_delivered_again_at_once(
    nc: Client, handover: Handover, queue: JetStreamContext.PullSubscription
) -> None:
    for task in ("t-a", "t-b"):
        await _enqueue(nc, task)
        await _claim(nc, queue, "Worker-1")
    await _seen(handover, 2)
    handover.on_death("Worker-1", DEAD_PID)
    # The acknowledgement time-out of these orders is ten seconds.
    again = [*await queue.fetch(1, timeout=60), *await queue.fetch(1, timeout=60)]
    assert {order.subject.split(".")[2] for order in again} == {"t-a", "t-b"}
    assert {order.metadata.num_delivered for order in again} == {2}


async def test_the_orders_of_the_living_and_finished_orders_stay_where_they_are(
    nc: Client, handover: Handover, queue: JetStreamContext.PullSubscription
) -> None:
    await _enqueue(nc, "t-done")
    done = await _claim(nc, queue, "Worker-1")
    await _enqueue(nc, "t-other")
    await _claim(nc, queue, "Worker-2")
    await _seen(handover, 2)
    await nc.jetstream().publish(f"evt.{GOAL}.t-done.task.completed", b"{}")
    await done.ack()
    await _seen(handover, 1)
    handover.on_death("Worker-1", DEAD_PID)
    handover.on_death("projector", DEAD_PID)
    with pytest.raises(NothingCame):
        await queue.fetch(1, timeout=0.5)
    assert [claim.worker for claim in handover.held.values()] == ["Worker-2"]


async def test_every_event_that_closes_an_attempt_ends_the_claim(
    nc: Client, handover: Handover, queue: JetStreamContext.PullSubscription
) -> None:
    for kind in sorted(CLOSES_ATTEMPT):
        await _enqueue(nc, "t-a")
        order = await _claim(nc, queue, "Worker-1")
        await _seen(handover, 1)
        await nc.jetstream().publish(f"evt.{GOAL}.t-a.{kind}", b"{}")
        await _seen(handover, 0)
        await order.ack()


async def test_a_claim_that_arrives_just_after_the_death_is_handed_back_too(
    nc: Client, handover: Handover, queue: JetStreamContext.PullSubscription
) -> None:
    await _enqueue(nc, "t-late")
    (order,) = await queue.fetch(1, timeout=60)
    handover.on_death("Worker-1", DEAD_PID)
    body = {"type": "task.started", "worker": "Worker-1", "ack_subject": order.reply, "attempt": 1}
    await nc.jetstream().publish(f"evt.{GOAL}.t-late.task.started", json.dumps(body).encode())
    (again,) = await queue.fetch(1, timeout=60)
    assert again.metadata.num_delivered == 2


async def test_a_claim_names_a_queue_of_its_own_type_or_is_none(
    nc: Client, handover: Handover, queue: JetStreamContext.PullSubscription
) -> None:
    """What stands in a claim is published with the rights of the hub when the worker of this name dies."""
    await _enqueue(nc, "t-a")
    order = await _claim(nc, queue, "Worker-1")
    await _seen(handover, 1)
    others = (
        f"evt.{GOAL}._.goal.approved",
        "$JS.API.STREAM.PURGE.RUNS",
        "$JS.ACK.TIMERS.timers.1.1.1.1.0",
        "$JS.ACK.EVENTS.notifier.1.1.1.1.0",
        order.reply.replace("work-noop-p2", "work-noop-p2.>"),
        order.reply.replace("noop", "review"),
        f"{order.reply} x",
        "",
    )
    for number, place in enumerate(others):
        body = {"type": "task.started", "worker": "Worker-1", "ack_subject": place, "attempt": 1}
        await nc.jetstream().publish(f"evt.{GOAL}.t-forged-{number}.task.started.noop", json.dumps(body).encode())
    # A worker of another type neither takes the claim over nor ends it.
    stolen = {"type": "task.started", "worker": "Worker-2", "ack_subject": order.reply, "attempt": 1}
    await nc.jetstream().publish(f"evt.{GOAL}.t-a.task.started.review", json.dumps(stolen).encode())
    await nc.jetstream().publish(f"evt.{GOAL}.t-a.task.failed.review", b"{}")
    await _enqueue(nc, "t-b")
    await _claim(nc, queue, "Worker-2")
    await _seen(handover, 2)
    assert {place[1]: claim.worker for place, claim in handover.held.items()} == {
        "t-a": "Worker-1",
        "t-b": "Worker-2",
    }
    await nc.jetstream().publish(f"evt.{GOAL}.t-a.task.failed.noop", b"{}")
    await _seen(handover, 1)


async def test_the_fleet_no_longer_says_that_the_dead_instance_lives(nc: Client, handover: Handover) -> None:
    fleet = NatsFleet(nc)
    await fleet.publish(
        WorkerStatus(worker="Worker-1", instance="i1", types=("coding",), slots=1, holding=(f"{GOAL}.t-a",))
    )
    await until(lambda: fleet.alive("Worker-1", "i1", f"{GOAL}.t-a"), what="it is known")
    handover.on_death("Worker-1", DEAD_PID)

    async def gone() -> bool:
        return not await fleet.alive("Worker-1", "i1", f"{GOAL}.t-a")

    await until(gone, what="it is forgotten")


async def test_claims_are_followed_over_a_restart_of_the_bus(
    server: NatsServer, nc: Client, handover: Handover, queue: JetStreamContext.PullSubscription
) -> None:
    assert server.process is not None
    server.process.send(signal.SIGKILL)
    await server.process.wait()
    await server.start()
    await until(lambda: nc.is_connected, what="connected again")
    await _enqueue(nc, "t-a")
    await _claim(nc, queue, "Worker-1")
    await _seen(handover, 1)


async def test_an_unreadable_claim_stops_nothing(
    nc: Client, handover: Handover, queue: JetStreamContext.PullSubscription
) -> None:
    await nc.jetstream().publish(f"evt.{GOAL}.t-broken.task.started", b"not json")
    await _enqueue(nc, "t-good")
    await _claim(nc, queue, "Worker-1")
    await _seen(handover, 1)
    handover.on_death("Worker-1", DEAD_PID)
    assert await asyncio.wait_for(queue.fetch(1), 120)
