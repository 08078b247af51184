"""How far the read models have come, and waiting until they have come far enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec

from agenthub_events.subjects import STREAM
from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.postgres.database import Connection, Database, on_loss
from agenthub_runtime.readmodels.queries import MISSING_VIEWS, POSITION
from agenthub_runtime.readmodels.rows import ROW_KINDS
from agenthub_runtime.shutdown import end_tasks

PROJECTION = "readmodels"
CHANNEL = "agenthub_position"

_ANSWER_S = 5.0
_ASK_AGAIN_S = 2.0


class Position(msgspec.Struct, frozen=True):
    """The generation that readers see and the sequence of the last event in it."""

    generation: int
    seq: int


async def position(connection: Connection) -> Position | None:
    """How far the read models have come; None before the projector's first run."""
    try:
        row = await connection.fetchrow(POSITION, PROJECTION, STREAM)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return None if row is None else Position(row["generation"], row["seq"])


class PositionWatch:
    """Follows the position by LISTEN on a connection of its own, and takes a new one when it is lost.

    Use it as an async context manager. `current` is None while nothing is known.
    """

    def __init__(self, database: Database, backoff: Backoff) -> None:
        self._database = database
        self._backoff = backoff
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.current: Position | None = None

    async def __aenter__(self) -> PositionWatch:
        self._task = asyncio.create_task(
            follow_forever(
                self._positions,
                self._learn,
                what="position of the read models",
                backoff=self._backoff,
                waits_for=(DatabaseUnavailable,),
                survives=True,
            ),
            name="position-watch",
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end_tasks(self._task)

    async def wait(self, seq: int, timeout: float) -> bool:
        """Wait until the read models hold the event `seq`; False when they do not within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.current is not None and self.current.seq >= seq)
        except TimeoutError:
            return False
        return True

    async def _positions(self) -> AsyncGenerator[Position | None, None]:
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
                while not lost.is_set():
                    # Cleared before the question: a note that comes in between asks again.
                    heard.clear()
                    async with _answered():
                        found = await position(connection)
                    yield found
                    # A server that has gone without a word sends no note either.
                    # No `wait_for`: it loses a cancellation that comes together with a note.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_ASK_AGAIN_S):
                            await heard.wait()
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
    rows = await connection.fetch(MISSING_VIEWS, [kind.table for kind in ROW_KINDS])
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
