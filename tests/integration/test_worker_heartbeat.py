"""The heartbeat keeps orders and the worker's name alive, whatever the worker's own loop is busy with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_worker import heartbeat
from agenthub_worker.heartbeat import Heartbeat
from tests.support.until import until

HELD = {"g-1.t-a": "$JS.ACK.test.order"}


def status() -> WorkerStatus:
    return WorkerStatus(worker="Worker-1", instance="i1", types=("coding",), slots=1, holding=tuple(HELD))


@pytest.fixture
async def beats(bus: Client) -> AsyncIterator[list[tuple[float, bytes]]]:
    seen: list[tuple[float, bytes]] = []

    async def note(msg: Msg) -> None:
        seen.append((time.monotonic(), msg.data))

    subscription = await bus.subscribe("$JS.ACK.test.>", cb=note)
    yield seen
    await subscription.unsubscribe()


async def test_orders_and_the_name_are_kept_alive_while_the_loop_is_blocked(
    bus: Client, nats_server: NatsServer, beats: list[tuple[float, bytes]]
) -> None:
    beating = Heartbeat(nats_server.authorised_url, lambda: dict(HELD), status)
    beating.start()
    try:
        await until(lambda: beats, 10, "the first beat")
        assert beats[0][1] == b"+WPI"
        blocked_from = time.monotonic()
        # The promise is about time: a beat comes within it while the loop, blocked on purpose, sees nothing.
        time.sleep(heartbeat.ORDER_BEAT_S + 1.5)  # noqa: ASYNC251
        blocked_until = time.monotonic()
        await until(lambda: len(beats) > 1, 0.8, "what was sent meanwhile")
        assert await NatsFleet(bus).alive("Worker-1", "i1", "g-1.t-a")
    finally:
        await beating.stop()
    assert blocked_until - blocked_from > heartbeat.ORDER_BEAT_S


async def test_a_worker_whose_loop_hangs_for_long_is_given_up(
    nats_server: NatsServer, beats: list[tuple[float, bytes]]
) -> None:
    beating = Heartbeat(nats_server.authorised_url, lambda: dict(HELD), status, order_beat_s=0.2, hung_after_s=1.0)
    beating.start()
    await until(lambda: beats, 10, "the first beat")
    deadline = time.monotonic() + 10
    while beating.alive:
        assert time.monotonic() < deadline, "the heartbeat goes on for a loop that hangs"
        time.sleep(0.02)  # noqa: ASYNC251  waits without the loop, which is blocked on purpose
    await asyncio.sleep(0)
    await beating.stop()
