"""A schema whose rows are kept for some days: a change of its tables makes it anew, and needs no migration."""

from __future__ import annotations

from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff
from agenthub_runtime.postgres import queries
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.postgres.roles import let_reader_read

# Not that of the migrations nor of the roles.
_LOCK = 0x61676877


class KeptSchema:
    """The schema `name` with its one `table`, as `tables_sql` makes them; it ends with the comment `version`."""

    def __init__(self, name: str, table: str, *, version: int, tables_sql: str) -> None:
        self._name = name
        self._table = f"{name}.{table}"
        self._version = version
        self._tables_sql = tables_sql

    async def prepare(self, database: Database) -> bool:
        """See to it that the table is there; False when a newer agenthub has made it.

        One that an older agenthub has made, or that somebody has broken, is made anew. Raises
        `DatabaseUnavailable`.
        """
        async with database.transaction() as connection:
            await connection.execute(queries.LOCK_FOR_TRANSACTION, _LOCK)
            found = await connection.fetchval(queries.COMMENT_OF_SCHEMA, self._name)
            if (found or "").isdecimal() and int(found) > self._version:
                return False
            is_whole = await connection.fetchval(queries.HAS_TABLE, self._table)
            if found != str(self._version) or not is_whole:
                await connection.execute(queries.drop_schema(self._name))
                await connection.execute(self._tables_sql)
        async with database.connection() as connection:
            await let_reader_read(connection)
        return True

    async def forget(self, database: Database, backoff: Backoff) -> None:
        """Remove all that was kept; waits while Postgres is away."""
        failures = 0
        while True:
            try:
                async with database.connection() as connection:
                    await connection.execute(queries.drop_schema(self._name))
                return
            except DatabaseUnavailable:
                failures += 1
                await backoff.pause(failures)
