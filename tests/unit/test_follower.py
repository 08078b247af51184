"""The follower on virtual time, with seeded crashes, cut wires, twins and lost workers."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
import structlog

from agenthub_events.base import Event
from agenthub_events.catalogue.goal import (
    GoalCompleted,
    GoalReadyForReview,
    GoalReplanned,
    GoalReworkRequested,
    GoalStalled,
)
from agenthub_events.catalogue.log import LogQuarantined, LogReleased
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskTimedOut
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_events.rules import goal_aggregate, goal_commands
from agenthub_events.serialization.codec import encode
from agenthub_orchestrator.domain import Policy
from agenthub_orchestrator.follower import Follower, Start
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.in_memory.timers import InMemoryTimers
from agenthub_runtime.shutdown import end_tasks
from tests.support.scripted import TWELVE, ScriptedWorker, accepted, completes, goal_id, store, story
from tests.support.virtual_time import SeededIds, VirtualClock, run_virtually


class Hub:
    """A log, timers and artifacts of one simulated hub; `seed` decides delays and cut wires."""

    def __init__(self, seed: int = 0, *, weather: bool = False) -> None:
        self.chance = Random(seed)
        self.clock = VirtualClock()
        self.log = InMemoryEventLog(self._gate) if weather else InMemoryEventLog()
        self.timers = InMemoryTimers(self.clock)
        self.runs = InMemoryRunLog()
        self.artifacts = InMemoryArtifacts()
        self.ids = SeededIds(seed)
        self.tasks: list[asyncio.Task[None]] = []

    async def _gate(self, point: str) -> None:
        await asyncio.sleep(self.chance.choice((0, 0, 0.001, 0.02)))
        if point.startswith("append") and self.chance.random() < 0.05:
            raise StoreUnavailable(f"cut at {point}")

    def follower(self, policy: Policy | None = None, start: Start | None = None) -> Follower:
        return Follower(
            log=self.log,
            runs=self.runs,
            artifacts=self.artifacts,
            timers=self.timers,
            clock=self.clock,
            ids=self.ids,
            policy=policy or Policy(),
            start=start,
        )

    def run(self, *services: Follower | ScriptedWorker) -> None:
        self.tasks.extend(asyncio.ensure_future(service.run()) for service in services)

    async def stop(self) -> None:
        await end_tasks(*self.tasks)
        self.tasks.clear()

    async def close(self) -> None:
        await self.stop()
        self.timers.close()

    async def wait_for(self, kind: type[Event], number: int = 1, count: int = 1) -> None:
        async for batch in self.log.follow(after=0, subjects=(f"evt.{goal_id(number)}.>",)):
            count -= sum(isinstance(recorded.event, kind) for recorded in batch)
            if count <= 0:
                return

    async def messages(self, kind: type[Event], number: int = 1) -> list[Recorded]:
        return [r for r in await self.log.read(goal_id(number)) if isinstance(r.event, kind)]


@pytest.mark.parametrize("seed", range(40))
def test_i12_followers_that_die_and_twins_in_bad_weather_have_one_effect(seed: int) -> None:
    async def play() -> None:
        hub = Hub(seed, weather=True)
        hub.run(ScriptedWorker(hub.log))
        for number in (1, 2):
            await store(hub.log, accepted(number))
        ready = asyncio.ensure_future(
            asyncio.wait_for(asyncio.gather(*(hub.wait_for(GoalReadyForReview, n) for n in (1, 2))), 3_600)
        )
        while not ready.done():
            lives = [asyncio.ensure_future(hub.follower().run()) for _ in range(hub.chance.choice((1, 2)))]
            await asyncio.wait([ready], timeout=hub.chance.choice((0.001, 0.01, 0.1, 60.0)))
            await end_tasks(*lives)
        await ready
        for number in (1, 2):
            messages = await hub.log.read(goal_id(number))
            assert len(story(messages)) == len(messages)
            for kind in (TaskEnqueued, TaskCompleted):
                assert len(await hub.messages(kind, number)) == len(TWELVE)
        await hub.close()

    run_virtually(play())


def test_the_same_seed_plays_the_same_log() -> None:
    async def play() -> list[tuple[int, str]]:
        hub = Hub(3, weather=True)
        hub.run(hub.follower(), ScriptedWorker(hub.log))
        await store(hub.log, accepted())
        await hub.wait_for(GoalReadyForReview)
        log = [(recorded.seq, recorded.subject) for recorded in await hub.log.read(goal_id(1))]
        await hub.close()
        return log

    assert run_virtually(play()) == run_virtually(play())


def test_an_append_that_fails_in_a_way_nobody_foresaw_is_told_and_tried_again() -> None:
    async def play() -> None:
        hub = Hub()
        broken = ["append.before"] * 3

        async def gate(point: str) -> None:
            if point in broken and asyncio.current_task() is not submitting:
                broken.remove(point)
                raise ZeroDivisionError

        hub.log = InMemoryEventLog(gate)
        submitting = asyncio.current_task()
        await store(hub.log, accepted())
        hub.run(hub.follower())
        with structlog.testing.capture_logs() as lines:
            await asyncio.wait_for(hub.wait_for(TaskEnqueued), 60)
        assert [line["event"] for line in lines if line["log_level"] == "error"] == ["append_failed"] * 3
        await hub.close()

    run_virtually(play())


def test_an_attempt_whose_worker_is_silent_is_timed_out_and_given_again() -> None:
    async def play() -> None:
        hub = Hub()

        async def silent_once(order: TaskEnqueued) -> Event:
            if order.attempt == 1:
                await asyncio.Event().wait()
            return await completes(order)

        hub.run(hub.follower(), ScriptedWorker(hub.log, silent_once))
        await store(hub.log, accepted(tasks=[("only", ())]))
        await hub.wait_for(GoalReadyForReview)
        (late,) = await hub.messages(TaskTimedOut)
        (first, *_) = await hub.messages(TaskEnqueued)
        assert isinstance(late.event, TaskTimedOut)
        assert isinstance(first.event, TaskEnqueued)
        waited = (late.event.timestamp - first.event.timestamp).total_seconds()
        assert first.event.timeout_s + 30 <= waited <= first.event.timeout_s + 40
        await hub.close()

    run_virtually(play())


def test_short_tasks_cost_no_timer() -> None:
    async def play() -> None:
        hub = Hub()
        seen: list[str] = []
        plain = hub.timers.set

        async def noted(kind: str, *rest: object, **more: object) -> None:
            seen.append(kind)
            await plain(kind, *rest, **more)  # type: ignore[arg-type]

        hub.timers.set = noted  # type: ignore[method-assign]

        async def briefly(order: TaskEnqueued) -> Event:
            await asyncio.sleep(1.0)
            return await completes(order)

        hub.run(hub.follower(), ScriptedWorker(hub.log, briefly))
        await store(hub.log, accepted())
        await hub.wait_for(GoalReadyForReview)
        assert seen == []
        await hub.close()

    run_virtually(play())


def test_a_finished_goal_comes_back_when_a_person_asks_for_changes() -> None:
    async def play() -> None:
        hub = Hub()
        hub.run(hub.follower(), ScriptedWorker(hub.log))
        await store(hub.log, accepted())
        await hub.wait_for(GoalReadyForReview)
        await command(hub, goal_commands.Approve(by="me", request_id="r1", ready_seq=await ready_seq(hub)))
        await hub.wait_for(GoalCompleted)
        known = await hub.log.last_seq()
        await hub.stop()
        # A new process begins behind the goal, and knows it no more.
        hub.run(hub.follower(start=Start(after=known, known=known)), ScriptedWorker(hub.log, after=known))
        await command(hub, goal_commands.Rework(by="me", request_id="r2", feedback="Please add 2FA support"))
        await hub.wait_for(GoalReworkRequested)
        await asyncio.wait_for(hub.wait_for(TaskEnqueued, count=len(TWELVE) + 1), 60)
        orders = await hub.messages(TaskEnqueued)
        assert orders[-1].subject.split(".")[2].startswith("plan-")
        await hub.close()

    async def ready_seq(hub: Hub) -> int:
        return (await hub.messages(GoalReadyForReview))[-1].seq

    async def command(hub: Hub, wish: goal_commands.GoalCommand) -> None:
        aggregate = goal_aggregate.initial(goal_id(1))
        for recorded in await hub.log.read(f"{goal_id(1)}._.goal"):
            assert isinstance(recorded.event, Event)
            aggregate = goal_aggregate.evolve(aggregate, recorded.seq, recorded.event)
        for draft in goal_aggregate.decide(aggregate, wish):
            await store(hub.log, draft)

    run_virtually(play())


def test_queued_work_is_no_stall_however_long_nobody_takes_it() -> None:
    async def play() -> None:
        hub = Hub()
        hub.run(hub.follower())
        await store(hub.log, accepted(tasks=[("only", ())]))
        await asyncio.sleep(600)
        assert await hub.messages(GoalStalled) == []
        await hub.close()

    run_virtually(play())


def quarantine_of(hub: Hub) -> list[tuple[str, str, str, int]]:
    events = [recorded.event for recorded in hub.log._messages]
    return [
        (event.type, event.by, event.aggregate, event.message_seq)
        for event in events
        if isinstance(event, LogQuarantined | LogReleased)
    ]


def unfoldable(hub: Hub, number: int) -> int:
    """A message that its schema allows and that the fold cannot take."""
    event = GoalReplanned(revision=2, origin="agent", cause="proposal-that-never-was")
    return hub.log.inject(f"evt.{goal_id(number)}._.goal.replanned", encode(event))


def test_a_goal_that_cannot_be_folded_is_told_once_and_stops_no_other() -> None:
    async def play() -> None:
        hub = Hub()
        await store(hub.log, accepted(1))
        poison = unfoldable(hub, 1)
        told = [("log.quarantined", "orchestrator", f"{goal_id(1)}._.goal", poison)]
        hub.run(hub.follower(), hub.follower(), ScriptedWorker(hub.log))
        await store(hub.log, accepted(2))
        await hub.wait_for(GoalReadyForReview, 2)
        await asyncio.sleep(300)
        assert quarantine_of(hub) == told
        # Neither the next message nor another process of the same code says it again.
        unfoldable(hub, 1)
        await hub.stop()
        hub.run(hub.follower(), ScriptedWorker(hub.log))
        await store(hub.log, accepted(3))
        await hub.wait_for(GoalReadyForReview, 3)
        await asyncio.sleep(300)
        assert quarantine_of(hub) == told
        await hub.close()

    run_virtually(play())


def test_what_another_orchestrator_has_given_up_is_taken_up_by_one_that_can_go_on() -> None:
    async def play() -> None:
        hub = Hub()
        await store(hub.log, accepted(1))
        event = LogQuarantined(
            by="orchestrator", aggregate=goal_id(1), goal_id=goal_id(1), message_seq=1, reason="an older code"
        )
        hub.log.inject("evt.hub._.log.quarantined", encode(event))
        hub.run(hub.follower(), ScriptedWorker(hub.log))
        await hub.wait_for(GoalReadyForReview)
        await asyncio.sleep(1)
        assert [kind for kind, *_ in quarantine_of(hub)] == ["log.quarantined", "log.released"]
        await hub.close()

    run_virtually(play())
