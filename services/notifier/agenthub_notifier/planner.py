"""Following the log, and writing down who is to be told of what. Any number of planners may run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

import structlog

from agenthub_events.base import Draft, Fence
from agenthub_events.catalogue.notification import NotificationChannelOpened
from agenthub_events.errors import StoreUnavailable
from agenthub_events.notifications.recipients import Recipient
from agenthub_events.ports import Clock, EventLog, Ids, Recorded, Stamp, Stored, Unavailable
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB
from agenthub_notifier.domain.planning import NotifierPolicy, Telling, due, next_due, openings, prune
from agenthub_notifier.domain.state import SUBJECTS, NotifierState, apply, note
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.shutdown import together

log = structlog.get_logger(__name__)

ACTOR = "notifier"
_LOOK_S = 60.0


class Planner:
    """Folds the log and appends `notification.planned` when the time of a matter has come.

    It has no memory that matters: killed at any place it folds again, and what is planned is never planned twice.
    """

    def __init__(
        self,
        event_log: EventLog,
        policy: NotifierPolicy,
        *,
        clock: Clock,
        ids: Ids,
        crash_point: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._log = event_log
        self._policy = policy
        self._clock = clock
        self._crash_point = crash_point
        self._backoff = Backoff(clock, ids)
        self._state = NotifierState()
        self._moved = asyncio.Event()
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Follow and plan for ever."""
        follow = follow_forever(self._begin, self._advance, what="event log", backoff=self._backoff)
        await together(follow, self._plan())

    def _begin(self) -> AsyncGenerator[list[Recorded], None]:
        return self._log.follow(after=self._state.last_seq, subjects=SUBJECTS)

    async def _advance(self, batch: Sequence[Recorded]) -> None:
        for recorded in batch:
            apply(self._state, recorded)
        if not batch:
            self.caught_up.set()
        self._moved.set()

    async def _plan(self) -> None:
        await self.caught_up.wait()
        failures = 0
        while True:
            self._moved.clear()
            try:
                await self._plan_once()
                failures = 0
            except StoreUnavailable as error:
                failures += 1
                log.warning("notification_not_planned", reason=str(error))
                await self._backoff.pause(failures)
                continue
            await self._rest()

    async def _plan_once(self) -> None:
        for recipient in openings(self._state, self._policy):
            await self._append(self._opened(recipient))
        for telling in due(self._state, self._policy, self._clock.now()):
            self._crash_point("before planning")
            await self._append(_planned(telling))
            self._crash_point("after planning")
        prune(self._state, self._policy)

    async def _rest(self) -> None:
        """Until something happens, or a matter's time comes."""
        now = self._clock.now()
        at = next_due(self._state, self._policy, now)
        wait_s = _LOOK_S if at is None else min(_LOOK_S, max((at - now).total_seconds(), 0.0) + 0.001)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._moved.wait()

    async def _append(self, draft: Draft) -> None:
        """Store it and take it into the fold; another planner's event of the same key does as well."""
        stamp = Stamp(now=self._clock.now(), metadata={"actor": ACTOR})
        result = await self._log.append(draft, stamp)
        if isinstance(result, Unavailable):
            raise StoreUnavailable(f"The event log did not take the event ({result.reason})")
        if isinstance(result, Stored):
            # It comes again by the log, and then changes nothing more.
            note(self._state, result.seq, draft.event)

    def _opened(self, recipient: Recipient) -> Draft:
        event = NotificationChannelOpened(channel=recipient.channel, recipient=recipient.name)
        count = self._state.channels.count + 1
        return self._state.channels.draft(HUB, GOAL_AS_A_WHOLE, event, f"{recipient.name}-{count}")


def _planned(telling: Telling) -> Draft:
    return Fence().draft(telling.goal_id, telling.key, telling.event, "1")
