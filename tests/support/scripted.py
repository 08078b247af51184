"""A goal with a manual workflow, and a worker that plays its tasks from a script, on nothing but the event log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskStarted
from agenthub_events.catalogue.values import PlanTask, TaskResult
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Conflict, EventLog, Recorded, Stamp, Stored
from agenthub_events.rules import goal_aggregate
from tests.support.until import until

TWELVE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("analyze-requirements", ()),
    ("design-architecture", ()),
    ("implement-jwt-module", ("analyze-requirements", "design-architecture")),
    ("implement-refresh-tokens", ("design-architecture",)),
    ("implement-password-hashing", ("design-architecture",)),
    ("write-jwt-tests", ("implement-jwt-module",)),
    ("write-refresh-tests", ("implement-refresh-tokens",)),
    ("write-hashing-tests", ("implement-password-hashing",)),
    ("integrate", ("implement-jwt-module", "implement-refresh-tokens", "implement-password-hashing")),
    ("api-documentation", ("integrate",)),
    ("integration-tests", ("integrate", "write-jwt-tests", "write-refresh-tests", "write-hashing-tests")),
    ("release-notes", ("integration-tests", "api-documentation")),
)


def goal_id(number: int) -> str:
    """The id of the n-th goal of a test."""
    return f"g-{number:026d}"


def accepted(
    number: int = 1, tasks: Sequence[tuple[str, tuple[str, ...]]] = TWELVE, *, agent: str = "noop"
) -> Draft:
    """A goal with a manual workflow."""
    event = GoalAccepted(
        goal=f"Goal {number}",
        requirements=("Unit tests",),
        workflow=tuple(
            PlanTask(key=key, title=key.replace("-", " ").capitalize(), agent=agent, depends_on=depends_on)
            for key, depends_on in tasks
        ),
    )
    return goal_aggregate.draft(goal_aggregate.initial(goal_id(number)), event, "body")


def stamp() -> Stamp:
    """A stamp of now."""
    return Stamp(now=datetime.now(UTC), metadata={"actor": "test"})


async def store(log: EventLog, draft: Draft) -> int:
    """Append, whatever the weather; fails the test on a conflict."""

    async def stored() -> int:
        result = await log.append(draft, stamp())
        assert not isinstance(result, Conflict), result
        return result.seq if isinstance(result, Stored) else 0

    return await until(stored, 300, f"{draft.event.type} is stored", pause_s=0.05)


async def grown(log: EventLog, to: int) -> None:
    """Wait until the log has come to event `to`: a moment of the work, however fast the machine is."""

    async def reached() -> bool:
        return await log.last_seq() >= to

    await until(reached, 300, f"the log has reached event {to}", pause_s=0.002)


Play = Callable[[TaskEnqueued], Awaitable[Event]]


async def completes(order: TaskEnqueued) -> Event:
    """Every task is done at once."""
    return TaskCompleted(
        task_id=order.task_id,
        agent=order.agent,
        attempt=order.attempt,
        result=TaskResult(summary=f"{order.title} done"),
        worker="Worker-1",
    )


class ScriptedWorker:
    """Claims every order of the log, plays it, and appends what came out; `run` may be started again."""

    def __init__(self, log: EventLog, play: Play = completes, *, after: int = 0) -> None:
        self._log = log
        self._play = play
        self._after = after
        self.running = 0
        self.most_at_once = 0

    async def run(self) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    async with aclosing(
                        self._log.follow(after=self._after, subjects=("evt.*.*.task.enqueued.>",))
                    ) as batches:
                        async for batch in batches:
                            for recorded in batch:
                                group.create_task(self._work(recorded))
                                self._after = recorded.seq
                except StoreUnavailable:
                    await asyncio.sleep(0.1)

    async def _work(self, recorded: Recorded) -> None:
        order = recorded.event
        assert isinstance(order, TaskEnqueued)
        goal = order.originator_id.split(".")[0]
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            started = TaskStarted(
                task_id=order.task_id,
                attempt=order.attempt,
                worker="Worker-1",
                agent=order.agent,
                instance="i1",
                delivery=1,
                ack_subject="none",
            )
            fence = Fence(recorded.seq, order.originator_version)
            claim = f"{order.attempt}-1-i1"
            result = await self._append(fence.draft(goal, order.task_id, started, claim))
            if result is None:
                return
            outcome = await self._play(order)
            await self._append(fence.moved(result).draft(goal, order.task_id, outcome, claim))
        finally:
            self.running -= 1

    async def _append(self, draft: Draft) -> int | None:
        while True:
            result = await self._log.append(draft, stamp())
            if isinstance(result, Stored):
                return result.seq
            if isinstance(result, Conflict):
                return None
            await asyncio.sleep(0.05)


def story(messages: Sequence[Recorded]) -> set[tuple[str, str]]:
    """What happened, free of time and order: (subject, event id)."""
    return {
        (recorded.subject, recorded.event.event_id) for recorded in messages if isinstance(recorded.event, Event)
    }
