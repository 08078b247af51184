"""What a finished goal keeps beside the log can be erased; the log, and other goals, stay as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy
from nats.js.errors import NotFoundError

from agenthub_events.catalogue.goal import GoalAccepted, GoalErased
from agenthub_events.catalogue.task import TaskNoted
from agenthub_events.errors import ArtifactMissing, StoreUnavailable
from agenthub_events.ports import Stored
from agenthub_events.runs import Closed, RunId
from agenthub_gateway.commands.append import Intent
from agenthub_gateway.commands.submit import submit_goal
from agenthub_gateway.erasing import ErasureKeeper, UnnamedKeeper
from agenthub_gateway.errors import KeyReused
from agenthub_runtime.clock import SystemIds
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.exact_texts import ExactTexts
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from tests.support.gateway import Gateway, running_gateway, settings, write
from tests.support.until import until

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
DECLARED = "a-secret-that-the-goal-declares"


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(nats_server.authorised_url, database_url)) as running:
        yield running


async def erase(gateway: Gateway, goal_id: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = await gateway.client.post(f"/api/v1/goals/{goal_id}/erase", json={"confirm": goal_id, **body})
    return answer.status_code, answer.json()


async def is_there(bus: Client, digest: str) -> bool:
    try:
        await JetStreamArtifacts(bus).get(digest)
    except ArtifactMissing:
        return False
    return True


async def run_of(bus: Client, goal_id: str, reason: str, *, attempt: int = 1) -> RunId:
    run = RunId(goal_id=goal_id, task_id="t-a", attempt=attempt)
    assert isinstance(await JetStreamRunLog(bus).append(run, Closed(reason=reason), expected=0), Stored)
    await JetStreamRunLog(bus).emit(run, "log", b"passing by")
    return run


async def test_runs_objects_and_secrets_of_a_finished_goal_go_and_its_events_stay(
    gateway: Gateway, bus: Client
) -> None:
    log, artifacts = JetStreamEventLog(bus), JetStreamArtifacts(bus)
    mine, other = [
        str((await gateway.submit(goal=f"Use {TOKEN}", secrets=[DECLARED]))["goal_id"]) for _ in range(2)
    ]
    own, shared, of_a_run = [await artifacts.put(data) for data in (b"a log", b"said by both", b"said in a run")]
    for goal_id, digests in ((mine, (own, shared)), (other, (shared,))):
        for digest in digests:
            await write(log, goal_id, "t-a", TaskNoted(task_id="t-a", by="ann", text=f"see {digest}"))
    runs = {goal_id: await run_of(bus, goal_id, f"wrote {of_a_run}") for goal_id in (mine, other)}
    told = {
        goal_id: await artifacts.put(words.encode()) for goal_id, words in ((mine, "do it"), (other, "do both"))
    }
    for goal_id, digest in told.items():
        await run_of(bus, goal_id, f"began with {digest}", attempt=2)

    status, problem = await erase(gateway, mine)
    assert (status, problem["type"]) == (409, "/problems/goal-open")
    assert await is_there(bus, own)
    await gateway.client.post(f"/api/v1/goals/{mine}/cancel")
    before = await log.read(mine)
    wrong = await gateway.client.post(f"/api/v1/goals/{mine}/erase", json={"confirm": other})
    assert (wrong.status_code, wrong.json()["errors"][0]["key"]) == (422, "confirm")
    assert await is_there(bus, own)

    for _ in range(2):  # again is the same
        assert (await erase(gateway, mine, reason="asked to"))[0] == 202
    after = await log.read(mine)
    assert after[:-1] == before
    assert isinstance(after[-1].event, GoalErased)
    assert (after[-1].event.by, after[-1].event.reason) == ("local", "asked to")

    references = {}
    for goal_id in (mine, other):
        accepted = (await log.read(goal_id))[0].event
        assert isinstance(accepted, GoalAccepted)
        references[goal_id] = (accepted.secrets_ref, accepted.goal.partition("[redacted:")[2].rstrip("]"))
    assert [await is_there(bus, digest) for digest in references[mine]] == [False, False]
    assert [await is_there(bus, digest) for digest in references[other]] == [True, True]
    assert [await is_there(bus, digest) for digest in (own, shared, of_a_run)] == [False, True, True]
    assert [await is_there(bus, told[goal_id]) for goal_id in (mine, other)] == [False, True]
    assert await JetStreamRunLog(bus).read(runs[mine]) == []
    assert len(await JetStreamRunLog(bus).read(runs[other])) == 1
    info = await bus.jetstream().stream_info("RUNS", subjects_filter=f"run.{mine}.>")
    assert not info.state.subjects
    rework = await gateway.client.post(f"/api/v1/goals/{mine}/rework", json={"feedback": "more"})
    assert rework.status_code == 409


async def test_who_repeats_the_digest_of_another_goals_secret_does_not_keep_it_alive(
    gateway: Gateway, bus: Client
) -> None:
    log = JetStreamEventLog(bus)
    mine = str((await gateway.submit(secrets=[DECLARED]))["goal_id"])
    accepted = (await log.read(mine))[0].event
    assert isinstance(accepted, GoalAccepted)
    await gateway.submit(goal=f"Show me [redacted:{accepted.secrets_ref}]")
    await gateway.client.post(f"/api/v1/goals/{mine}/cancel")
    assert (await erase(gateway, mine))[0] == 202
    assert not await is_there(bus, accepted.secrets_ref)


async def test_a_submission_that_came_twice_leaves_no_secret_behind_its_erasing(
    gateway: Gateway, bus: Client
) -> None:
    """What only the repetition had set aside would be named by no event, and found by no erasing."""
    body = {"goal": f"Use {TOKEN}", "secrets": [DECLARED]}
    answers = [
        await gateway.client.post("/api/v1/goals", json=body, headers={"Idempotency-Key": "once"})
        for _ in range(3)
    ]
    assert {answer.json()["goal_id"] for answer in answers} == {answers[0].json()["goal_id"]}
    assert await _objects(bus) == 2
    reused = await gateway.client.post(
        "/api/v1/goals", json={**body, "goal": "x"}, headers={"Idempotency-Key": "once"}
    )
    assert reused.status_code == 409
    assert await _objects(bus) == 2
    goal_id = answers[0].json()["goal_id"]
    await gateway.client.post(f"/api/v1/goals/{goal_id}/cancel")
    assert (await erase(gateway, goal_id))[0] == 202
    assert await _objects(bus) == 0


async def _objects(bus: Client) -> int:
    """How many objects the store holds."""
    store = await bus.jetstream().object_store("ARTIFACTS")
    try:
        return len(await store.list(ignore_deletes=True))
    except NotFoundError:
        return 0


@pytest.mark.parametrize("log", ["is full", "holds another event there"])
async def test_what_was_set_aside_for_an_event_that_the_log_did_not_take_does_not_stay(
    gateway: Gateway, bus: Client, log: str
) -> None:
    mine = str((await gateway.submit(goal=f"Use {TOKEN}", secrets=[DECLARED]))["goal_id"])
    writer, goal_id = gateway.hub.writer, mine
    if log == "is full":
        goal_id = "g-0000000000000000000000000a"
        await limit_of(bus, "EVENTS", max_bytes=1)
    keeper, before = UnnamedKeeper(bus, writer.doubtful), await _objects(bus)
    said = GoalAccepted(goal=f"Use {TOKEN}")
    refused: object = None
    try:
        intent = Intent(actor="ann", request_id="r-1", body_hash="another")
        refused = await submit_goal(writer, goal_id, said, intent, [DECLARED])
    except (KeyReused, StoreUnavailable) as error:
        refused = error
    assert isinstance(refused, StoreUnavailable if log == "is full" else KeyReused)
    assert await _objects(bus) == before + 2
    for _ in range(2):
        await keeper.look()
    assert await _objects(bus) == before == 2
    assert not writer.doubtful


async def test_what_an_event_names_stays_however_doubtful_it_was(gateway: Gateway, bus: Client) -> None:
    """The answer of a server got lost, and the event was stored."""
    mine = str((await gateway.submit(goal=f"Use {TOKEN}", secrets=[DECLARED]))["goal_id"])
    accepted = (await JetStreamEventLog(bus).read(mine))[0].event
    assert isinstance(accepted, GoalAccepted)
    assert not gateway.hub.writer.doubtful
    doubtful = {accepted.secrets_ref: mine, accepted.goal.partition("[redacted:")[2].rstrip("]"): mine}
    keeper = UnnamedKeeper(bus, doubtful)
    for _ in range(2):
        await keeper.look()
    assert (await _objects(bus), doubtful) == (2, {})


async def test_secrets_that_a_gateway_had_kept_when_it_was_killed_do_not_stay(
    gateway: Gateway, bus: Client, nats_server: NatsServer
) -> None:
    mine = str((await gateway.submit(secrets=[DECLARED]))["goal_id"])
    accepted = (await JetStreamEventLog(bus).read(mine))[0].event
    assert isinstance(accepted, GoalAccepted)
    texts = ExactTexts(JetStreamArtifacts(bus), SystemIds())
    left = [await texts.keep_secrets(["another"], goal_id) for goal_id in (mine, "g-0000000000000000000000000a")]
    a_log = await JetStreamArtifacts(bus).put(b'{"type":"secrets"}')
    nc = await connect(nats_server.url_of("gateway"), "gateway", give_up_after_s=300)
    keeper = UnnamedKeeper(nc, {})
    for _ in range(2):
        await keeper.look()
    await nc.close()
    assert [await is_there(bus, digest) for digest in left] == [False, False]
    assert [await is_there(bus, digest) for digest in (accepted.secrets_ref, a_log)] == [True, True]


async def limit_of(bus: Client, stream: str, **limits: Any) -> None:
    """Let the server refuse what goes into a stream."""
    config = (await bus.jetstream().stream_info(stream)).config
    config.discard = DiscardPolicy.NEW
    await bus.jetstream().update_stream(config, **limits)


async def test_an_erasing_at_which_a_gateway_was_killed_is_finished_by_the_next_one(
    bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    wanted = settings(nats_server.authorised_url, database_url)
    log, artifacts = JetStreamEventLog(bus), JetStreamArtifacts(bus)
    async with running_gateway(wanted) as gateway:
        begun, without_runs, kept = [str((await gateway.submit(secrets=[DECLARED]))["goal_id"]) for _ in range(3)]
        for goal_id in (begun, without_runs):
            await gateway.client.post(f"/api/v1/goals/{goal_id}/cancel")
    # The word is in the log, and nobody came to the rest.
    logs = [await artifacts.put(data) for data in (b"a log of it", b"a log of the other")]
    await run_of(bus, begun, f"wrote {logs[0]}")
    await run_of(bus, kept, f"wrote {logs[1]}")
    for goal_id in (begun, without_runs):
        await write(log, goal_id, "_", GoalErased(by="ann"))
    secrets = {}
    for goal_id in (begun, without_runs, kept):
        accepted = (await log.read(goal_id))[0].event
        assert isinstance(accepted, GoalAccepted)
        secrets[goal_id] = accepted.secrets_ref

    async def finished() -> bool:
        info = await bus.jetstream().stream_info("RUNS", subjects_filter=f"run.{begun}.>")
        there = [await is_there(bus, digest) for digest in (logs[0], secrets[begun], secrets[without_runs])]
        return not info.state.subjects and not any(there)

    assert not await finished()
    async with running_gateway(wanted):
        await until(finished, what="the rest is erased")
    assert await is_there(bus, logs[1])
    assert await is_there(bus, secrets[kept])
    assert (await bus.jetstream().stream_info("RUNS", subjects_filter=f"run.{kept}.>")).state.subjects


async def test_the_last_words_of_a_worker_behind_an_erasing_go_as_well(gateway: Gateway, bus: Client) -> None:
    goal_id = str((await gateway.submit())["goal_id"])
    await gateway.client.post(f"/api/v1/goals/{goal_id}/cancel")
    assert (await erase(gateway, goal_id))[0] == 202
    keeper = ErasureKeeper(bus)
    for _ in range(2):
        await keeper.look()
    late = await run_of(bus, goal_id, "parked: the goal is cancelled")
    await keeper.look()
    assert await JetStreamRunLog(bus).read(late) == []


@pytest.mark.parametrize("goal_id", ["g-00000000000000000000000000", "g-1", "hub", ">", "*"])
async def test_what_is_no_goal_is_not_erased(gateway: Gateway, bus: Client, goal_id: str) -> None:
    kept = str((await gateway.submit(secrets=[DECLARED]))["goal_id"])
    await run_of(bus, kept, "x")
    status, _ = await erase(gateway, goal_id)
    assert status in (404, 422)

    async def both() -> bool:
        return (await bus.jetstream().stream_info("RUNS")).state.messages == 2

    await until(both, what="the run and what it said in passing")
