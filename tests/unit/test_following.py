"""Following for ever: where it goes on, what it closes, how long it waits, and what it does not survive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
import structlog

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_runtime.following import Backoff, follow_forever
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from tests.support.scripted import accepted, store
from tests.support.virtual_time import SeededIds, VirtualClock, run_virtually


class Numbers:
    """A stream of numbers from `place` on, whose wire is cut after every `cut_after` of them."""

    def __init__(self, cut_after: int, error: Exception) -> None:
        self.place = 0
        self.begun: list[float] = []
        self.closed = 0
        self._cut_after = cut_after
        self._error = error

    async def begin(self) -> AsyncGenerator[int, None]:
        self.begun.append(asyncio.get_running_loop().time())
        try:
            for number in range(self.place + 1, self.place + self._cut_after + 1):
                yield number
            raise self._error
        finally:
            self.closed += 1

    async def take(self, number: int) -> None:
        self.place = number
        if number == 6:
            raise asyncio.CancelledError


def backoff(longest_s: float = 5.0) -> Backoff:
    return Backoff(VirtualClock(), SeededIds(1), longest_s)


def test_it_goes_on_behind_what_was_taken_and_closes_every_stream() -> None:
    async def play() -> None:
        numbers = Numbers(2, StoreUnavailable("cut"))
        with pytest.raises(asyncio.CancelledError):
            await follow_forever(numbers.begin, numbers.take, what="numbers", backoff=backoff())
        assert (numbers.place, len(numbers.begun), numbers.closed) == (6, 3, 3)

    run_virtually(play())


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_success() -> None:
    async def play() -> None:
        numbers = Numbers(0, StoreUnavailable("away"))
        following = asyncio.ensure_future(
            follow_forever(numbers.begin, numbers.take, what="numbers", backoff=backoff(1.0))
        )
        await asyncio.sleep(30)
        following.cancel()
        pauses = [later - earlier for earlier, later in zip(numbers.begun, numbers.begun[1:], strict=False)]
        for pause, full in zip(pauses, [0.1, 0.2, 0.4, 0.8] + [1.0] * len(pauses), strict=False):
            assert full / 2 <= pause <= full
        assert len(set(pauses[4:])) > 1
        numbers = Numbers(1, StoreUnavailable("cut"))
        with pytest.raises(asyncio.CancelledError):
            await follow_forever(numbers.begin, numbers.take, what="numbers", backoff=backoff())
        assert numbers.begun[-1] - numbers.begun[0] <= 5 * 0.1

    run_virtually(play())


def test_a_store_that_is_away_is_told_once_and_that_it_is_back() -> None:
    async def play() -> None:
        away = [True] * 5

        async def begin() -> AsyncGenerator[str, None]:
            if away.pop():
                raise StoreUnavailable("away")
            yield "an item"
            await asyncio.Event().wait()

        away.insert(0, False)
        with structlog.testing.capture_logs() as lines:
            following = asyncio.ensure_future(
                follow_forever(begin, lambda _: asyncio.sleep(0), what="items", backoff=backoff())
            )
            await asyncio.sleep(60)
            following.cancel()
        assert [(line["event"], line["what"]) for line in lines] == [
            ("following_waits", "items"),
            ("following_again", "items"),
        ]

    run_virtually(play())


def test_an_error_that_nobody_foresaw_ends_it_unless_it_survives() -> None:
    async def play() -> None:
        numbers = Numbers(2, ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await follow_forever(numbers.begin, numbers.take, what="numbers", backoff=backoff())
        assert numbers.closed == 1
        with structlog.testing.capture_logs() as lines, pytest.raises(asyncio.CancelledError):
            await follow_forever(numbers.begin, numbers.take, what="numbers", backoff=backoff(), survives=True)
        assert numbers.place == 6
        assert {line["event"] for line in lines} == {"following_failed", "following_again"}

    run_virtually(play())


def test_the_log_is_followed_without_gap_over_cut_wires() -> None:
    async def play() -> None:
        cuts = 0

        async def gate(point: str) -> None:
            nonlocal cuts
            if point == "follow" and cuts < 5:
                cuts += 1
                raise StoreUnavailable("cut")

        log = InMemoryEventLog(gate)
        seen: list[int] = []

        async def take(batch: Sequence[Recorded]) -> None:
            seen.extend(recorded.seq for recorded in batch)

        following = asyncio.ensure_future(
            follow_forever(
                lambda: log.follow(after=seen[-1] if seen else 0), take, what="event log", backoff=backoff()
            )
        )
        for number in range(1, 6):
            await store(log, accepted(number))
            await asyncio.sleep(1)
        await asyncio.sleep(10)
        following.cancel()
        assert seen == [1, 2, 3, 4, 5]

    run_virtually(play())
