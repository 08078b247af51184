"""What counts as a lost Postgres, and what is somebody else's error."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import structlog
from nats.errors import TimeoutError as NatsTimeoutError

from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.postgres.database import Connection, Database, on_loss
from agenthub_runtime.readmodels import CHANNEL, PositionWatch
from tests.support.following import BACKOFF
from tests.support.until import PATIENCE_S, until

KILL = "SELECT pg_terminate_backend($1)"
SHAPES = """
CREATE SCHEMA agenthub;
CREATE TYPE shape AS (a int);
CREATE VIEW agenthub.projection_live AS
  SELECT 'readmodels' AS projection, 1 AS version, row(1)::shape AS generation;
CREATE VIEW agenthub.projection_positions AS
  SELECT 'readmodels' AS projection, 1 AS version, row(1)::shape AS generation, 'EVENTS' AS source, 7 AS position;
"""
PLAIN = """
CREATE SCHEMA agenthub;
CREATE TABLE agenthub.projection_live AS SELECT 'readmodels' AS projection, 1 AS version, 1 AS generation;
CREATE TABLE agenthub.projection_positions AS
  SELECT 'readmodels' AS projection, 1 AS version, 1 AS generation, 'EVENTS' AS source, 7::bigint AS position;
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", max_size=2, patience_s=PATIENCE_S) as database:
        yield database


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Connection]:
    async with database.connection() as connection:
        yield connection


async def use_after_kill(connection: Connection, other: Connection) -> None:
    await other.execute(KILL, await connection.fetchval("SELECT pg_backend_pid()"))
    await connection.fetchval("SELECT 1")


async def test_a_connection_that_is_killed_in_use_is_told_as_a_lost_server(
    database: Database, other: Connection
) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.connection() as connection:
            await use_after_kill(connection, other)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_connection_of_ones_own_that_is_killed_is_told_as_a_lost_server(
    database: Database, other: Connection
) -> None:
    connection = await database.alone()
    with pytest.raises(DatabaseUnavailable), on_loss(connection):
        await use_after_kill(connection, other)


async def test_a_query_that_takes_too_long_is_told_as_a_lost_server(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.connection() as connection:
            await connection.execute("SELECT pg_sleep(5)", timeout=0.05)


@pytest.mark.parametrize("error", [NatsTimeoutError, TimeoutError, ConnectionResetError])
async def test_what_another_server_does_is_not_called_the_databases(
    database: Database, error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with database.connection():
            raise error


async def test_a_mistaken_call_comes_out_as_it_is(database: Database) -> None:
    with pytest.raises(asyncpg.InterfaceError, match="expects 1 argument"):
        async with database.connection() as connection:
            await connection.fetchval("SELECT $1::int")


async def test_the_position_is_followed_on_after_the_driver_has_lost_its_way(
    database: Database, other: Connection
) -> None:
    await other.execute(SHAPES)
    async with PositionWatch(database, BACKOFF) as watch:
        await until(lambda: watch.current, what="a position is known")
        await other.execute("ALTER TYPE shape ADD ATTRIBUTE b int")
        with structlog.testing.capture_logs() as lines:
            await other.execute("SELECT pg_notify($1, '')", CHANNEL)
            await until(lambda: "following_again" in {line["event"] for line in lines}, what="it follows again")


async def test_the_position_is_followed_on_after_an_error_that_nobody_foresaw(
    database: Database, other: Connection
) -> None:
    await other.execute("CREATE SCHEMA agenthub; CREATE TABLE agenthub.projection_live (projection text)")
    await other.execute("CREATE TABLE agenthub.projection_positions (projection text)")
    with structlog.testing.capture_logs() as lines:
        async with PositionWatch(database, BACKOFF) as watch:
            await until(lambda: lines, what="it is told")
            assert {line["event"] for line in lines} == {"following_failed"}
            await other.execute("DROP SCHEMA agenthub CASCADE")
            await other.execute(PLAIN)
            assert await watch.wait(7, 10)
