"""Read models of a log that a test has told, without a projector in the background."""

from __future__ import annotations

from collections.abc import Iterable

from agenthub_events.ports import EventLog, Recorded
from agenthub_events.serialization.codec import Unreadable, encode
from agenthub_orchestrator.projector.projection import ReadModels, generations, prepare_database
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.projections import AsyncProjectionRunner


def log_of(messages: Iterable[Recorded]) -> InMemoryEventLog:
    """A log that holds these messages, with fresh sequences."""
    log = InMemoryEventLog()
    put(log, messages)
    return log


def put(log: InMemoryEventLog, messages: Iterable[Recorded]) -> None:
    """Add these messages to the end of the log."""
    for recorded in messages:
        event = recorded.event
        log.inject(recorded.subject, event.data if isinstance(event, Unreadable) else encode(event))


async def projected(log: EventLog, database: Database) -> None:
    """Bring the live read models up to the end of the log."""
    await prepare_database(database)
    async with database.connection() as connection:
        generation = await generations().first(connection)
    runner = AsyncProjectionRunner(log, database, ReadModels(log, generation.schema), generation)
    await runner.run(until=await log.last_seq())
