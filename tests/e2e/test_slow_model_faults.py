"""Misbehaviour that takes time by design. Last of its kind, so that the waiting goes on beside the other tests."""

from __future__ import annotations

import pytest

from agenthub_events.catalogue.goal import GoalPlanned
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskFailed, TaskParked, TaskTimedOut
from tests.e2e import misbehaviour as m
from tests.e2e.misbehaviour import MisbehavingModel

pytestmark = pytest.mark.extra


async def test_a_storm_of_overloads_parks_the_task_and_it_goes_on_by_itself(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.STORMY]
    await hub.wait_for(goal_id, "ready_for_review")
    assert misbehaving.model.strikes(goal_id) == {(m.STORM.task, m.STORM.kind): m.STORM.times}
    (parked,) = await hub.of(goal_id, TaskParked)
    assert (parked.task_id, parked.reason) == ("t-in-the-storm", "overload")
    assert parked.until is not None
    orders = [order for order in await hub.of(goal_id, TaskEnqueued) if order.task_id == "t-in-the-storm"]
    assert [(order.attempt, order.resumes, order.retry_count) for order in orders] == [(1, 0, 0), (2, 1, 0)]
    assert orders[1].timestamp >= parked.until
    assert len([e for e in await hub.of(goal_id, TaskCompleted) if e.task_id == "t-in-the-storm"]) == 1


async def test_a_planner_that_never_brings_a_plan_ends_at_a_person(misbehaving: MisbehavingModel) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.NEVER_PLANNED]
    await hub.wait_for(goal_id, "awaiting_human")
    failed = await hub.of(goal_id, TaskFailed)
    assert {(event.task_id, event.failure_class) for event in failed} == {("plan-1", "invalid")}
    assert "wizard" in failed[0].reason
    assert await hub.of(goal_id, GoalPlanned) == []
    assert len(hub.questions(goal_id)) == 1


async def test_a_model_that_hangs_costs_the_attempt_its_time_and_the_next_one_goes_on(
    misbehaving: MisbehavingModel,
) -> None:
    hub, goal_id = misbehaving.hub, misbehaving.goals[m.HUNG]
    await hub.wait_for(goal_id, "ready_for_review")
    assert misbehaving.model.strikes(goal_id) == {(m.HANG.task, m.HANG.kind): 1}
    (late,) = await hub.of(goal_id, TaskTimedOut)
    assert (late.task_id, late.attempt, late.limit_s) == ("t-waiting", 1, m.HANG_LIMIT_S)
    (done,) = [event for event in await hub.of(goal_id, TaskCompleted) if event.task_id == "t-waiting"]
    assert done.attempt == 2
    assert [change.path for change in done.result.files] == ["test_good.py"]
