"""kill -9 between any two steps of a delivery: the next worker ends it, with one push and one request."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.task import TaskCompleted
from agenthub_runtime.embedded.servers.nats import NatsServer
from tests.crash.test_worker_kill import doomed_worker, hand_back
from tests.integration.test_worker_delivers import Goal, access_to
from tests.integration.test_worker_merges import by_task
from tests.support.git_hosts import TOKEN, a_host

pytestmark = pytest.mark.extra


@pytest.mark.parametrize("place", ["before-push", "after-push", "before-request", "after-request"])
async def test_a_delivery_that_was_killed_is_ended_by_the_next_worker_and_nothing_is_done_twice(
    nats_server: NatsServer, bus: Client, tmp_path: Path, place: str
) -> None:
    async with a_host(tmp_path / "host") as host:
        goal = Goal(bus, host, tmp_path / "worker", access_to(host))
        await goal.work()
        settings = {
            "AGENTHUB_GIT_TOKENS": f"{host.name}={TOKEN}",
            "AGENTHUB_GIT_FORGES": f"{host.name}=github:{host.api}",
        }
        folder = tmp_path / "one"
        async with by_task() as model, doomed_worker(nats_server, model, folder, place, 1, **settings) as one:
            await goal.order(request=True)
            assert await asyncio.wait_for(one.wait(), 40) == -signal.SIGKILL
        await hand_back(bus, goal.desk, "deliver-1")
        async with goal.worker():
            ended = await goal.desk.ended("deliver-1", deadline_s=40)
        assert isinstance(ended, TaskCompleted), ended
        assert goal.there(f"goal/{goal.desk.goal_id}") == await goal.desk.head()
        assert host.pushes == 1
        assert len(host.created) == 1
