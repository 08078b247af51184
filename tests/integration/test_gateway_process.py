"""The gateway as a process: it starts, stops cleanly, and what it has acknowledged survives it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from nats.aio.client import Client

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.until import PATIENCE_S

START_S = 180


@asynccontextmanager
async def gateway_process(nats_server: NatsServer, **more: str) -> AsyncIterator[tuple[Process, str]]:
    """A gateway on a free port, and its address as its log tells it."""
    env = {
        "PATH": os.environ["PATH"],
        "NATS_URL": nats_server.authorised_url,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "AGENTHUB_PORT": "0",
        "AGENTHUB_LOG_FORMAT": "json",
        **more,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "agenthub_gateway", env=env, stderr=PIPE)
    try:
        async with asyncio.timeout(START_S):
            yield process, await _address(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _address(process: Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        told = json.loads(line)
        if told.get("event") == "gateway_listening":
            return str(told["url"])
    raise AssertionError("the gateway ended before it listened")


def client_of(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S)


async def test_i1_a_goal_that_was_acknowledged_survives_a_kill(nats_server: NatsServer, bus: Client) -> None:
    async with (
        gateway_process(nats_server) as (process, url),
        client_of(url) as client,
    ):
        acknowledged: list[str] = []

        async def submit(number: int) -> None:
            try:
                response = await client.post("/api/v1/goals", json={"goal": f"Goal {number}"})
            except httpx2.TransportError:
                return
            if response.status_code != 202:
                return
            acknowledged.append(response.json()["goal_id"])
            if len(acknowledged) == 20:
                process.send_signal(signal.SIGKILL)

        await asyncio.gather(*(submit(number) for number in range(200)))
        await process.wait()
    log = JetStreamEventLog(bus)
    assert len(acknowledged) >= 20
    for goal_id in acknowledged:
        assert await log.last(goal_id) is not None


async def test_a_repeated_submission_after_a_kill_finds_the_goal(nats_server: NatsServer, bus: Client) -> None:
    answers = []
    for _ in range(2):
        async with (
            gateway_process(nats_server) as (process, url),
            client_of(url) as client,
        ):
            response = await client.post("/api/v1/goals", json={"goal": "A"}, headers={"Idempotency-Key": "k"})
            answers.append((response.status_code, response.json()))
            process.send_signal(signal.SIGKILL)
            await process.wait()
    assert answers[0] == answers[1]
    assert await JetStreamEventLog(bus).last_seq() == 1


async def test_sigterm_ends_the_gateway_at_once_even_with_listeners(nats_server: NatsServer, bus: Client) -> None:
    async with (
        gateway_process(nats_server) as (process, url),
        client_of(url) as client,
        client.stream("GET", "/api/v1/stream") as response,
    ):
        lines = response.aiter_lines()
        await anext(lines)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert [line async for line in lines if line.strip(": ")] == []
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("setting", "value"), [("AGENTHUB_HOST", "0.0.0.0"), ("NATS_URL", ""), ("DATABASE_URL", "mysql://x/y")]
)
async def test_settings_that_do_not_fit_are_told_and_nothing_starts(
    nats_server: NatsServer, setting: str, value: str
) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "NATS_URL": nats_server.authorised_url,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        setting: value,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "agenthub_gateway", env=env, stderr=PIPE)
    _, told = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode == 2
    assert setting in told.decode()
