"""Sets of tables of a projection: made beside the live one, filled from the log, and switched to at once.

Readers see views in the schema `agenthub`; a switch replaces all of them in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.subjects import STREAM
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.projections import queries
from agenthub_runtime.projections.tracking import Generation


class Generations:
    """The generations of one projection at one version of its code.

    `tables_sql` makes the tables in the schema that `search_path` names; `tables` are those that readers see.
    """

    def __init__(self, projection: str, version: int, *, tables_sql: str, tables: Sequence[str]) -> None:
        self.projection = projection
        self.version = version
        self._tables_sql = tables_sql
        self._tables = tuple(tables)

    async def live(self, connection: Connection) -> Generation | None:
        """The generation that readers see; None before the first."""
        row = await connection.fetchrow(queries.LIVE, self.projection)
        return None if row is None else Generation(self.projection, row["version"], row["generation"])

    async def create(self, connection: Connection) -> Generation:
        """Make an empty generation beside the live one, at position 0."""
        async with connection.transaction():
            await self._exclusively(connection)
            number = await connection.fetchval(queries.NEXT_NUMBER, self.projection)
            generation = Generation(self.projection, self.version, number)
            await self.create_tables(connection, generation.schema)
            await connection.execute(queries.ADD_POSITION, *generation, STREAM)
        return generation

    async def create_tables(self, connection: Connection, schema: str) -> None:
        """Make the tables in a new schema, in the caller's transaction."""
        await connection.execute(queries.create_schema(schema))
        await connection.execute(self._tables_sql)

    async def first(self, connection: Connection) -> Generation:
        """The live generation; when there is none, an empty one that readers see from now on."""
        async with connection.transaction():
            await self._exclusively(connection)
            found = await self.live(connection)
            if found is None:
                found = await self.create(connection)
                await self._show(connection, found)
        return found

    async def switch(self, connection: Connection, generation: Generation) -> bool:
        """Let readers see `generation` and drop the others; False when it is behind the live one.

        The runner of the old generation finds its position gone and goes on with the new one.
        """
        async with connection.transaction():
            await self._exclusively(connection)
            rows = await connection.fetch(queries.LOCK_POSITIONS, self.projection, STREAM)
            positions = {(row["version"], row["generation"]): row["position"] for row in rows}
            live = await self.live(connection)
            reached = positions[generation.version, generation.number]
            if live is not None and positions.get((live.version, live.number), 0) > reached:
                return False
            await self._show(connection, generation)
            for version, number in positions:
                other = Generation(self.projection, version, number)
                if other != generation:
                    await self.drop(connection, other)
        return True

    async def drop(self, connection: Connection, generation: Generation) -> None:
        """Remove a generation that readers do not see."""
        await connection.execute(queries.drop_schema(generation.schema))
        await connection.execute(queries.DROP_POSITIONS, *generation)

    async def _show(self, connection: Connection, generation: Generation) -> None:
        for table in self._tables:
            await connection.execute(queries.show_table(generation.schema, table))
        await connection.execute(queries.SET_LIVE, *generation)

    async def _exclusively(self, connection: Connection) -> None:
        await connection.execute(queries.LOCK_FOR_TRANSACTION, f"generations/{self.projection}")
