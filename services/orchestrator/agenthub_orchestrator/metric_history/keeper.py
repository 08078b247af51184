"""Writes metrics to Postgres twice a minute, and deletes those that have been kept for long enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime, timedelta
from importlib.resources import files

import asyncpg
import structlog
from nats.aio.client import Client

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_orchestrator.metric_history import queries
from agenthub_orchestrator.metric_history.counting import count_batch, measure_delay
from agenthub_orchestrator.metric_history.sampling import Sampler
from agenthub_orchestrator.metric_history.tally import Tally
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.connection import log_generation
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.postgres.kept_schema import KeptSchema
from agenthub_runtime.readmodels import position
from agenthub_runtime.shutdown import end_tasks

log = structlog.get_logger(__name__)

VERSION = 1
"""The number in the last line of `tables.sql`."""
WRITTEN_EVERY_S = 30.0

_LAST_S = 2.0


def schema() -> KeptSchema:
    """Where metrics are kept."""
    tables = (files(__package__) / "tables.sql").read_text()
    return KeptSchema("agenthub_metrics", "points", version=VERSION, tables_sql=tables)


@asynccontextmanager
async def metrics_kept(
    nats: Client,
    database: Database,
    backoff: Backoff,
    *,
    days: int,
    every_s: float = WRITTEN_EVERY_S,
) -> AsyncIterator[Callable[[Sequence[Recorded]], None]]:
    """Keep metrics for `days` days while the body runs; it hands every batch of events to what it is given.

    With 0 none is kept, and what was kept is removed.
    """
    keeper = MetricKeeper(nats, database, backoff, days=days)
    keeping = asyncio.create_task(keeper.run(every_s) if days else schema().forget(database, backoff))
    try:
        yield keeper.count if days else _nothing
    finally:
        await end_tasks(keeping)
        if days:
            await keeper.write_last()


class MetricKeeper:
    """Keeps metrics for `days` days, and how far the log is counted: read models may be made anew beside them.

    Every event is counted once, whoever writes it to the read models. What is not handed in in its turn, because a
    rebuild or another projector has written it, is read from the log; and what was counted is written only behind
    all that is written already, so of two keepers that have counted the same one throws it away.
    """

    def __init__(self, nats: Client, database: Database, backoff: Backoff, *, days: int) -> None:
        self._database = database
        self._nats = nats
        self._backoff = backoff
        self._days = days
        self._log = ""
        self._events = JetStreamEventLog(nats)
        # None: not known yet, or nothing has come of a log that is not counted yet.
        self._counted: int | None = None
        self._is_found = False
        self._written = 0
        self._began: int | None = None
        self._seen = 0
        self._sampler = Sampler(nats, database)
        self._tally = Tally(days=days)
        self._samples = Tally(days=days)

    def count(self, batch: Sequence[Recorded]) -> None:
        """Count of a batch, whose rows have just been committed, what was not counted before."""
        now = self._backoff.clock.now()
        measure_delay(self._samples, batch, now)
        self._seen = max(self._seen, batch[-1].seq)
        if self._began is None:
            self._began = batch[0].seq - 1
        if self._counted is None and self._is_found:
            self._counted = self._began
        fresh = self._fresh(batch)
        if fresh and self._counted is not None and fresh[0].seq == self._counted + 1:
            self._take(fresh)

    def _fresh(self, batch: Sequence[Recorded]) -> list[Recorded]:
        return [recorded for recorded in batch if recorded.seq > (self._counted or 0)]

    def _take(self, fresh: Sequence[Recorded]) -> None:
        self._counted = fresh[-1].seq
        count_batch(self._tally, fresh, self._backoff.clock.now())

    async def run(self, every_s: float) -> None:
        """Measure and write for ever; while Postgres is away what was counted waits."""
        await follow_forever(
            lambda: self._turns(every_s),
            self._write,
            what="metrics",
            backoff=self._backoff,
            waits_for=(DatabaseUnavailable, StoreUnavailable),
            survives=True,
        )

    async def write_last(self) -> None:
        """Write what is left, within two seconds; what is not is counted after the next start."""
        with suppress(TimeoutError, DatabaseUnavailable, StoreUnavailable, asyncpg.PostgresError):
            async with asyncio.timeout(_LAST_S):
                await self._write(self._backoff.clock.now())
                await self._catch_up()
                await self._write(self._backoff.clock.now())

    @property
    def _is_behind(self) -> bool:
        return self._counted is not None and self._counted < self._seen

    async def _turns(self, every_s: float) -> AsyncGenerator[datetime, None]:
        """The moments at which it is measured."""
        if not await schema().prepare(self._database):
            log.warning("metrics_not_kept", reason="a newer agenthub has made their table")
            await asyncio.Event().wait()
        if not self._is_found:
            await self._find_counted()
        while True:
            await self._catch_up()
            await self._backoff.clock.sleep(every_s)
            await self._catch_up()
            now = self._backoff.clock.now()
            for metric, value in await self._sampler.measure(now):
                self._samples.add(metric, value, now, now)
            yield now

    async def _find_counted(self) -> None:
        """Where counting goes on: behind what is written, or where the log is not counted yet, where we began."""
        self._log = await log_generation(self._nats)
        async with self._database.transaction() as connection:
            await connection.execute(queries.MAKE_COUNTED)
            stored = await connection.fetchval(queries.COUNTED, self._log)
        self._written = stored or 0
        self._counted = self._began if stored is None else stored
        self._is_found = True

    async def _catch_up(self) -> None:
        """Count out of the log what is in the read models and was not handed in in its turn."""
        async with self._database.connection() as connection:
            found = await position(connection)
        if found is not None and found.seq > self._seen:
            self._seen = min(found.seq, await self._events.last_seq())
        if not self._is_behind:
            return
        async with aclosing(self._events.follow(after=self._counted or 0)) as batches:
            async for batch in batches:
                if fresh := self._fresh(batch):
                    self._take(fresh)
                if self._seen <= batch[-1].seq:
                    return

    async def _write(self, now: datetime) -> None:
        minutes, samples, counted = self._tally.take(), self._samples.take(), self._counted
        stored = counted
        try:
            async with self._database.transaction() as connection:
                await connection.executemany(queries.ADD, samples)
                if counted is not None:
                    await connection.execute(queries.MAKE_COUNTED)
                    stored = await connection.fetchval(queries.SET_COUNTED, self._log, counted, self._written)
                    if stored is None:
                        # Another projector has counted it, or we have and did not hear of it.
                        stored = await connection.fetchval(queries.COUNTED, self._log)
                    else:
                        await connection.executemany(queries.ADD, minutes)
                await connection.execute(queries.DELETE_OLD, now - timedelta(days=self._days))
        except BaseException:
            self._tally.put_back(minutes)
            self._samples.put_back(samples)
            raise
        if stored is not None:
            if stored != counted:
                self._tally.take()
                self._counted = stored
            self._written = stored


def _nothing(_: Sequence[Recorded]) -> None:
    """Nobody keeps them."""
