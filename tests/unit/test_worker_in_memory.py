"""The worker's loop on the in-memory adapters: the same claims and the same acknowledgements without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.goal import GoalPaused, GoalResumed
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskStarted, TaskTimedOut
from agenthub_events.context import WorkContext
from agenthub_events.ports import Clock, Recorded, Stored
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.in_memory.event_log import InMemoryEventLog
from agenthub_runtime.in_memory.fleet import InMemoryFleet
from agenthub_runtime.in_memory.run_log import InMemoryRunLog
from agenthub_runtime.in_memory.work_queue import InMemoryBroker, InMemoryWorkQueue
from agenthub_runtime.shutdown import end_tasks
from agenthub_runtime.telemetry.tracing import Telemetry
from agenthub_worker.agent.setup import AgentSetup
from agenthub_worker.attempt import Preparation
from agenthub_worker.lease.lease import Lease, LeaseLost
from agenthub_worker.ports import WorkerPorts
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.sandbox.scripted import ScriptedCall, ScriptedSandbox
from agenthub_worker.worker import Worker
from tests.support.until import until
from tests.support.workbench import stamp

GOAL = "g-" + "0" * 26


class QuickClock(SystemClock):
    """Time that passes twenty times as fast."""

    def monotonic(self) -> float:
        return super().monotonic() * 20

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 20)


@pytest.fixture
def log() -> InMemoryEventLog:
    return InMemoryEventLog()


def nothing_runs(call: ScriptedCall) -> ExecResult:
    raise AssertionError(f"noop work runs no command: {call.command}")


def ports_on(log: InMemoryEventLog, clock: Clock, folder: Path, name: str) -> WorkerPorts:
    return WorkerPorts(
        worker=name,
        instance=name.lower(),
        events=log,
        runs=InMemoryRunLog(),
        artifacts=InMemoryArtifacts(),
        fleet=InMemoryFleet(clock),
        clock=clock,
        ids=SystemIds(),
        sandbox=ScriptedSandbox(nothing_runs),
        folder=folder,
        telemetry=Telemetry("worker"),
    )


@asynccontextmanager
async def working(
    log: InMemoryEventLog, folder: Path, *names: str, make: Callable[..., Worker] = Worker
) -> AsyncIterator[InMemoryBroker]:
    clock = QuickClock()
    broker = InMemoryBroker(log, clock)
    tasks = [asyncio.create_task(broker.run())]
    runners = []
    for name in names:
        ports = ports_on(log, clock, folder, name)
        queue = InMemoryWorkQueue(broker, ("noop", "coding"), slots=4)
        runners.append(make(ports, queue, AgentSetup(None, None, {}), types=("noop", "coding"), slots=4))
        tasks.append(asyncio.create_task(runners[-1].run()))
    try:
        yield broker
    finally:
        await end_tasks(*tasks)
        for runner in runners:
            await runner.stop()


async def enqueue(log: InMemoryEventLog, task_id: str, agent: str = "noop", attempt: int = 1) -> None:
    order = TaskEnqueued(
        task_id=task_id, agent=agent, agent_type=agent, attempt=attempt, lane="p2", title="x", timeout_s=60
    )
    await say(log, order, str(attempt), (agent, "p2"))


async def say(
    log: InMemoryEventLog, event: TaskEnqueued | TaskTimedOut, ordinal: str, route: tuple[str, ...] = ()
) -> None:
    told = await log.read(f"{GOAL}.{event.task_id}")
    draft = Fence().after(told).draft(GOAL, event.task_id, event, ordinal, route=route)
    assert isinstance(await log.append(draft, stamp()), Stored)


async def completed(log: InMemoryEventLog) -> list[Event]:
    return [m.event for m in await log.read(GOAL) if isinstance(m.event, TaskCompleted)]


async def test_two_workers_share_a_queue_and_complete_every_task_once(
    log: InMemoryEventLog, tmp_path: Path
) -> None:
    async with working(log, tmp_path, "W1", "W2"):
        for number in range(50):
            await enqueue(log, f"t-{number}")

        async def all_done() -> bool:
            return len(await completed(log)) == 50

        await until(all_done, 300, "50 completed tasks")
    events = [m.event for m in await log.read(GOAL)]
    assert sum(isinstance(event, TaskStarted) for event in events) == 50
    assert len({event.task_id for event in events if isinstance(event, TaskCompleted)}) == 50


async def test_a_dead_holder_is_taken_over_and_a_closed_order_is_left(
    log: InMemoryEventLog, tmp_path: Path
) -> None:
    async with working(log, tmp_path) as broker:
        await enqueue(log, "t-1")
        dead = await until(lambda: broker.take(("noop",)), 60, "the first delivery")
        assert dead is not None
        order = dead.recorded.event
        assert isinstance(order, TaskEnqueued)
        claim = TaskStarted(
            task_id="t-1", attempt=1, worker="Gone", agent="noop", instance="gone", delivery=1, ack_subject=""
        )
        draft = Fence(1, 1).draft(GOAL, "t-1", claim, "1-1-gone")
        await log.append(draft, stamp())
    async with working(log, tmp_path, "W1") as broker:
        await until(lambda: broker_is_idle(broker), 300, "the order looked at")
        # To this broker it is the first delivery: nothing says that the holder is dead.
        assert await completed(log) == []
        await until(lambda: completed(log), 300, "the take-over")
    claims = [m.event for m in await log.read(GOAL) if isinstance(m.event, TaskStarted)]
    assert [claim.worker for claim in claims] == ["Gone", "W1"]
    assert claims[1].delivery > 1


class SlowToEnd(Worker):
    """Attempts that end when the test says so."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.may_end = {1: asyncio.Event(), 2: asyncio.Event()}
        self.at_work: set[int] = set()

    async def prepare(self, lease: Lease) -> Preparation:
        return Preparation(
            WorkContext(goal_id=GOAL, goal="x", task_id=lease.task_id, kind="work", title="x"), None
        )

    async def attempt(self, lease: Lease, preparing: asyncio.Task[Preparation]) -> None:
        await preparing
        self.at_work.add(lease.order.attempt)
        await self.may_end[lease.order.attempt].wait()
        self.at_work.remove(lease.order.attempt)


async def test_an_old_attempt_that_ends_late_does_not_end_the_hold_of_its_successor(
    log: InMemoryEventLog, tmp_path: Path
) -> None:
    runners: list[SlowToEnd] = []

    def make(*given: Any, **more: Any) -> Worker:
        runners.append(SlowToEnd(*given, **more))
        return runners[-1]

    async with working(log, tmp_path, "W1", make=make):
        (runner,) = runners
        await enqueue(log, "t-1", "coding")
        await until(lambda: runner.at_work == {1}, 300, "the first attempt is at work")
        await say(log, TaskTimedOut(task_id="t-1", attempt=1, limit_s=60, worker="W1"), "1")
        await enqueue(log, "t-1", "coding", attempt=2)
        await until(lambda: runner.at_work == {1, 2}, 300, "so is the second")
        runner.may_end[1].set()
        await until(lambda: runner.at_work == {2}, 300, "the first has ended")
        assert runner.status().holding == (f"{GOAL}.t-1.2",)
        runner.may_end[2].set()
        await until(lambda: runner.status().holding == (), 300, "nothing is held")


class LosesTheFirst(SlowToEnd):
    """The first attempt finds out that it is over, and leaves its order without an acknowledgement."""

    async def attempt(self, lease: Lease, preparing: asyncio.Task[Preparation]) -> None:
        await super().attempt(lease, preparing)
        if lease.order.attempt == 1:
            raise LeaseLost("it was timed out")


async def test_the_order_of_a_timed_out_attempt_comes_again_and_leaves_its_retry_alone(
    log: InMemoryEventLog, tmp_path: Path
) -> None:
    runners: list[LosesTheFirst] = []

    def make(*given: Any, **more: Any) -> Worker:
        runners.append(LosesTheFirst(*given, **more))
        return runners[-1]

    async with working(log, tmp_path, "W1", make=make) as broker:
        (runner,) = runners
        await enqueue(log, "t-1", "coding")
        await until(lambda: runner.at_work == {1}, 300, "the first attempt is at work")
        await say(log, TaskTimedOut(task_id="t-1", attempt=1, limit_s=60, worker="W1"), "1")
        await enqueue(log, "t-1", "coding", attempt=2)
        await until(lambda: runner.at_work == {1, 2}, 300, "so is the second, in the other slot")
        runner.may_end[1].set()
        await until(lambda: len(broker.pending()) == 1, 30, "the first order came again and was acknowledged")
        assert (runner.at_work, list(runner.held())) == ({2}, [f"{GOAL}.t-1.2"])
        claims = [m.event for m in await log.read(GOAL) if isinstance(m.event, TaskStarted)]
        assert [claim.attempt for claim in claims] == [1, 2]
        runner.may_end[2].set()
        await until(lambda: not runner.held(), 300, "nothing is held")


def broker_is_idle(broker: InMemoryBroker) -> bool:
    return broker.take(("noop",)) is None


async def test_what_grows_with_a_goal_is_read_from_where_the_last_read_ended(tmp_path: Path) -> None:
    asked: list[int] = []

    class Watched(InMemoryEventLog):
        async def read(self, prefix: str, *, after: int = 0, limit: int = 10_000) -> list[Recorded]:
            asked.append(after)
            return await super().read(prefix, after=after, limit=limit)

    log = Watched()
    ports = ports_on(log, QuickClock(), tmp_path, "W1")
    prefix = f"{GOAL}._.goal"
    told: list[Recorded] = []
    for event in (GoalPaused(by="ann"), GoalResumed(by="ann"), None):
        if event is not None:
            draft = Fence().after(told).draft(GOAL, "_", event, event.type)
            assert isinstance(await log.append(draft, stamp()), Stored)
        told = list(await ports.grown(prefix))
        assert told == await InMemoryEventLog.read(log, prefix)
    assert [recorded.seq for recorded in told] == [1, 2]
    assert asked == [0, 1, 2]
