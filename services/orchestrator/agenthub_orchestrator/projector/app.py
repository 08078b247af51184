"""The projector as a process: follows the log for ever and keeps the read models up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import asyncpg
import structlog
from eventsourcing.persistence import IntegrityError

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import EventLog, Recorded
from agenthub_orchestrator.errors import ReadModelsForeign, ReadModelsNewer
from agenthub_orchestrator.metric_history.keeper import metrics_kept
from agenthub_orchestrator.projector.counted import count_events
from agenthub_orchestrator.projector.projection import VERSION, ReadModels, generations, prepare_database
from agenthub_orchestrator.projector.rebuild import rebuild
from agenthub_orchestrator.quarantine import QuarantineLog
from agenthub_orchestrator.traces.keeper import traces_kept
from agenthub_runtime.bus_users.rights import spans_of
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.operations.registry import registered
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.postgres.roles import make_reader
from agenthub_runtime.projections import AsyncProjectionRunner, Generation, Generations
from agenthub_runtime.readmodels import CHANNEL, position
from agenthub_runtime.settings.records import ProjectorSettings
from agenthub_runtime.shutdown import end_tasks, until_asked_to_stop
from agenthub_runtime.telemetry.metrics import configure_metrics
from agenthub_runtime.telemetry.span_sending import spans_sent
from agenthub_runtime.telemetry.tracing import Telemetry, configure_telemetry

log = structlog.get_logger(__name__)

BY = "projector"
# Readers see an old state for as long as this waits.
_LONGEST_PAUSE_S = 1.0
LOOK_EVERY_S = 5.0


async def run_projector(settings: ProjectorSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises `MigrationRefused` when the database does not fit this code."""
    backoff = Backoff(SystemClock(), SystemIds(), longest_s=_LONGEST_PAUSE_S)
    telemetry = configure_telemetry(settings.log, service="projector")
    nats = await connect(settings.nats_url, "projector")
    metrics = configure_metrics(settings.log, service="projector", nats=nats)
    try:
        instance, words = SystemIds().token()[-12:], "Keeps the read models up to date"
        async with (
            Database(settings.database_url, name="agenthub-projector") as database,
            traces_kept(nats, database, backoff, days=settings.log.trace_days),
            spans_sent(telemetry.keeper, nats, spans_of("projector")),
            metrics_kept(nats, database, backoff, days=settings.log.trace_days) as kept,
            registered(nats, "projector", instance=instance, description=words),
        ):
            await until_asked_to_stop(
                project(
                    JetStreamEventLog(nats),
                    database,
                    backoff,
                    reader_password=settings.reader_password,
                    telemetry=telemetry,
                    written=(count_events, kept),
                )
            )
    finally:
        await nats.close()
        telemetry.shutdown()
        metrics.shutdown()


async def project(
    event_log: EventLog,
    database: Database,
    backoff: Backoff,
    *,
    version: int = VERSION,
    look_every_s: float = LOOK_EVERY_S,
    reader_password: str = "",
    telemetry: Telemetry | None = None,
    written: Sequence[Callable[[Sequence[Recorded]], None]] = (),
) -> None:
    """Keep the live generation of `version` up to date for ever; waits while the log or Postgres is away.

    What is missing or was changed in the database is made again: everything in it comes out of the log. Every
    `look_every_s` seconds it is looked whether something is. With a `reader_password` the role that reads is made
    as well. Each of `written` gets every batch whose rows are committed.
    """
    told = QuarantineLog(event_log, backoff.clock, BY)
    failures = 0
    while True:
        try:
            if reader_password:
                async with database.connection() as connection:
                    await make_reader(connection, reader_password)
            await prepare_database(database)
            sets = generations(version)
            generation = await _live(event_log, database, sets)
            failures = 0
            models = ReadModels(event_log, generation.schema, told=told)
            runner = AsyncProjectionRunner(
                event_log, database, models, generation, channel=CHANNEL, telemetry=telemetry, written=written
            )
            await _while_whole(runner.run(), _until_ruined(database, sets, generation, look_every_s))
        except IntegrityError as error:
            log.info("projection_moved", reason=str(error))
        except (DatabaseUnavailable, StoreUnavailable) as error:
            log.warning("projection_waits", reason=str(error))
            failures += 1
            await backoff.pause(failures)
        except asyncpg.PostgresError:
            # It may come back at every run, after a beginning that went well.
            log.exception("projection_failed", tries_again_in_s=backoff.longest_s)
            await backoff.clock.sleep(backoff.longest_s)


async def _while_whole(work: Coroutine[Any, Any, None], until_ruined: Coroutine[Any, Any, None]) -> None:
    """Do `work` until it ends, or until something of the generation is missing."""
    tasks = [asyncio.create_task(work), asyncio.create_task(until_ruined)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks(*tasks)


async def _until_ruined(
    database: Database, sets: Generations, generation: Generation, look_every_s: float
) -> None:
    """Postgres tells nobody when a table is dropped, and a log that rests writes nothing that would fail."""
    while True:
        await asyncio.sleep(look_every_s)
        try:
            async with database.connection() as connection:
                if not await sets.is_whole(connection, generation):
                    return
        except DatabaseUnavailable:
            # The runner meets it as well, and its connection says more.
            continue


async def _live(event_log: EventLog, database: Database, sets: Generations) -> Generation:
    async with database.connection() as connection:
        generation = await sets.first(connection)
        is_whole = generation.version != sets.version or await sets.is_whole(connection, generation)
    if generation.version < sets.version or not is_whole:
        log.info("read_models_made_anew", schema=generation.schema, version=sets.version, whole=is_whole)
        rebuilt = await rebuild(event_log, database, version=sets.version)
        return Generation(sets.projection, sets.version, rebuilt.generation)
    if generation.version > sets.version:
        raise ReadModelsNewer(
            f"The read models are of version {generation.version}, this projector makes {sets.version}:"
            " run the newer agenthub, or `agenthub rebuild` with this one"
        )
    reached, stored = await _position(database), await event_log.last_seq()
    if reached > stored:
        raise ReadModelsForeign(
            f"The read models in this database are at event {reached}, the log ends at {stored}: they come from"
            " another log; give this hub an empty database"
        )
    return generation


async def _position(database: Database) -> int:
    async with database.connection() as connection:
        found = await position(connection)
    return 0 if found is None else found.seq
