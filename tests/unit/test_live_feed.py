"""The live feed of one process: what it holds, and that no error ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import structlog

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_gateway.live.broadcaster import Broadcaster, Listener
from agenthub_gateway.live.frames import Filter
from agenthub_gateway.live.outputs import RunOutputs
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.jetstream.wire import RawMessage
from tests.support.following import BACKOFF
from tests.support.scripted import accepted, goal_id, store
from tests.support.until import until


async def generation() -> str:
    return "g"


def order() -> TaskEnqueued:
    return TaskEnqueued(
        task_id="t-a", agent="coding", agent_type="coding", attempt=1, lane="p2", title="A", timeout_s=9
    )


async def heard(listener: Listener, count: int) -> list[int | None]:
    """The sequences of the next frames."""
    seen: list[int | None] = []
    async with asyncio.timeout(120):
        while len(seen) < count:
            seen += [frame.sequence for frame in await listener.next(1) or []]
    return seen


async def test_the_feed_goes_on_after_an_error_that_nobody_foresaw() -> None:
    broken = ["follow"]

    async def gate(point: str) -> None:
        if point in broken:
            broken.remove(point)
            raise ZeroDivisionError

    log = InMemoryEventLog(gate)
    with structlog.testing.capture_logs() as lines:
        async with Broadcaster(log, generation, BACKOFF) as feed:
            listener = feed.listen(after=0, wanted=Filter())
            await until(lambda: feed.started, what="the feed follows")
            await store(log, accepted(1))
            assert await heard(listener, 1) == [1]
            await listener.close()
    assert [line["event"] for line in lines] == ["following_failed", "following_again"]


async def test_the_feed_holds_no_more_than_its_bytes_and_a_listener_misses_nothing() -> None:
    log = InMemoryEventLog()
    async with Broadcaster(log, generation, BACKOFF, ring_bytes=10_000) as feed:
        await until(lambda: feed.started, what="the feed follows")
        for number in range(1, 21):
            await store(log, accepted(number))
        await until(lambda: feed.place == 20, what="everything is given out")
        held = next(found for after in range(20) if (found := feed.held_after(after)))
        assert 1 < len(held) < 20
        assert sum(len(frame.data) for _, frames in held for frame in frames) <= 10_000
        listener = feed.listen(after=0, wanted=Filter())
        assert await heard(listener, 20) == list(range(1, 21))
        await listener.close()


async def test_what_a_worker_of_another_type_writes_is_no_news() -> None:
    log = InMemoryEventLog()
    ask = AgentBlocked(question="The key?", task_id="t-a")

    async def write(event: Event, *route: str) -> None:
        fence = Fence().after(await log.read(f"{goal_id(1)}.t-a"))
        await store(log, fence.draft(goal_id(1), "t-a", event, str(fence.count), route=route))

    await write(order(), "coding", "p2")
    await write(ask, "review")
    async with Broadcaster(log, generation, BACKOFF) as feed:
        listener = feed.listen(after=0, wanted=Filter())
        await until(lambda: feed.started, what="the feed follows")
        await write(ask, "review")
        await write(ask, "coding")
        await write(ask, "debug")
        await store(log, accepted(2))
        # The question of its own worker has a frame before it that says that somebody is needed.
        assert await heard(listener, 4) == [1, None, 4, 6]
        await listener.close()


async def test_a_message_larger_than_the_feed_may_hold_still_reaches_everybody() -> None:
    log = InMemoryEventLog()
    async with Broadcaster(log, generation, BACKOFF, ring_bytes=10) as feed:
        await until(lambda: feed.started, what="the feed follows")
        listener = feed.listen(after=0, wanted=Filter())
        for number in (1, 2):
            await store(log, accepted(number))
        assert await heard(listener, 2) == [1, 2]
        assert feed.held_after(2) == []
        await listener.close()


class Outputs:
    """A stream of recorded runs that breaks once."""

    def __init__(self) -> None:
        self.broken = False

    async def last_seq(self) -> int:
        return 0

    async def follow(
        self, subject_filters: Sequence[str], *, after: int
    ) -> AsyncGenerator[list[RawMessage], None]:
        if not self.broken:
            self.broken = True
            raise ZeroDivisionError
        yield [RawMessage(seq=1, subject="run.g-1.t-a.1.out.output", data=b"3 passed", headers={})]
        await asyncio.Event().wait()


async def test_outputs_are_followed_on_after_an_error_that_nobody_foresaw() -> None:
    with structlog.testing.capture_logs() as lines:
        async with RunOutputs(Outputs(), BACKOFF) as outputs:
            tap = outputs.open(None)
            async with asyncio.timeout(120):
                [piece] = await tap.taken()
    assert b"3 passed" in piece.data
    assert [line["event"] for line in lines] == ["following_failed", "following_again"]
