"""Clocks that differ from the server's: dates and timers are the server's all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.client import Client
from nats.js.api import RawStreamMsg

from agenthub_events.base import Event
from agenthub_events.catalogue.task import TaskEnqueued, TaskFailed, TaskRetryScheduled
from agenthub_events.errors import StoreUnavailable
from agenthub_events.rules.plan import DEFAULT_TIMEOUT_S
from agenthub_orchestrator.domain import Policy
from agenthub_runtime.clock import ServerClock, SystemClock
from agenthub_runtime.jetstream.connection import server_time
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.shutdown import end_tasks
from tests.support.deciding import deciding
from tests.support.scripted import Play, ScriptedWorker, accepted, goal_id, store
from tests.support.until import until


class WrongClock(SystemClock):
    """A machine whose clock is `ahead_s` seconds ahead of the true time."""

    def __init__(self, ahead_s: float) -> None:
        self.ahead = timedelta(seconds=ahead_s)

    def now(self) -> datetime:
        return super().now() + self.ahead


def off_by(seconds: float, moment: datetime) -> bool:
    return abs((moment - datetime.now(UTC)).total_seconds() - seconds) < 30


@pytest.mark.parametrize("ahead_s", [-3_600.0, -45.0, 3_600.0, 90_000.0])
async def test_a_machine_whose_clock_is_wrong_tells_the_servers_time(bus: Client, ahead_s: float) -> None:
    clock = ServerClock(lambda: server_time(bus), WrongClock(ahead_s))
    assert off_by(ahead_s, clock.now())
    await clock.measure()
    assert off_by(0, clock.now())
    assert clock.skew_s == pytest.approx(-ahead_s, abs=30)


async def test_a_machine_whose_clock_is_right_keeps_it(bus: Client) -> None:
    clock = ServerClock(lambda: server_time(bus))
    await clock.measure()
    assert clock.skew_s == 0


async def test_a_clock_that_is_set_anew_is_followed(bus: Client) -> None:
    own = WrongClock(0)
    clock = ServerClock(lambda: server_time(bus), own)
    async with clock.kept():
        await clock.known()
        own.ahead = timedelta(hours=-1)
        await clock.measure()
        assert off_by(0, clock.now())


async def test_a_server_that_does_not_tell_its_time_changes_nothing(bus: Client) -> None:
    clock = ServerClock(lambda: server_time(bus, "NO_SUCH_STREAM_"), WrongClock(-60))
    with pytest.raises(StoreUnavailable, match="does not tell its time"):
        await clock.measure()
    assert off_by(-60, clock.now())


@asynccontextmanager
async def hub(bus: Client, ahead_s: float, play: Play) -> AsyncIterator[JetStreamEventLog]:
    """A goal, an orchestrator on a machine whose clock is wrong, and a worker that plays."""
    clock, log = ServerClock(lambda: server_time(bus), WrongClock(ahead_s)), JetStreamEventLog(bus)
    await clock.measure()
    await store(log, accepted())
    async with deciding(bus, clock=clock):
        working = asyncio.create_task(ScriptedWorker(log, play).run())
        try:
            yield log
        finally:
            await end_tasks(working)


async def fails(order: TaskEnqueued) -> Event:
    return TaskFailed(task_id=order.task_id, attempt=order.attempt, failure_class="tool", reason="no")


async def never_ends(order: TaskEnqueued) -> Event:
    await asyncio.Event().wait()
    raise AssertionError(order)


@pytest.mark.parametrize("ahead_s", [-3_600.0, 3_600.0])
async def test_retries_are_dated_by_the_servers_clock(bus: Client, ahead_s: float) -> None:
    async with hub(bus, ahead_s, fails) as log:

        async def scheduled() -> list[TaskRetryScheduled]:
            events = [recorded.event for recorded in await log.read(goal_id(1))]
            return [event for event in events if isinstance(event, TaskRetryScheduled)]

        first = (await until(scheduled, 300, "a retry has a date"))[0]
        assert off_by(0, first.timestamp)
        assert abs(first.due - first.timestamp) < timedelta(minutes=10)


@pytest.mark.parametrize("ahead_s", [-3_600.0, 3_600.0])
async def test_attempts_are_timed_by_the_servers_clock(bus: Client, ahead_s: float) -> None:
    """A date an hour back would end a healthy attempt at once, one an hour ahead would leave a hung one alone."""
    async with hub(bus, ahead_s, never_ends):
        stream = bus.jetstream()

        async def timer() -> RawStreamMsg | None:
            info = await stream.stream_info("TIMERS", subjects_filter="timer.set.attempt.>")
            subjects = sorted(info.state.subjects or ())
            return await stream.get_last_msg("TIMERS", subjects[0]) if subjects else None

        message = await until(timer, 300, "an attempt is timed")
        assert message is not None
        at = datetime.fromisoformat((message.headers or {})["Nats-Schedule"].removeprefix("@at "))
        assert off_by(DEFAULT_TIMEOUT_S + Policy().attempt_grace_s, at + timedelta(seconds=3))
