from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.errors import BusError
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.declared import Declared, apply_assets, declared_assets, diff_assets, keep_declared
from agenthub_runtime.jetstream.timers import DURABLE, STREAM, NatsTimers
from agenthub_runtime.jetstream.work_queue import LANES
from tests.support.until import until


def test_every_agent_type_has_a_consumer_for_every_lane() -> None:
    declared = {asset.name for asset in declared_assets() if asset.stream == "EVENTS" and asset.kind == "consumer"}

    assert declared - {"notifier"} == {f"work-{agent_type}-{lane}" for agent_type in AGENT_TYPES for lane in LANES}


def test_a_cluster_gets_three_copies_of_every_stream() -> None:
    replicas = {a.name: a.config["num_replicas"] for a in declared_assets(replicas=3) if a.kind == "stream"}

    assert "FLEET" in replicas, "in memory: it would be away for as long as its only server is"
    assert set(replicas.values()) == {3}


async def test_what_is_applied_shows_no_drift_and_applying_again_changes_nothing(bus: Client) -> None:
    again = await apply_assets(bus)

    assert {applied.outcome for applied in again} == {"unchanged"}
    assert await diff_assets(bus) == []


async def test_a_changed_consumer_shows_as_drift_and_apply_mends_it(bus: Client) -> None:
    changed = [
        Declared(a.kind, a.stream, a.name, {**a.config, "ack_wait": 20_000_000_000})
        for a in declared_assets()
        if a.name == "work-coding-p0"
    ]
    await apply_assets(bus, changed)

    drifts = await diff_assets(bus)
    assert [(drift.name, drift.key, drift.actual) for drift in drifts] == [
        ("work-coding-p0", "ack_wait", 20_000_000_000)
    ]
    await apply_assets(bus)
    assert await diff_assets(bus) == []


async def test_a_missing_consumer_shows_as_drift(bus: Client) -> None:
    await bus.jetstream().delete_consumer("EVENTS", "work-debug-p3")

    assert [(drift.name, drift.actual) for drift in await diff_assets(bus)] == [("work-debug-p3", "missing")]


async def test_a_misspelt_key_is_refused_with_the_servers_reason(bus: Client) -> None:
    wrong = Declared("stream", "EXTRA", "EXTRA", {"name": "EXTRA", "subjects": ["extra"], "storrage": "file"})

    with pytest.raises(BusError, match="EXTRA"):
        await apply_assets(bus, [wrong])


async def test_i10_events_cannot_be_deleted_purged_or_unprotected(bus: Client) -> None:
    ack = await bus.jetstream().publish("evt.g-x._.goal.accepted", b"{}")

    delete = await bus.request("$JS.API.STREAM.MSG.DELETE.EVENTS", msgspec.json.encode({"seq": ack.seq}))
    purge = await bus.request("$JS.API.STREAM.PURGE.EVENTS", b"")
    events = next(a for a in declared_assets() if a.name == "EVENTS")
    undo = await bus.request(
        "$JS.API.STREAM.UPDATE.EVENTS", msgspec.json.encode({**events.config, "deny_delete": False})
    )

    for answer in (delete, purge, undo):
        assert msgspec.json.decode(answer.data)["error"]["code"] >= 400
    assert (await bus.jetstream().get_msg("EVENTS", ack.seq)).data == b"{}"


async def test_what_a_killed_server_held_in_memory_is_declared_again(nats_server: NatsServer) -> None:
    reconnected = asyncio.Event()
    nc = await connect(nats_server.authorised_url, "keeper", on_reconnect=reconnected.set)
    await apply_assets(nc)
    keeping = asyncio.create_task(keep_declared(nc, reconnected))
    assert nats_server.process is not None
    nats_server.process.send(signal.SIGKILL)
    await nats_server.process.wait()
    await until(lambda: not nc.is_connected, what="the loss is noticed")
    await nats_server.start()
    await until(lambda: nc.is_connected, what="connected again")

    async def whole() -> bool:
        return await diff_assets(nc) == []

    await until(whole, 300, "every stream is there again")
    keeping.cancel()
    await nc.close()


async def test_a_consumer_that_somebody_deleted_is_declared_again(bus: Client) -> None:
    keeping = asyncio.create_task(keep_declared(bus, asyncio.Event(), look_s=0.2))
    await bus.jetstream().delete_consumer(STREAM, DURABLE)

    async def whole() -> bool:
        return await diff_assets(bus) == []

    await until(whole, 300, "the consumer is there again")
    keeping.cancel()


async def test_timers_without_their_consumer_are_told_and_not_asked_for_without_pause(bus: Client) -> None:
    await bus.jetstream().delete_consumer(STREAM, DURABLE)
    async with aclosing(NatsTimers(bus).fired()) as fired:
        with pytest.raises(StoreUnavailable, match="Due timers"):
            await asyncio.wait_for(anext(fired), 120)
