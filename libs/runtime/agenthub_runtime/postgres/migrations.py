"""Numbered SQL files, applied once each, in order, by whoever comes first."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from agenthub_runtime.errors import MigrationRefused
from agenthub_runtime.postgres import queries
from agenthub_runtime.postgres.database import Connection

log = structlog.get_logger(__name__)

# Any constant will do: every runner takes the same one.
_LOCK = 0x61676875
_FILE = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


class Migration(NamedTuple):
    """One file: its number, name, text, and the sha256 of its bytes."""

    number: int
    name: str
    sql: str
    sha256: str


def migrations_in(folder: Path) -> list[Migration]:
    """The migrations of a folder, in order. Raises `MigrationRefused` for a stray name or a doubled number."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.match(path.name)
        if match is None:
            raise MigrationRefused(f"Migration `{path.name}` is not named NNNN_name.sql: rename it")
        number = int(match.group(1))
        if number in found:
            raise MigrationRefused(f"Migrations `{found[number].name}` and `{path.name}` have the same number")
        data = path.read_bytes()
        found[number] = Migration(number, path.name, data.decode(), hashlib.sha256(data).hexdigest())
    return [found[number] for number in sorted(found)]


async def migrate(connection: Connection, folder: Path) -> int:
    """Apply what is missing, all in one transaction; returns how many were applied.

    Any number of runners may race: one works, the others wait and find nothing to do. Raises `MigrationRefused`
    when an applied file was changed, or when the database has migrations that this agenthub does not know.
    """
    migrations = migrations_in(folder)
    async with connection.transaction():
        await connection.execute(queries.LOCK_FOR_TRANSACTION, _LOCK)
        await connection.execute(queries.LEDGER)
        rows = await connection.fetch(queries.APPLIED)
        applied = {row["number"]: (row["name"], row["sha256"]) for row in rows}
        _check(migrations, applied)
        missing = [migration for migration in migrations if migration.number not in applied]
        await _apply(connection, missing)
    return len(missing)


async def migrate_again(
    connection: Connection,
    folder: Path,
    *,
    schema: str,
    owned: Collection[str],
    works: Callable[[], Awaitable[bool]],
) -> None:
    """Make everything that the migrations make anew, unless it `works` by now: all of it can be derived again.

    `schema` is where they make it. It is dropped when it holds nothing but relations named in `owned`, else
    renamed: what others have put there is not ours to delete.
    """
    async with connection.transaction():
        await connection.execute(queries.LOCK_FOR_TRANSACTION, _LOCK)
        if await works():
            return
        await connection.execute(queries.PUBLIC)
        await _clear(connection, schema, owned)
        await _clear_ledger(connection)
        await connection.execute(queries.LEDGER)
        await _apply(connection, migrations_in(folder))


async def _clear(connection: Connection, schema: str, owned: Collection[str]) -> None:
    rows = await connection.fetch(queries.RELATIONS, schema)
    if {row["name"] for row in rows} <= set(owned):
        await connection.execute(queries.drop_schema(schema))
        return
    aside = await _free_name(connection, schema)
    log.warning("schema_set_aside", schema=schema, now=aside)
    await connection.execute(queries.rename_schema(schema, aside))


async def _clear_ledger(connection: Connection) -> None:
    rows = await connection.fetch(queries.LEDGER_COLUMNS)
    if {row["name"] for row in rows} >= {"number", "name", "sha256"}:
        await connection.execute(queries.DROP_LEDGER)
    elif rows:
        aside = await _free_name(connection, "agenthub_migrations")
        log.warning("relation_set_aside", schema="public", relation="agenthub_migrations", now=aside)
        await connection.execute(queries.rename_ledger(aside))


async def _free_name(connection: Connection, name: str) -> str:
    """A name for what is set aside that no schema and no table of `public` has."""
    for number in itertools.count(1):
        aside = f"{name}_set_aside_{number}"
        if not await connection.fetchval(queries.IS_TAKEN, aside):
            return aside
    raise AssertionError


async def _apply(connection: Connection, migrations: Sequence[Migration]) -> None:
    for migration in migrations:
        await connection.execute(migration.sql)
        await connection.execute(queries.ADD_APPLIED, migration.number, migration.name, migration.sha256)


def _check(migrations: list[Migration], applied: dict[int, tuple[str, str]]) -> None:
    known = {migration.number: migration for migration in migrations}
    for number, (name, sha256) in sorted(applied.items()):
        migration = known.get(number)
        if migration is None:
            raise MigrationRefused(
                f"The database has migration `{name}`, which this agenthub does not know: run the newer version"
            )
        if migration.sha256 != sha256:
            raise MigrationRefused(
                f"Migration `{name}` was changed after it was applied: restore the file and add a new one"
            )
