"""kill -9 between any two steps of a delivery: the next worker ends it, with one push and one request."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.task import MergeConflicted, TaskCompleted, TaskParked
from agenthub_runtime.embedded.servers.nats import NatsServer
from tests.crash.test_worker_kill import doomed_worker, hand_back
from tests.integration.test_worker_delivers import Goal, access_to, push_main
from tests.integration.test_worker_merges import DONE, by_task, write
from tests.support.git_hosts import TOKEN, GitHost, a_host, git

pytestmark = pytest.mark.extra


def settings_of(host: GitHost) -> dict[str, str]:
    return {
        "AGENTHUB_GIT_TOKENS": f"{host.name}={TOKEN}",
        "AGENTHUB_GIT_FORGES": f"{host.name}=github:{host.api}",
    }


@pytest.mark.parametrize("place", ["before-push", "after-push", "before-request", "after-request"])
async def test_a_delivery_that_was_killed_is_ended_by_the_next_worker_and_nothing_is_done_twice(
    nats_server: NatsServer, bus: Client, tmp_path: Path, place: str
) -> None:
    async with a_host(tmp_path / "host") as host:
        goal = Goal(bus, host, tmp_path / "worker", access_to(host))
        await goal.work()
        folder, settings = tmp_path / "one", settings_of(host)
        async with by_task() as model, doomed_worker(nats_server, model, folder, place, 1, **settings) as one:
            await goal.order(request=True)
            assert await asyncio.wait_for(one.wait(), 120) == -signal.SIGKILL
        await hand_back(bus, goal.desk, "deliver-1")
        async with goal.worker():
            ended = await goal.desk.ended("deliver-1", deadline_s=300)
        assert isinstance(ended, TaskCompleted), ended
        assert goal.there(f"goal/{goal.desk.goal_id}") == await goal.desk.head()
        assert host.pushes == 1
        assert len(host.created) == 1


@pytest.mark.parametrize("place", ["before-merge-batch", "after-merge-batch"])
async def test_a_delivery_that_was_killed_while_it_merged_its_target_has_merged_it_once_and_delivers_once(
    nats_server: NatsServer, bus: Client, tmp_path: Path, place: str
) -> None:
    async with a_host(tmp_path / "host") as host:
        goal = Goal(bus, host, tmp_path / "worker", access_to(host))
        await goal.work()
        theirs, before = push_main(host, {"free.py": "free = 1\n"}), await goal.desk.head()
        folder, settings = tmp_path / "one", settings_of(host)
        async with by_task() as model, doomed_worker(nats_server, model, folder, place, 1, **settings) as one:
            await goal.order()
            assert await asyncio.wait_for(one.wait(), 120) == -signal.SIGKILL
        await hand_back(bus, goal.desk, "deliver-1")
        async with goal.worker():
            assert isinstance(await goal.desk.ended("deliver-1", deadline_s=300), TaskParked)
        assert [merge.base for merge in await goal.desk.merges() if merge.origin == "base"] == [before]
        assert isinstance(await goal.delivered(attempt=2, base=theirs), TaskCompleted)
        assert host.pushes == 1
        branch = git(host.root / "ada" / "service.git", "log", "--format=%H", f"goal/{goal.desk.goal_id}").split()
        assert {theirs, before} <= set(branch)


@pytest.mark.parametrize("place", ["after-tool-receipt", "before-merge-batch", "after-merge-batch"])
async def test_an_agent_that_was_killed_while_it_settled_a_conflict_is_followed_by_one_that_ends_it(
    nats_server: NatsServer, bus: Client, tmp_path: Path, place: str
) -> None:
    async with a_host(tmp_path / "host") as host:
        goal = Goal(bus, host, tmp_path / "worker", access_to(host))
        await goal.work()
        theirs, before = push_main(host, {"x.py": "x = 3\n"}), await goal.desk.head()
        assert isinstance(await goal.delivered(), MergeConflicted)
        settled = by_task(merge_deliver_1_1=[write("x.py", "x = 5\n"), DONE])
        folder, settings = tmp_path / "one", settings_of(host)
        async with settled as model, doomed_worker(nats_server, model, folder, place, 1, **settings) as one:
            await goal.order_merge()
            assert await asyncio.wait_for(one.wait(), 120) == -signal.SIGKILL
        await hand_back(bus, goal.desk, "merge-deliver-1-1")
        async with goal.worker(merge_deliver_1_1=[write("x.py", "x = 5\n"), DONE]):
            ended = await goal.desk.ended("merge-deliver-1-1", deadline_s=300)
        assert isinstance(ended, TaskCompleted), ended
        assert [merge.base for merge in await goal.desk.merges() if merge.origin == "base"] == [before]
        assert isinstance(await goal.delivered(2, base=theirs), TaskCompleted)
        repository, branch = host.root / "ada" / "service.git", f"goal/{goal.desk.goal_id}"
        assert git(repository, "show", f"{branch}:x.py") == "x = 5"
        assert git(repository, "log", "-1", "--format=%P", branch) == f"{before} {theirs}"
