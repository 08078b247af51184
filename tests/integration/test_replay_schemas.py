"""Read models as of any event, in schemas of their own: filled, compared, and kept away from what is live."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agenthub_replay.errors import SchemaRefused
from agenthub_replay.schemas import compare_schemas, project
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import get_goal
from tests.replay.goals import history_of
from tests.support.projected import projected
from tests.support.until import PATIENCE_S

HISTORY = history_of("0.1.0-price-vat")
LAST = len(HISTORY.messages)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as opened:
        yield opened


@pytest.fixture
async def log(database: Database) -> InMemoryEventLog:
    """A hub with one real goal and live read models of it."""
    stored = InMemoryEventLog()
    for message in HISTORY.messages:
        stored.inject(message.subject, message.data, message.headers)
    await projected(stored, database)
    return stored


async def test_the_last_event_makes_the_live_rows_again(log: InMemoryEventLog, database: Database) -> None:
    made = await project(log, database, "readmodels", "now")
    assert (made.schema, made.to_seq) == ("now", LAST)
    found = await compare_schemas(database, "live", "now")
    assert (found.rows > 50, found.differences) == (True, ())


async def test_an_earlier_event_makes_the_rows_of_then(log: InMemoryEventLog, database: Database) -> None:
    await project(log, database, "readmodels", "then", 30)
    await project(log, database, "readmodels", "before", 10)
    async with database.connection() as connection:
        rows = await connection.fetch('SELECT status, last_seq FROM "then".goals')
        live = await get_goal(connection, HISTORY.goal_id)
    assert rows[0]["last_seq"] == 30
    assert rows[0]["status"] != "completed"
    assert live is not None
    assert live.status == "completed"
    found = await compare_schemas(database, "before", "then")
    assert {d.table for d in found.differences} >= {"goals", "tasks", "timeline"}
    assert all(d.live != d.rebuilt for d in found.differences)


async def test_a_schema_of_replay_is_made_anew(log: InMemoryEventLog, database: Database) -> None:
    await project(log, database, "readmodels", "mine", 5)
    await project(log, database, "readmodels", "mine")
    assert (await compare_schemas(database, "mine", "live")).differences == ()


@pytest.mark.parametrize(
    "schema",
    ["agenthub", "public", "live", "pg_temp", "readmodels_v5_g1", "verify_1", "Mine", "", 'x"; DROP', "a" * 41],
)
async def test_a_schema_of_the_hub_or_of_postgres_is_refused(
    log: InMemoryEventLog, database: Database, schema: str
) -> None:
    with pytest.raises(SchemaRefused, match="cannot be taken"):
        await project(log, database, "readmodels", schema)


async def test_a_schema_of_somebody_else_is_left_alone(log: InMemoryEventLog, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("CREATE SCHEMA theirs; CREATE TABLE theirs.kept (x integer)")
    with pytest.raises(SchemaRefused, match="not made by replay"):
        await project(log, database, "readmodels", "theirs")
    with pytest.raises(SchemaRefused, match="no schema `theirs`"):
        await compare_schemas(database, "theirs", "live")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM theirs.kept") == 0


@pytest.mark.parametrize(("name", "seq"), [("goals", 5), ("readmodels", LAST + 1), ("readmodels", -1)])
async def test_what_is_not_there_is_refused(
    log: InMemoryEventLog, database: Database, name: str, seq: int
) -> None:
    with pytest.raises(SchemaRefused):
        await project(log, database, name, "mine", seq)
