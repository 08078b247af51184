"""Three NATS servers, two orchestrators, two gateways and nine workers, as compose.yaml says, on this machine."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalPlanned, GoalReadyForReview
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskStarted
from tests.cluster.hub import ClusterHub
from tests.support.running_hub import SAMPLE
from tests.support.until import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(3_600)]

EXPECTED = {
    **{"nats-1": 1, "nats-2": 1, "nats-3": 1, "orchestrator": 2, "projector": 1, "gateway": 2, "notifier": 1},
    **{"coding-agent-worker": 3, "test-agent-worker": 2, "review-agent-worker": 1, "debug-agent-worker": 1},
    **{"security-agent-worker": 1, "architect-agent-worker": 1},
}
# On a machine that does nothing else it takes less than a minute; how long is no part of what is shown.
ENDS_WITHIN_S = 900.0


async def of(hub: ClusterHub, goal_id: str) -> list[Event]:
    return [r.event for r in await hub.events(goal_id) if isinstance(r.event, Event)]


async def check_whole(hub: ClusterHub, goal_id: str) -> None:
    """Every task has one order an attempt and one end, and the three gates have judged the same head."""
    events = await of(hub, goal_id)
    (planned,) = [event for event in events if isinstance(event, GoalPlanned)]
    (ready,) = [event for event in events if isinstance(event, GoalReadyForReview)]
    orders = Counter((e.task_id, e.attempt) for e in events if isinstance(e, TaskEnqueued))
    ends = Counter(e.task_id for e in events if isinstance(e, TaskCompleted))
    assert set(orders.values()) == {1}, orders
    assert set(ends.values()) == {1}, ends
    assert {task.task_id for task in planned.tasks} <= set(ends)
    assert [e.gate for e in events if isinstance(e, GateFailed)] == ["tests"]
    passed = [(e.gate, e.commit) for e in events if isinstance(e, GatePassed)]
    assert passed == [(gate, ready.head) for gate in ("tests", "security", "review")]


async def streams(hub: ClusterHub) -> list[dict[str, Any]]:
    async with hub.bus() as nc:
        answer = await nc.request("$JS.API.STREAM.LIST", b"{}", timeout=30)
    listed: list[dict[str, Any]] = msgspec.json.decode(answer.data)["streams"]
    return listed


async def holder(hub: ClusterHub, goal_id: str, service: str, *, but: str = "") -> str:
    """A worker of `service` that holds an attempt of the goal in this moment."""
    pids = {f"-{hub.engine.pid(name)}": name for name in hub.engine.names(service)}

    async def held() -> str:
        open_attempts: dict[str, str] = {}
        for event in await of(hub, goal_id):
            if isinstance(event, TaskStarted):
                open_attempts[event.task_id] = event.worker
            elif isinstance(event, TaskCompleted):
                open_attempts.pop(event.task_id, None)
        names = (name for worker in open_attempts.values() for end, name in pids.items() if worker.endswith(end))
        return next((name for name in names if name != but), "")

    return await until(held, 300, f"a {service} at work", pause_s=0.1)


async def test_what_runs_is_what_the_file_says(hub: ClusterHub) -> None:
    assert Counter(container.service for container in hub.engine.containers.values()) == EXPECTED
    assert sum(hub.engine.restarts.values()) == 0, hub.engine.restarts
    assert {(s["config"]["num_replicas"], len(s["cluster"]["replicas"])) for s in await streams(hub)} == {(3, 2)}


async def test_the_sample_goal_ends_ready_for_review(hub: ClusterHub) -> None:
    goal_id = await hub.submit(SAMPLE)
    await hub.see(goal_id, lambda event: isinstance(event, GoalReadyForReview), within_s=ENDS_WITHIN_S)
    await check_whole(hub, goal_id)


async def test_it_ends_so_when_one_of_everything_is_killed(hub: ClusterHub) -> None:
    engine, goal_id = hub.engine, await hub.submit(SAMPLE)
    await hub.see(
        goal_id, lambda event: isinstance(event, TaskStarted) and event.task_id.startswith("t-implement")
    )
    first = await holder(hub, goal_id, "coding-agent-worker")
    engine.kill(first)
    lost = f"{await hub.leader_of('EVENTS')}-1"
    engine.kill(lost, hold=True)
    engine.kill("orchestrator-1")
    # It goes on with two of three servers and one orchestrator.
    await hub.see(goal_id, lambda event: isinstance(event, TaskCompleted) and "implement" in event.task_id)
    engine.kill("gateway-1")
    second = await holder(hub, goal_id, "test-agent-worker")
    engine.kill(second)
    await hub.see(goal_id, lambda event: isinstance(event, GateFailed))
    engine.let_go(lost)
    await hub.see(goal_id, lambda event: isinstance(event, GoalReadyForReview), within_s=ENDS_WITHIN_S)

    await check_whole(hub, goal_id)
    await engine.healthy(within_s=180)
    killed = {lost, "orchestrator-1", "gateway-1", first, second}
    assert {name for name, count in engine.restarts.items() if count} == killed, (
        "nobody else had to be started again"
    )
    assert {engine.restarts[name] for name in killed} == {1}

    async def caught_up() -> bool:
        replicas = [replica for stream in await streams(hub) for replica in stream["cluster"]["replicas"]]
        return all(replica["current"] and not replica.get("offline") for replica in replicas)

    await until(caught_up, 300, "every server has everything again")

    async def shown() -> bool:
        return (await hub.goal(goal_id)).get("status") == "ready_for_review"

    await until(shown, 300, "the read models say so too")
    logs = {name: engine.log(name) for name in engine.containers}
    assert [name for name, text in logs.items() if "Traceback" in text] == []
    assert [name for name, text in logs.items() if "permissions violation" in text.lower()] == []
