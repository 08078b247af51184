"""Read models as of any event, in schemas of their own, and the comparison of two of them.

Readers see nothing of it: the live tables are only read. A schema that replay has not made is neither filled nor
dropped.
"""

from __future__ import annotations

import re

import msgspec

from agenthub_events.ports import EventLog
from agenthub_orchestrator.projector.projection import ReadModels, generations
from agenthub_orchestrator.projector.schemas import Difference, compare, fill
from agenthub_replay.errors import SchemaRefused
from agenthub_replay.queries import MARK, SCHEMA_COMMENT, mark
from agenthub_runtime.errors import ReadModelsMissing
from agenthub_runtime.postgres.database import Connection, Database
from agenthub_runtime.projections.queries import drop_schema
from agenthub_runtime.readmodels import PROJECTION

LIVE = "live"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TAKEN = re.compile(rf"agenthub|public|information_schema|pg_.*|verify_.*|{PROJECTION}_.*|{LIVE}")


class Projected(msgspec.Struct, frozen=True, kw_only=True):
    """A schema that holds a projection as of the event `to_seq`."""

    projection: str
    schema: str
    to_seq: int


class SchemasCompared(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of two schemas, and those that differ, a hundred at most: `live` is the first's row."""

    first: str
    second: str
    rows: int
    differences: tuple[Difference, ...]


async def project(
    log: EventLog, database: Database, name: str, schema: str, to_seq: int | None = None
) -> Projected:
    """Make a projection in `schema` as it was at the event `to_seq` (None: the last).

    Raises `SchemaRefused`, `StoreUnavailable`, `DatabaseUnavailable`.
    """
    if name != PROJECTION:
        raise SchemaRefused(f"There is no projection `{name[:40]}`; the hub has `{PROJECTION}`", field="name")
    _check(schema)
    last = await log.last_seq()
    wanted = last if to_seq is None else to_seq
    if not 0 <= wanted <= last:
        raise SchemaRefused(f"The log has no event {wanted}: it ends at {last}", field="to_seq")
    sets = generations()
    async with database.transaction() as connection:
        comment = await connection.fetchrow(SCHEMA_COMMENT, schema)
        if comment is not None and comment["comment"] != MARK:
            raise SchemaRefused(
                f"The schema `{schema}` is there already and was not made by replay: take another name",
                field="schema",
            )
        await connection.execute(drop_schema(schema))
        await sets.create_tables(connection, schema)
        await connection.execute(mark(schema))
    models = ReadModels(log, schema)
    async with database.connection() as connection:
        live = await _live_schema(connection)
        if live:
            await models.leave_out_as(connection, live)
    await fill(log, database, models, wanted)
    return Projected(projection=name, schema=schema, to_seq=wanted)


async def compare_schemas(database: Database, first: str, second: str, *, limit: int = 100) -> SchemasCompared:
    """Compare two schemas of read models row by row; `live` names the tables that readers see.

    Raises `SchemaRefused` when there is no such schema, `ReadModelsMissing` when nothing is live.
    """
    async with database.transaction() as connection:
        one, other = await _there(connection, first), await _there(connection, second)
        rows, differences = await compare(database, connection, one, other, limit)
    return SchemasCompared(first=first, second=second, rows=rows, differences=differences)


def _check(schema: str) -> None:
    if not _NAME.fullmatch(schema) or _TAKEN.fullmatch(schema):
        raise SchemaRefused(
            f"`{schema[:60]}` cannot be taken for a schema: choose at most 40 lower-case letters, digits and"
            f" underscores, and no name of Postgres or of the hub (agenthub, public, {PROJECTION}_…, verify_…)",
            field="schema",
        )


async def _there(connection: Connection, name: str) -> str:
    if name == LIVE:
        live = await _live_schema(connection)
        if not live:
            raise ReadModelsMissing("There are no read models yet: start the projector first")
        return live
    _check(name)
    comment = await connection.fetchrow(SCHEMA_COMMENT, name)
    if comment is None or comment["comment"] != MARK:
        raise SchemaRefused(
            f"There is no schema `{name}` that replay has made: `agenthub replay project` makes one",
            field="schema",
        )
    return name


async def _live_schema(connection: Connection) -> str:
    live = await generations().live(connection)
    return live.schema if live is not None else ""
