"""Schemas with the tables of the read models: filled from the log, and compared row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from agenthub_events.ports import EventLog
from agenthub_orchestrator.projector.projection import ReadModels
from agenthub_orchestrator.projector.queries import all_rows
from agenthub_orchestrator.projector.upsert import TABLES
from agenthub_runtime.postgres.database import Connection, Database
from agenthub_runtime.readmodels.rows import Row

_CHUNK = 500
_BATCH_MAX = 500


class Difference(msgspec.Struct, frozen=True):
    """A row that is not the same: `live` or `rebuilt` is None when the row is on one side only."""

    table: str
    key: tuple[str, ...]
    live: str | None
    rebuilt: str | None


async def fill(event_log: EventLog, database: Database, projection: ReadModels, position: int) -> None:
    """Fold the log into the projection's schema, up to the event `position`."""
    reached = 0
    if not position:
        return
    batches = event_log.follow(after=0, subjects=projection.topics)
    async with aclosing(batches):
        async for batch in batches:
            wanted = [recorded for recorded in batch if recorded.seq <= position]
            for start in range(0, len(wanted), _BATCH_MAX):
                part = wanted[start : start + _BATCH_MAX]
                changes = await projection.process_events(part, position=reached)
                async with database.transaction() as connection:
                    await changes.write(connection)
                reached = part[-1].seq
            if reached >= position:
                return


async def compare(
    database: Database, live_side: Connection, live: str, scratch: str, limit: int
) -> tuple[int, tuple[Difference, ...]]:
    """Compare all rows of two schemas; how many there are, and at most `limit` that differ."""
    rows = 0
    found: list[Difference] = []
    async with database.transaction() as scratch_side:
        for kind in TABLES:
            ours = _rows(live_side, live, kind)
            fresh = _rows(scratch_side, scratch, kind)
            async for key, left, right in _side_by_side(ours, fresh):
                rows += 1
                if left != right and len(found) < limit:
                    found.append(Difference(kind.table, key, left, right))
    return rows, tuple(found)


async def _rows(connection: Any, schema: str, kind: type[Row]) -> AsyncIterator[tuple[tuple[str, ...], str]]:
    async for record in connection.cursor(all_rows(kind, schema), prefetch=_CHUNK):
        yield tuple(record["key"]), record["row"]


async def _side_by_side(
    left: AsyncIterator[tuple[tuple[str, ...], str]], right: AsyncIterator[tuple[tuple[str, ...], str]]
) -> AsyncIterator[tuple[tuple[str, ...], str | None, str | None]]:
    ours, fresh = await anext(left, None), await anext(right, None)
    while ours is not None or fresh is not None:
        if fresh is None or (ours is not None and ours[0] < fresh[0]):
            assert ours is not None
            yield ours[0], ours[1], None
            ours = await anext(left, None)
        elif ours is None or fresh[0] < ours[0]:
            yield fresh[0], None, fresh[1]
            fresh = await anext(right, None)
        else:
            yield ours[0], ours[1], fresh[1]
            ours, fresh = await anext(left, None), await anext(right, None)
