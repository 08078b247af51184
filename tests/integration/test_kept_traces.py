"""Spans on their way from a service to Postgres, over a real bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from nats.aio.client import Client
from opentelemetry.sdk.trace import ReadableSpan

from agenthub_orchestrator.traces.keeper import traces_kept
from agenthub_orchestrator.traces.store import add_spans, delete_spans, prepare_spans
from agenthub_runtime.bus_users.rights import spans_of
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.following import Backoff
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.telemetry.conventions import GOAL_ID, TASK_ID, WORKER
from agenthub_runtime.telemetry.goal_trace import in_words, root_of
from agenthub_runtime.telemetry.span_keeping import SpanKeeper
from agenthub_runtime.telemetry.span_records import SpanRecord, message_of, pack
from agenthub_runtime.telemetry.span_sending import spans_sent
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_runtime.traces import KeptSpan, spans_of_goal
from tests.support.following import BACKOFF
from tests.support.until import PATIENCE_S, until

GOAL = "g-" + "0" * 26


class SetClock(SystemClock):
    """Says what it was set to."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        yield database


@asynccontextmanager
async def as_user(server: NatsServer, user: str) -> AsyncIterator[Client]:
    nc = await connect(server.url_of(user), user, give_up_after_s=300)
    try:
        yield nc
    finally:
        await nc.close()


async def kept(database: Database, goal_id: str = GOAL, task_id: str | None = None) -> list[KeptSpan]:
    async with database.connection() as connection:
        return (await spans_of_goal(connection, goal_id, task_id)).spans


async def until_kept(database: Database, number: int) -> list[KeptSpan]:
    async def there() -> list[KeptSpan]:
        found = await kept(database)
        return found if len(found) >= number else []

    return await until(there, 300, f"{number} spans are in Postgres")


async def worked(server: NatsServer, user: str, agent_type: str, names: list[str]) -> None:
    """Observe some work as a service does, and end."""
    keeper = SpanKeeper()
    telemetry = Telemetry("test", keeper=keeper)
    about = {GOAL_ID: GOAL, TASK_ID: "t-a", WORKER: "Worker-1"}
    async with as_user(server, user) as nc, spans_sent(keeper, nc, spans_of(agent_type)):
        for name in names:
            with telemetry.span(name, parent=in_words(root_of(GOAL)), attributes=about):
                pass
    assert keeper.lost == 0


async def test_a_span_of_a_worker_ends_in_postgres_where_the_reader_sees_it(
    nats_server: NatsServer, bus: Client, database: Database
) -> None:
    async with as_user(nats_server, "projector") as nc, traces_kept(nc, database, BACKOFF, days=7):
        await worked(nats_server, "worker-coding", "coding", ["process coding"])
        await worked(nats_server, "gateway", "gateway", ["command goal.accepted"])
        found = {span.name: span for span in await until_kept(database, 2)}
    span = found["process coding"]
    assert (span.service, span.task_id, span.kind) == ("worker.coding", "t-a", "internal")
    assert span.parent_id == root_of(GOAL).span_id.to_bytes(8)
    assert span.attributes == {WORKER: "Worker-1"}
    assert span.failed is None
    assert found["command goal.accepted"].service == "gateway"
    assert len(await kept(database, task_id="t-a")) == 2
    assert await kept(database, task_id="t-b") == []
    async with database.connection() as connection:
        may = "SELECT has_table_privilege('agenthub_reader', 'agenthub_traces.spans', $1)"
        assert await connection.fetchval(may, "SELECT")
        assert not await connection.fetchval(may, "INSERT")


async def test_what_is_only_about_a_goal_is_found_by_its_link(
    nats_server: NatsServer, bus: Client, database: Database
) -> None:
    keeper = SpanKeeper()
    telemetry = Telemetry("test", keeper=keeper)
    async with as_user(nats_server, "projector") as nc, traces_kept(nc, database, BACKOFF, days=7):
        async with spans_sent(keeper, nc, spans_of("projector")):
            with telemetry.span("process coding", parent=in_words(root_of(GOAL)), attributes={GOAL_ID: GOAL}):
                pass
            with telemetry.span("project batch", links={"event 0": in_words(root_of(GOAL))}):
                pass
        found = await until_kept(database, 2)
    assert [(span.name, span.is_about) for span in found] == [("process coding", False), ("project batch", True)]


async def test_while_postgres_is_stopped_no_span_is_lost(
    nats_server: NatsServer, bus: Client, tmp_path: Path
) -> None:
    postgres = PostgresServer(DataDir(tmp_path / "pg"))
    await postgres.start()
    try:
        async with (
            Database(postgres.authorised_url, name="test", patience_s=PATIENCE_S) as database,
            as_user(nats_server, "projector") as nc,
            traces_kept(nc, database, BACKOFF, days=7),
        ):
            await worked(nats_server, "worker-coding", "coding", ["before"])
            await until_kept(database, 1)
            await postgres.stop()
            for number in range(20):
                await worked(nats_server, "worker-coding", "coding", [f"meanwhile {number}"])
            assert (await bus.jetstream().stream_info("SPANS")).state.messages == 21
            await postgres.start()
            names = {span.name for span in await until_kept(database, 21)}
            assert names == {"before", *(f"meanwhile {number}" for number in range(20))}

            async def all_acknowledged() -> bool:
                state = await bus.jetstream().consumer_info("SPANS", "traces")
                return (state.num_pending, state.num_ack_pending) == (0, 0)

            await until(all_acknowledged, 300, "nothing is given out again")
    finally:
        await postgres.stop()


async def test_old_spans_are_deleted_and_the_others_stay(
    nats_server: NatsServer, bus: Client, database: Database
) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await prepare_spans(database)
    for days, name in ((8, b"oldspan!"), (6, b"newspan!")):
        async with database.transaction() as connection:
            span = SpanRecord(b"t" * 16, name, b"", "process", 4, 1, 1, {GOAL_ID: GOAL})
            await add_spans(connection, "worker.coding", [span], kept_at=noon - timedelta(days=days))
    backoff = Backoff(SetClock(noon), SystemIds())
    async with as_user(nats_server, "projector") as nc, traces_kept(nc, database, backoff, days=7):

        async def only_the_new() -> bool:
            return [span.span_id for span in await kept(database)] == [b"newspan!"]

        await until(only_the_new, 300, "the old one is deleted")
    assert await delete_spans(database, noon) == 1


async def test_a_span_that_somebody_else_has_written_is_neither_replaced_nor_kept_away(
    database: Database,
) -> None:
    await prepare_spans(database)
    now = datetime.now(UTC)
    for service in ("worker.coding", "orchestrator", "orchestrator"):
        async with database.transaction() as connection:
            span = SpanRecord(b"t" * 16, b"s" * 8, b"", f"by {service}", 4, 1, 1, {GOAL_ID: GOAL})
            await add_spans(connection, service, [span], kept_at=now)
    assert {span.name for span in await kept(database)} == {"by worker.coding", "by orchestrator"}


class Counting(SpanKeeper):
    """Says which spans were made."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.names.append(span.name)


async def test_a_query_that_is_about_no_goal_makes_no_span_unless_somebody_takes_all(database: Database) -> None:
    async def made(telemetry: Telemetry, keeper: Counting, about: dict[str, str]) -> list[str]:
        with telemetry.span("work", attributes=about):
            async with database.connection() as connection:
                await connection.execute("SELECT 1")
        return keeper.names

    keepers = [Counting() for _ in range(3)]
    assert await made(Telemetry("test", keeper=keepers[0]), keepers[0], {}) == ["work"]
    assert (await made(Telemetry("test", keeper=keepers[1]), keepers[1], {GOAL_ID: GOAL}))[-2:] == [
        "SQL SELECT",
        "work",
    ]
    exported = Telemetry("test", processors=(keepers[2],))
    assert (await made(exported, keepers[2], {}))[-2:] == ["SQL SELECT", "work"]


async def test_what_no_service_sends_stops_nothing(
    nats_server: NatsServer, bus: Client, database: Database
) -> None:
    odd = SpanRecord(b"t" * 16, b"o" * 8, b"", "odd\x00", 4, 2**63 - 1, -5, {GOAL_ID: GOAL, "x": float("inf")})
    async with as_user(nats_server, "projector") as nc, traces_kept(nc, database, BACKOFF, days=7):
        async with as_user(nats_server, "worker-coding") as worker:
            for body in (b"", b"{}", message_of("x", [b"\xc1"]), message_of("x", [pack(odd)])):
                await worker.jetstream().publish("span.worker.coding", body)
        await worked(nats_server, "worker-coding", "coding", ["honest"])
        found = await until_kept(database, 2)
    assert [(span.name, span.took_ns) for span in found if span.name != "honest"] == [("odd�", -5)]


async def test_who_keeps_none_removes_what_was_kept(
    nats_server: NatsServer, bus: Client, database: Database
) -> None:
    await prepare_spans(database)
    async with as_user(nats_server, "projector") as nc, traces_kept(nc, database, BACKOFF, days=0):

        async def are_gone() -> bool:
            async with database.connection() as connection:
                return not (await spans_of_goal(connection, GOAL)).are_kept

        await until(are_gone, 300, "the table is gone")


async def test_a_table_of_another_version_is_made_anew_and_a_newer_one_left_alone(database: Database) -> None:
    async def change(command: str) -> None:
        async with database.connection() as connection:
            await connection.execute(command)

    await change("CREATE SCHEMA agenthub_traces; CREATE TABLE agenthub_traces.spans (old text)")
    assert await prepare_spans(database)
    assert await kept(database) == []
    await change("DROP TABLE agenthub_traces.spans")
    assert await prepare_spans(database)
    assert await kept(database) == []
    await change("COMMENT ON SCHEMA agenthub_traces IS '99'; DROP TABLE agenthub_traces.spans")
    assert not await prepare_spans(database)
    with pytest.raises(asyncpg.UndefinedTableError):
        await change("SELECT 1 FROM agenthub_traces.spans")
