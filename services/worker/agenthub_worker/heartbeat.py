"""Keeps a worker's orders and its name alive from a thread of its own, so that no busy tool can starve it.

It has its own NATS connection. When the worker's loop has not ticked for a minute the worker counts as hung: the
beat stops, and the orders go to somebody else.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.fleet import HEARTBEAT_S, NatsFleet, WorkerStatus

log = structlog.get_logger()

ORDER_BEAT_S = 3.0
HUNG_AFTER_S = 60.0
_TICK_S = 0.5


class Heartbeat:
    """The beating thread. `held` gives the ack subject of every order that is being worked on, by task.

    Both `held` and `status` are called from the thread: they must return copies. Orders are kept alive every
    `order_beat_s` seconds, until the worker's loop has stood still for `hung_after_s`.
    """

    def __init__(
        self,
        nats_url: str,
        held: Callable[[], dict[str, str]],
        status: Callable[[], WorkerStatus],
        *,
        order_beat_s: float = ORDER_BEAT_S,
        hung_after_s: float = HUNG_AFTER_S,
    ) -> None:
        self._url = nats_url
        self._held = held
        self._status = status
        self._order_beat_s = order_beat_s
        self._hung_after_s = hung_after_s
        self._ticked = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="heartbeat", daemon=True)
        self._ticker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat; call it on the worker's loop."""
        self._ticker = asyncio.get_running_loop().create_task(self._tick())
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still beats."""
        return self._thread.is_alive()

    async def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._ticker is not None:
            self._ticker.cancel()
        await asyncio.to_thread(self._thread.join, 2.0)

    async def _tick(self) -> None:
        while True:
            self._ticked = time.monotonic()
            await asyncio.sleep(_TICK_S)

    def _main(self) -> None:
        asyncio.run(self._beat())

    async def _beat(self) -> None:
        try:
            nc = await connect(self._url, f"{self._status().worker}-heartbeat")
        except StoreUnavailable as error:
            log.error("heartbeat_not_connected", error=str(error))
            return
        fleet = NatsFleet(nc)
        next_order = next_fleet = 0.0
        known: frozenset[str] = frozenset()
        while not self._stop.is_set():
            now = time.monotonic()
            if now - self._ticked > self._hung_after_s:
                log.error("worker_loop_hung", seconds=round(now - self._ticked))
                break
            held = self._held()
            if now >= next_order:
                for subject in held.values():
                    await nc.publish(subject, b"+WPI")
                next_order = now + self._order_beat_s
            if now >= next_fleet or frozenset(held) != known:
                await fleet.publish(self._status())
                next_fleet, known = now + HEARTBEAT_S, frozenset(held)
            await asyncio.to_thread(self._stop.wait, _TICK_S)
        await nc.close()
