"""What follows an approval where the result has to be brought to a repository elsewhere."""

from __future__ import annotations

from typing import Any

from agenthub_events.catalogue.goal import GoalCompleted, GoalPaused
from agenthub_events.catalogue.task import TaskCancelled
from agenthub_events.context import DeliveryOrder
from agenthub_events.rules import goal_commands
from agenthub_orchestrator.domain.orders.work_context import context_of
from tests.support.spec import Scenario, a_goal, step

ADDRESS = "https://example.org/ada/service.git"


def ready(delivery: str = "branch", **more: Any) -> Scenario:
    """A goal on an address, offered for review."""
    goal = a_goal(step("a"), repository=ADDRESS, delivery=delivery, **more)
    return goal.done("prepare", changes=True).done("t-a", changes=True).gates_pass()


def approved(goal: Scenario) -> Scenario:
    seen = goal.truth.aggregate.ready_seq
    goal.command(goal_commands.Approve(by="ada", request_id=goal.request_id(), ready_seq=seen))
    return goal.settled()


def summary_of(goal: Scenario) -> str:
    [event] = goal.events(GoalCompleted)
    assert isinstance(event, GoalCompleted)
    return event.completion_summary


def order_of(goal: Scenario, task_id: str) -> DeliveryOrder:
    told = context_of(goal.truth, task_id, title="", details="", answered=None)
    assert told.delivery is not None
    return told.delivery


def test_an_approved_result_is_delivered_before_the_goal_is_complete() -> None:
    goal = approved(ready())
    assert goal.open() == ["deliver-1"]
    assert goal.status == "running"
    assert not goal.events(GoalCompleted)
    order = order_of(goal, "deliver-1")
    assert (order.commit, order.branch) == (goal.truth.head, f"goal/{goal.goal_id}")
    assert not order.request
    goal.done("deliver-1", changes=False)
    assert goal.status == "completed"
    completed = summary_of(goal)
    assert completed.endswith(goal.task("deliver-1").summary)


def test_a_request_says_what_was_asked_and_how_it_was_judged() -> None:
    goal = approved(ready("pull_request", delivery_branch="agents/x", requirements=("Unit tests",)))
    order = order_of(goal, "deliver-1")
    assert (order.branch, order.request) == ("agents/x", True)
    assert [row.text for row in order.requirements] == ["Unit tests"]
    assert all(gate.passed for gate in order.gates)
    assert {gate.gate for gate in order.gates} >= {"tests", "review"}


def test_nothing_is_delivered_where_nobody_has_asked_for_it() -> None:
    goal = approved(ready("none"))
    assert goal.status == "completed"
    assert "deliver-1" not in goal.truth.tasks


def test_a_delivery_that_fails_is_tried_again_and_then_a_person_decides() -> None:
    goal = approved(ready()).failed_for_good("deliver-1", "workspace")
    assert goal.status == "awaiting_human"
    goal.answered(goal.question(), "skip")
    assert goal.status == "completed"
    completed = summary_of(goal)
    assert "Not delivered: deliver-1 was skipped by ada" in completed


def test_a_goal_that_is_opened_again_delivers_only_what_is_approved_then() -> None:
    goal = approved(ready())
    goal.command(goal_commands.Rework(by="ada", request_id="r", feedback="more"))
    goal.settled()
    recalled = [event for event in goal.events(TaskCancelled) if isinstance(event, TaskCancelled)]
    assert [event.reason for event in recalled] == ["the goal was opened again before it was delivered"]
    goal.planned(step("b")).done("t-b", changes=True).gates_pass()
    approved(goal)
    assert goal.open() == ["deliver-2"]
    assert order_of(goal, "deliver-2").commit == goal.truth.head


def test_a_paused_goal_delivers_when_it_goes_on() -> None:
    goal = approved(ready())
    goal.command(goal_commands.Pause(by="ada", request_id="p"))
    goal.settled()
    assert goal.status == "paused"
    assert goal.open() == []
    goal.command(goal_commands.Resume(by="ada", request_id="q"))
    assert goal.settled().open() == ["deliver-1"]
    assert goal.events(GoalPaused)
