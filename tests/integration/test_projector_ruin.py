"""Whatever somebody drops or changes in the database: the log has everything, and the projector makes it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from agenthub_events.catalogue.goal import GoalPaused
from agenthub_orchestrator.projector.app import project
from agenthub_orchestrator.projector.projection import prepare_database
from agenthub_orchestrator.projector.rebuild import rebuild, verify
from agenthub_runtime.errors import ReadModelsMissing
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import list_goals
from agenthub_runtime.shutdown import end_tasks
from tests.integration.test_projector_poison import begun, caught_up, projecting, put, run
from tests.support.following import BACKOFF
from tests.support.until import PATIENCE_S, until

RUINS = {
    "a dropped table": "DROP TABLE readmodels_v5_g1.goals CASCADE",
    "a dropped table without readers": "DROP TABLE readmodels_v5_g1.merges CASCADE",
    "a dropped generation": "DROP SCHEMA readmodels_v5_g1 CASCADE",
    "a dropped position": "DELETE FROM agenthub.projection_positions",
    "a dropped table of positions": "DROP TABLE agenthub.projection_positions",
    "a forgotten live generation": "DELETE FROM agenthub.projection_live",
    "nothing known of what stands": (
        "DELETE FROM agenthub.projection_live; DELETE FROM agenthub.projection_positions"
    ),
    "a dropped schema of ours": "DROP SCHEMA agenthub CASCADE",
    "everything dropped": "DROP SCHEMA agenthub CASCADE; DROP SCHEMA readmodels_v5_g1 CASCADE",
    "everything, with the migrations": "DROP SCHEMA agenthub CASCADE; DROP SCHEMA public CASCADE",
    "emptied migrations": "TRUNCATE public.agenthub_migrations; DELETE FROM agenthub.projection_positions",
    "migrations dropped, their work left": (
        "DROP TABLE public.agenthub_migrations; DROP TABLE agenthub.projection_live"
    ),
    "migrations that are something else": (
        "DROP TABLE public.agenthub_migrations; CREATE TABLE public.agenthub_migrations (mine text)"
    ),
    "a dropped view": "DROP VIEW agenthub.goals",
    "a view that shows something else": (
        "DROP VIEW agenthub.goals; CREATE VIEW agenthub.goals AS SELECT 1 AS one;"
        "CREATE VIEW public.mine AS SELECT * FROM agenthub.goals"
    ),
    "a table in the place of a view": "DROP VIEW agenthub.goals; CREATE TABLE agenthub.goals (mine text)",
    "a type in the place of a view": "DROP VIEW agenthub.goals; CREATE TYPE agenthub.goals AS (mine text)",
    "a column less": "ALTER TABLE readmodels_v5_g1.goals DROP COLUMN goal CASCADE",
    "a column more": "ALTER TABLE readmodels_v5_g1.goals ADD COLUMN mine text NOT NULL DEFAULT ''",
    "another type": (
        "DROP VIEW agenthub.goals; ALTER TABLE readmodels_v5_g1.goals ALTER COLUMN needs_you TYPE text"
    ),
    "a key less": "ALTER TABLE readmodels_v5_g1.goals DROP CONSTRAINT goals_pkey",
    "positions with other columns": "ALTER TABLE agenthub.projection_positions RENAME COLUMN position TO place",
    "positions without a key": "ALTER TABLE agenthub.projection_live DROP CONSTRAINT projection_live_pkey",
    "half a generation in the way": (
        "CREATE SCHEMA readmodels_v5_g2; CREATE TABLE readmodels_v5_g2.goals (mine text);"
        "DROP TABLE readmodels_v5_g1.goals CASCADE"
    ),
    "a foreign table in our schema": (
        "CREATE TABLE agenthub.mine (mine text); DROP TABLE agenthub.projection_positions"
    ),
}  # fmt: skip


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_database(database)
        yield database


@pytest.fixture
async def log(database: Database) -> InMemoryEventLog:
    log = InMemoryEventLog()
    begun(log, 1, 2)
    async with projecting(log, database):
        await caught_up(log, database)
    return log


async def goals(database: Database) -> list[tuple[str, str]]:
    async with database.connection() as connection:
        return [(goal.goal, goal.pause_reason) for goal in (await list_goals(connection)).items]


@pytest.mark.parametrize("ruin", RUINS)
async def test_a_projector_that_runs_makes_it_again_by_itself(
    log: InMemoryEventLog, database: Database, ruin: str
) -> None:
    async with projecting(log, database):
        await run(RUINS[ruin], database)

        async def readable() -> bool:
            try:
                return await goals(database) == [("Goal 2", ""), ("Goal 1", "")]
            except (ReadModelsMissing, asyncpg.PostgresError):
                return False

        await until(readable, 300, "readers see the goals again")
        put(log, 1, "_", GoalPaused(by="ada", reason="tea"))
        await until(lambda: paused(database), 300, "readers see what came after it")
    assert (await verify(log, database)).differences == ()


async def paused(database: Database) -> bool:
    try:
        return await goals(database) == [("Goal 2", ""), ("Goal 1", "tea")]
    except (ReadModelsMissing, asyncpg.PostgresError):
        return False


@pytest.mark.parametrize("ruin", RUINS)
async def test_rebuild_works_on_any_ruin(log: InMemoryEventLog, database: Database, ruin: str) -> None:
    await run(RUINS[ruin], database)
    put(log, 1, "_", GoalPaused(by="ada", reason="tea"))
    await rebuild(log, database)
    assert await paused(database)
    assert (await verify(log, database)).differences == ()
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'readmodels%'")
        assert len(rows) == 1, "half a generation is left"
        assert await connection.fetchval("SELECT count(*) FROM agenthub.projection_positions") == 1


async def test_what_others_have_put_into_our_schema_is_not_deleted(
    log: InMemoryEventLog, database: Database
) -> None:
    await run("CREATE TABLE agenthub.mine (mine text); INSERT INTO agenthub.mine VALUES ('kept')", database)
    await run("DROP TABLE agenthub.projection_positions", database)
    await rebuild(log, database)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT mine FROM agenthub_set_aside_1.mine") == "kept"


async def test_a_view_of_somebody_else_on_ours_outlives_a_rebuild(
    log: InMemoryEventLog, database: Database
) -> None:
    await run("CREATE VIEW public.report AS SELECT goal FROM agenthub.goals", database)
    await rebuild(log, database)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM public.report") == 2


@asynccontextmanager
async def two_projectors(log: InMemoryEventLog, database: Database) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(project(log, database, BACKOFF, look_every_s=0.2)) for _ in range(2)]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        await end_tasks(*tasks)


async def test_two_projectors_make_it_again_together(log: InMemoryEventLog, database: Database) -> None:
    async with two_projectors(log, database):
        await run(RUINS["everything, with the migrations"], database)
        put(log, 1, "_", GoalPaused(by="ada", reason="tea"))
        await until(lambda: paused(database), 300, "readers see what came after it")
        put(log, 2, "_", GoalPaused(by="ada", reason="tea"))
        await caught_up(log, database)
    assert (await verify(log, database)).differences == ()


async def test_verify_says_in_words_that_there_is_nothing_to_compare(
    log: InMemoryEventLog, database: Database
) -> None:
    await run("DROP TABLE readmodels_v5_g1.goals CASCADE", database)
    with pytest.raises(ReadModelsMissing, match="missing or changed: the projector makes them again"):
        await verify(log, database)
