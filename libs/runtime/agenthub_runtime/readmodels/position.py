"""How far the read models have come, and waiting until they have come far enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec
import structlog

from agenthub_events.subjects import STREAM
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.postgres.database import Connection, Database, on_loss
from agenthub_runtime.readmodels.rows import ROW_KINDS

log = structlog.get_logger(__name__)

PROJECTION = "readmodels"
CHANNEL = "agenthub_position"

_RETRY_S = 0.5
_ANSWER_S = 5.0
_ASK_AGAIN_S = 2.0

_POSITION = """
SELECT live.generation, coalesce(at.position, 0) AS seq
FROM agenthub.projection_live live
LEFT JOIN agenthub.projection_positions at
  ON at.projection = live.projection AND at.version = live.version AND at.generation = live.generation
 AND at.source = $2
WHERE live.projection = $1
"""


class Position(msgspec.Struct, frozen=True):
    """The generation that readers see and the sequence of the last event in it."""

    generation: int
    seq: int


async def position(connection: Connection) -> Position | None:
    """How far the read models have come; None before the projector's first run."""
    try:
        row = await connection.fetchrow(_POSITION, PROJECTION, STREAM)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return None if row is None else Position(row["generation"], row["seq"])


class PositionWatch:
    """Follows the position by LISTEN on a connection of its own, and takes a new one when it is lost.

    Use it as an async context manager. `current` is None while nothing is known.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = asyncio.Condition()
        self._lost = False
        self._task: asyncio.Task[None] | None = None
        self.current: Position | None = None

    async def __aenter__(self) -> PositionWatch:
        self._task = asyncio.create_task(self._follow(), name="position-watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, seq: int, timeout: float) -> bool:
        """Wait until the read models hold the event `seq`; False when they do not within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.current is not None and self.current.seq >= seq)
        except TimeoutError:
            return False
        return True

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except DatabaseUnavailable as error:
                if not self._lost:
                    log.warning("position_watch_lost", error=str(error), asks_again_every_s=_RETRY_S)
                self._lost = True
            except Exception:
                log.exception("position_watch_failed", asks_again_every_s=_RETRY_S)
            await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        connection = await self._database.alone()
        lost = asyncio.Event()
        heard = asyncio.Event()

        def end(*_: object) -> None:
            lost.set()
            heard.set()

        def wake(*_: object) -> None:
            heard.set()

        connection.add_termination_listener(end)
        try:
            with on_loss(connection):
                async with _answered():
                    await connection.add_listener(CHANNEL, wake)
                if self._lost:
                    log.info("position_watch_back")
                self._lost = False
                while not lost.is_set():
                    # Cleared before the question: a note that comes in between asks again.
                    heard.clear()
                    async with _answered():
                        found = await position(connection)
                    await self._learn(found)
                    # A server that has gone without a word sends no note either.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(heard.wait(), _ASK_AGAIN_S)
        finally:
            connection.terminate()

    async def _learn(self, found: Position | None) -> None:
        if found != self.current:
            async with self._changed:
                self.current = found
                self._changed.notify_all()


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_ANSWER_S):
            yield
    except TimeoutError as error:
        raise DatabaseUnavailable(f"Postgres has not answered within {_ANSWER_S:g} s") from error


async def missing_views(connection: Connection) -> list[str]:
    """Tables of the read models that readers do not find; empty when all are there."""
    names = [kind.table for kind in ROW_KINDS]
    rows = await connection.fetch(
        "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass('agenthub.' || name) IS NULL", names
    )
    return [row["name"] for row in rows]


async def wait_for_position(connection: asyncpg.Connection[Any], seq: int, timeout: float) -> bool:
    """Wait on one connection (outside a pool) until the read models hold the event `seq`.

    For tools that ask once; a server with many waiters uses `PositionWatch`.
    """
    heard = asyncio.Event()

    def wake(*_: object) -> None:
        heard.set()

    await connection.add_listener(CHANNEL, wake)
    try:
        async with asyncio.timeout(timeout):
            while True:
                heard.clear()
                found = await position(connection)
                if found is not None and found.seq >= seq:
                    return True
                await heard.wait()
    except TimeoutError:
        return False
    finally:
        await connection.remove_listener(CHANNEL, wake)
