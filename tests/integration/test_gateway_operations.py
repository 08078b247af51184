"""Looking after a hub over HTTP: maintenance, queues that are paused, services that are told something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.base import Fence
from agenthub_events.catalogue.operations import MaintenanceStarted
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.errors import CommandRefused, InvalidInput
from agenthub_events.ports import Stamp
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB
from agenthub_orchestrator.queues.hold_keeper import keep_held
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.declared import apply_assets
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.work_queue import lane_states
from agenthub_runtime.operations.holding import NatsLanes
from agenthub_runtime.operations.registry import ask_service, registered, services
from tests.support.gateway import Gateway, running_gateway, settings
from tests.support.until import until

ALL = frozenset(AGENT_TYPES)


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    assert bus.is_connected
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data")
    async with running_gateway(wanted) as running:
        yield running


async def tell(gateway: Gateway, path: str, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await gateway.client.post(f"/api/v1{path}", json=body or {}, headers=headers)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def held(bus: Client) -> frozenset[str]:
    """The agent types all of whose lanes are paused; none may be half so."""
    states = await lane_states(bus)
    paused = {state.agent_type for state in states if state.paused_until}
    assert paused.isdisjoint(state.agent_type for state in states if not state.paused_until)
    return frozenset(paused)


async def test_maintenance_holds_every_queue_and_its_end_leaves_what_was_paused_before(
    gateway: Gateway, bus: Client
) -> None:
    await tell(gateway, "/queues/coding/pause", {"reason": "no budget"})
    assert await held(bus) == {"coding"}
    told = await tell(gateway, "/maintenance/start", {"reason": "upgrade"}, key="k")
    assert told["maintenance"]["reason"] == "upgrade"
    assert [hold["agent_type"] for hold in told["paused"]] == ["coding"]
    assert await held(bus) == ALL
    before = await gateway.log_end()
    await tell(gateway, "/maintenance/start", {"reason": "upgrade"}, key="k")
    await tell(gateway, "/maintenance/start", {"reason": "again"})
    await tell(gateway, "/queues/code/pause")
    assert await gateway.log_end() == before, "what is so already is no news"
    assert (await gateway.get("/api/v1/holds"))["maintenance"]["reason"] == "upgrade"
    await tell(gateway, "/maintenance/end")
    assert await held(bus) == {"coding"}
    await tell(gateway, "/queues/coding/resume")
    assert await held(bus) == frozenset()
    assert (await gateway.get("/api/v1/holds")) == {"maintenance": None, "paused": []}


@pytest.mark.extra
async def test_a_queue_that_is_resumed_during_maintenance_waits_for_its_end(gateway: Gateway, bus: Client) -> None:
    await tell(gateway, "/queues/review/pause")
    await tell(gateway, "/maintenance/start")
    await tell(gateway, "/queues/review/resume")
    assert await held(bus) == ALL
    await tell(gateway, "/maintenance/end")
    assert await held(bus) == frozenset()


@pytest.mark.extra
async def test_everybody_sees_why_an_order_waits(gateway: Gateway, bus: Client) -> None:
    await tell(gateway, "/maintenance/start", {"reason": "upgrade"})
    order = TaskEnqueued(
        task_id="t-a", agent="coding", agent_type="coding", attempt=1, lane="p1", title="x", timeout_s=60
    )
    draft = Fence().draft("g-" + "0" * 26, "t-a", order, "1", route=("coding", "p1"))
    await gateway.hub.log.append(draft, Stamp(now=SystemClock().now(), metadata={}))
    answer = await gateway.client.get("/health/ready")
    assert answer.json()["maintenance"] == "the hub is in maintenance by local: upgrade"

    async def waits() -> dict[str, Any] | None:
        lanes = (await gateway.get("/api/v1/queues"))["items"]
        return next((lane for lane in lanes if lane["agent_type"] == "coding" and lane["waiting"]), None)

    lane = await until(waits, what="the order waits")
    assert lane is not None
    assert (lane["lane"], lane["paused"]) == ("p1", "the hub is in maintenance by local: upgrade")
    assert lane["oldest_at"] is not None
    queue = gateway.hub.queues
    assert all("maintenance" in found.paused for found in await queue())
    await bus.flush()


@pytest.mark.extra
async def test_what_is_held_outlives_a_restart_of_the_server_and_a_new_declaration(
    gateway: Gateway, nats_server: NatsServer
) -> None:
    await tell(gateway, "/queues/debug/pause")
    await nats_server.stop()
    await nats_server.start()
    again = await connect(nats_server.authorised_url, "again", give_up_after_s=300)
    try:
        await apply_assets(again)
        assert await held(again) == {"debug"}
    finally:
        await again.close()


@pytest.mark.extra
async def test_what_a_dead_gateway_left_undone_is_done_by_the_keeper_and_what_people_paused_stays(
    bus: Client,
) -> None:
    log, js = JetStreamEventLog(bus), bus.jetstream()
    await js.pause_consumer("EVENTS", "work-review-p2", "2100-01-01T00:00:00Z")
    keeping = asyncio.create_task(keep_held(log, NatsLanes(bus), SystemClock()))
    try:
        states = await lane_states(bus)
        assert [state.lane for state in states if state.paused_until] == ["p2"]
    finally:
        keeping.cancel()
    event = MaintenanceStarted(by="ann")
    await log.append(
        Fence().draft(HUB, GOAL_AS_A_WHOLE, event, "r-1"), Stamp(now=SystemClock().now(), metadata={})
    )
    keeping = asyncio.create_task(keep_held(log, NatsLanes(bus), SystemClock()))
    try:

        async def all_held() -> bool:
            return all(state.paused_until for state in await lane_states(bus))

        await until(all_held, what="the keeper has held every lane")
    finally:
        keeping.cancel()
    by_hand = [state.agent_type for state in await lane_states(bus) if not state.is_held]
    assert by_hand == ["review"]
    await NatsLanes(bus).hold([])
    assert [state.agent_type for state in await lane_states(bus) if state.paused_until] == ["review"]


@pytest.mark.extra
async def test_unknown_names_and_hubs_without_a_supervisor_are_told(gateway: Gateway) -> None:
    for path, body, status, word in (
        ("/queues/nothing/pause", {}, 404, "There is no queue `nothing`"),
        ("/workers/Worker-9/drain", {}, 404, "No worker `Worker-9` runs"),
        ("/workers/%2E%2E/drain", {}, 404, "No worker"),
        ("/scale", {"types": "coding", "workers": 3}, 404, "does not start its workers itself"),
        ("/scale", {"types": "coding", "workers": -1}, 422, ""),
        ("/scale", {"types": "nobody", "workers": 1}, 422, "unknown agent"),
        ("/log-level", {"level": "loud"}, 422, ""),
        ("/log-level", {"level": "debug", "service": "nobody"}, 404, "No process of nobody answers"),
        ("/maintenance/start", {"why": "x"}, 422, "why"),
    ):
        answer = await gateway.client.post(f"/api/v1{path}", json=body)
        assert answer.status_code == status, (path, answer.text)
        assert word in answer.text


async def test_services_are_found_and_say_no_in_their_own_words(bus: Client) -> None:
    told: list[bytes] = []

    async def take(body: bytes) -> dict[str, object]:
        told.append(body)
        if body == b'"never"':
            raise InvalidInput("never")
        if body == b'"later"':
            raise CommandRefused("busy", "later")
        return {"took": len(told)}

    about = {"types": "coding"}
    async with registered(
        bus,
        "worker",
        instance="a b/c",
        description="x",
        about=about,
        status=lambda: {"n": 1},
        orders={"try": take},
    ):
        (seen,) = await services(bus, "worker", gather_s=0.2)
        assert (seen.service, seen.instance, dict(seen.about), dict(seen.status)) == (
            *("worker", "a b/c"),
            *(about, {"n": 1}),
        )
        assert await ask_service(bus, "worker", "a b/c", "try", 7) == {"took": 1}
        with pytest.raises(InvalidInput, match="never"):
            await ask_service(bus, "worker", "a b/c", "try", "never")
        with pytest.raises(CommandRefused, match="later"):
            await ask_service(bus, "worker", "a b/c", "try", "later")
        with pytest.raises(InvalidInput, match="level"):
            await ask_service(bus, "worker", "a b/c", "log-level", {"level": "loud"})
        changed = await ask_service(bus, "worker", "a b/c", "log-level", {"level": "error"})
        assert await ask_service(bus, "worker", "a b/c", "status") == {"log_level": "error", "n": 1}
        await ask_service(bus, "worker", "a b/c", "log-level", {"level": changed["was"]})
    with pytest.raises(LookupError):
        await ask_service(bus, "worker", "a b/c", "status")
