"""The real clock and the real source of randomness."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime

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


class SystemIds:
    """The machine's randomness: the real adapter of the port `Ids`."""

    def token(self) -> str:
        """A fresh 26-character ULID, lower case: 48 bits of time in milliseconds, 80 random bits."""
        number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))

    def uniform(self) -> float:
        """A number in [0, 1), for jitter."""
        return _RANDOM.random()
