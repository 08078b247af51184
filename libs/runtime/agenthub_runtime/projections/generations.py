"""Sets of tables of a projection: made beside the live one, filled from the log, and switched to at once.

Readers see views in the schema `agenthub`; a switch replaces all of them in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import asyncpg
import structlog
from eventsourcing.persistence import IntegrityError

from agenthub_events.subjects import STREAM
from agenthub_runtime.postgres.database import Connection
from agenthub_runtime.projections import queries
from agenthub_runtime.projections.tracking import AsyncpgTrackingRecorder, Generation

log = structlog.get_logger(__name__)

Shape: TypeAlias = "dict[str, tuple[str, tuple[str, ...]]]"
"""Relations of a schema by name: what they are, and their columns with type and whether they must be set."""


class Generations:
    """The generations of one projection at one version of its code.

    `tables_sql` makes the tables in the schema that `search_path` names; `tables` are those that readers see.
    """

    def __init__(self, projection: str, version: int, *, tables_sql: str, tables: Sequence[str]) -> None:
        self.projection = projection
        self.version = version
        self._tables_sql = tables_sql
        self._tables = tuple(tables)
        self._wanted: Shape = {}

    async def live(self, connection: Connection) -> Generation | None:
        """The generation that readers see; None before the first."""
        row = await connection.fetchrow(queries.LIVE, self.projection)
        return None if row is None else Generation(self.projection, row["version"], row["generation"])

    async def probe(self, connection: Connection) -> None:
        """Do everything that is done with the tables that generations are kept in, and take it back.

        Raises asyncpg's error when they are not there, or are others.
        """
        probe = Generation(f"{self.projection}-probe", 0, 0)
        attempt = connection.transaction()
        await attempt.start()
        try:
            await connection.execute(queries.ADD_POSITION, *probe, STREAM)
            await connection.fetch(queries.LOCK_POSITIONS, probe.projection, STREAM)
            for _ in range(2):
                await connection.execute(queries.SET_LIVE, *probe)
            await connection.fetchrow(queries.LIVE, probe.projection)
            await connection.fetchval(queries.NEXT_NUMBER, self.projection)
        finally:
            await attempt.rollback()

    async def is_whole(self, connection: Connection, generation: Generation) -> bool:
        """Whether the generation has its position and all its tables; views that lack are made again."""
        async with connection.transaction():
            await self._exclusively(connection)
            recorder = AsyncpgTrackingRecorder(generation)
            if await recorder.max_tracking_id(STREAM, connection=connection) is None:
                return False
            if not await self.has_tables(connection, generation):
                return False
            shown = {row["name"] for row in await connection.fetch(queries.SHOWN, generation.schema)}
            if not shown.issuperset(self._tables) and await self.live(connection) == generation:
                await self._show(connection, generation)
        return True

    async def has_tables(self, connection: Connection, generation: Generation) -> bool:
        """Whether all tables of the generation are as they are made; at first some are made to compare with."""
        wanted, found = await self._shape(connection), await _shape_of(connection, generation.schema)
        return all(found.get(name) == shape for name, shape in wanted.items())

    async def _shape(self, connection: Connection) -> Shape:
        if not self._wanted:
            name = f"{self.projection}_shape"
            attempt = connection.transaction()
            await attempt.start()
            try:
                await self.create_tables(connection, name)
                self._wanted = await _shape_of(connection, name)
            finally:
                await attempt.rollback()
        return self._wanted

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
            reached = positions.get((generation.version, generation.number))
            if reached is None:
                raise IntegrityError(f"`{generation.schema}` is gone: somebody has removed it")
            if live is not None and positions.get((live.version, live.number), 0) > reached:
                return False
            await self._show(connection, generation)
            for version, number in positions:
                other = Generation(self.projection, version, number)
                if other != generation:
                    await self.drop(connection, other)
            for row in await connection.fetch(queries.SCHEMAS, self.projection):
                # What nobody has a position for is half a generation.
                if row["nspname"] != generation.schema:
                    await connection.execute(queries.drop_schema(row["nspname"]))
        return True

    async def drop(self, connection: Connection, generation: Generation) -> None:
        """Remove a generation that readers do not see."""
        await connection.execute(queries.drop_schema(generation.schema))
        await connection.execute(queries.DROP_POSITIONS, *generation)

    async def _show(self, connection: Connection, generation: Generation) -> None:
        for table in self._tables:
            create = queries.show_table(generation.schema, table)
            try:
                async with connection.transaction():
                    # What others have built on the view stays, as long as its columns do.
                    await connection.execute(create)
            except asyncpg.SyntaxOrAccessError:
                await self._make_room(connection, table, generation)
                await connection.execute(create)
        await connection.execute(queries.SET_LIVE, *generation)

    async def _make_room(self, connection: Connection, table: str, generation: Generation) -> None:
        """Take a view with other columns out of the way, or whatever else has its name."""
        kind = await connection.fetchval(queries.KIND, table)
        if kind == "v":
            await connection.execute(queries.drop_view(table))
        elif kind is not None:
            aside = f"{table}_set_aside_{generation.number}"
            log.warning("relation_set_aside", schema="agenthub", relation=table, now=aside)
            await connection.execute(queries.rename_relation(kind, table, aside))

    async def _exclusively(self, connection: Connection) -> None:
        await connection.execute(queries.LOCK_FOR_TRANSACTION, f"generations/{self.projection}")


async def _shape_of(connection: Connection, schema: str) -> Shape:
    rows = await connection.fetch(queries.SHAPE, schema)
    return {row["name"]: (row["kind"], tuple(row["columns"])) for row in rows}


def is_ruin(error: BaseException) -> bool:
    """Whether Postgres says that something is missing, or is not what it was made as."""
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return False
    return isinstance(error, asyncpg.SyntaxOrAccessError | asyncpg.InvalidSchemaNameError)
