"""A goal whose orders nobody takes says which worker it lacks, or what keeps that worker from working."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import WorkerStatus
from tests.support.fleet import say
from tests.support.gateway import Gateway, running_gateway, running_projector, settings, write
from tests.support.until import until


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_projector(JetStreamEventLog(bus), database_url), running_gateway(wanted) as running:
        yield running


async def ordered(bus: Client, goal_id: str, task_id: str, agent_type: str) -> int:
    order = TaskEnqueued(
        task_id=task_id, agent=agent_type, agent_type=agent_type, attempt=1, lane="p2", title="x", timeout_s=60
    )
    return await write(JetStreamEventLog(bus), goal_id, task_id, order, agent_type, "p2")


async def test_a_goal_tells_which_workers_its_orders_lack_until_one_runs(gateway: Gateway, bus: Client) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    for task_id in ("t-a", "t-b", "t-c", "t-d", "t-e"):
        await ordered(bus, goal_id, task_id, "testing")
    seq = await ordered(bus, goal_id, "plan-1", "planner")
    goal = await gateway.get(f"/api/v1/goals/{goal_id}", after=seq)
    assert goal["why"] == [
        "plan-1: no running worker serves `planner`: start one with `agenthub worker planner`",
        "t-a, t-b, t-c and 2 more: no running worker serves `testing`: start one with `agenthub worker testing`",
    ]
    (listed,) = (await gateway.get("/api/v1/goals"))["items"]
    assert listed["why"] == []

    await say(bus, WorkerStatus(worker="W", instance="i", types=("planner", "testing"), slots=1))

    async def nothing_lacks() -> bool:
        return bool((await gateway.get(f"/api/v1/goals/{goal_id}"))["why"] == [])

    await until(nothing_lacks, what="the worker has been heard")


async def test_a_goal_tells_why_a_worker_could_not_start(gateway: Gateway, bus: Client) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    seq = await ordered(bus, goal_id, "t-a", "coding")
    broken = WorkerStatus(worker="w7", instance="", types=("coding",), slots=0, problem="Can't mount proc")
    await say(bus, broken)

    async def told() -> list[Any]:
        why = (await gateway.get(f"/api/v1/goals/{goal_id}", after=seq))["why"]
        return [words for words in why if "Can't mount proc" in words]

    (words,) = await until(told, what="the worker has been heard")
    assert words.startswith("t-a: ")


async def test_a_goal_whose_orders_are_taken_lacks_nobody(gateway: Gateway, bus: Client) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    await say(bus, WorkerStatus(worker="W", instance="i", types=("coding",), slots=1))
    seq = await ordered(bus, goal_id, "t-a", "coding")

    async def heard() -> bool:
        items = (await gateway.get("/api/v1/queues"))["items"]
        return any(item["agent_type"] == "coding" and item["workers"] for item in items)

    await until(heard, what="the worker has been heard")
    assert (await gateway.get(f"/api/v1/goals/{goal_id}", after=seq))["why"] == []
