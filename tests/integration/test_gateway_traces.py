"""Reading a goal's trace over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_orchestrator.traces.store import add_spans, prepare_spans, schema
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.telemetry.conventions import GOAL_ID, TASK_ID, WORKER
from agenthub_runtime.telemetry.span_records import SpanRecord
from tests.support.following import BACKOFF
from tests.support.gateway import Gateway, planned, running_gateway, running_projector, settings, write
from tests.support.until import PATIENCE_S

TOKEN = "ghp_" + "Zk3v" * 9
SECOND = 10**9
NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * SECOND


@pytest.fixture
async def gateway(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data")
    async with running_projector(JetStreamEventLog(bus), database_url), running_gateway(wanted) as running:
        yield running


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_spans(database)
        yield database


def span(goal_id: str, number: int, parent: int = 0, **fields: object) -> SpanRecord:
    values: dict[str, object] = {
        "name": f"step {number}",
        "kind": 0,
        "began": NOON + number * SECOND,
        "took": SECOND // 2,
        "attributes": {GOAL_ID: goal_id, TASK_ID: "t-a", WORKER: "Worker-1"},
        **fields,
    }
    return SpanRecord(b"t" * 16, number.to_bytes(8), parent.to_bytes(8) if parent else b"", **values)  # type: ignore[arg-type]


async def keep(database: Database, spans: Sequence[SpanRecord], service: str = "worker.coding") -> None:
    async with database.transaction() as connection:
        await add_spans(connection, service, spans, kept_at=datetime.now(UTC))


async def begun(gateway: Gateway) -> str:
    goal_id: str = (await gateway.submit(requirements=["Works"]))["goal_id"]
    end = await write(gateway.hub.log, goal_id, "_", planned("a", "b"))
    await gateway.get(f"/api/v1/goals/{goal_id}", after=end)
    return goal_id


async def test_a_trace_is_read_as_a_tree_with_times_from_its_beginning(
    gateway: Gateway, database: Database
) -> None:
    goal_id = await begun(gateway)
    failed = span(goal_id, 3, 2, failed=f"refused for {TOKEN}", took=-5)
    await keep(database, [span(goal_id, 2, kind=4, took=9 * SECOND), failed])
    await keep(database, [span(goal_id, 1, kind=1, attributes={GOAL_ID: goal_id})], "gateway")
    await keep(database, [span(goal_id, 9, attributes={}, linked=[b"t" * 16])], "projector")
    await keep(database, [span("g-" + "9" * 26, 8)])

    page = await gateway.get(f"/api/v1/goals/{goal_id}/trace")
    assert [(row["service"], row["name"], row["depth"]) for row in page["items"]] == [
        ("gateway", "step 1", 0),
        ("worker.coding", "step 2", 0),
        ("worker.coding", "step 3", 1),
        ("projector", "step 9", 0),
    ]
    step = page["items"][2]
    assert (step["offset_ms"], step["duration_ms"], step["parent_id"]) == (2_000.0, 0.0, "0" * 15 + "2")
    assert step["at"] == "2026-03-01T12:00:03Z"
    assert step["error"] == "refused for [redacted]"
    assert step["attributes"] == {WORKER: "Worker-1"}
    assert [row["is_about"] for row in page["items"]] == [False, False, False, True]
    assert (page["total"], page["duration_ms"], page["are_kept"], page["is_cut"]) == (4, 10_000.0, True, False)


async def test_one_task_alone_and_pages_that_go_on_where_the_last_one_ended(
    gateway: Gateway, database: Database
) -> None:
    goal_id = await begun(gateway)
    others = [span(goal_id, number, attributes={GOAL_ID: goal_id, TASK_ID: "t-b"}) for number in range(1, 8)]
    await keep(database, [*others, span(goal_id, 50)])

    alone = await gateway.get(f"/api/v1/goals/{goal_id}/trace", task="t-a")
    assert [row["name"] for row in alone["items"]] == ["step 50"]
    names, cursor = [], "0"
    while cursor:
        page = await gateway.get(f"/api/v1/goals/{goal_id}/trace", limit=3, cursor=cursor)
        names += [row["name"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert names == [*(f"step {number}" for number in range(1, 8)), "step 50"]


async def test_what_there_is_not_is_not_found(gateway: Gateway, database: Database) -> None:
    goal_id = await begun(gateway)
    for path, params in (("g-" + "9" * 26, {}), (goal_id, {"task": "t-none"})):
        answer = await gateway.client.get(f"/api/v1/goals/{path}/trace", params=params)
        assert answer.status_code == 404
    assert (await gateway.client.get(f"/api/v1/goals/{goal_id}/trace", params={"cursor": "x"})).status_code == 422


async def test_a_hub_that_keeps_no_traces_says_so(gateway: Gateway, database: Database) -> None:
    goal_id = await begun(gateway)
    await schema().forget(database, BACKOFF)
    page = await gateway.get(f"/api/v1/goals/{goal_id}/trace")
    assert (page["items"], page["are_kept"]) == ([], False)
