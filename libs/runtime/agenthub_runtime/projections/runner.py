"""Feeding a projection from the log, exactly once.

The rows and the position move in one transaction. Whatever interrupts it, the next run begins at the position that
Postgres holds; the projection's memory is thrown away and made again from the log.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

import structlog
from eventsourcing.persistence import IntegrityError, Tracking

from agenthub_events.ports import EventLog, Recorded
from agenthub_events.subjects import STREAM
from agenthub_runtime.postgres.database import Connection, Database, on_loss
from agenthub_runtime.projections import queries
from agenthub_runtime.projections.tracking import AsyncpgTrackingRecorder, Generation

log = structlog.get_logger(__name__)

BATCH_MAX = 500
# A small pause while many events come in puts more of them into one transaction; a lone event never waits.
BUSY_BATCH = 16
GATHER_S = 0.01


class Changes(Protocol):
    """The rows that a batch changes."""

    async def write(self, connection: Connection) -> None:
        """Write them, in the caller's transaction."""
        ...


class AsyncProjection(ABC):
    """The asyncio twin of the eventsourcing library's `Projection`: turns batches of events into rows."""

    name: str
    topics: tuple[str, ...] = ("evt.>",)

    @abstractmethod
    async def process_events(self, batch: Sequence[Recorded], *, position: int) -> Changes:
        """Fold a batch in; `position` is what has been written before it."""

    @abstractmethod
    def forget(self) -> None:
        """Throw the memory away: what was folded last has not been written."""


class AsyncProjectionRunner:
    """Runs one projection on one generation, on a database connection of its own.

    Any number may run for the same generation: one works, the others wait for its lock.
    """

    def __init__(
        self,
        log: EventLog,
        database: Database,
        projection: AsyncProjection,
        generation: Generation,
        *,
        channel: str = "",
    ) -> None:
        self._log = log
        self._database = database
        self._projection = projection
        self._generation = generation
        self._recorder = AsyncpgTrackingRecorder(generation)
        self._channel = channel
        self.position = 0

    async def run(self, *, until: int | None = None) -> None:
        """Follow the log for ever, or until the event `until` has been written.

        Raises `IntegrityError` when the generation was replaced or moved by somebody else, and
        `DatabaseUnavailable` or `StoreUnavailable` when one of them is away: run again.
        """
        self._projection.forget()
        connection = await self._database.alone()
        try:
            with on_loss(connection):
                await self._follow(connection, until)
        finally:
            self._projection.forget()
            connection.terminate()

    async def _follow(self, connection: Connection, until: int | None) -> None:
        await connection.execute(queries.LOCK, f"projection/{self._generation.schema}")
        position = await self._recorder.max_tracking_id(STREAM, connection=connection)
        if position is None:
            raise IntegrityError(f"`{self._generation.schema}` is gone: it was replaced")
        self.position = position
        log.info("projection_starts", schema=self._generation.schema, position=position)
        if until is not None and position >= until:
            return
        batches = self._log.follow(after=position, subjects=self._projection.topics)
        async with aclosing(batches):
            async for batch in batches:
                await self._take(connection, batch)
                if until is not None and self.position >= until:
                    return
                if len(batch) >= BUSY_BATCH and until is None:
                    await asyncio.sleep(GATHER_S)

    async def _take(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        for start in range(0, len(batch), BATCH_MAX):
            await self._write(connection, batch[start : start + BATCH_MAX])

    async def _write(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        changes = await self._projection.process_events(batch, position=self.position)
        reached = batch[-1].seq
        async with connection.transaction():
            # The position first: who finds it moved must not touch the rows, which may be gone.
            await self._recorder.insert_tracking(
                Tracking(STREAM, reached), previous=self.position, connection=connection
            )
            await changes.write(connection)
            if self._channel:
                await connection.execute(queries.NOTIFY, self._channel, str(reached))
        self.position = reached
