"""The heartbeat keeps orders and the worker's name alive, whatever the worker's own loop is busy with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_worker.errors import HeartbeatLost
from agenthub_worker.heartbeat import Heartbeat
from tests.support.until import PATIENCE_S, until

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


@contextlib.contextmanager
def elsewhere(nats_url: str) -> Iterator[list[bytes]]:
    """Beats as another loop sees them, in a thread of its own."""
    seen: list[bytes] = []
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def note(msg: Msg) -> None:
        seen.append(msg.data)

    async def watch() -> None:
        nc = await connect(nats_url, "elsewhere", give_up_after_s=PATIENCE_S)
        await nc.subscribe("$JS.ACK.test.>", cb=note)
        await end.wait()
        await nc.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(watch(),))
    thread.start()
    try:
        yield seen
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


async def test_orders_and_the_name_are_kept_alive_while_the_loop_is_blocked(
    bus: Client, nats_server: NatsServer
) -> None:
    beating = Heartbeat(nats_server.authorised_url, lambda: dict(HELD), status)
    with elsewhere(nats_server.authorised_url) as seen:
        beating.start()
        try:
            await until(lambda: seen, what="the first beat")
            blocked_at, end = len(seen), time.monotonic() + PATIENCE_S
            while len(seen) < blocked_at + 2 and time.monotonic() < end:
                time.sleep(0.02)  # noqa: ASYNC251  the loop is blocked on purpose
            assert len(seen) >= blocked_at + 2, "nothing was sent meanwhile"
            assert set(seen) == {b"+WPI"}
            assert await NatsFleet(bus).alive("Worker-1", "i1", "g-1.t-a")
        finally:
            await beating.stop()


async def test_a_worker_whose_loop_hangs_for_long_is_given_up(
    nats_server: NatsServer, beats: list[tuple[float, bytes]]
) -> None:
    beating = Heartbeat(nats_server.authorised_url, lambda: dict(HELD), status, order_beat_s=0.2, hung_after_s=1.0)
    beating.start()
    await until(lambda: beats, 300, "the first beat")
    time.sleep(2.0)  # noqa: ASYNC251  the loop is blocked on purpose
    try:
        with pytest.raises(HeartbeatLost, match="not moved"):
            await asyncio.wait_for(beating.while_beating(forever()), 120)
    finally:
        await beating.stop()


async def test_the_heartbeat_goes_on_over_a_restart_of_the_bus(tmp_path: Path) -> None:
    server = NatsServer(DataDir(tmp_path))
    await server.start()
    beating = Heartbeat(server.authorised_url, lambda: dict(HELD), status, order_beat_s=0.2)
    beating.start()
    working = asyncio.ensure_future(beating.while_beating(forever()))
    try:
        await beats_at(server, "the first beat")
        assert server.process is not None
        server.process.send(signal.SIGKILL)
        await server.process.wait()
        await server.start()
        await beats_at(server, "a beat after the restart")
        assert not working.done()
    finally:
        working.cancel()
        await beating.stop()
        await server.stop()


async def test_a_worker_that_may_not_beat_is_stopped(nats_server: NatsServer) -> None:
    host = nats_server.authorised_url.rpartition("@")[2]
    beating = Heartbeat(f"nats://nobody:wrong@{host}", lambda: dict(HELD), status)
    beating.start()
    try:
        with pytest.raises(HeartbeatLost, match="credentials"):
            await asyncio.wait_for(beating.while_beating(forever()), 120)
    finally:
        await beating.stop()


async def test_a_worker_whose_work_ends_is_not_held_up_by_its_heartbeat(nats_server: NatsServer) -> None:
    beating = Heartbeat(nats_server.authorised_url, dict, status)
    beating.start()
    await asyncio.wait_for(beating.while_beating(asyncio.sleep(0)), 120)
    await beating.stop()


async def test_a_worker_process_whose_heartbeat_dies_ends_with_an_error(
    nats_server: NatsServer, bus: Client
) -> None:
    process = await started("tests.support.heartless_worker", nats_server)
    _, told = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 1, told.decode()
    assert "worker: The heartbeat has ended" in told.decode()


async def test_a_worker_process_whose_loop_never_moves_again_is_killed(nats_server: NatsServer) -> None:
    process = await started("tests.support.hanging_worker", nats_server)
    _, told = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == -signal.SIGKILL, told.decode()


async def forever() -> None:
    await asyncio.Event().wait()


async def beats_at(server: NatsServer, what: str) -> None:
    """Wait for a beat, heard on a connection of its own."""
    nc = await connect(server.authorised_url, "listener")
    heard = asyncio.Event()

    async def note(_: Msg) -> None:
        heard.set()

    try:
        await nc.subscribe("$JS.ACK.test.>", cb=note)
        await until(heard.is_set, 300, what)
    finally:
        await nc.close()


async def started(module: str, nats_server: NatsServer) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        env={"PATH": os.environ["PATH"], "NATS_URL": nats_server.authorised_url, "AGENT_TYPE": "noop"},
        stderr=asyncio.subprocess.PIPE,
    )
