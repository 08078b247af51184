"""Feeding a projection from the log, exactly once.

The rows and the position move in one transaction. Whatever interrupts it, the next run begins at the position that
Postgres holds; the projection's memory is thrown away and made again from the log.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Protocol

import asyncpg
import msgspec
import structlog
from eventsourcing.persistence import IntegrityError, Tracking
from opentelemetry.trace import SpanKind

from agenthub_events.ports import EventLog, Recorded
from agenthub_events.subjects import STREAM
from agenthub_runtime.postgres.database import Connection, Database, on_loss
from agenthub_runtime.projections import queries
from agenthub_runtime.projections.tracking import AsyncpgTrackingRecorder, Generation
from agenthub_runtime.telemetry.conventions import EVENTS as EVENTS_IN
from agenthub_runtime.telemetry.conventions import SEQUENCE
from agenthub_runtime.telemetry.instruments import PROJECTION_BATCH
from agenthub_runtime.telemetry.tracing import Telemetry

log = structlog.get_logger(__name__)

BATCH_MAX = 500
# A small pause while many events come in puts more of them into one transaction; a lone event never waits.
BUSY_BATCH = 16
GATHER_S = 0.01
LOCK_ROUND_S = 20
TRIES = 3
TRY_AGAIN_S = 0.05
REASON_MAX = 300
_LINKS = 16
# Errors about what was to be written, and not about the database, the log or the lock: values that a column does
# not take, and what code of ours raises that was not made for a value.
_BLAMES_A_MESSAGE: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.PLPGSQLError,
    asyncpg.TriggeredActionError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)


class Changes(Protocol):
    """The rows that a batch changes."""

    async def write(self, connection: Connection) -> None:
        """Write them, in the caller's transaction."""
        ...


class AsyncProjection(ABC):
    """The asyncio counterpart of the eventsourcing library's `Projection`: turns batches of events into rows."""

    name: str
    topics: tuple[str, ...] = ("evt.>",)

    @abstractmethod
    async def process_events(self, batch: Sequence[Recorded], *, position: int) -> Changes:
        """Fold a batch in; `position` is what has been written before it."""

    async def restore(self, connection: Connection) -> None:  # noqa: B027  most projections set nothing aside
        """Called before the first batch: take up what earlier runs of the generation have set aside."""

    async def set_aside(self, recorded: Recorded, reason: str) -> bool:
        """Leave a message that cannot be written, and what builds on it, out of the rows of the next batches.

        Called again for the same message when that was not enough; False: it can leave out no more.
        """
        return False

    async def written_without(self) -> None:  # noqa: B027
        """Called when a batch has been written in which something was set aside."""

    @abstractmethod
    def forget(self) -> None:
        """Throw the memory away: what was folded last has not been written."""


class AsyncProjectionRunner:
    """Runs one projection on one generation, on a database connection of its own.

    Each of `written` gets every batch that is committed. Any number may run for the same generation: one works,
    the others wait for its lock.
    """

    def __init__(
        self,
        log: EventLog,
        database: Database,
        projection: AsyncProjection,
        generation: Generation,
        *,
        channel: str = "",
        telemetry: Telemetry | None = None,
        written: Sequence[Callable[[Sequence[Recorded]], None]] = (),
    ) -> None:
        self._log = log
        self._database = database
        self._projection = projection
        self._generation = generation
        self._recorder = AsyncpgTrackingRecorder(generation)
        self._channel = channel
        self._telemetry = telemetry
        self._written = written
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
        await self._lock(connection)
        position = await self._recorder.max_tracking_id(STREAM, connection=connection)
        if position is None:
            raise IntegrityError(f"`{self._generation.schema}` is gone: it was replaced")
        self.position = position
        await self._projection.restore(connection)
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

    async def _lock(self, connection: Connection) -> None:
        """Wait for the generation's lock, in rounds: a server that went without a word must not be waited for."""
        await connection.execute(queries.wait_for_locks(LOCK_ROUND_S))
        while True:
            try:
                await connection.execute(queries.LOCK, f"projection/{self._generation.schema}")
                break
            except asyncpg.LockNotAvailableError:
                continue
        await connection.execute(queries.wait_for_locks(0))

    async def _take(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        for start in range(0, len(batch), BATCH_MAX):
            part = batch[start : start + BATCH_MAX]
            try:
                await self._write(connection, part)
            except _BLAMES_A_MESSAGE as error:
                if connection.is_closed():
                    raise
                await self._write_singly(connection, part, error)

    async def _write_singly(self, connection: Connection, batch: Sequence[Recorded], cause: Exception) -> None:
        """Find the message that cannot be written, and go on without it."""
        log.warning("projection_batch_failed", schema=self._generation.schema, after=self.position, exc_info=cause)
        self._projection.forget()
        for recorded in batch:
            await self._write_one(connection, recorded)

    async def _write_one(self, connection: Connection, recorded: Recorded) -> None:
        tries, is_set_aside = 0, False
        while True:
            try:
                await self._write(connection, [recorded])
                break
            except _BLAMES_A_MESSAGE as error:
                self._projection.forget()
                if connection.is_closed():
                    raise
                tries += 1
                if tries >= TRIES:
                    await self._move_and_take_back(connection, recorded.seq)
                    is_set_aside = await self._projection.set_aside(recorded, _in_a_line(error))
                    if not is_set_aside:
                        raise
                    log.exception("message_set_aside", seq=recorded.seq, subject=recorded.subject)
                await asyncio.sleep(TRY_AGAIN_S)
        if is_set_aside:
            await self._projection.written_without()

    async def _move_and_take_back(self, connection: Connection, reached: int) -> None:
        """Raises when not even the position can be written: then it is not about the message."""
        attempt = connection.transaction()
        await attempt.start()
        try:
            await self._recorder.insert_tracking(
                Tracking(STREAM, reached), previous=self.position, connection=connection
            )
        finally:
            await attempt.rollback()

    async def _write(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        began = time.perf_counter()
        with self._span(batch):
            await self._transact(connection, batch)
        PROJECTION_BATCH.add(time.perf_counter() - began, {})

    @contextmanager
    def _span(self, batch: Sequence[Recorded]) -> Iterator[None]:
        """A trace of its own, linked to the goals whose events are in the batch: they do not wait for it."""
        if self._telemetry is None or not self._telemetry.records:
            yield
            return
        headers = {recorded.headers.get("traceparent", "") for recorded in batch[:_LINKS]}
        links = {f"event {number}": header for number, header in enumerate(sorted(headers)) if header}
        about = {EVENTS_IN: len(batch), SEQUENCE: batch[-1].seq}
        with self._telemetry.span("project batch", attributes=about, kind=SpanKind.CONSUMER, links=links):
            yield

    async def _transact(self, connection: Connection, batch: Sequence[Recorded]) -> None:
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
        for told in self._written:
            told(batch)


def _in_a_line(error: Exception) -> str:
    """What went wrong, without the details, in which servers show whole rows."""
    words = str(error.args[0]) if error.args else ""
    return f"{type(error).__name__}: {words.splitlines()[0] if words else 'no words'}"[:REASON_MAX]
