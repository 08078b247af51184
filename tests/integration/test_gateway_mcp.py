"""Tools at `/mcp` reach as far as the caller's key, and no further."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from nats.aio.client import Client as Bus

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.gateway import Gateway, running_gateway, running_projector, settings
from tests.support.until import until

pytestmark = pytest.mark.extra

SECRETS = {scope: f"{scope}-0123456789abcdef" for scope in ("read", "submit", "operate")}
KEYS = tuple(f"{scope}:{scope}:{secret}" for scope, secret in SECRETS.items())


@pytest.fixture
async def gateway(bus: Bus, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, api_keys=KEYS)
    async with running_projector(JetStreamEventLog(bus), database_url), running_gateway(wanted) as running:
        await until(lambda: readable(running), what="the read models are there")
        yield running


async def readable(gateway: Gateway) -> bool:
    headers = {"Authorization": f"Bearer {SECRETS['read']}"}
    return (await gateway.client.get("/api/v1/goals", headers=headers)).status_code == 200


@asynccontextmanager
async def tools(gateway: Gateway, scope: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {SECRETS[scope]}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=180) as http,
        Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http)) as client,
    ):
        yield client


async def test_a_tool_reaches_as_far_as_the_key_of_its_caller(gateway: Gateway) -> None:
    async with tools(gateway, "read") as client:
        assert not (await client.call_tool("list_goals", {})).is_error
        refused = await client.call_tool("submit_goal", {"goal": "Build a thing"})
        assert refused.is_error
        assert "scope `submit`" in str(refused.content)
    async with tools(gateway, "submit") as client:
        submitted = await client.call_tool("submit_goal", {"goal": "Build a thing"})
        assert not submitted.is_error, submitted.content
        assert submitted.structured_content is not None
        goal_id = submitted.structured_content["goal_id"]
        asked = {"goal_id": goal_id, "feedback": "Another thing"}
        assert "scope `operate`" in str((await client.call_tool("request_changes", asked)).content)
    async with tools(gateway, "operate") as client:
        too_early = await client.call_tool("request_changes", asked)
        assert "cancel the goal" in str(too_early.content)


async def test_without_a_key_there_is_no_tool(gateway: Gateway) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    answer = await gateway.client.post(
        "/mcp", json=body, headers={"Accept": "application/json, text/event-stream"}
    )
    assert answer.status_code == 401
    listening = await gateway.client.get("/mcp", headers={"Authorization": f"Bearer {SECRETS['read']}"})
    assert (listening.status_code, listening.headers["allow"]) == (405, "OPTIONS, POST")


async def test_an_id_is_no_path(gateway: Gateway) -> None:
    async with tools(gateway, "operate") as client:
        for name in ["../sessions", "g-1/approve", "..", "", "g-1?x=1", "g-1%2fapprove"]:
            answer = await client.call_tool("show_goal", {"goal_id": name})
            assert answer.is_error
            assert "pattern" in str(answer.content), name


async def test_an_unknown_goal_is_named_in_the_words_of_the_hub(gateway: Gateway) -> None:
    async with tools(gateway, "read") as client:
        answer = await client.call_tool("watch_goal", {"goal_id": "g-unknown"})
    assert answer.is_error
    assert "g-unknown" in str(answer.content)
