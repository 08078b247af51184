"""A private event loop in a thread: how synchronous code uses an asyncio store."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import nats
import structlog
from eventsourcing.persistence import OperationalError
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from agenthub_runtime.shutdown import end_tasks

T = TypeVar("T")

CONNECT_WITHIN_S = 10.0
_PING_S = 20
_CLOSE_WITHIN_S = 5.0

log = structlog.get_logger()


class Bridge:
    """One connection on a loop of its own, usable from any thread but that loop's.

    It ends with `close`, or with the last recorder that uses it. Raises `OperationalError` when the server cannot
    be reached.
    """

    def __init__(self, url: str, stream: str, *, connect_within_s: float = CONNECT_WITHIN_S) -> None:
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_work, args=(self._loop,), name="agenthub-events", daemon=True)
        thread.start()
        try:
            nc = asyncio.run_coroutine_threadsafe(_connect(url, connect_within_s), self._loop).result()
        except (OSError, NatsError) as error:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise OperationalError(f"The NATS server cannot be reached: {str(error) or 'no answer'}") from error
        self._end = weakref.finalize(self, _end, self._loop, thread, nc)
        self.stream = FencedStream(nc, stream)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on the loop and wait for its result. Raises `OperationalError` when the store is away."""
        try:
            return self.start(work).result()
        except StoreUnavailable as error:
            raise OperationalError(str(error)) from error

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin the work on the loop. Raises `OperationalError` after `close`."""
        if not self._end.alive:
            work.close()
            raise OperationalError("This recorder is closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Close the connection and end the thread; work that is not done is cancelled."""
        self._end()


def _work(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread, nc: Client) -> None:
    ending = asyncio.run_coroutine_threadsafe(_disconnect(nc), loop)
    ending.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
    # The garbage collector may come here on the loop's own thread, which cannot wait for itself.
    if threading.current_thread() is not thread:
        thread.join(_CLOSE_WITHIN_S)


async def _connect(url: str, within_s: float) -> Client:
    # With reconnecting forever the client would also wait forever for its first connection.
    async with asyncio.timeout(within_s):
        return await nats.connect(
            **login_of(url).options,
            name="agenthub-events",
            max_reconnect_attempts=-1,
            ping_interval=_PING_S,
            error_cb=_log_error,
        )


async def _log_error(error: Exception) -> None:
    log.warning("events_connection_error", error=str(error) or type(error).__name__)


async def _disconnect(nc: Client) -> None:
    await nc.close()
    await end_tasks(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))
