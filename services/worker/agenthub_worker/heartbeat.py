"""Keeps a worker's orders and its name alive from a thread of its own, so that no busy tool can starve it.

It has its own NATS connection. A worker without a heartbeat must not go on: others take over what it holds. So
when the thread ends, the worker is stopped; one whose loop does not even move is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_events.errors import AgenthubError, StoreUnavailable
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_runtime.jetstream.work_queue import NatsWorkQueue
from agenthub_runtime.shutdown import CLEANS_UP_S, end_tasks
from agenthub_worker.domain.heartbeat_schedule import HUNG_AFTER_S, ORDER_BEAT_S, HeartbeatSchedule
from agenthub_worker.errors import HeartbeatLost
from agenthub_worker.lease.keep_alive import TICK_S, keep_alive

log = structlog.get_logger()

# Longer than a worker takes to park what it works on.
KILLED_AFTER_S = 30.0
# The worker itself is connected: a server that lets no second connection in is no passing trouble.
_CONNECTED_WITHIN_S = 60.0
_CLOSE_WITHIN_S = 1.0
_JOIN_WITHIN_S = 2.0


class Heartbeat:
    """The beating thread. `held` gives the ack subject of every order that is being worked on, by task.

    Both `held` and `status` are called from the thread: they must return copies. Orders are kept alive every
    `order_beat_s` seconds, until the worker's loop has stood still for `hung_after_s`. A process that is not
    stopped within `killed_after_s` of the end of its heartbeat is killed.
    """

    def __init__(
        self,
        nats_url: str,
        held: Callable[[], dict[str, str]],
        status: Callable[[], WorkerStatus],
        *,
        order_beat_s: float = ORDER_BEAT_S,
        hung_after_s: float = HUNG_AFTER_S,
        killed_after_s: float = KILLED_AFTER_S,
    ) -> None:
        self._url = nats_url
        self._held = held
        self._status = status
        self._schedule = HeartbeatSchedule(order_beat_s=order_beat_s, hung_after_s=hung_after_s)
        self._killed_after_s = killed_after_s
        self._moved = time.monotonic()
        self._stopping = threading.Event()
        self._ended = asyncio.Event()
        self._reason = "its thread has died"
        self._thread = threading.Thread(target=self._main, name="heartbeat", daemon=True)
        self._home: asyncio.AbstractEventLoop | None = None
        self._beating: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        self._ticker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat; call it on the worker's loop."""
        self._home = asyncio.get_running_loop()
        self._thread.start()
        self._ticker = self._home.create_task(self._tick())

    async def while_beating(self, work: Coroutine[Any, Any, None]) -> None:
        """Await `work`, and cancel it when the heartbeat ends before it: then raises `HeartbeatLost`."""
        task = asyncio.ensure_future(work)
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise HeartbeatLost(
                    f"The heartbeat has ended ({self._reason}): others take over what is held here"
                )
            task.result()
        finally:
            await end_tasks(task, ended, again_s=CLEANS_UP_S)

    async def stop(self) -> None:
        """End the thread, if it was started."""
        self._stopping.set()
        if self._ticker is not None:
            self._ticker.cancel()
        if self._beating is not None:
            loop, task = self._beating
            with suppress(RuntimeError):  # the loop is closed: the thread has ended
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _JOIN_WITHIN_S)

    async def _tick(self) -> None:
        while self._thread.is_alive():
            self._moved = time.monotonic()
            await asyncio.sleep(TICK_S)
        # Whatever ended the thread, also where it could not say so itself.
        self._ended.set()

    def _main(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._beat())
        except AgenthubError as error:
            self._reason = str(error)
        finally:
            if not self._stopping.is_set():
                self._end_worker()

    def _end_worker(self) -> None:
        log.error("heartbeat_lost", reason=self._reason)
        if self._home is not None:
            with suppress(RuntimeError):  # the worker's loop is closed already
                self._home.call_soon_threadsafe(self._ended.set)
        if not self._stopping.wait(self._killed_after_s):
            log.critical("worker_killed", reason="it did not stop after the end of its heartbeat")
            os.kill(os.getpid(), signal.SIGKILL)

    async def _beat(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._beating = (asyncio.get_running_loop(), task)
        if self._stopping.is_set():
            return
        name = f"{self._status().worker}-heartbeat"
        nc = await connect(self._url, name, give_up_after_s=_CONNECTED_WITHIN_S)
        try:
            await keep_alive(
                _NatsWire(nc),
                self._schedule,
                held=self._held,
                status=self._status,
                monotonic=time.monotonic,
                moved=lambda: self._moved,
                pause=asyncio.sleep,
            )
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await nc.close()


class _NatsWire:
    """The sends of a heartbeat on a connection of its own."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._queue = NatsWorkQueue(nc, (), slots=0)
        self._fleet = NatsFleet(nc)

    async def in_progress(self, ack_subject: str) -> None:
        """Keep an order from being delivered to somebody else."""
        with self._losses_told():
            await self._queue.in_progress(ack_subject)

    async def publish(self, status: WorkerStatus) -> None:
        """Say that this worker is alive, and what it holds."""
        with self._losses_told():
            await self._fleet.publish(status)

    @contextmanager
    def _losses_told(self) -> Iterator[None]:
        try:
            yield
        except (NatsError, OSError) as error:
            reason = str(error) or type(error).__name__
            if self._nc.is_closed:
                raise HeartbeatLost(f"its connection is closed for good: {reason}") from error
            raise StoreUnavailable(f"NATS takes nothing now: {reason}") from error
