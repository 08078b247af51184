"""A disk that is full: what the hub says meanwhile, and that it takes events again when there is room.

A limit on the size of the server's files stands for the disk: every write fails, and the server keeps the failure,
exactly as it does with a disk that is really full.
"""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from agenthub_gateway.app import ServerPatience
from agenthub_gateway.log_health import FULL, REFUSED, LogHealth
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.store_watch import StoreWatch
from agenthub_runtime.jetstream.declared import create_missing
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.gateway import Gateway, orchestrated, running_gateway, running_projector, settings
from tests.support.until import until

MUCH = 1 << 62


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path, embedded=True)
    async with (
        running_projector(JetStreamEventLog(bus), database_url),
        running_gateway(wanted, patience=ServerPatience()) as running,
    ):
        yield running


def fill(server: NatsServer) -> None:
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def make_room(server: NatsServer) -> None:
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def refused(bus: Client) -> None:
    with pytest.raises(TimeoutError):
        await bus.request("evt.g.t.x.y", b"{}", timeout=0.2)


async def ready(gateway: Gateway, bus: Client) -> tuple[int, str]:
    await orchestrated(bus)
    answer = await gateway.client.get("/health/ready")
    return answer.status_code, answer.json()["checks"]["nats"]["detail"]


async def is_ready(gateway: Gateway, bus: Client) -> bool:
    return await ready(gateway, bus) == (200, "")


async def test_a_hub_says_that_its_log_takes_nothing_and_takes_a_goal_again_when_there_is_room(
    gateway: Gateway, bus: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    first = await gateway.submit()
    await gateway.get(f"/api/v1/goals/{first['goal_id']}", after=first["sequence"])
    assert await until(lambda: is_ready(gateway, bus), 300)

    fill(nats_server)
    answer = await gateway.client.post("/api/v1/goals", json={"goal": "Build more"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/log-unavailable")
    assert "did not take the event" in answer.json()["detail"]
    make_room(nats_server)
    assert await ready(gateway, bus) == (503, REFUSED)

    watch = StoreWatch(nats_server, tmp_path)
    assert await watch.look()
    assert nats_server.process is not None
    assert await nats_server.process.wait() == -signal.SIGKILL
    await nats_server.start()  # what the supervisor does then

    await create_missing(bus)  # what the orchestrator does then

    async def well() -> bool:
        return await ready(gateway, bus) == (200, "")

    await until(well, what="the gateway is ready again")
    second = await gateway.submit()
    assert second["sequence"] == first["sequence"] + 1
    assert not await watch.look()


async def test_a_server_is_left_alone_while_the_disk_has_no_room(
    bus: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    watch = StoreWatch(nats_server, tmp_path, least_free=MUCH)
    assert not await watch.look()
    fill(nats_server)
    await refused(bus)
    with capture_logs() as logs:
        assert [await watch.look() for _ in range(3)] == [False, False, False]
    (said,) = logs
    assert said["event"] == "event_log_not_written"
    assert f"make room on the disk of {tmp_path}" in said["why"]
    assert nats_server.process is not None
    assert nats_server.process.running


async def test_a_server_that_can_still_not_write_is_not_killed_over_and_over(
    bus: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    watch = StoreWatch(nats_server, tmp_path)
    for killed in (True, False):
        fill(nats_server)
        await refused(bus)
        assert await watch.look() is killed
        if killed:
            assert nats_server.process is not None
            await nats_server.process.wait()
            await nats_server.start()
            await until(lambda: bus.is_connected, what="connected again")


async def test_the_disk_alone_limits_the_store(nats_server: NatsServer) -> None:
    # Left to itself the server takes a share of what is free at its start, and refuses all beyond that for good.
    told = msgspec.json.decode(await nats_server.ask("JSZ"))
    assert told["data"]["config"]["max_storage"] > 10**14


def test_a_failed_append_is_forgotten_after_a_while_and_by_one_that_is_stored() -> None:
    watch = LogHealth()
    watch.failed()
    assert watch.trouble() == REFUSED
    watch.works()
    assert watch.trouble() == ""
    forgetful = LogHealth(forget_after_s=0)
    forgetful.failed()
    assert forgetful.trouble() == ""


def test_a_disk_without_room_is_trouble_before_anybody_has_tried(tmp_path: Path) -> None:
    assert LogHealth(tmp_path).trouble() == ""
    assert LogHealth(tmp_path, least_free=MUCH).trouble() == FULL
    assert LogHealth(tmp_path / "gone", least_free=MUCH).trouble() == ""


async def test_a_watch_ends_wherever_it_is_told_to(nats_server: NatsServer, tmp_path: Path) -> None:
    watch, others = StoreWatch(nats_server, tmp_path), len(asyncio.all_tasks())
    for steps in range(60):
        looking = asyncio.create_task(watch.run(every_s=0))
        for _ in range(steps):
            await asyncio.sleep(0)
        looking.cancel()
        done, _ = await asyncio.wait({looking}, timeout=20)
        assert done, f"it goes on after step {steps}"
    assert await until(lambda: len(asyncio.all_tasks()) <= others, 30, "the last questions are answered")
