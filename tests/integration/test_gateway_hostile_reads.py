"""Addresses that nobody types by accident: none finds anything, and none breaks the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.gateway import Gateway, running_gateway, running_projector, settings
from tests.support.until import until

DOTS, WILD = "..%2f..%2f..%2fetc%2fpasswd", "%3E"
GOAL = "g-" + "0" * 26
GOAL_PATHS = (
    "",
    *("/tasks", "/graph", "/events", "/gates", "/usage", "/knowledge", "/timeline", "/interventions"),
)
BRANCH_PATHS = ("/diff", "/files", "/files/a", "/bundle")


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data")
    async with running_projector(JetStreamEventLog(bus), database_url), running_gateway(wanted) as running:

        async def reads() -> bool:
            return (await running.client.get("/api/v1/goals")).status_code == 200

        await until(reads, what="the read models are there")
        yield running


async def told(gateway: Gateway, address: str, **params: str) -> tuple[int, str]:
    response = await gateway.client.get(address, params=params or None)
    assert "/tmp" not in response.text, response.text
    return response.status_code, response.headers.get("content-type", "")


async def test_a_hostile_goal_id_finds_nothing(gateway: Gateway) -> None:
    for goal_id in (DOTS, WILD, "*", "g-%F0%9F%92%A9", "hub", "_"):
        for path in (*GOAL_PATHS, *BRANCH_PATHS):
            found = await told(gateway, f"/api/v1/goals/{goal_id}{path}")
            assert found == (404, "application/problem+json"), (goal_id, path)


async def test_a_hostile_path_in_a_goals_branch_finds_nothing(gateway: Gateway, tmp_path: Path) -> None:
    answer = await gateway.submit()
    base = f"/api/v1/goals/{answer['goal_id']}"
    await gateway.get(base, after=answer["sequence"])
    for path in (DOTS, "%2e%2e/%2e%2e/etc/passwd", "-x", "/etc/passwd", ".git/config", "%0a"):
        found = await told(gateway, f"{base}/files/{path}")
        assert found == (404, "application/problem+json"), path
    for path in ("../../etc/passwd", "/etc/passwd", "src/../../b"):
        status, kind = await told(gateway, f"{base}/diff", path=path)
        assert (status, kind) == (404, "application/problem+json"), path
    for path in (":(top)*", "-x", "./a"):
        assert (await told(gateway, f"{base}/diff", path=path))[0] == 200, path
    for task in (DOTS, "a%27b"):
        assert (await told(gateway, f"{base}/diff", task=task))[0] == 404, task
        assert (await told(gateway, f"{base}/tasks/{task}"))[0] == 404, task


async def test_a_null_byte_in_an_address_is_refused(gateway: Gateway) -> None:
    refused = (400, "application/problem+json")
    for path in ("g-%00", f"{GOAL}/files/a%00b", f"{GOAL}/tasks/%00", "g-%00/diff"):
        assert await told(gateway, f"/api/v1/goals/{path}") == refused, path
    for name in ("q", "cursor", "status"):
        assert await told(gateway, "/api/v1/goals", **{name: "a\0b"}) == refused, name
    assert await told(gateway, "/api/v1/dead-letters", goal="a\0b") == refused
    response = await gateway.client.post("/api/v1/interventions/%00/answer", json={"action": "retry"})
    assert response.status_code == 400


async def test_words_of_a_query_are_words_alone(gateway: Gateway) -> None:
    answer = await gateway.submit(goal="Build 100 % of it")
    found = await gateway.get("/api/v1/goals", q="100 %", after=answer["sequence"])
    assert len(found["items"]) == 1
    for text in ("_____ 100 %", "'; DROP TABLE goals; --", "\\", "%%%%"):
        assert (await gateway.get("/api/v1/goals", q=text))["items"] == [], text


@pytest.mark.parametrize("escape", ["\\\\u0000", "\\u0000", "\\\\\\\\u0000", "\\\\ud800", "x\\\\u0000\\u0000"])
async def test_a_goal_that_spells_what_postgres_cannot_hold_hides_no_other(gateway: Gateway, escape: str) -> None:
    """`escape` stands in the JSON as it is written here."""
    body = f'{{"goal": "Say it", "requirements": ["Print {escape} and stop"]}}'
    response = await gateway.client.post(
        "/api/v1/goals", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 202, response.text
    said = json.loads(body)["requirements"][0].replace("\0", "\ufffd")
    other = await gateway.submit(goal="Another")
    found = await gateway.get("/api/v1/goals", after=other["sequence"])
    assert [item["goal"] for item in found["items"]] == ["Another", "Say it"]
    assert found["items"][1]["requirements"] == [said]
    assert found["items"][1]["left_out"] == []
    events = await gateway.get(f"/api/v1/goals/{response.json()['goal_id']}/events")
    assert events["items"][0]["event"]["requirements"] == [said]


async def test_a_goal_says_what_of_it_is_left_out(gateway: Gateway, bus: Client) -> None:
    first, second = await gateway.submit(goal="One"), await gateway.submit(goal="Two")
    await gateway.get("/api/v1/goals", after=second["sequence"])
    ack = await bus.jetstream().publish(f"evt.{first['goal_id']}.t-a.task.noted", b'{"type": "from.tomorrow"}')
    found = await gateway.get("/api/v1/goals", after=ack.seq)
    words = [f"{first['goal_id']}.t-a is unreadable: unknown event type `from.tomorrow`"]
    assert [item["left_out"] for item in found["items"]] == [[], words]
    assert (await gateway.get(f"/api/v1/goals/{first['goal_id']}"))["left_out"] == words
