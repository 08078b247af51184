"""Whether those who follow the log keep up with it, as far as this gateway can see."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import NamedTuple

import structlog

from agenthub_events.errors import AgenthubError
from agenthub_events.ports import EventLog
from agenthub_runtime.readmodels import PositionWatch
from agenthub_runtime.shutdown import end_tasks

log = structlog.get_logger(__name__)

STUCK_AFTER_S = 5.0
_LOOK_EVERY_S = 1.0
_ANSWER_S = 2.0


class _Mark(NamedTuple):
    at: float
    newest: int
    position: int

    @property
    def lag(self) -> int:
        return self.newest - self.position


class Lag:
    """How far the read models are behind, over the last seconds: moments are those of one monotonic clock.

    They are stuck when some of what waited `stuck_after_s` ago still waits, and no less waits than did.
    """

    def __init__(self, stuck_after_s: float = STUCK_AFTER_S) -> None:
        self._stuck_after_s = stuck_after_s
        self._marks: deque[_Mark] = deque()

    def note(self, now: float, newest: int, position: int) -> None:
        """Take down what the log and the read models hold."""
        mark = _Mark(now, newest, position)
        if mark.lag <= 0 or (self._marks and self._marks[-1].newest > newest):
            self._marks.clear()
        self._marks.append(mark)
        while len(self._marks) > 1 and self._marks[1].at <= now - self._stuck_after_s:
            self._marks.popleft()

    def trouble(self) -> str:
        """Why the read models are not to be relied on; empty when nothing speaks for it."""
        if not self._marks:
            return ""
        first, last = self._marks[0], self._marks[-1]
        is_old = last.at - first.at >= self._stuck_after_s
        if not is_old or last.position >= first.newest or last.lag < first.lag:
            return ""
        return (
            f"The read models stand at event {last.position}, {last.lag} events wait, and for"
            f" {last.at - first.at:.0f} s they have not become fewer: see the projector's log"
        )


class ProgressWatch:
    """Looks every second at the log and at the read models. Use it as an async context manager."""

    def __init__(self, event_log: EventLog, position: PositionWatch) -> None:
        self._log = event_log
        self._position = position
        self._task: asyncio.Task[None] | None = None
        self.lag = Lag()

    async def __aenter__(self) -> ProgressWatch:
        self._task = asyncio.create_task(self._follow(), name="progress-watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end_tasks(self._task)

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
            except (AgenthubError, TimeoutError):
                # Readiness asks the log itself, and says so.
                pass
            except Exception:
                log.exception("progress_watch_failed", looks_again_in_s=_LOOK_EVERY_S)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self) -> None:
        known = self._position.current
        async with asyncio.timeout(_ANSWER_S):
            newest = await self._log.last_seq()
        self.lag.note(time.monotonic(), newest, known.seq if known else 0)
