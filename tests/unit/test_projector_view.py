"""Rows are a pure function of the events, however they come in."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from agenthub_events.memory import MemoryLog
from agenthub_events.ports import Recorded
from agenthub_orchestrator.domain import Policy
from agenthub_orchestrator.follower import Follower
from agenthub_orchestrator.projector.view import GoalView
from agenthub_orchestrator.projector.writing import TABLES
from agenthub_runtime.clock import SystemClock, SystemIds
from agenthub_runtime.readmodels import Row
from agenthub_runtime.twins import MemoryArtifacts, MemoryTimers
from tests.support.scripted import ScriptedWorker, accepted, goal_id, store
from tests.support.until import until

Key = tuple[str, tuple[object, ...]]


def played() -> list[Recorded]:
    """The log of one goal of twelve tasks, played to its end."""

    async def play() -> list[Recorded]:
        log, clock = MemoryLog(), SystemClock()
        timers = MemoryTimers(clock)
        follower = Follower(
            log=log, artifacts=MemoryArtifacts(), timers=timers, clock=clock, ids=SystemIds(), policy=Policy()
        )
        tasks = [asyncio.ensure_future(follower.run()), asyncio.ensure_future(ScriptedWorker(log).run())]
        await store(log, accepted())
        await until(lambda: log.last(f"{goal_id(1)}._.seal"), 20, "sealed")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        timers.close()
        return await log.read(goal_id(1))

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(play())
    finally:
        loop.close()


LOG: list[Recorded] = []


def log_of_a_goal() -> list[Recorded]:
    if not LOG:
        LOG.extend(played())
    return LOG


def rows_of(messages: list[Recorded], cuts: set[int]) -> dict[Key, str]:
    """The tables after feeding a view, drained wherever `cuts` says."""
    view = GoalView(goal_id(1))
    rows: dict[Key, str] = {}

    def write(changed: list[Row]) -> None:
        for row in changed:
            rows[row.table, tuple(getattr(row, name) for name in row.key)] = repr(row)

    for number, recorded in enumerate(messages):
        view.apply(recorded)
        if number in cuts:
            write(view.drain())
    write(view.drain())
    return rows


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_rows_do_not_depend_on_how_events_are_batched(data: st.DataObject) -> None:
    log = log_of_a_goal()
    length = data.draw(st.integers(1, len(log)))
    cuts = data.draw(st.sets(st.integers(0, length - 1)))
    assert rows_of(log[:length], cuts) == rows_of(log[:length], set())


def test_counts_of_a_goal_are_those_of_its_tasks() -> None:
    log = log_of_a_goal()
    view = GoalView(goal_id(1))
    for recorded in log:
        view.apply(recorded)
        words = [task.status for task in view.tasks.values()]
        goal = view.goal
        assert goal.tasks_total == len(words)
        assert goal.tasks_done == words.count("done")
        assert goal.tasks_queued == words.count("enqueued")
        assert goal.tasks_running == words.count("in_progress")


def test_every_table_has_a_key_among_its_columns() -> None:
    for kind in TABLES:
        assert set(kind.key) <= set(kind.__struct_fields__)
