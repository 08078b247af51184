"""What never ends: following, begun again after a failure and closed when its reader leaves; looking again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Clock, Ids

T = TypeVar("T")

log = structlog.get_logger(__name__)

FIRST_S = 0.1
LONGEST_S = 5.0


@dataclass(frozen=True)
class Backoff:
    """Pauses in seconds that double with every failure in a row, and of which up to a half is left to chance.

    So a store that comes back is not met by everybody at the same moment.
    """

    clock: Clock
    ids: Ids
    longest_s: float = LONGEST_S

    async def pause(self, failures: int) -> None:
        """Wait after the `failures`-th failure in a row, counted from 1."""
        full = min(self.longest_s, FIRST_S * 2.0 ** min(failures - 1, 30))
        await self.clock.sleep(full * (0.5 + self.ids.uniform() / 2))


async def follow_forever(
    begin: Callable[[], AsyncGenerator[T, None]],
    take: Callable[[T], Awaitable[None]],
    *,
    what: str,
    backoff: Backoff,
    waits_for: tuple[type[Exception], ...] = (StoreUnavailable,),
    survives: bool = False,
) -> None:
    """Give everything that `begin` yields to `take`, and begin again when that ends or one of both fails.

    `begin` starts behind what was taken. `what` names it in logs. `waits_for` are the errors of a store that is
    away; any other ends this, or with `survives` is logged and begun again after like them.
    """
    failures, told = 0, ""
    while True:
        try:
            async with aclosing(begin()) as stream:
                async for item in stream:
                    await take(item)
                    if told:
                        log.info("following_again", what=what)
                    failures, told = 0, ""
        except waits_for as error:
            # A store that is away says the same at every try.
            if str(error) != told:
                log.warning("following_waits", what=what, reason=str(error))
            told = str(error)
        except Exception as error:
            if not survives:
                raise
            log.exception("following_failed", what=what)
            told = repr(error)
        failures += 1
        await backoff.pause(failures)


async def look_forever(look: Callable[[], Awaitable[None]], *, every_s: float, clock: Clock, what: str) -> None:
    """Look, and look again `every_s` seconds after each look; a store that is away is met at the next one.

    `what` names it in logs.
    """
    while True:
        try:
            await look()
        except StoreUnavailable as error:
            log.info("look_waits", what=what, reason=str(error))
        await clock.sleep(every_s)
