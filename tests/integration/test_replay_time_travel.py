"""Time travel shows what was live: for every event of two real goals, and in what the API answered then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.log import LogReleased
from agenthub_events.serialization.codec import encode
from agenthub_orchestrator.projector.projection import ReadModels, generations, prepare_database
from agenthub_replay.history import GoalHistory, StoredMessage
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Database
from tests.replay.goals import history_of
from tests.support.gateway import Gateway, running_gateway, settings
from tests.support.until import PATIENCE_S

# Both ran side by side in one hub, so their events lie between each other.
GOALS = ("0.1.0-jwt", "0.1.0-price-vat")
READS = {
    "goal": "",
    "tasks": "/tasks",
    "gates": "/gates",
    "usage": "/usage",
    "knowledge": "/knowledge",
    "timeline": "/timeline",
    "interventions": "/interventions",
}
PARAMETERS: dict[str, dict[str, Any]] = {
    "knowledge": {"limit": 500},
    "timeline": {"limit": 500},
    "interventions": {"state": "all"},
}


@pytest.fixture
def histories() -> list[GoalHistory]:
    """Two real goals."""
    return [history_of(name) for name in GOALS]


@pytest.fixture
async def stored(histories: list[GoalHistory], bus: Client) -> list[GoalHistory]:
    """Both goals with their objects in this hub, at the sequences at which they were written."""
    for message in _messages(histories):
        await _publish(bus, message)
    artifacts = JetStreamArtifacts(bus)
    objects = {digest: data for history in histories for digest, data in history.objects.items()}
    await asyncio.gather(*map(artifacts.put, objects.values()))
    return histories


def _messages(histories: list[GoalHistory]) -> list[StoredMessage]:
    messages = {message.seq: message for history in histories for message in history.messages}
    return [messages.get(seq) or _of_the_hub(seq) for seq in range(1, max(messages) + 1)]


async def _publish(bus: Client, message: StoredMessage) -> None:
    ack = await bus.jetstream().publish(message.subject, message.data, headers=dict(message.headers))
    assert ack.seq == message.seq


def _of_the_hub(seq: int) -> StoredMessage:
    """What stood there was about no goal."""
    event = LogReleased(aggregate=f"hub.{seq}", by="test", goal_id="hub", message_seq=seq)
    return StoredMessage(seq=seq, subject=f"evt.hub.k-{seq}.log.released", data=encode(event))


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    async with Database(database_url, name="prepare", patience_s=PATIENCE_S) as database:
        await prepare_database(database)
        async with database.connection() as connection:
            await generations().first(connection)
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data")
    async with running_gateway(wanted) as running:
        yield running


@pytest.mark.extra
async def test_time_travel_equals_what_was_live_at_every_event(
    gateway: Gateway, histories: list[GoalHistory], bus: Client, database_url: str
) -> None:
    log = JetStreamEventLog(bus)
    by_seq = {message.seq: history.goal_id for history in histories for message in history.messages}
    async with Database(database_url, name="projector", patience_s=PATIENCE_S) as database:
        async with database.connection() as connection:
            generation = await generations().first(connection)
        models, position = ReadModels(log, generation.schema), 0
        for message in _messages(histories):
            await _publish(bus, message)
            # What the projector does for a batch of one.
            batch = await log.read("*", after=position)
            changes = await models.process_events(batch, position=position)
            async with database.transaction() as connection:
                await changes.write(connection)
            position = message.seq
            if position in by_seq:
                goal_id = by_seq[position]
                live = await _live(gateway, goal_id)
                replayed = await gateway.get(f"/api/v1/goals/{goal_id}/replay", at_seq=position)
                assert replayed["seq"] == position
                assert {name: replayed[name] for name in READS} == live, position


async def _live(gateway: Gateway, goal_id: str) -> dict[str, Any]:
    async def read(name: str) -> Any:
        answer = await gateway.get(f"/api/v1/goals/{goal_id}{READS[name]}", **PARAMETERS.get(name, {}))
        return answer.get("items", answer)

    found = dict(zip(READS, await asyncio.gather(*map(read, READS)), strict=True))
    # That nobody serves a queue now is no fact of the log.
    found["goal"]["why"] = []
    for task in found["tasks"]:
        if task["reason"].startswith("no running worker serves"):
            task["reason"] = ""
    return found


async def test_a_moment_is_the_last_event_until_then(gateway: Gateway, stored: list[GoalHistory]) -> None:
    history = stored[0]
    path = f"/api/v1/goals/{history.goal_id}/replay"
    for recorded in history.events[::40]:
        at = recorded.event.timestamp.isoformat()  # type: ignore[union-attr]
        assert (await gateway.get(path, at_time=at))["at"] <= at.replace("+00:00", "Z")
    now = await gateway.get(path)
    assert (now["seq"], now["goal"]["status"]) == (history.last_seq, "completed")


NO_PLACES = {
    "?at_seq=0": (400, "at_seq"),
    "?at_seq=x": (400, "at_seq"),
    "?at_seq=1&at_time=2026-01-01T00:00:00Z": (422, "at_seq"),
    "?at_time=2020-01-01T00:00:00Z": (422, "at_time"),
    "/diff?from=9&to=5": (422, "from"),
    "/why?of=t-nothing": (422, "of"),
    "/why?of=999999": (422, "of"),
    "/why?of=auth/jwt.py:999999": (422, "of"),
    "/why?of=auth/jwt.py:0": (422, "of"),
    "/why?of=../../etc/passwd:1": (422, "of"),
    "/why?of=--version:1": (422, "of"),
}


async def test_a_place_that_is_none_is_named(gateway: Gateway, stored: list[GoalHistory]) -> None:
    for path, (status, field) in NO_PLACES.items():
        response = await gateway.client.get(f"/api/v1/goals/{stored[0].goal_id}/replay{path}")
        told = response.json()
        assert (response.status_code, [error["key"] for error in told["errors"]]) == (status, [field]), path


async def test_a_line_leads_to_the_task_that_wrote_it_and_to_the_words_of_the_goal(
    gateway: Gateway, stored: list[GoalHistory]
) -> None:
    path = f"/api/v1/goals/{stored[0].goal_id}/replay/why"
    told = await gateway.get(path, of="auth/jwt.py:30")
    assert told["text"].strip() == '"""Sign claims into a compact token."""'
    types = [(cause["type"], cause["task_id"]) for cause in told["cause"]["causes"]]
    assert types[0] == ("merge.done", "_")
    assert ("task.enqueued", "t-implement-jwt-module") in types
    assert ("goal.planned", "_") in types
    assert types[-1] == ("goal.accepted", "_")
    assert told["cause"]["words"][0] == "Build authentication system with JWT"
    task = await gateway.get(path, of="write-tests")
    assert (task["causes"][0]["task_id"], task["words"][1:]) == ("t-write-tests", ["R1: Unit tests"])


async def test_a_goal_is_played_again_and_compared_with_itself_over_http(
    gateway: Gateway, stored: list[GoalHistory], bus: Client
) -> None:
    before = (await bus.jetstream().stream_info("EVENTS")).state.messages
    for history in stored:
        path = f"/api/v1/goals/{history.goal_id}/replay"
        first, last = history.messages[0].seq, history.last_seq
        changed = await gateway.get(f"{path}/diff", **{"from": first, "to": last})
        states = [(c["before"], c["after"]) for c in changed["changes"] if c["field"] == "status"]
        assert ("planning", "completed") in states or ("accepted", "completed") in states
        assert (await gateway.get(f"{path}/diff", **{"from": last, "to": last}))["changes"] == []
    assert (await bus.jetstream().stream_info("EVENTS")).state.messages == before


async def test_a_goal_that_is_none_is_not_found(gateway: Gateway) -> None:
    for path in ("", "/why?of=1", "/diff?from=1&to=2", "/run"):
        response = await gateway.client.get(f"/api/v1/goals/g-nothing/replay{path}")
        assert response.status_code == 404
