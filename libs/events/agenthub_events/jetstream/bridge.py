"""A private event loop in a thread: how synchronous code uses an asyncio store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import nats
import structlog
from eventsourcing.persistence import OperationalError
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.errors import StoreUnavailable
from agenthub_events.jetstream.fenced import FencedStream

T = TypeVar("T")

_PING_S = 20
_CLOSE_WITHIN_S = 5.0

log = structlog.get_logger()


class Bridge:
    """One connection on a loop of its own, usable from any thread but that loop's.

    Raises `OperationalError` when the server cannot be reached.
    """

    def __init__(self, url: str, stream: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="agenthub-events", daemon=True)
        self._closing = threading.Lock()
        self._closed = False
        self._thread.start()
        try:
            self._nc: Client = self.run(_connect(url))
        except (OSError, NatsError) as error:
            self._stop()
            raise OperationalError(f"The NATS server cannot be reached: {error}") from error
        self.stream = FencedStream(self._nc, stream)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on the loop and wait for its result. Raises `OperationalError` when the store is away."""
        try:
            return self.start(work).result()
        except StoreUnavailable as error:
            raise OperationalError(str(error)) from error

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin the work on the loop. Raises `OperationalError` after `close`."""
        if self._closed:
            work.close()
            raise OperationalError("This recorder is closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Close the connection and end the thread; work that is not done is cancelled."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        ending = asyncio.run_coroutine_threadsafe(_end(self._nc), self._loop)
        # The garbage collector may call this on the loop's own thread, which cannot wait for itself.
        ending.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_WITHIN_S)

    def _work(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _stop(self) -> None:
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_WITHIN_S)


async def _connect(url: str) -> Client:
    return await nats.connect(
        url,
        name="agenthub-events",
        max_reconnect_attempts=-1,
        ping_interval=_PING_S,
        error_cb=_log_error,
    )


async def _log_error(error: Exception) -> None:
    log.warning("events_connection_error", error=str(error) or type(error).__name__)


async def _end(nc: Client) -> None:
    await nc.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
