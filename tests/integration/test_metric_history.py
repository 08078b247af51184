"""Metrics on their way from the log and the bus into Postgres, and out of it over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.ports import Recorded
from agenthub_orchestrator.metric_history.keeper import MetricKeeper, metrics_kept, schema
from agenthub_orchestrator.projector.app import project
from agenthub_orchestrator.projector.rebuild import rebuild
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_runtime.metric_history import METRICS
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.shutdown import end_tasks
from tests.support.fleet import say
from tests.support.following import BACKOFF
from tests.support.gateway import Gateway, running_gateway, settings, write
from tests.support.until import PATIENCE_S, until

PATH = "/api/v1/metrics/history"
ORDER = TaskEnqueued(
    task_id="t-b", title="B", agent="coding", agent_type="coding", attempt=1, lane="p2", timeout_s=300
)


@asynccontextmanager
async def keeping(server: NatsServer, url: str, *, every_s: float = 0.05, days: int = 7) -> AsyncIterator[None]:
    """The projector with its metrics, as its own user of the bus."""
    nats = await connect(server.url_of("projector"), "projector", give_up_after_s=300)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(nats.close)
        database = await stack.enter_async_context(Database(url, name="projector", patience_s=PATIENCE_S))
        kept = metrics_kept(nats, database, BACKOFF, days=days, every_s=every_s)
        count = await stack.enter_async_context(kept)
        task = asyncio.create_task(project(JetStreamEventLog(nats), database, BACKOFF, written=(count,)))
        try:
            yield
        finally:
            await end_tasks(task)


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data")
    async with running_gateway(wanted) as running:
        yield running


async def history(gateway: Gateway, *names: str, since: str = "1h") -> dict[str, Any]:
    page = await gateway.get(PATH, metric=list(names), since=since)
    return {item["metric"]: item["series"] for item in page["items"]}


async def totals(gateway: Gateway, name: str) -> dict[str, float]:
    series = (await history(gateway, name))[name]
    return {one["label"]: sum(point["value"] for point in one["points"]) for one in series}


def called(model: str, cost: float | None, *, turn: int = 1, latency_ms: int = 1_000) -> LlmCalled:
    return LlmCalled(
        task_id="t-a",
        attempt=1,
        turn=turn,
        model=model,
        provider="local",
        stop_reason="end_turn",
        request_hash="a" * 64,
        input_tokens=100,
        output_tokens=7,
        cost_usd=cost,
        latency_ms=latency_ms,
    )


async def test_what_the_log_says_and_what_the_bus_shows_are_read_over_http(
    gateway: Gateway, bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    log = JetStreamEventLog(bus)
    goal_id = (await gateway.submit())["goal_id"]
    now = datetime.now(UTC)
    for call in (
        called("large", 0.5),
        called("large", 0.25, turn=2, latency_ms=3_000),
        called("small", None, turn=3),
    ):
        await write(log, goal_id, "t-a", call, at=now)
    await write(log, goal_id, "t-b", ORDER, "coding", "p2", at=now - timedelta(seconds=30))
    await say(bus, WorkerStatus(worker="Worker-1", instance="i", types=("coding",), slots=2, holding=("g.t.1",)))
    async with keeping(nats_server, database_url):

        async def measured() -> bool:
            found = await history(gateway, *(metric.name for metric in METRICS))
            return bool(found["agenthub.queue.age"] and found["agenthub.model.cost"] and found["agenthub.events"])

        await until(measured, 300, "the log is counted and the hub is measured")
        assert await totals(gateway, "agenthub.model.cost") == {"large": 0.75}
        assert await totals(gateway, "gen_ai.client.token.usage") == {"input": 300, "output": 21}
        assert (await totals(gateway, "agenthub.events"))[""] == 5
        [large, small] = (await history(gateway, "gen_ai.client.operation.duration"))[
            "gen_ai.client.operation.duration"
        ]
        assert (large["label"], small["label"]) == ("large", "small")
        assert max(point["max"] for point in large["points"]) == 3.0
        found = await history(gateway, "agenthub.queue.waiting", "agenthub.workers.busy", "agenthub.workers.alive")
        for series in found.values():
            assert [(one["label"], one["points"][-1]["max"]) for one in series] == [("", 1.0)]


async def test_a_name_or_a_time_that_does_not_fit_says_what_does(gateway: Gateway) -> None:
    for query, key, words in (
        ({"metric": "agenthub.queue.aeg"}, "metric", "did you mean `agenthub.queue.age`?"),
        ({"metric": "x<y>"}, "metric", "There are agenthub.dead_letters.open"),
        ({"since": "now"}, "since", "how long ago"),
        ({"step": "1s"}, "step", "whole minutes"),
        ({"since": "90d", "step": "1m"}, "step", "longer step"),
    ):
        answer = await gateway.client.get(PATH, params=query)
        assert answer.status_code == 422, query
        [error] = answer.json()["errors"]
        assert error["key"] == key
        assert words in answer.text, answer.text


async def test_a_hub_that_keeps_no_metrics_says_so_and_removes_what_it_had(
    gateway: Gateway, nats_server: NatsServer, database_url: str
) -> None:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await schema().prepare(database)
    assert (await gateway.get(PATH))["are_kept"]
    async with keeping(nats_server, database_url, days=0):

        async def are_gone() -> bool:
            return not (await gateway.get(PATH))["are_kept"]

        await until(are_gone, 300, "the table is gone")
    page = await gateway.get(PATH, metric="agenthub.events")
    assert [item["series"] for item in page["items"]] == [[]]


async def test_old_minutes_are_deleted_and_what_was_counted_last_is_written_at_the_end(
    gateway: Gateway, nats_server: NatsServer, database_url: str
) -> None:
    now = datetime.now(UTC)
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await schema().prepare(database)
        async with database.connection() as connection:
            for days in (6, 8):
                await connection.execute(
                    "INSERT INTO agenthub_metrics.points VALUES ('agenthub.goal.outcomes', 'failed', $1, 1, 1, 1)",
                    now - timedelta(days=days),
                )

        async def kept() -> int:
            async with database.connection() as connection:
                found: int = await connection.fetchval(
                    "SELECT count(*) FROM agenthub_metrics.points WHERE metric = 'agenthub.goal.outcomes'"
                )
                return found

        await gateway.submit()
        async with keeping(nats_server, database_url, every_s=3_600):
            await until(lambda: _is_read(gateway), 300, "the event is in the read models")
            assert await totals(gateway, "agenthub.events") == {}
            assert await kept() == 2
        assert await totals(gateway, "agenthub.events") == {"": 1}
        assert await kept() == 1


async def test_while_postgres_is_away_what_was_counted_waits(
    bus: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    postgres = PostgresServer(DataDir(tmp_path / "pg"))
    await postgres.start()
    try:
        wanted = settings(nats_server.authorised_url, postgres.authorised_url, data_dir=tmp_path / "data")
        async with keeping(nats_server, postgres.authorised_url), running_gateway(wanted) as gateway:

            async def counted(number: float) -> bool:
                return (await totals(gateway, "agenthub.events")).get("") == number

            await gateway.submit()
            await until(lambda: counted(1), 300, "one is written")
            await postgres.stop()
            await gateway.submit()
            await postgres.start()
            await until(lambda: counted(2), 300, "the other is written, and none twice")
    finally:
        await postgres.stop()


@pytest.mark.parametrize(
    "ruin",
    [
        "DROP SCHEMA agenthub CASCADE; DROP SCHEMA readmodels_v5_g1 CASCADE",
        "DROP SCHEMA readmodels_v5_g1 CASCADE",
        "DROP TABLE agenthub_metrics.counted",
    ],
)
async def test_read_models_that_are_made_anew_count_nothing_twice(
    gateway: Gateway, nats_server: NatsServer, database_url: str, ruin: str
) -> None:
    async def counted(number: float) -> bool:
        return (await totals(gateway, "agenthub.events")).get("") == number

    async with keeping(nats_server, database_url):
        for _ in range(3):
            await gateway.submit()
        await until(lambda: counted(3), 300, "three are counted")
        async with (
            Database(database_url, name="test", patience_s=PATIENCE_S) as database,
            database.connection() as connection,
        ):
            await connection.execute(ruin)
        answer = await gateway.submit()
        await until(lambda: counted(4), 300, "the one after it is counted")
        await until(lambda: _is_read(gateway), 300, "the read models are back")
        seen = await gateway.client.get(f"/api/v1/goals/{answer['goal_id']}")
        assert seen.status_code == 200
    # What was counted last is written at the end.
    assert await totals(gateway, "agenthub.events") == {"": 4}
    async with keeping(nats_server, database_url):
        await gateway.submit()
        await until(lambda: counted(5), 300, "it goes on after a start")


async def test_what_somebody_else_has_written_to_the_read_models_is_counted(
    gateway: Gateway, bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    """`agenthub rebuild` folds the log beside the projector, which then goes on behind it."""
    async with keeping(nats_server, database_url):
        await gateway.submit()
        await until(lambda: _counted(gateway, 1), 300, "one is counted")
    for _ in range(3):
        await gateway.submit()
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await rebuild(JetStreamEventLog(bus), database)
    async with keeping(nats_server, database_url):
        await gateway.submit()
        await until(lambda: _counted(gateway, 5), 300, "the three and the last are counted")
    assert await totals(gateway, "agenthub.events") == {"": 5}


async def test_what_was_counted_and_not_written_when_a_projector_died_is_counted_again(
    gateway: Gateway, bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    async with keeping(nats_server, database_url):
        await gateway.submit()
        await until(lambda: _counted(gateway, 1), 300, "one is counted")
    nats = await connect(nats_server.url_of("projector"), "projector", give_up_after_s=300)
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await gateway.submit()
        # It counts in memory and is never asked to write: as after a kill.
        keeper = MetricKeeper(nats, database, BACKOFF, days=7)
        await asyncio.wait_for(_projected_once(bus, database, keeper), 300)
    await nats.close()
    async with keeping(nats_server, database_url):
        await gateway.submit()
        await until(lambda: _counted(gateway, 3), 300, "all three are counted")


async def test_two_projectors_that_take_turns_count_each_event_once(
    gateway: Gateway, nats_server: NatsServer, database_url: str
) -> None:
    expected = 0
    async with keeping(nats_server, database_url), keeping(nats_server, database_url):
        for _ in range(4):
            for _ in range(3):
                await gateway.submit()
                expected += 1
            await until(lambda: _is_read(gateway), 300, "a projector writes")
            async with (
                Database(database_url, name="test", patience_s=PATIENCE_S) as database,
                database.connection() as connection,
            ):
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'projector'"
                )
        await gateway.submit()
        await until(lambda: _counted(gateway, expected + 1), 300, "every event is counted")
    assert await totals(gateway, "agenthub.events") == {"": expected + 1}


async def _projected_once(bus: Client, database: Database, keeper: MetricKeeper) -> None:
    reached = asyncio.Event()

    def told(batch: Sequence[Recorded]) -> None:
        keeper.count(batch)
        reached.set()

    task = asyncio.create_task(project(JetStreamEventLog(bus), database, BACKOFF, written=(told,)))
    await reached.wait()
    await end_tasks(task)


async def _counted(gateway: Gateway, number: float) -> bool:
    return (await totals(gateway, "agenthub.events")).get("") == number


async def _is_read(gateway: Gateway) -> bool:
    return bool((await gateway.client.get("/api/v1/goals")).json().get("items"))
