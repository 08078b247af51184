"""Requests that were sent before an upgrade of the hub, and are sent once more after it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from agenthub_events.base import Fence
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.ports import EventLog, Stamp, Stored
from agenthub_events.subjects import GOAL_AS_A_WHOLE, goal_id_for_key
from agenthub_gateway.commands.append import BODY_HASH
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.gateway import AT, Gateway, running_gateway, running_projector, settings
from tests.unit.test_body_hashes import BEFORE_ADDRESSES, BEFORE_SECRETS, EVERY_FIELD, FULL, PLAIN

KEY = "order-66"
BEFORE = goal_id_for_key("local", KEY)


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
async def gateway(log: JetStreamEventLog, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with (
        running_projector(log, database_url),
        running_gateway(settings(nats_server.authorised_url, database_url)) as running,
    ):
        yield running


async def stored_before(log: EventLog, body_hash: str) -> None:
    """What the gateway of an earlier version has written for the key."""
    event = GoalAccepted(goal="Build authentication system with JWT", submitted_by="local", body_hash=body_hash)
    draft = Fence().draft(BEFORE, GOAL_AS_A_WHOLE, event, body_hash)
    assert isinstance(await log.append(draft, Stamp(now=AT, metadata={BODY_HASH: body_hash})), Stored)


@pytest.mark.parametrize("version", [BEFORE_SECRETS, BEFORE_ADDRESSES, EVERY_FIELD])
@pytest.mark.parametrize("body", [PLAIN, FULL])
async def test_a_goal_submitted_before_an_upgrade_is_answered_as_a_replay(
    gateway: Gateway, log: JetStreamEventLog, version: dict[bytes, str], body: bytes
) -> None:
    await stored_before(log, version[body])
    again = await gateway.client.post("/api/v1/goals", content=body, headers={"Idempotency-Key": KEY})
    assert (again.status_code, again.json()["goal_id"]) == (202, BEFORE)
    assert again.headers["idempotency-replayed"] == "true"
    other = await gateway.client.post("/api/v1/goals", json={"goal": "Else"}, headers={"Idempotency-Key": KEY})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert await log.last_seq() == 1
