"""Making the read models again from the log: to replace the live ones, or to prove that they are right."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

import asyncpg
import msgspec
import structlog

from agenthub_events.ports import EventLog
from agenthub_events.subjects import STREAM
from agenthub_orchestrator.errors import ReadModelsNewer
from agenthub_orchestrator.projector.projection import VERSION, ReadModels, generations, prepare_database
from agenthub_orchestrator.projector.queries import all_rows
from agenthub_orchestrator.projector.upsert import TABLES
from agenthub_runtime.errors import DatabaseUnavailable, ReadModelsMissing
from agenthub_runtime.postgres.database import Database, on_loss
from agenthub_runtime.projections import (
    AsyncpgTrackingRecorder,
    AsyncProjectionRunner,
    Generation,
    Generations,
)
from agenthub_runtime.projections.queries import drop_schema
from agenthub_runtime.readmodels import CHANNEL
from agenthub_runtime.readmodels.rows import Row

log = structlog.get_logger(__name__)

_CHUNK = 500
_BATCH_MAX = 500


class Rebuilt(msgspec.Struct, frozen=True):
    """A finished rebuild: the generation that readers now see, and how far it had come at the switch."""

    generation: int
    position: int


class Difference(msgspec.Struct, frozen=True):
    """A row that is not the same: `live` or `rebuilt` is None when the row is on one side only."""

    table: str
    key: tuple[str, ...]
    live: str | None
    rebuilt: str | None


class Verified(msgspec.Struct, frozen=True):
    """The outcome of a comparison of all rows as of the event `position`."""

    position: int
    rows: int
    differences: tuple[Difference, ...]


async def rebuild(event_log: EventLog, database: Database, *, version: int = VERSION) -> Rebuilt:
    """Fill a new generation of `version` from the first event on and let readers see it, all tables at once.

    The live generation serves readers until then. Raises `DatabaseUnavailable` or `StoreUnavailable` when one of
    them is away; the unfinished generation is dropped.
    """
    await prepare_database(database)
    sets = generations(version)
    async with database.connection() as connection:
        generation = await sets.create(connection)
    async with AsyncExitStack() as unfinished:
        unfinished.push_async_callback(_drop, database, sets, generation)
        while True:
            runner = AsyncProjectionRunner(
                event_log, database, ReadModels(event_log, generation.schema), generation, channel=CHANNEL
            )
            await runner.run(until=await event_log.last_seq())
            async with database.connection() as connection:
                if await sets.switch(connection, generation):
                    unfinished.pop_all()
                    log.info("read_models_rebuilt", schema=generation.schema, position=runner.position)
                    return Rebuilt(generation.number, runner.position)


async def _drop(database: Database, sets: Generations, generation: Generation) -> None:
    # Half a generation that cannot be dropped now goes with the next switch.
    with suppress(asyncpg.PostgresError, DatabaseUnavailable):
        async with database.transaction() as connection:
            if await sets.live(connection) != generation:
                await sets.drop(connection, generation)


async def verify(event_log: EventLog, database: Database, *, limit: int = 100) -> Verified:
    """Fold the log into a scratch schema up to where the live read models are, and compare row by row.

    At most `limit` differences are collected. Raises `ReadModelsMissing` when there is nothing to compare with.
    """
    await prepare_database(database)
    sets = generations()
    scratch = f"verify_{os.getpid()}"
    live_side = await database.alone()
    with on_loss(live_side):
        try:
            async with live_side.transaction(isolation="repeatable_read", readonly=True):
                live = await sets.live(live_side)
                if live is None:
                    raise ReadModelsMissing("There are no read models yet: start the projector first")
                async with database.connection() as connection:
                    has_tables = await sets.has_tables(connection, live)
                if not has_tables:
                    raise ReadModelsMissing(
                        f"Tables of the read models in `{live.schema}` are missing or changed: the projector makes"
                        " them again when it runs, or run `agenthub rebuild`"
                    )
                if live.version != sets.version:
                    raise ReadModelsNewer(
                        f"The read models are of version {live.version}, this code makes {sets.version}: they"
                        " cannot be compared; run `agenthub rebuild`"
                    )
                recorder = AsyncpgTrackingRecorder(live)
                position = await recorder.max_tracking_id(STREAM, connection=live_side) or 0
                async with database.transaction() as connection:
                    await connection.execute(drop_schema(scratch))
                    await sets.create_tables(connection, scratch)
                models = ReadModels(event_log, scratch)
                await models.leave_out_as(live_side, live.schema)
                await _fill(event_log, database, models, position)
                rows, found = await _compare(database, live_side, live, scratch, limit)
                return Verified(position, rows, found)
        finally:
            live_side.terminate()
            async with database.transaction() as connection:
                await connection.execute(drop_schema(scratch))


async def _fill(event_log: EventLog, database: Database, projection: ReadModels, position: int) -> None:
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


async def _compare(
    database: Database,
    live_side: asyncpg.Connection[Any],
    live: Generation,
    scratch: str,
    limit: int,
) -> tuple[int, tuple[Difference, ...]]:
    rows = 0
    found: list[Difference] = []
    async with database.transaction() as scratch_side:
        for kind in TABLES:
            ours = _rows(live_side, live.schema, kind)
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
