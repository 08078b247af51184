"""Writes metrics to Postgres twice a minute, and deletes those that have been kept for long enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from importlib.resources import files

import asyncpg
import structlog
from nats.aio.client import Client

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_orchestrator.metric_history import queries
from agenthub_orchestrator.metric_history.counting import count_batch
from agenthub_orchestrator.metric_history.sampling import Sampler
from agenthub_orchestrator.metric_history.tally import Tally
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.jetstream.connection import log_generation
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.postgres.kept_schema import KeptSchema

log = structlog.get_logger(__name__)

VERSION = 1
"""The number in the last line of `tables.sql`."""
WRITTEN_EVERY_S = 30.0

_LAST_S = 2.0
_WAITING_MAX = 20_000


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
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        if days:
            await keeper.write_last()


class MetricKeeper:
    """Keeps metrics for `days` days, and how far the log is counted: read models may be made anew beside them."""

    def __init__(self, nats: Client, database: Database, backoff: Backoff, *, days: int) -> None:
        self._database = database
        self._nats = nats
        self._backoff = backoff
        self._days = days
        self._log = ""
        # None: not known yet. What comes until then waits.
        self._counted: int | None = None
        self._waiting: list[Recorded] = []
        self._sampler = Sampler(nats, database)
        self._tally = Tally(days=days)

    def count(self, batch: Sequence[Recorded]) -> None:
        """Count of a batch, whose rows have just been committed, what was not counted before."""
        if self._counted is None:
            self._waiting += batch[: _WAITING_MAX - len(self._waiting)]
            return
        fresh = [recorded for recorded in batch if recorded.seq > (self._counted or 0)]
        if fresh:
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
        """Write what is left, within two seconds."""
        with suppress(TimeoutError, DatabaseUnavailable, asyncpg.PostgresError):
            async with asyncio.timeout(_LAST_S):
                await self._write(self._backoff.clock.now())

    async def _turns(self, every_s: float) -> AsyncGenerator[datetime, None]:
        """The moments at which it is measured."""
        if not await schema().prepare(self._database):
            log.warning("metrics_not_kept", reason="a newer agenthub has made their table")
            await asyncio.Event().wait()
        await self._find_counted()
        while True:
            await self._backoff.clock.sleep(every_s)
            now = self._backoff.clock.now()
            for metric, value in await self._sampler.measure(now):
                self._tally.add(metric, value, now, now)
            yield now

    async def _find_counted(self) -> None:
        self._log = await log_generation(self._nats)
        async with self._database.transaction() as connection:
            await connection.execute(queries.MAKE_COUNTED)
            stored = await connection.fetchval(queries.COUNTED, self._log) or 0
        self._counted = max(self._counted or 0, stored)
        waiting, self._waiting = self._waiting, []
        self.count(waiting)

    async def _write(self, now: datetime) -> None:
        minutes, counted = self._tally.take(), self._counted
        try:
            async with self._database.transaction() as connection:
                await connection.executemany(queries.ADD, minutes)
                if counted is not None:
                    stored = await connection.fetchval(queries.SET_COUNTED, self._log, counted)
                    # Another projector may have counted what is about to come here once more.
                    self._counted = max(self._counted or 0, stored)
                await connection.execute(queries.DELETE_OLD, now - timedelta(days=self._days))
        except BaseException:
            self._tally.put_back(minutes)
            raise


def _nothing(_: Sequence[Recorded]) -> None:
    """Nobody keeps them."""
