"""A goal that goes on from an event of another one, over HTTP on the real log, with secrets and objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.goal import GoalAccepted, GoalCancelled
from agenthub_events.catalogue.task import MergeDone, TaskCompleted
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.errors import ArtifactMissing, CommandRefused
from agenthub_events.serialization.codec import encode
from agenthub_gateway.commands.append import Intent
from agenthub_gateway.commands.forking import ForkPoint, fork_goal
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.deciding import deciding
from tests.support.gateway import Gateway, running_gateway, running_projector, settings, write
from tests.support.until import until

pytestmark = pytest.mark.extra

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
DECLARED = "a-secret-that-the-goal-declares"
WORKFLOW = [{"key": "a", "title": "A"}, {"key": "b", "title": "B", "depends_on": ["a"]}]


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with (
        running_projector(JetStreamEventLog(bus), database_url),
        running_gateway(settings(nats_server.authorised_url, database_url)) as running,
    ):
        yield running


async def fork(gateway: Gateway, goal_id: str, key: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await gateway.client.post(f"/api/v1/goals/{goal_id}/fork", json=body, headers=headers)
    return answer.status_code, answer.json()


async def a_parent(gateway: Gateway, bus: Client) -> tuple[str, int, str]:
    """A goal with secrets whose first task is done and merged; its last event, and the digest of its bundle."""
    said = {"goal": f"Use {TOKEN}", "secrets": [DECLARED], "workflow": WORKFLOW}
    goal_id = str((await gateway.submit(**said))["goal_id"])
    log, bundle = JetStreamEventLog(bus), await JetStreamArtifacts(bus).put(b"a bundle")
    async with deciding(bus):
        await until(lambda: has(bus, goal_id, "t-a.task.enqueued.coding.p2"))
        merge = MergeDone(
            task_id="t-a",
            attempt=1,
            base="0" * 40,
            head="1" * 40,
            commit="1" * 40,
            tree="2" * 40,
            bundle_ref=bundle,
        )
        await write(log, goal_id, "_", merge)
        result = TaskResult(summary="with a token", commit="1" * 40)
        await write(log, goal_id, "t-a", TaskCompleted(task_id="t-a", agent="coding", attempt=1, result=result))
        await until(lambda: has(bus, goal_id, "t-b.task.enqueued.coding.p2"))
    return goal_id, (await log.read(goal_id))[-1].seq, bundle


async def has(bus: Client, goal_id: str, kind: str) -> bool:
    return any(recorded.subject.endswith(kind) for recorded in await JetStreamEventLog(bus).read(goal_id))


async def stored(bus: Client, goal_id: str) -> list[bytes]:
    return [encode(r.event) for r in await JetStreamEventLog(bus).read(goal_id) if isinstance(r.event, Event)]


async def test_a_fork_takes_over_what_was_done_and_its_parent_stays_as_it_was(
    gateway: Gateway, bus: Client
) -> None:
    parent, at_seq, bundle = await a_parent(gateway, bus)
    before = await stored(bus, parent)
    wanted: dict[str, Any] = {
        "at_seq": at_seq,
        "model": "claude-haiku-4-5",
        "prompt": "Shorter",
        "max_llm_calls": 9,
    }
    status, told = await fork(gateway, parent, **wanted)
    assert (status, told["forked_from"], told["at_seq"]) == (202, parent, at_seq)
    assert (told["tasks_inherited"], told["tasks_ahead"]) == (1, 1)
    child = str(told["goal_id"])
    async with deciding(bus):
        await until(lambda: has(bus, child, "t-b.task.enqueued.coding.p2"))
    kinds = [r.subject.split(".", 2)[2] for r in await JetStreamEventLog(bus).read(child)]
    assert kinds == [
        "_.goal.accepted",
        "_.goal.planned",
        "_.merge.done",
        "t-a.task.completed",
        "t-b.task.enqueued.coding.p2",
    ]
    assert await stored(bus, parent) == before
    assert bundle in (await stored(bus, child))[2].decode()
    seen = await gateway.get(f"/api/v1/goals/{child}", after=await gateway.log_end())
    assert (seen["forked_from"], seen["forked_at_seq"], seen["max_llm_calls"]) == (parent, at_seq, 9)
    assert (seen["tasks_done"], seen["tasks_total"], seen["llm_calls"]) == (1, 2, 0)


async def test_a_fork_that_is_asked_for_again_is_the_same_one(gateway: Gateway, bus: Client) -> None:
    parent, at_seq, _ = await a_parent(gateway, bus)
    first = await fork(gateway, parent, key="once", at_seq=at_seq)
    again = await fork(gateway, parent, key="once", at_seq=at_seq)
    assert again == first
    status, told = await fork(gateway, parent, key="once", at_seq=at_seq - 1)
    assert (status, told["type"]) == (409, "/problems/idempotency-key-reused")
    other = str((await gateway.submit(goal="Another"))["goal_id"])
    elsewhere = (await JetStreamEventLog(bus).read(other))[0].seq
    status, told = await fork(gateway, other, key="once", at_seq=elsewhere)
    assert (status, told["forked_from"]) == (202, other)
    await gateway.client.post(f"/api/v1/goals/{parent}/cancel")
    await gateway.client.post(f"/api/v1/goals/{parent}/erase", json={"confirm": parent})
    assert await fork(gateway, parent, key="once", at_seq=at_seq) == first


async def test_secrets_and_exact_texts_are_the_forks_own_and_outlast_its_parent(
    gateway: Gateway, bus: Client
) -> None:
    parent, at_seq, bundle = await a_parent(gateway, bus)
    child = str((await fork(gateway, parent, at_seq=at_seq))[1]["goal_id"])
    log, texts = JetStreamEventLog(bus), gateway.hub.writer.texts
    [mine] = [r.event for r in await log.read(parent) if isinstance(r.event, GoalAccepted)]
    [own] = [r.event for r in await log.read(child) if isinstance(r.event, GoalAccepted)]
    assert own.secrets_ref not in ("", mine.secrets_ref)
    assert own.goal != mine.goal
    assert TOKEN not in own.goal
    await gateway.client.post(f"/api/v1/goals/{parent}/cancel")
    erased = await gateway.client.post(f"/api/v1/goals/{parent}/erase", json={"confirm": parent})
    assert erased.status_code == 202
    assert await texts.restored_text(own.goal, child) == f"Use {TOKEN}"
    assert await texts.secrets_at(own.secrets_ref, child) == (DECLARED,)
    assert await JetStreamArtifacts(bus).get(bundle) == b"a bundle"
    with pytest.raises(ArtifactMissing):
        await JetStreamArtifacts(bus).get(mine.secrets_ref)
    status, told = await fork(gateway, parent, at_seq=at_seq)
    assert (status, told["type"]) == (409, "/problems/goal-erased")
    assert "submit a new goal" in told["detail"]


async def test_a_fork_whose_parent_is_erased_in_the_same_moment_does_not_go_on_without_its_files(
    gateway: Gateway, bus: Client
) -> None:
    parent, at_seq, _ = await a_parent(gateway, bus)
    fork_id = "g-0000000000000000000000000a"
    await gateway.client.post(f"/api/v1/goals/{parent}/cancel")

    async def erased_meanwhile(made: Callable[[], GoalAccepted]) -> GoalAccepted:
        erased = await gateway.client.post(f"/api/v1/goals/{parent}/erase", json={"confirm": parent})
        assert erased.status_code == 202
        return made()

    hub, point = gateway.hub, ForkPoint(goal_id=parent, at_seq=at_seq)
    intent = Intent(actor="ann", request_id="r-1", body_hash="h")
    with pytest.raises(CommandRefused, match=f"`{fork_id}` was begun and is cancelled") as refused:
        await fork_goal(hub.writer, hub.histories, fork_id, point, intent, aside=erased_meanwhile)
    assert refused.value.code == "goal-erased"
    events = [recorded.event for recorded in await JetStreamEventLog(bus).read(f"{fork_id}._.goal")]
    assert [type(event) for event in events] == [GoalAccepted, GoalCancelled]


async def test_what_cannot_be_forked_is_refused_with_what_can(gateway: Gateway, bus: Client) -> None:
    parent, at_seq, _ = await a_parent(gateway, bus)
    other = str((await gateway.submit(goal="Another"))["goal_id"])
    foreign = (await JetStreamEventLog(bus).read(other))[0].seq
    nobody = f"g-{'0' * 26}"
    for goal_id, body, expected, said in (
        (parent, {"at_seq": foreign}, 422, f"behind this goal: its last event is {at_seq}"),
        (other, {"at_seq": at_seq}, 422, f"before this goal: its first event is {foreign}"),
        (parent, {"at_seq": 0}, 422, "at_seq"),
        (parent, {}, 422, "at_seq"),
        (parent, {"at_seq": at_seq, "model": "two words"}, 422, "model"),
        (parent, {"at_seq": at_seq, "max_cost_usd": -1}, 422, "max_cost_usd"),
        (parent, {"at_seq": at_seq, "plan": [{"key": "a", "title": "A"}]}, 422, "keeps its key"),
        (parent, {"at_seq": at_seq, "plan": []}, 422, "the plan is empty"),
        (nobody, {"at_seq": 1}, 404, ""),
        ("no-goal", {"at_seq": 1}, 404, ""),
    ):
        status, told = await fork(gateway, goal_id, **body)
        assert (status, said in msgspec.json.encode(told).decode()) == (expected, True), told
    assert len(await JetStreamEventLog(bus).read(other)) == 1
