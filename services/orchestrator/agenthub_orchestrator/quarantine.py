"""What a part of the hub has given up on, written in the log: `evt.hub._.log.>`."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from agenthub_events.base import Fence
from agenthub_events.catalogue.log import LogQuarantined, LogReleased
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Clock, EventLog, Recorded, Stamp, Stored
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB
from agenthub_orchestrator.domain.quarantined import Quarantined

log = structlog.get_logger(__name__)

REASON_MAX = 500
_AGGREGATE = f"{HUB}.{GOAL_AS_A_WHOLE}.log"
_TRIES = 5


class QuarantineLog:
    """Says once for each matter what `by` has given up on, and once when it goes on with it.

    Everything is read off the log, so that a crash, a restart or a twin neither leaves anything out nor says it
    twice. Nothing waits for it: what cannot be written now is written by the next call.
    """

    def __init__(self, event_log: EventLog, clock: Clock, by: str) -> None:
        self._log = event_log
        self._clock = clock
        self._by = by

    async def open(self) -> dict[str, LogQuarantined]:
        """What is said to be given up, by aggregate. Raises `StoreUnavailable`."""
        return _open(await self._log.read(_AGGREGATE), self._by)

    async def add(self, standing: Iterable[Quarantined]) -> None:
        """Write what is given up and not said yet."""
        await self._write(list(standing), releases=False)

    async def settle(self, standing: Iterable[Quarantined]) -> None:
        """The same, and everything that is not in `standing` is taken up again."""
        await self._write(list(standing), releases=True)

    async def _write(self, standing: list[Quarantined], *, releases: bool) -> None:
        try:
            lost = 0
            while lost < _TRIES:
                told = await self._log.read(_AGGREGATE)
                event = self._next(_open(told, self._by), standing, releases=releases)
                if event is None:
                    return
                draft = Fence().after(told).draft(HUB, GOAL_AS_A_WHOLE, event, f"{self._by}-{len(told) + 1}")
                stored = await self._log.append(draft, Stamp(now=self._clock.now(), metadata={"actor": self._by}))
                if isinstance(stored, Stored):
                    log.warning(event.type, by=self._by, aggregate=event.aggregate, seq=event.message_seq)
                else:
                    lost += 1
        except StoreUnavailable as error:
            log.warning("quarantine_not_told", by=self._by, reason=str(error))

    def _next(
        self, told: dict[str, LogQuarantined], standing: list[Quarantined], *, releases: bool
    ) -> LogQuarantined | LogReleased | None:
        for matter in standing:
            if matter.aggregate not in told:
                return LogQuarantined(
                    by=self._by,
                    aggregate=matter.aggregate,
                    goal_id=matter.goal_id,
                    message_seq=matter.seq,
                    reason=matter.reason[:REASON_MAX],
                )
        names = {matter.aggregate for matter in standing}
        for event in told.values() if releases else ():
            if event.aggregate not in names:
                return LogReleased(
                    by=self._by,
                    aggregate=event.aggregate,
                    goal_id=event.goal_id,
                    message_seq=event.message_seq,
                )
        return None


def _open(told: Iterable[Recorded], by: str) -> dict[str, LogQuarantined]:
    found: dict[str, LogQuarantined] = {}
    for recorded in told:
        match recorded.event:
            case LogQuarantined() as event if event.by == by:
                found[event.aggregate] = event
            case LogReleased() as event if event.by == by:
                found.pop(event.aggregate, None)
            case _:
                pass
    return found
