"""The table of spans: made, filled, and emptied of what is old."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import structlog

from agenthub_orchestrator.traces import queries
from agenthub_runtime.postgres.database import Connection, Database
from agenthub_runtime.postgres.kept_schema import KeptSchema
from agenthub_runtime.telemetry.conventions import GOAL_ID, TASK_ID
from agenthub_runtime.telemetry.span_records import KINDS, SpanRecord

log = structlog.get_logger(__name__)

VERSION = 1
"""The number in the last line of `tables.sql`."""

_PART = 20_000


def schema() -> KeptSchema:
    """Where spans are kept."""
    tables = (files(__package__) / "tables.sql").read_text()
    return KeptSchema("agenthub_traces", "spans", version=VERSION, tables_sql=tables)


async def prepare_spans(database: Database) -> bool:
    """See to it that the table is there; False when a newer agenthub has made it. Raises `DatabaseUnavailable`."""
    return await schema().prepare(database)


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
