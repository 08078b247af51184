"""The table of spans: made, filled, and emptied of what is old."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import structlog

from agenthub_orchestrator.traces import queries
from agenthub_runtime.postgres.database import Connection, Database
from agenthub_runtime.postgres.queries import LOCK_FOR_TRANSACTION
from agenthub_runtime.postgres.roles import let_reader_read
from agenthub_runtime.telemetry.conventions import GOAL_ID, TASK_ID
from agenthub_runtime.telemetry.span_records import KINDS, SpanRecord

log = structlog.get_logger(__name__)

VERSION = 1
"""The number in the last line of `tables.sql`."""

# Not that of the migrations nor of the roles.
_LOCK = 0x61676877
_PART = 20_000


async def prepare_spans(database: Database) -> bool:
    """See to it that the table is there; False when a newer agenthub has made it. Raises `DatabaseUnavailable`.

    One that an older agenthub has made, or that somebody has broken, is made anew.
    """
    async with database.transaction() as connection:
        await connection.execute(LOCK_FOR_TRANSACTION, _LOCK)
        found = await connection.fetchval(queries.VERSION)
        if (found or "").isdecimal() and int(found) > VERSION:
            return False
        if found != str(VERSION) or not await connection.fetchval(queries.IS_WHOLE):
            await connection.execute(queries.DROP)
            await connection.execute((files(__package__) / "tables.sql").read_text())
    async with database.connection() as connection:
        await let_reader_read(connection)
    return True


async def forget_spans(database: Database) -> None:
    """Remove all that was kept. Raises `DatabaseUnavailable`."""
    async with database.connection() as connection:
        await connection.execute(queries.DROP)


async def add_spans(
    connection: Connection, service: str, spans: Iterable[SpanRecord], *, kept_at: datetime
) -> None:
    """Keep spans of a service; those that are there already stay as they are."""
    await connection.executemany(queries.INSERT, [_row(service, span, kept_at) for span in spans])


async def delete_spans(database: Database, before: datetime) -> int:
    """Delete what was kept before a moment; how many there were. Raises `DatabaseUnavailable`."""
    deleted = 0
    while True:
        async with database.connection() as connection:
            part: int = await connection.fetchval(queries.DELETE_OLD, before, _PART)
        deleted += part
        if part < _PART:
            return deleted


async def delete_surplus(database: Database, most: int) -> None:
    """Delete the oldest so that about `most` stay. Raises `DatabaseUnavailable`."""
    async with database.connection() as connection:
        surplus = await connection.fetchval(queries.COUNT) - most
        last = await connection.fetchval(queries.KEPT_LAST_OF, surplus) if surplus > 0 else None
    if last is not None:
        await delete_spans(database, last + timedelta(microseconds=1))


async def delete_spans_of(database: Database, goal_id: str) -> None:
    """Delete the spans of a goal, and those that are about it alone. Raises `DatabaseUnavailable`."""
    async with database.transaction() as connection:
        await connection.execute(queries.DELETE_ABOUT, goal_id)
        await connection.execute(queries.DELETE_OF, goal_id)


def _row(service: str, span: SpanRecord, kept_at: datetime) -> tuple[Any, ...]:
    said = dict(span.attributes)
    goal_id, task_id = said.pop(GOAL_ID, None), said.pop(TASK_ID, None)
    return (
        *(span.trace_id, span.span_id, service, span.parent_id),
        None if goal_id is None else str(goal_id),
        None if task_id is None else str(task_id),
        *(span.name, KINDS[span.kind], span.began, span.took, span.failed or None, said),
        None if goal_id is not None or not span.linked else span.linked,
        kept_at,
    )
