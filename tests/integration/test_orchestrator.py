"""The follower on a real JetStream log, with a worker that plays from a script."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.task import (
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskEnqueued,
    TaskFailed,
    TaskStarted,
)
from agenthub_events.ports import EventLog, Recorded, Stamp, Stored
from agenthub_events.rules import goal_aggregate, goal_commands
from agenthub_orchestrator.advisories import advisories
from agenthub_orchestrator.app import start_of
from agenthub_orchestrator.domain import GoalState, Policy, apply, decide, derived_status, initial
from agenthub_orchestrator.follower import Follower, Start
from agenthub_orchestrator.projector.app import project
from agenthub_orchestrator.projector.projection import prepare_database
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.run_log import JetStreamRunLog
from agenthub_runtime.jetstream.timers import NatsTimers
from agenthub_runtime.postgres.database import Database
from agenthub_runtime.readmodels import position
from agenthub_runtime.shutdown import end_tasks
from agenthub_runtime.telemetry.tracing import Telemetry
from tests.support.following import BACKOFF
from tests.support.scripted import TWELVE, ScriptedWorker, accepted, completes, goal_id, store, story
from tests.support.until import PATIENCE_S, until

NewFollower = Callable[..., Follower]


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
def follower(bus: Client, log: JetStreamEventLog) -> NewFollower:
    def make(policy: Policy | None = None, start: Start | None = None) -> Follower:
        return Follower(
            log=log,
            runs=JetStreamRunLog(bus),
            artifacts=JetStreamArtifacts(bus),
            timers=NatsTimers(bus),
            clock=SystemClock(),
            ids=SystemIds(),
            policy=policy or Policy(),
            start=start,
        )

    return make


@asynccontextmanager
async def running(*workers: ScriptedWorker | Follower) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(worker.run()) for worker in workers]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await end_tasks(*tasks)


async def status(log: EventLog, number: int = 1) -> str:
    return derived_status(await fold(log, number))


async def fold(log: EventLog, number: int = 1) -> GoalState:
    state = initial(goal_id(number))
    for recorded in await log.read(goal_id(number)):
        if recorded.subject.count(".") >= 4:
            apply(state, recorded)
    return state


def ready(log: EventLog, number: int = 1) -> Callable[[], object]:
    async def reached() -> bool:
        return await status(log, number) == "ready_for_review"

    return reached


def grown_or_ready(log: EventLog, events: int) -> Callable[[], object]:
    begin: list[int] = []

    async def reached() -> bool:
        last = await log.last_seq()
        begin.append(last)
        return last >= begin[0] + events or await status(log) == "ready_for_review"

    return reached


def of(messages: list[Recorded], kind: type[Event]) -> list[Recorded]:
    return [recorded for recorded in messages if isinstance(recorded.event, kind)]


async def test_a_manual_workflow_of_twelve_tasks_reaches_its_end(
    log: JetStreamEventLog, follower: NewFollower
) -> None:
    async def in_company(order: TaskEnqueued) -> Event:
        await until(lambda: worker.most_at_once >= 2, 300, "two tasks have been at work at once")
        return await completes(order)

    worker = ScriptedWorker(log, in_company)
    async with running(follower(), worker):
        await store(log, accepted())
        await until(ready(log), 300, "ready for review")

    messages = await log.read(goal_id(1))
    orders = {r.event.task_id: r.seq for r in of(messages, TaskEnqueued) if isinstance(r.event, TaskEnqueued)}
    ends = {r.event.task_id: r.seq for r in of(messages, TaskCompleted) if isinstance(r.event, TaskCompleted)}
    assert len(of(messages, TaskEnqueued)) == len(of(messages, TaskCompleted)) == len(TWELVE)
    for key, depends_on in TWELVE:
        assert all(ends[f"t-{before}"] < orders[f"t-{key}"] for before in depends_on), key


async def test_a_follower_killed_again_and_again_leaves_the_log_of_an_undisturbed_run(
    log: JetStreamEventLog, follower: NewFollower
) -> None:
    chance = random.Random(7)
    await store(log, accepted(1))
    async with running(ScriptedWorker(log)):
        while await status(log) != "ready_for_review":
            task = asyncio.ensure_future(follower().run())
            await until(grown_or_ready(log, chance.randint(1, 5)), 300, "the goal goes on", pause_s=0.002)
            await end_tasks(task)
    disturbed = await log.read(goal_id(1))

    async with running(follower(), ScriptedWorker(log)):
        await store(log, accepted(2))
        await until(ready(log, 2), 300, "undisturbed goal ready")
    undisturbed = await log.read(goal_id(2))

    def shape(messages: list[Recorded]) -> list[tuple[str, str]]:
        return sorted(
            (recorded.subject.split(".", 2)[2], recorded.event.type)
            for recorded in messages
            if isinstance(recorded.event, Event) and not recorded.event.type.startswith("seal.")
        )

    assert shape(disturbed) == shape(undisturbed)


async def test_i12_two_orchestrators_have_one_effect(log: JetStreamEventLog, follower: NewFollower) -> None:
    async with running(follower(), follower(), ScriptedWorker(log), ScriptedWorker(log)):
        for number in range(1, 6):
            await store(log, accepted(number))
        for number in range(1, 6):
            await until(ready(log, number), 300, f"goal {number} ready")

    for number in range(1, 6):
        messages = await log.read(goal_id(number))
        assert len(story(messages)) == len(messages)
        assert len(of(messages, TaskEnqueued)) == len(of(messages, TaskCompleted)) == len(TWELVE)
        assert len(of(messages, TaskStarted)) == len(TWELVE)


async def test_nothing_is_due_any_more_when_the_follower_rests(
    log: JetStreamEventLog, follower: NewFollower
) -> None:
    async with running(follower(), ScriptedWorker(log)):
        await store(log, accepted())
        await until(ready(log), 300, "ready for review")

        async def rests() -> bool:
            return not decide(await fold(log), now=SystemClock().now())

        await until(rests, 300, "nothing due")


async def test_a_failed_attempt_is_repeated_when_its_timer_fires(
    log: JetStreamEventLog, follower: NewFollower
) -> None:
    async def fails_once(order: TaskEnqueued) -> Event:
        if order.attempt > 1:
            return await completes(order)
        return TaskFailed(task_id=order.task_id, attempt=1, failure_class="tool", reason="no luck", worker="W")

    policy = Policy(backoff_base_s=0.4, backoff_cap_s=0.5)
    async with running(follower(policy), ScriptedWorker(log, fails_once)):
        await store(log, accepted(tasks=[("only", ())]))
        await until(ready(log), 300, "ready for review")
    orders = of(await log.read(goal_id(1)), TaskEnqueued)
    assert [recorded.event.attempt for recorded in orders if isinstance(recorded.event, TaskEnqueued)] == [1, 2]
    second = orders[1].event
    assert isinstance(second, TaskEnqueued)
    assert second.metadata["input"] == "timer:retry"


async def test_a_new_follower_sets_the_open_timers_again(
    bus: Client, log: JetStreamEventLog, follower: NewFollower
) -> None:
    async def fails(order: TaskEnqueued) -> Event:
        return TaskFailed(
            task_id=order.task_id, attempt=order.attempt, failure_class="tool", reason="no", worker="W"
        )

    policy = Policy(backoff_base_s=9.0, backoff_cap_s=9.0)

    async def timers() -> int:
        info = await bus.jetstream().stream_info("TIMERS")
        return int(info.state.last_seq)

    async with running(follower(policy), ScriptedWorker(log, fails)):
        await store(log, accepted(tasks=[("only", ())]))
        first = await until(timers, 300, "a retry timer is set")
    async with running(follower(policy)):

        async def again() -> bool:
            return await timers() > first

        await until(again, 300, "the retry timer is set again")


async def test_a_follower_that_starts_late_skips_what_had_ended_and_knows_what_comes_back(
    log: JetStreamEventLog, follower: NewFollower
) -> None:
    async with running(follower(), ScriptedWorker(log)):
        await store(log, accepted(1))
        await until(ready(log, 1), 300, "first goal ready")
    known = await log.last_seq()
    late = follower(start=Start(after=known, known=known))
    async with running(late, ScriptedWorker(log, after=known)):
        await store(log, accepted(2))
        await until(ready(log, 2), 300, "second goal ready")
        assert list(late._goals) == [goal_id(2)]


async def test_work_of_a_cancelled_goal_is_cancelled_by_the_next_orchestrator_too(
    log: JetStreamEventLog, follower: NewFollower, database_url: str
) -> None:
    async with running(follower()):
        await store(log, accepted(1))
        await until(lambda: log.last(f"{goal_id(1)}.t-design-architecture"), 60, "a task is enqueued")
    # Nobody decides while a person cancels, and the read models know it before an orchestrator starts.
    aggregate = (await fold(log)).aggregate
    for draft in goal_aggregate.decide(aggregate, goal_commands.Cancel(by="me", request_id="r1")):
        await store(log, draft)
    async with Database(database_url, name="test", patience_s=PATIENCE_S) as database:
        await prepare_database(database)
        projector = asyncio.ensure_future(project(log, database, BACKOFF))
        end = await log.last_seq()
        try:

            async def projected() -> bool:
                async with database.connection() as connection:
                    found = await position(connection)
                return found is not None and found.seq >= end

            await until(projected, 300, "the cancellation is projected")
            start = await start_of(log, database)
            assert start == Start(after=0, known=end)
            async with running(follower(start=start)):

                async def cancelled() -> bool:
                    return len(of(await log.read(goal_id(1)), TaskCancelled)) == len(TWELVE)

                await until(cancelled, 300, "every task is cancelled")
                end = await log.last_seq()
                await until(projected, 300, "the end is projected")

                async def settled() -> bool:
                    last = await log.last_seq()
                    return await start_of(log, database) == Start(after=last, known=last)

                await until(settled, 300, "nothing is left to be done")
        finally:
            await end_tasks(projector)


async def test_an_order_that_the_server_gave_up_on_becomes_a_dead_letter_and_a_question(
    bus: Client, log: JetStreamEventLog, follower: NewFollower
) -> None:
    async def hears(one: Follower) -> None:
        async for advisory in advisories(bus):
            await one.receive(advisory)

    one = follower()
    hearing = asyncio.ensure_future(hears(one))
    try:
        async with running(one):
            await store(log, accepted(tasks=[("only", ())]))
            queue = await bus.jetstream().pull_subscribe_bind("work-noop-p2", "EVENTS")
            (order,) = await queue.fetch(1, timeout=60)
            await order.term()
            await until(lambda: log.last(f"{goal_id(1)}._.agent"), 60, "a person is asked")
    finally:
        await end_tasks(hearing)
    assert await status(log) == "awaiting_human"
    letters = of(await log.read(goal_id(1)), TaskDeadLettered)
    assert len(letters) == 1
    assert isinstance(letters[0].event, TaskDeadLettered)
    assert letters[0].event.metadata["input"] == "timer:advisory"


async def test_a_foreign_message_among_a_goals_own_breaks_nothing(
    bus: Client, log: JetStreamEventLog, follower: NewFollower
) -> None:
    async with running(follower(), ScriptedWorker(log)):
        await bus.jetstream().publish(f"evt.{goal_id(1)}.x", b"not of ours")
        await store(log, accepted())
        await bus.jetstream().publish(f"evt.{goal_id(1)}.n-1.y.z", b"not of ours")
        await bus.jetstream().publish("evt.x.y", b"not of ours")
        await until(ready(log), 300, "ready for review")


async def test_a_goal_is_one_trace(bus: Client, log: JetStreamEventLog) -> None:
    one = Follower(
        log=log,
        runs=JetStreamRunLog(bus),
        artifacts=JetStreamArtifacts(bus),
        timers=NatsTimers(bus),
        clock=SystemClock(),
        ids=SystemIds(),
        policy=Policy(),
        telemetry=Telemetry("test"),
    )
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with running(one):
        first = Stamp(now=SystemClock().now(), metadata={}, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        assert isinstance(await log.append(accepted(), first), Stored)

        async def ordered() -> list[Recorded]:
            return of(await log.read(goal_id(1)), TaskEnqueued)

        orders = await until(ordered, 300, "tasks are enqueued")
    parents = {recorded.headers["traceparent"] for recorded in orders}
    assert {parent.split("-")[1] for parent in parents} == {trace}
    assert "00f067aa0ba902b7" not in {parent.split("-")[2] for parent in parents}
