"""Migrations on a real Postgres."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from agenthub_orchestrator.projector.projection import MIGRATIONS
from agenthub_runtime.errors import DatabaseUnavailable, MigrationRefused
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.postgres.migrations import migrate, migrations_in
from tests.support.until import PATIENCE_S


async def applied_by(url: str, folder: Path) -> int:
    connection = await asyncpg.connect(url)
    try:
        return await migrate(connection, folder)
    finally:
        await connection.close()


async def test_of_eight_racing_runners_one_applies_everything(database_url: str) -> None:
    done = await asyncio.gather(*(applied_by(database_url, MIGRATIONS) for _ in range(8)))
    assert sorted(done) == [0] * 7 + [len(migrations_in(MIGRATIONS))]


async def test_a_changed_file_is_refused(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "0001_first.sql"
    file.write_text("CREATE TABLE a (n integer)")
    assert await applied_by(database_url, tmp_path) == 1
    file.write_text("CREATE TABLE a (n bigint)")
    with pytest.raises(MigrationRefused, match="was changed after it was applied"):
        await applied_by(database_url, tmp_path)


async def test_a_database_of_a_newer_agenthub_is_refused(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE a (n integer)")
    newer = tmp_path / "0002_second.sql"
    newer.write_text("CREATE TABLE b (n integer)")
    assert await applied_by(database_url, tmp_path) == 2
    newer.unlink()
    with pytest.raises(MigrationRefused, match="0002_second"):
        await applied_by(database_url, tmp_path)


async def test_a_migration_that_fails_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE a (n integer)")
    broken = tmp_path / "0002_second.sql"
    broken.write_text("CREATE TABLE a (n integer)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await applied_by(database_url, tmp_path)
    broken.write_text("CREATE TABLE b (n integer)")
    assert await applied_by(database_url, tmp_path) == 2


@pytest.mark.parametrize("name", ["1_first.sql", "0001-first.sql", "0001_First.sql"])
def test_a_stray_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationRefused, match="rename it"):
        migrations_in(tmp_path)


def test_two_files_with_one_number_are_refused(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationRefused, match="same number"):
        migrations_in(tmp_path)


async def test_a_database_that_is_away_is_told_and_comes_back(database_url: str) -> None:
    async with Database("postgresql://nobody@127.0.0.1:1/none", name="test") as away:
        with pytest.raises(DatabaseUnavailable, match="DATABASE_URL"):
            async with away.connection():
                pass
    async with Database(database_url, name="test", max_size=1, patience_s=PATIENCE_S) as database:
        async with database.connection() as connection:
            own = await connection.fetchval("SELECT pg_backend_pid()")
        other = await asyncpg.connect(database_url)
        await other.execute("SELECT pg_terminate_backend($1)", own)
        await other.close()
        for _ in range(2):
            try:
                async with database.connection() as connection:
                    assert await connection.fetchval("SELECT 1") == 1
                    break
            except DatabaseUnavailable:
                continue
        else:
            pytest.fail("the pool did not come back")
