"""Numbered SQL files, applied once each, in order, by whoever comes first."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from agenthub_runtime.errors import MigrationRefused
from agenthub_runtime.postgres import queries
from agenthub_runtime.postgres.database import Connection

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
        for migration in missing:
            await connection.execute(migration.sql)
            await connection.execute(queries.ADD_APPLIED, migration.number, migration.name, migration.sha256)
    return len(missing)


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
