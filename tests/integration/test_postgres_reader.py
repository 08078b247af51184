"""The role with which the gateway reads Postgres: it sees every read model and changes none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from agenthub_orchestrator.projector.projection import VERSION, prepare_database
from agenthub_orchestrator.projector.rebuild import rebuild
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.postgres.roles import let_reader_read, make_reader
from tests.support.until import PATIENCE_S

TABLES = "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind = 'r' AND (n.nspname LIKE 'agenthub%' OR n.nspname LIKE 'readmodels%') ORDER BY 1"
WRITES = (
    "CREATE TABLE mine (n int)",
    "CREATE TABLE agenthub.mine (n int)",
    "CREATE TEMPORARY TABLE mine (n int)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "DROP SCHEMA agenthub CASCADE",
    "ALTER ROLE agenthub PASSWORD 'x'",
    "DELETE FROM public.agenthub_migrations",
    "UPDATE agenthub.projection_positions SET projection = projection",
    "SELECT rolpassword FROM pg_authid",
    "SET ROLE agenthub",
)


@pytest.fixture
async def reader(postgres_server: PostgresServer, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_database(database)
    name = database_url.rpartition("/")[2]
    connection = await asyncpg.connect(postgres_server.reader_url.rpartition("/")[0] + f"/{name}")
    yield connection
    await connection.close()


async def test_the_reader_sees_every_table_also_of_a_generation_that_is_made_later(
    reader: asyncpg.Connection, database_url: str
) -> None:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await rebuild(InMemoryEventLog(), database, version=VERSION)
    tables = [row[0] for row in await reader.fetch(TABLES)]
    assert len(tables) > 10
    for table in tables:
        assert await reader.fetchval(f"SELECT count(*) FROM {table}") >= 0


async def test_the_reader_can_write_no_table(reader: asyncpg.Connection, database_url: str) -> None:
    tables = [row[0] for row in await reader.fetch(TABLES)]
    refused = (asyncpg.InsufficientPrivilegeError,)
    for table in tables:
        for words in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"INSERT INTO {table} DEFAULT VALUES"):
            with pytest.raises(refused):
                await reader.execute(words)
    for words in WRITES:
        with pytest.raises(refused):
            await reader.execute(words)


async def test_what_is_granted_already_is_left_alone(reader: asyncpg.Connection, database_url: str) -> None:
    async with (
        Database(database_url, name="test", patience_s=PATIENCE_S) as database,
        database.connection() as connection,
    ):
        before = await connection.fetch("SELECT oid, relacl, xmin::text FROM pg_class WHERE relkind = 'r'")
        await let_reader_read(connection)
        assert await connection.fetch("SELECT oid, relacl, xmin::text FROM pg_class WHERE relkind = 'r'") == before


async def test_the_password_of_the_role_follows_the_setting(
    postgres_server: PostgresServer, database_url: str, reader: asyncpg.Connection
) -> None:
    name = database_url.rpartition("/")[2]
    plain = postgres_server.url.rpartition("/")[0].removeprefix("postgresql://")
    old = postgres_server.reader_url.rpartition("@")[0].rpartition(":")[2]
    async with (
        Database(database_url, name="test", patience_s=PATIENCE_S) as database,
        database.connection() as connection,
    ):
        await make_reader(connection, "a'new \"one")
        try:
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(f"postgresql://agenthub_reader:{old}@{plain}/{name}")
            again = await asyncpg.connect(
                f"postgresql://{plain}/{name}", user="agenthub_reader", password="a'new \"one"
            )
            await again.close()
        finally:
            await make_reader(connection, old)
