"""Setting the timers that goals request; they fire even when every orchestrator was down in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec
import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Clock, Timers
from agenthub_orchestrator.domain import TimerRequest
from agenthub_runtime.following import Backoff
from agenthub_runtime.shutdown import together

log = structlog.get_logger(__name__)

# Changes of a goal come in bursts: its requests are looked at once a burst.
SETTLE_S = 0.2
# A timer that runs for long is set only when it is still requested after this: short tasks then cost no write.
PATIENCE_S = 5.0


class _Known(msgspec.Struct):
    ref: str
    due: datetime
    since: float
    is_set: bool = False


class TimerKeeper:
    """Keeps the durable timers as `requests_of` has them.

    `requests_of` gives the timers that a goal wants, none when it is held no more. What was set is known in
    memory only, so that a new process sets every open timer again.
    """

    def __init__(
        self, timers: Timers, clock: Clock, backoff: Backoff, requests_of: Callable[[str], Iterable[TimerRequest]]
    ) -> None:
        self._timers = timers
        self._clock = clock
        self._backoff = backoff
        self._timer_requests_of = requests_of
        self._known: dict[str, dict[tuple[str, str], _Known]] = {}
        # Ordered, so that a simulation can be played again.
        self._touched: dict[str, None] = {}
        self._news = asyncio.Event()
        self._waiting: dict[str, None] = {}
        self._patient = asyncio.Event()

    def touch(self, goal_id: str) -> None:
        """The goal has changed; its requests are looked at in a moment."""
        self._touched[goal_id] = None
        self._news.set()

    def has_fired(self, kind: str, goal_id: str, task_id: str) -> None:
        """The timer is no longer there; it is set again when it is still requested at the next look."""
        self._known.get(goal_id, {}).pop((kind, task_id), None)

    async def run(self) -> None:
        """Set timers, for ever."""
        await together(self._keep(), self._look_again())

    async def _keep(self) -> None:
        failures = 0
        while True:
            await self._news.wait()
            await self._clock.sleep(SETTLE_S)
            self._news.clear()
            goals, self._touched = self._touched, {}
            for goal_id in goals:
                try:
                    await self._fulfil(goal_id)
                    failures = 0
                except StoreUnavailable as error:
                    log.warning("timers_wait", goal_id=goal_id, reason=str(error))
                    failures += 1
                    await self._backoff.pause(failures)
                    self.touch(goal_id)

    async def _look_again(self) -> None:
        while True:
            await self._patient.wait()
            await self._clock.sleep(PATIENCE_S)
            self._patient.clear()
            for goal_id in self._waiting:
                self.touch(goal_id)
            self._waiting.clear()

    async def _fulfil(self, goal_id: str) -> None:
        before = self._known.pop(goal_id, {})
        now: dict[tuple[str, str], _Known] = {}
        for request in self._timer_requests_of(goal_id):
            key = (request.kind, request.task_id)
            known = before.get(key)
            if known is None or known.ref != request.ref:
                known = self._first_seen(request)
            now[key] = known
        if now:
            self._known[goal_id] = now
        # A copy: a timer that fires while another one is being set takes itself out.
        for (kind, task_id), known in list(now.items()):
            if known.is_set:
                continue
            if self._may_wait(known):
                self._waiting[goal_id] = None
                self._patient.set()
                continue
            await self._timers.set(kind, goal_id, task_id, due=known.due, ref=known.ref)
            known.is_set = True

    def _first_seen(self, request: TimerRequest) -> _Known:
        now = self._clock.now()
        due = request.due if request.due is not None else now + timedelta(seconds=request.after_s or 0.0)
        return _Known(request.ref, due, self._clock.monotonic())

    def _may_wait(self, known: _Known) -> bool:
        shown_for = self._clock.monotonic() - known.since
        left = (known.due - self._clock.now()).total_seconds()
        return shown_for < PATIENCE_S and left > 2 * PATIENCE_S
