"""Making the read models again from the log: to replace the live ones, or to prove that they are right."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, suppress

import asyncpg
import msgspec
import structlog

from agenthub_events.ports import EventLog
from agenthub_events.subjects import STREAM
from agenthub_orchestrator.errors import ReadModelsNewer
from agenthub_orchestrator.projector.projection import VERSION, ReadModels, generations, prepare_database
from agenthub_orchestrator.projector.schemas import Difference, compare, fill
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

log = structlog.get_logger(__name__)


class Rebuilt(msgspec.Struct, frozen=True):
    """A finished rebuild: the generation that readers now see, and how far it had come at the switch."""

    generation: int
    position: int


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
                await fill(event_log, database, models, position)
                rows, found = await compare(database, live_side, live.schema, scratch, limit)
                return Verified(position, rows, found)
        finally:
            live_side.terminate()
            async with database.transaction() as connection:
                await connection.execute(drop_schema(scratch))
