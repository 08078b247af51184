"""One follower of the log for the whole process, and listeners that never miss a message.

The newest frames stand in a ring. A listener is a place in the log: while its place is in the ring it is served
from there, and one that is older, or too slow, reads the log itself until it has caught up. So nothing waits for
a slow listener, and a resumed one has no gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from itertools import dropwhile
from typing import Any

import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import EventLog, Recorded
from agenthub_gateway.live.frames import Filter, Frame, Framer
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.shutdown import end_tasks

_log = structlog.get_logger(__name__)

RING = 4_096
RING_BYTES = 64 << 20


class Broadcaster:
    """Follows the log from the moment it starts. Use it as an async context manager.

    At most `ring` messages are held, and no more than `ring_bytes` of them.
    """

    def __init__(
        self,
        log: EventLog,
        generation: Callable[[], Awaitable[str]],
        backoff: Backoff,
        *,
        ring: int = RING,
        ring_bytes: int = RING_BYTES,
    ) -> None:
        self.log = log
        self.framer = Framer(log)
        self.backoff = backoff
        self._generation = generation
        self._ring: deque[tuple[int, list[Frame]]] = deque()
        self._ring_max = ring
        self._bytes = 0
        self._bytes_max = ring_bytes
        self._floor: int | None = None
        self._place = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._releasing: set[asyncio.Future[None]] = set()
        self.closed = False

    async def __aenter__(self) -> Broadcaster:
        self._task = asyncio.create_task(
            follow_forever(self._batches, self._keep, what="live feed", backoff=self.backoff, survives=True),
            name="live-feed",
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._task is not None:
            await end_tasks(self._task)
            await asyncio.gather(*self._releasing, return_exceptions=True)

    def release(self, work: Coroutine[Any, Any, None]) -> None:
        """Let go of what a listener held. Nothing can be awaited where a broken connection ends."""
        task = asyncio.ensure_future(work)
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    def close(self) -> None:
        """End every listener's stream."""
        self.closed = True
        self._wake()

    @property
    def place(self) -> int:
        """The sequence of the newest message that has been given out."""
        return self._place

    async def generation(self) -> str:
        """Which log this is: another one, made anew, counts from 1 again. Raises `StoreUnavailable`."""
        return await self._generation()

    def listen(self, *, after: int, wanted: Filter) -> Listener:
        """A listener for everything after the sequence `after`."""
        return Listener(self, after, wanted)

    def held_after(self, after: int) -> list[tuple[int, list[Frame]]] | None:
        """Messages after `after` in the ring; None when the ring does not reach back so far."""
        if self._floor is None or after < self._floor:
            return None
        if not self._ring or self._ring[-1][0] <= after:
            return []
        return list(dropwhile(lambda entry: entry[0] <= after, self._ring))

    @property
    def changed(self) -> asyncio.Event:
        """Is set when there is something new, or the feed is closed. Take it before looking, wait afterwards."""
        return self._news

    @property
    def started(self) -> bool:
        """Whether the feed knows where the log ends."""
        return self._floor is not None

    async def _batches(self) -> AsyncGenerator[list[Recorded], None]:
        if self._floor is None:
            self._floor = self._place = await self.log.last_seq()
            self._wake()
        async with aclosing(self.log.follow(after=self._place)) as batches:
            async for batch in batches:
                yield batch

    async def _keep(self, batch: Sequence[Recorded]) -> None:
        if not batch:
            return
        for entry in grouped(await self.framer.frames(batch)):
            self._ring.append(entry)
            self._bytes += _size(entry)
            while len(self._ring) > self._ring_max or self._bytes > self._bytes_max:
                self._bytes -= _size(self._ring[0])
                self._floor = self._ring.popleft()[0]
        self._place = batch[-1].seq
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        if not self.closed:
            self._news = asyncio.Event()


class Listener:
    """One listener's place in the log."""

    def __init__(self, feed: Broadcaster, after: int, wanted: Filter) -> None:
        self._feed = feed
        self._wanted = wanted
        self._catching_up: AsyncGenerator[list[Recorded], None] | None = None
        self._pending: asyncio.Future[list[Frame]] | None = None
        self._goal = 0
        self._failures = 0
        self.place = after

    async def next(self, timeout_s: float) -> list[Frame] | None:
        """The next frames; an empty list when there are none within `timeout_s`, None when the feed is closed."""
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._frames())
        done, _ = await asyncio.wait({self._pending}, timeout=timeout_s)
        if self._feed.closed:
            return None
        if not done:
            return []
        pending, self._pending = self._pending, None
        return pending.result()

    async def close(self) -> None:
        """Stop listening."""
        if self._pending is not None:
            await end_tasks(self._pending)
        await self._stop_catching_up()

    async def _frames(self) -> list[Frame]:
        while not self._feed.closed:
            changed = self._feed.changed
            held = self._feed.held_after(self.place)
            if held is None and self._feed.started:
                frames = await self._from_log()
            else:
                frames = self._taken(held or [])
                if not frames:
                    await changed.wait()
            if frames:
                return frames
        return []

    def _taken(self, held: list[tuple[int, list[Frame]]]) -> list[Frame]:
        if held:
            self.place = held[-1][0]
        return [frame for _, frames in held for frame in frames if self._wanted.name_for(frame)]

    async def _from_log(self) -> list[Frame]:
        try:
            batch = await self._next_batch()
            frames = await self._feed.framer.frames(batch)
        except StoreUnavailable as error:
            _log.warning("live_listener_waits", error=str(error))
            await self._stop_catching_up()
            self._failures += 1
            await self._feed.backoff.pause(self._failures)
            return []
        self._failures = 0
        if not batch:
            # Everything that was there when catching up began has been given out.
            await self._stop_catching_up()
            self.place = max(self.place, self._goal)
        else:
            self.place = batch[-1].seq
        return [frame for frame in frames if self._wanted.name_for(frame)]

    async def _next_batch(self) -> list[Recorded]:
        if self._catching_up is None:
            goal_id = self._wanted.goal_id
            self._goal = await self._feed.log.last_seq()
            subjects = ("evt.>",) if goal_id is None else (f"evt.{goal_id}.>",)
            self._catching_up = self._feed.log.follow(after=self.place, subjects=subjects)
        return await anext(self._catching_up)

    async def _stop_catching_up(self) -> None:
        following, self._catching_up = self._catching_up, None
        if following is not None:
            await following.aclose()


def _size(entry: tuple[int, list[Frame]]) -> int:
    return sum(len(frame.data) for frame in entry[1])


def grouped(frames: Sequence[Frame]) -> list[tuple[int, list[Frame]]]:
    """Frames by the message that they belong to: those without a sequence go with the next that has one."""
    entries: list[tuple[int, list[Frame]]] = []
    waiting: list[Frame] = []
    for frame in frames:
        waiting.append(frame)
        if frame.sequence is not None:
            entries.append((frame.sequence, waiting))
            waiting = []
    return entries
