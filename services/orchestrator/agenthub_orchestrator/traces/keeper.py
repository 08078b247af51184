"""Takes spans out of the stream into Postgres, and deletes what is old, too much, or of a goal that was erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Set
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
from agenthub_orchestrator.traces.erased import ErasedGoals
from agenthub_orchestrator.traces.store import (
    add_spans,
    delete_spans,
    delete_spans_of,
    delete_surplus,
    prepare_spans,
    schema,
)
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.shutdown import end_tasks
from agenthub_runtime.telemetry.conventions import GOAL_ID
from agenthub_runtime.telemetry.span_records import read_message
from agenthub_runtime.telemetry.span_sending import STREAM

log = structlog.get_logger(__name__)

DURABLE = "traces"
SPANS_KEPT = 2_000_000
"""About 1.2 GB with their indexes."""

_WAIT_S = 5.0
_LAST_S = 3.0
_ASK_AGAIN_S = 0.02
_LOOK_EVERY = timedelta(minutes=10)
_LOOK_AFTER_SPANS = 100_000
_REASON_CHARS = 200
# What is no message of ours, and values that a column does not take: no try makes them better.
_BLAMES_THE_MESSAGE = (msgspec.MsgspecError, asyncpg.DataError, asyncpg.ProgramLimitExceededError)


@asynccontextmanager
async def traces_kept(nats: Client, database: Database, backoff: Backoff, *, days: int) -> AsyncIterator[None]:
    """Keep spans for `days` days while the body runs, and at its end what is still in the stream.

    With 0 none is kept, and what was kept is removed.
    """
    erased = ErasedGoals(nats, database, backoff)
    keeper = TraceKeeper(nats, database, backoff, days=days, erased=erased.known)
    works = (_keep(keeper, erased), erased.follow()) if days else (schema().forget(database, backoff),)
    keeping = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        if days:
            await keeper.until_taken()
        await end_tasks(*keeping)


async def _keep(keeper: TraceKeeper, erased: ErasedGoals) -> None:
    # What came for an erased goal while nobody was there waits in the stream until it is known whose it is.
    await erased.caught_up.wait()
    await keeper.run()


class TraceKeeper:
    """Keeps spans for `days` days, `most` of them at most, and none of the goals that are in `erased`."""

    def __init__(
        self,
        nats: Client,
        database: Database,
        backoff: Backoff,
        *,
        days: int,
        most: int = SPANS_KEPT,
        erased: Set[str] = frozenset(),
    ) -> None:
        self._nats = nats
        self._database = database
        self._backoff = backoff
        self._days = days
        self._most = most
        self._erased = erased
        self._looked: datetime | None = None
        self._added = 0

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

    async def until_taken(self) -> None:
        """Wait until the stream holds nothing more, some seconds at most: it ends with the server."""
        stream = self._nats.jetstream()
        with suppress(NatsError, TimeoutError):
            async with asyncio.timeout(_LAST_S):
                while True:
                    state = await stream.consumer_info(STREAM, DURABLE)
                    if not state.num_pending and not state.num_ack_pending:
                        return
                    await asyncio.sleep(_ASK_AGAIN_S)

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
        await self._delete()

    async def _keep(self, message: Msg) -> None:
        service = message.subject.removeprefix("span.")
        try:
            spans = read_message(message.data).spans
            async with self._database.transaction() as connection:
                await add_spans(connection, service, spans, kept_at=self._backoff.clock.now())
            # Behind the commit: who learns of it later deletes it then.
            for goal_id in self._erased & {span.attributes.get(GOAL_ID) for span in spans}:
                await delete_spans_of(self._database, goal_id)
        except _BLAMES_THE_MESSAGE as error:
            log.warning("spans_refused", service=service, reason=str(error)[:_REASON_CHARS])
            await message.term()
        except (DatabaseUnavailable, asyncpg.PostgresError):
            with suppress(NatsError):
                await message.nak()
            raise
        else:
            await message.ack()
            self._added += len(spans)

    async def _delete(self) -> None:
        now = self._backoff.clock.now()
        is_time = self._looked is None or now - self._looked >= _LOOK_EVERY
        if is_time or self._added >= _LOOK_AFTER_SPANS:
            await delete_spans(self._database, now - timedelta(days=self._days))
            await delete_surplus(self._database, self._most)
            self._looked, self._added = now, 0
