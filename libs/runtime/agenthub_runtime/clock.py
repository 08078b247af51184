"""The real clocks and the real source of randomness."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Clock
from agenthub_runtime.shutdown import end_tasks

log = structlog.get_logger(__name__)

_MEASURE_EVERY_S = 60.0
_MEASURE_AGAIN_S = 1.0
_NO_SKEW_S = 0.05
_SKEW_TOLD_S = 1.0
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM = secrets.SystemRandom()


class SystemClock:
    """The machine's time: the real adapter of the port `Clock`."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)


class ServerClock:
    """The event store's time, told by the machine's clock and its measured distance from the store's.

    Dates that one process writes are judged by others, and timers by the server: with a clock of its own each
    machine would end healthy attempts, or wait for hours. `ask` tells the server's time. Before the first answer
    the machine's own time is given. A distance below what an
    answer takes is none, so that nothing changes on one machine.
    """

    def __init__(self, ask: Callable[[], Awaitable[datetime]], own: Clock | None = None) -> None:
        self._ask = ask
        self._own = own or SystemClock()
        self._ahead = timedelta()
        self._known = asyncio.Event()

    @property
    def skew_s(self) -> float:
        """How many seconds the server's clock is ahead of this machine's."""
        return self._ahead.total_seconds()

    def now(self) -> datetime:
        """Aware UTC, by the server's clock."""
        return self._own.now() + self._ahead

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return self._own.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await self._own.sleep(seconds)

    async def measure(self) -> None:
        """Learn the distance between the clocks. Raises `StoreUnavailable`."""
        began, since = self._own.now(), self._own.monotonic()
        told = await self._ask()
        took_s = self._own.monotonic() - since
        ahead = told - began - timedelta(seconds=took_s / 2)
        if abs(ahead.total_seconds()) <= took_s + _NO_SKEW_S:
            ahead = timedelta()
        if abs((ahead - self._ahead).total_seconds()) > _SKEW_TOLD_S:
            log.warning("clock_differs_from_the_servers", seconds_behind=round(ahead.total_seconds(), 3))
        self._ahead = ahead
        self._known.set()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep measuring while the block runs: at once until the server tells its time, then every minute."""
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            await end_tasks(keeper)

    async def known(self) -> None:
        """Wait until the distance is known."""
        await self._known.wait()

    async def _keep(self) -> None:
        while True:
            try:
                await self.measure()
            except StoreUnavailable as error:
                log.info("clock_not_measured", reason=str(error))
            await self._own.sleep(_MEASURE_EVERY_S if self._known.is_set() else _MEASURE_AGAIN_S)


class SystemIds:
    """The machine's randomness: the real adapter of the port `Ids`."""

    def token(self) -> str:
        """A fresh 26-character ULID, lower case: 48 bits of time in milliseconds, 80 random bits."""
        number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))

    def uniform(self) -> float:
        """A number in [0, 1), for jitter."""
        return _RANDOM.random()
