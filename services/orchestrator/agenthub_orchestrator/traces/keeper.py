"""Takes spans out of the stream into Postgres, and deletes those that have been kept for long enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import asyncpg
import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError

from agenthub_events.errors import StoreUnavailable
from agenthub_orchestrator.traces.store import add_spans, delete_spans, forget_spans, prepare_spans
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.telemetry.span_records import read_message
from agenthub_runtime.telemetry.span_sending import STREAM

log = structlog.get_logger(__name__)

DURABLE = "traces"
_WAIT_S = 5.0
_LOOK_EVERY = timedelta(minutes=10)
_REASON_CHARS = 200
# What is no message of ours, and values that a column does not take: no try makes them better.
_BLAMES_THE_MESSAGE = (msgspec.MsgspecError, asyncpg.DataError, asyncpg.ProgramLimitExceededError)


@asynccontextmanager
async def traces_kept(nats: Client, database: Database, backoff: Backoff, *, days: int) -> AsyncIterator[None]:
    """Keep spans for `days` days while the body runs. With 0 none is kept, and what was kept is removed."""
    keeper = TraceKeeper(nats, database, backoff, days=days)
    keeping = asyncio.create_task(keeper.run() if days else _forget(database, backoff))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


class TraceKeeper:
    """Keeps spans for `days` days."""

    def __init__(self, nats: Client, database: Database, backoff: Backoff, *, days: int) -> None:
        self._nats = nats
        self._database = database
        self._backoff = backoff
        self._days = days
        self._looked: datetime | None = None

    async def run(self) -> None:
        """Keep and delete for ever; whatever is away is waited for."""
        await follow_forever(
            self._messages,
            self._take,
            what="spans",
            backoff=self._backoff,
            waits_for=(StoreUnavailable, DatabaseUnavailable),
            survives=True,
        )

    async def _messages(self) -> AsyncGenerator[Msg | None, None]:
        """What is in the stream; None after some seconds without any. Raises `StoreUnavailable`."""
        if not await prepare_spans(self._database):
            log.warning("spans_not_kept", reason="a newer agenthub has made their table")
            await asyncio.Event().wait()
        try:
            pull = await self._nats.jetstream().pull_subscribe_bind(durable=DURABLE, stream=STREAM)
        except (NatsError, TimeoutError) as error:
            raise StoreUnavailable(f"Spans cannot be read: {error}") from error
        try:
            while True:
                try:
                    # One message holds what a service did in a second; several would be waited for.
                    [message] = await pull.fetch(1, timeout=_WAIT_S)
                    yield message
                except (NatsTimeoutError, TimeoutError):
                    yield None
                except NatsError as error:
                    raise StoreUnavailable(f"Spans cannot be read: {error}") from error
        finally:
            with suppress(NatsError):
                await pull.unsubscribe()

    async def _take(self, message: Msg | None) -> None:
        if message is not None:
            await self._keep(message)
        await self._delete_old()

    async def _keep(self, message: Msg) -> None:
        service = message.subject.removeprefix("span.")
        try:
            batch = read_message(message.data)
            async with self._database.transaction() as connection:
                await add_spans(connection, service, batch.spans, kept_at=self._backoff.clock.now())
        except _BLAMES_THE_MESSAGE as error:
            log.warning("spans_refused", service=service, reason=str(error)[:_REASON_CHARS])
            await message.term()
        except (DatabaseUnavailable, asyncpg.PostgresError):
            with suppress(NatsError):
                await message.nak()
            raise
        else:
            await message.ack()

    async def _delete_old(self) -> None:
        now = self._backoff.clock.now()
        if self._looked is None or now - self._looked >= _LOOK_EVERY:
            await delete_spans(self._database, now - timedelta(days=self._days))
            self._looked = now


async def _forget(database: Database, backoff: Backoff) -> None:
    failures = 0
    while True:
        try:
            await forget_spans(database)
            return
        except DatabaseUnavailable:
            failures += 1
            await backoff.pause(failures)
