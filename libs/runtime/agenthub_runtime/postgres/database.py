"""Connections to Postgres that come back after it was away.

Everything in Postgres is derived from the log, so nobody waits for it: who cannot reach it gets
`DatabaseUnavailable` at once and tries again later.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeAlias

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy
from opentelemetry.trace import SpanKind

from agenthub_runtime.errors import DatabaseUnavailable
from agenthub_runtime.telemetry.conventions import DB_OPERATION, DB_SYSTEM, ERROR_TYPE, GOAL_ID
from agenthub_runtime.telemetry.place import place
from agenthub_runtime.telemetry.tracing import recording

Connection: TypeAlias = "asyncpg.Connection[Any] | PoolConnectionProxy[Any]"

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 60.0

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.DatabaseDroppedError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    # The driver's own word when the server goes away between two of its steps.
    asyncpg.InternalClientError,
)
# On a connection that stands these say something else: a mistake of ours, or another server that does not answer.
_DOUBTFUL = (OSError, TimeoutError, asyncpg.InterfaceError)


_OF_TRANSACTIONS = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "?"})


class Database:
    """A small pool. Opens no connection before the first use, so services may start in any order.

    With `patience_s` a connection is given for that many seconds at most, and as many are spent on getting one: a
    server that takes connections and says nothing (stopped, or behind a network that lost it) is told as away.
    """

    def __init__(self, url: str, *, name: str, max_size: int = 4, patience_s: float | None = None) -> None:
        self._url = url
        self._name = name
        self._max_size = max_size
        self._patience_s = patience_s
        self._connect_s = CONNECT_TIMEOUT_S if patience_s is None else patience_s
        self._pool: asyncpg.Pool[Any] | None = None

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection from the pool. Raises `DatabaseUnavailable`, also for what the body loses on the way."""
        with on_loss():
            pool = await self._opened()
            connection = await pool.acquire(timeout=self._connect_s)
        patience = asyncio.timeout(self._patience_s)
        try:
            with on_loss(connection):
                async with patience:
                    yield connection
        except (TimeoutError, asyncio.CancelledError, DatabaseUnavailable) as error:
            # A question may be on its way: who took the connection next would wait for its answer.
            with suppress(asyncpg.InterfaceError):  # a pool takes a closed connection away at once
                connection.terminate()
            if patience.expired():
                raise DatabaseUnavailable(
                    f"Postgres has not answered within {self._patience_s:g} s: nothing is lost, the log has"
                    " everything; look whether the server is stopped, overloaded or cut off"
                ) from error
            raise
        finally:
            with on_loss():
                await pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction: committed at the end, rolled back when the body raises."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def alone(self) -> asyncpg.Connection[Any]:
        """A connection outside the pool, for locks and LISTEN; the caller closes it.

        Raises `DatabaseUnavailable`.
        """
        with on_loss():
            connection = await asyncpg.connect(
                self._url,
                timeout=self._connect_s,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings={"application_name": self._name},
            )
            await prepare(connection)
        return connection

    async def close(self) -> None:
        """Close every connection; at once when they do not close by themselves."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.terminate()

    async def _opened(self) -> asyncpg.Pool[Any]:
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._max_size,
                timeout=self._connect_s,
                command_timeout=COMMAND_TIMEOUT_S,
                init=prepare,
                server_settings={"application_name": self._name},
            )
            await self._pool
        return self._pool


@contextmanager
def on_loss(connection: Connection | None = None) -> Iterator[None]:
    """Let what the body loses on `connection` come out as `DatabaseUnavailable`; without one it only connects."""
    try:
        yield
    except _AWAY as error:
        if connection is not None and isinstance(error, _DOUBTFUL) and not _lost(connection, error):
            raise
        raise _unavailable(error) from error


async def prepare(connection: Connection) -> None:
    """Let a connection read and write jsonb as plain values."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_json, decoder=msgspec.json.decode, format="text"
    )
    connection.add_query_logger(_tell_query)


def _tell_query(query: asyncpg.connection.LoggedQuery) -> None:
    """A span of a query, below what asked for it, and without its text or its values."""
    telemetry = recording()
    if telemetry is None or not (telemetry.exports or GOAL_ID in place()):
        return
    words = query.query.split(None, 1)
    operation = words[0].upper().rstrip(";") if words else "?"
    if operation in _OF_TRANSACTIONS:
        return
    ended = time.time_ns()
    about = {DB_SYSTEM: "postgresql", DB_OPERATION: operation}
    if query.exception is not None:
        about[ERROR_TYPE] = type(query.exception).__name__
    telemetry.record(
        f"SQL {operation}",
        began=ended - int(query.elapsed * 1e9),
        ended=ended,
        attributes=about,
        kind=SpanKind.CLIENT,
        failed=query.exception is not None,
    )


def _lost(connection: Connection, error: BaseException) -> bool:
    return _closed(connection) or (isinstance(error, TimeoutError) and _of_driver(error))


def _closed(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # A pool takes a closed connection away from its user at once.
        return True


def _of_driver(error: BaseException) -> bool:
    """Whether the driver raised it: its time-outs are the plain ones that everybody raises."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__", "").startswith("asyncpg.") for frame in frames)


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _unavailable(error: BaseException) -> DatabaseUnavailable:
    reason = str(error) or ("no answer" if isinstance(error, TimeoutError) else type(error).__name__)
    return DatabaseUnavailable(
        f"Postgres cannot be reached ({reason}): nothing is lost, the log has everything; check DATABASE_URL"
        " and that the server runs"
    )
