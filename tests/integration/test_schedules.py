"""Schedules over HTTP, and their goals on a real log, written by the users of the bus that may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.schedule import ScheduleAdded, ScheduleRan, ScheduleSkipped, ScheduleTriggered
from agenthub_events.rules.schedules import place_of
from agenthub_gateway.commands.schedules.triggering import Trigger
from agenthub_gateway.errors import TooManyRuns
from agenthub_orchestrator.schedules.keeper import ScheduleKeeper
from agenthub_replay.streams import StreamsSource
from agenthub_runtime.clock import SystemClock
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.hooks import Hooks, HookSecret
from tests.support.gateway import Gateway, running_gateway, settings
from tests.support.git_hosts import TOKEN, a_host, git
from tests.support.hooks import SIGNING_KEY, signed_by_standard

pytestmark = pytest.mark.extra

GOAL = {"goal": "Update what is outdated", "constraints": {"max_cost_usd": 2.5, "max_llm_calls": 40}}
NIGHTLY = {"name": "nightly", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "goal": GOAL}


class Later(SystemClock):
    """A clock that is `ahead`."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    assert bus.is_connected
    wanted = settings(nats_server.url_of("gateway"), database_url, data_dir=tmp_path / "data")
    async with running_gateway(wanted) as running:
        yield running


async def tell(gateway: Gateway, path: str, body: dict[str, Any] | None = None, *, status: int = 202) -> Any:
    answer = await gateway.client.post(f"/api/v1/schedules{path}", json=body or {})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_schedule_is_added_shown_paused_resumed_and_removed(gateway: Gateway) -> None:
    told = await tell(gateway, "", NIGHTLY)
    assert (told["name"], told["state"]) == ("nightly", "active")
    zone = [datetime.fromisoformat(moment) for moment in told["next"]]
    assert len(zone) == 3
    assert all(moment > datetime.now(UTC) for moment in zone)
    shown = await gateway.get("/api/v1/schedules/nightly")
    assert (shown["cron"], shown["goal"], shown["max_cost_usd"], shown["max_llm_calls"]) == (
        "30 2 * * *",
        GOAL["goal"],
        2.5,
        40,
    )
    assert shown["last"] is None
    paused = await tell(gateway, "/nightly/pause", {"reason": "holidays"})
    assert (paused["state"], paused["next"]) == ("paused", [])
    before = await gateway.log_end()
    assert (await tell(gateway, "/nightly/pause"))["event_id"] is None
    assert await gateway.log_end() == before, "what is so already is no news"
    [listed] = (await gateway.get("/api/v1/schedules"))["items"]
    assert (listed["state"], listed["reason"], listed["next"]) == ("paused", "holidays", [])
    assert (await tell(gateway, "/nightly/resume"))["state"] == "active"
    assert (await tell(gateway, "/nightly/remove"))["state"] == "removed"
    assert (await gateway.get("/api/v1/schedules")) == {"items": []}
    for call in ("pause", "resume", "remove"):
        assert (await tell(gateway, f"/nightly/{call}", status=404))["type"] == "/problems/not-found"


async def test_a_repetition_is_known_and_another_one_of_the_name_is_refused(gateway: Gateway) -> None:
    key = {"Idempotency-Key": "k"}
    first = await gateway.client.post("/api/v1/schedules", json=NIGHTLY, headers=key)
    again = await gateway.client.post("/api/v1/schedules", json=NIGHTLY, headers=key)
    assert (again.json()["event_id"], again.headers["Idempotency-Replayed"]) == (first.json()["event_id"], "true")
    assert first.headers["Location"] == "/api/v1/schedules/nightly"
    assert (await tell(gateway, "", NIGHTLY, status=409))["type"] == "/problems/schedule-exists"


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"cron": "30 2 * * * *"}, "cron"),
    ({"cron": "0 0 30 2 *"}, "cron"),
    ({"time_zone": "Berlin"}, "time_zone"),
    *(({"name": name}, "name") for name in ("", "Nightly", "a.b", "-a", "a b", "ä", "a" * 41, "*", ">", "a\n")),
    ({"goal": {"goal": " "}}, "goal.goal"),
    ({"goal": {"goal": "x", "secrets": ["hunter2hunter2"]}}, "goal.secrets"),
    ({"goal": {"goal": "x", "repository": "/etc"}}, "goal.repository"),
    ({"goal": {"goal": "deploy with AKIAIOSFODNN7EXAMPLE and ghp_" + "a1B2" * 9}}, "goal"),
    ({"goal": {"goal": "x", "workflow": []}}, "goal.workflow"),
    ({"goal": {"goal": "x", "budget": 3}}, "goal.budget"),
    ({"overlaps": True}, "overlaps"),
]


async def test_what_does_not_fit_is_refused_with_its_place(gateway: Gateway) -> None:
    for change, field in UNFIT:
        refused = await tell(gateway, "", {**NIGHTLY, **change}, status=422)
        assert field in [error["key"] for error in refused["errors"]], refused
    assert await gateway.log_end() == 0


async def test_two_orchestrators_begin_one_goal_and_leave_the_next_out_while_it_is_worked_on(
    gateway: Gateway, nats_server: NatsServer
) -> None:
    await tell(gateway, "", {**NIGHTLY, "cron": "* * * * *"})
    connections = [
        await connect(nats_server.url_of("orchestrator"), "test", give_up_after_s=300) for _ in range(2)
    ]
    try:
        logs = [JetStreamEventLog(nats) for nats in connections]
        for minutes in (2, 4):
            clock = Later(timedelta(minutes=minutes))
            await asyncio.gather(*(ScheduleKeeper(log, clock).look() for log in logs for _ in range(3)))
        outcomes = [recorded.event for recorded in await logs[0].read(place_of("nightly"))]
        goals = [recorded.event for recorded in await logs[0].read("*._.goal")]
        events, runs = (FencedStream(connections[0], stream) for stream in ("EVENTS", "RUNS"))
        replayable = await StreamsSource(events, runs, JetStreamArtifacts(connections[0])).goals()
    finally:
        for nats in connections:
            await nats.close()
    ran, skipped = outcomes
    assert isinstance(ran, ScheduleRan)
    assert isinstance(skipped, ScheduleSkipped)
    assert replayable == [ran.goal_id]
    [goal] = goals
    assert isinstance(goal, GoalAccepted)
    assert (goal.submitted_by, goal.constraints.max_cost_usd) == ("schedule nightly", 2.5)
    last = (await gateway.get("/api/v1/schedules/nightly"))["last"]
    assert (last["began"], last["goal_id"]) == (False, ran.goal_id)


async def test_a_run_follows_the_branch_and_keeps_a_commit_that_was_named(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> None:
    async with a_host(tmp_path / "host") as host:
        head = git(host.root / "ada" / "service.git", "rev-parse", "main")
        wanted = settings(
            nats_server.authorised_url, database_url, git=GitAccess(tokens={host.name: TOKEN}), embedded=True
        )
        async with running_gateway(wanted) as gateway:
            for name, ref in (("branch", "main"), ("commit", head)):
                await tell(
                    gateway,
                    "",
                    {**NIGHTLY, "name": name, "goal": {"goal": "x", "repository": host.url(), "ref": ref}},
                )
    added = [recorded.event for recorded in await JetStreamEventLog(bus).read("hub._.schedule")]
    found = {
        event.schedule: (event.goal.ref, event.goal.base_commit)
        for event in added
        if isinstance(event, ScheduleAdded)
    }
    assert found == {"branch": ("refs/heads/main", ""), "commit": ("", head)}


async def test_a_signed_webhook_runs_a_schedule_once_and_no_two_at_a_time(
    bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    assert bus.is_connected
    hooks = Hooks(
        secrets=(HookSecret("schedules/nightly", SIGNING_KEY), HookSecret("schedules/gone", SIGNING_KEY))
    )
    wanted = settings(
        nats_server.url_of("gateway"), database_url, hooks=hooks, api_keys=("o:operate:a-key-of-16-chars",)
    )
    async with running_gateway(wanted, headers={"Authorization": "Bearer a-key-of-16-chars"}) as gateway:
        await tell(gateway, "", NIGHTLY)
        anybody = httpx2.AsyncClient(base_url=gateway.url, timeout=180)

        async def sent(message_id: str, name: str = "nightly", **headers: str) -> httpx2.Response:
            told = {**signed_by_standard(b"{}", message_id), **headers}
            return await anybody.post(f"/api/v1/hooks/schedules/{name}", content=b"{}", headers=told)

        refused = [
            await sent("a", **{"webhook-signature": "v1,AAAA"}),
            await sent("a", **{"webhook-id": "b"}),
            await sent("a", "weekly"),
            await sent("a", "gone"),
        ]
        both = await asyncio.gather(sent("a"), sent("a"))
        first = {answer.json()["result"]: answer.json()["goal_id"] for answer in both}
        again = (await sent("a")).json()
        beside = (await sent("b")).json()
        shown = (await gateway.get("/api/v1/schedules/nightly"))["last"]
        goal_id = first["began"]
        await gateway.client.post(f"/api/v1/goals/{goal_id}/cancel")
        soon = await sent("b")
        await tell(gateway, "/nightly/pause")
        paused = (await sent("c")).json()
        await anybody.aclose()
        events = [recorded.event for recorded in await gateway.hub.log.read(place_of("nightly"))]
        accepted = (await gateway.hub.log.read(goal_id, limit=1))[0].event
    assert [answer.status_code for answer in refused] == [401, 401, 404, 404]
    assert set(first.values()) == {goal_id}
    assert (again["result"], again["goal_id"]) == ("known", goal_id)
    assert (beside["result"], beside["goal_id"]) == ("left_out", goal_id)
    assert (shown["goal_id"], shown["began"], shown["missed"]) == (goal_id, True, 0)
    assert (soon.status_code, soon.json()["type"]) == (429, "/problems/too-many-runs")
    assert 0 < int(soon.headers["retry-after"]) <= 60
    assert (paused["result"], "paused" in paused["reason"]) == ("ignored", True)
    [event] = events
    assert isinstance(event, ScheduleTriggered)
    assert (event.webhook_id, event.due) == ("a", None)
    assert isinstance(accepted, GoalAccepted)
    assert (accepted.submitted_by, accepted.constraints.max_cost_usd) == ("schedule nightly", 2.5)


async def test_a_webhook_does_not_wait_for_a_clock_that_was_set_back(gateway: Gateway) -> None:
    await tell(gateway, "", NIGHTLY)
    log, telemetry = gateway.hub.log, gateway.hub.telemetry
    ahead, clock = Later(timedelta(hours=1)), SystemClock()
    began = []
    for now, webhook_id in ((ahead, "a"), (clock, "b")):
        done = await Trigger(log, now.now, telemetry).run("nightly", webhook_id)
        await gateway.client.post(f"/api/v1/goals/{done.goal_id}/cancel")
        began.append(done.result)
    with pytest.raises(TooManyRuns):
        await Trigger(log, clock.now, telemetry).run("nightly", "c")
    assert began == ["began", "began"]
    assert (await Trigger(log, clock.now, telemetry).run("nightly", "a")).result == "known"


@pytest.mark.parametrize("jump", [timedelta(hours=25), timedelta(hours=-25)])
async def test_a_clock_that_jumps_and_comes_back_begins_no_due_time_twice(
    gateway: Gateway, bus: Client, jump: timedelta
) -> None:
    await tell(gateway, "", {**NIGHTLY, "cron": "0 * * * *", "goal": GOAL, "overlap": True})
    log, clock = JetStreamEventLog(bus), Later(timedelta(hours=2))
    twins = [ScheduleKeeper(log, clock) for _ in range(2)]
    dues = []
    for ahead in (clock.ahead, clock.ahead + jump, clock.ahead, clock.ahead + timedelta(hours=26)):
        clock.ahead = ahead
        await asyncio.gather(*[twin.look() for twin in twins])
        records = await log.read(place_of("nightly"))
        dues = [record.event.due for record in records if isinstance(record.event, ScheduleRan)]
    assert dues == sorted(set(dues))
    assert len(dues) == (3 if jump > timedelta() else 2)
    goals = await log.read("*._.goal")
    assert len([r for r in goals if isinstance(r.event, GoalAccepted)]) == len(dues)
