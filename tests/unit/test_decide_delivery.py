"""What follows an approval where the result has to be brought to a repository elsewhere."""

from __future__ import annotations

from typing import Any

from agenthub_events.catalogue.goal import GoalCompleted, GoalPaused, GoalReadyForReview
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


def test_what_git_has_merged_by_itself_is_judged_again_and_goes_out_under_the_same_approval() -> None:
    goal = approved(ready())
    goal.moved("deliver-1")
    assert goal.status == "validating"
    assert goal.open() == ["gate-tests-2"]
    judged = context_of(goal.truth, "gate-tests-2", title="", details="", answered=None).gate
    assert judged is not None
    assert (judged.commit, judged.base) == (goal.truth.head, goal.truth.merges[-1].commit)
    goal.gates_pass()
    assert goal.open() == ["deliver-1"]
    order = order_of(goal, "deliver-1")
    assert (order.commit, order.base, order.moves) == (goal.truth.head, goal.truth.merges[-1].commit, 1)
    goal.done("deliver-1")
    assert goal.status == "completed"
    assert len(goal.events(GoalReadyForReview)) == 1


def test_a_merge_whose_tests_fail_is_mended_and_then_shown_before_it_goes_out() -> None:
    goal = approved(ready()).moved("deliver-1")
    goal.judged("gate-tests-2", False, failing=("test_a",)).done("debug-tests-2")
    goal.done("fix-tests-2-1", changes=True).gates_pass()
    assert goal.status == "ready_for_review"
    offered = goal.events(GoalReadyForReview)[-1]
    assert isinstance(offered, GoalReadyForReview)
    assert offered.summary.startswith(
        "Offered again: agents have changed the result since its approval, because main has become it; "
    )
    assert goal.task("deliver-1").summary == "the result has changed since, and is delivered once it is approved"
    assert approved(goal).open() == ["deliver-2"]


def test_a_conflict_that_an_agent_has_settled_is_judged_and_seen_by_a_person_before_it_goes_out() -> None:
    goal = approved(ready()).conflicted("deliver-1", "x.py", target="main")
    assert goal.open() == ["merge-deliver-1-1"]
    told = context_of(goal.truth, "merge-deliver-1-1", title="", details="", answered=None).merge
    assert told is not None
    assert (told.target, told.files, told.head) == ("main", ("x.py",), goal.truth.head)
    goal.united("merge-deliver-1-1").gates_pass()
    assert goal.status == "ready_for_review"
    offered = goal.events(GoalReadyForReview)[-1]
    assert isinstance(offered, GoalReadyForReview)
    assert offered.summary.startswith("Offered again: merge-deliver-1-1 has merged main, which has become ")
    assert "and settled conflicts in x.py; " in offered.summary
    approved(goal)
    assert goal.open() == ["deliver-2"]
    order = order_of(goal, "deliver-2")
    assert (order.commit, order.base, order.moves) == (goal.truth.head, goal.truth.merges[-1].commit, 0)


def test_a_target_that_moves_on_is_merged_each_time_and_counted_until_a_person_has_a_say() -> None:
    goal = approved(ready())
    for moves in (1, 2):
        goal.moved("deliver-1").gates_pass()
        assert order_of(goal, "deliver-1").moves == moves
    goal.conflicted("deliver-1", target="main").done("merge-deliver-1-1")
    assert order_of(goal, "deliver-1").moves == 3
    goal.asks("deliver-1", "main has moved again", options=("Try again", "Go on without it"), reason="delivery")
    assert goal.status == "awaiting_human"
    goal.answered(goal.question(), option="Try again")
    assert goal.open() == ["deliver-1"]
    assert order_of(goal, "deliver-1").moves == 0


def test_who_wants_no_merge_gets_the_result_as_it_was_approved() -> None:
    goal = approved(ready()).conflicted("deliver-1", target="main")
    approved_head = goal.truth.head
    goal.asks("merge-deliver-1-1", "How?").answered(goal.question(), "skip")
    assert goal.open() == ["deliver-1"]
    order = order_of(goal, "deliver-1")
    assert (order.as_it_is, order.commit) == (True, approved_head)


def test_who_calls_the_merge_off_calls_the_delivery_off() -> None:
    goal = approved(ready()).conflicted("deliver-1", target="main")
    goal.asks("merge-deliver-1-1", "How?").answered(goal.question(), "cancel")
    assert goal.status == "completed"
    assert "Not delivered: deliver-1 was cancelled" in summary_of(goal)


def test_a_goal_that_is_paused_or_opened_again_while_it_is_judged_again_delivers_nothing_meanwhile() -> None:
    goal = approved(ready()).moved("deliver-1")
    goal.command(goal_commands.Pause(by="ada", request_id="p"))
    assert goal.settled().open() == []
    goal.command(goal_commands.Resume(by="ada", request_id="q"))
    assert goal.settled().open() == ["gate-tests-2"]
    goal.command(goal_commands.Rework(by="ada", request_id="r", feedback="more"))
    goal.settled()
    assert goal.task("deliver-1").word == "cancelled"
    goal.planned(step("b")).done("t-b", changes=True).gates_pass()
    assert approved(goal).open() == ["deliver-2"]
    assert order_of(goal, "deliver-2").base == goal.truth.base
