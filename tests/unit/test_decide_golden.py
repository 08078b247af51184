"""The golden order of events: one goal from submission to approval, and a change request after it."""

from __future__ import annotations

from agenthub_events.catalogue.goal import GoalCompleted, GoalPlanned, GoalReadyForReview, GoalReplanned
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.rules import goal_commands
from tests.support.spec import Scenario, a_goal, finding, step

REQUIREMENTS = ("Unit tests", "Security audit", "Documentation")


def planned_goal() -> Scenario:
    return a_goal(requirements=REQUIREMENTS).planned(
        step("analyze-requirements", agent="system-architect"),
        step("design-architecture", agent="system-architect"),
        step("implement-jwt-module", "analyze-requirements", agent="coding-agent", requirement_ids=("R3",)),
        step("write-tests", "implement-jwt-module", agent="test-agent", requirement_ids=("R1", "R2")),
    )


def built_goal() -> Scenario:
    goal = planned_goal().done("t-analyze-requirements").done("t-design-architecture")
    return goal.done("t-implement-jwt-module", changes=True).done("t-write-tests", changes=True)


def approved_goal() -> Scenario:
    goal = built_goal().gates_pass()
    goal.command(goal_commands.Approve(by="ada", request_id="approve", ready_seq=goal.truth.aggregate.ready_seq))
    return goal.settled()


def test_the_timeline_of_a_goal_whose_tests_fail_once_has_the_golden_order() -> None:
    goal = planned_goal()
    assert goal.open() == ["t-analyze-requirements", "t-design-architecture"]
    goal.done("t-analyze-requirements")
    assert goal.open() == ["t-design-architecture", "t-implement-jwt-module"]
    goal.done("t-implement-jwt-module", changes=True)
    assert goal.open() == ["t-design-architecture", "t-write-tests"]
    goal.done("t-write-tests", changes=True).done("t-design-architecture")
    assert goal.open() == ["gate-tests-1"]
    goal.judged("gate-tests-1", passed=False, failing=("test_refresh", "test_expiry"))
    assert goal.open() == ["debug-tests-1"]
    goal.done("debug-tests-1", findings=(finding("token refresh keeps the old expiry"),))
    assert goal.open() == ["fix-tests-1-1"]
    goal.done("fix-tests-1-1", changes=True)
    assert goal.open() == ["gate-tests-2"]
    goal.judged("gate-tests-2")
    assert goal.open() == ["gate-security-1"]
    goal.judged("gate-security-1")
    assert goal.open() == ["gate-review-1"]
    goal.judged("gate-review-1")
    assert goal.open() == []
    assert goal.status == "ready_for_review"
    assert goal.story(
        "goal.accepted",
        "goal.planned",
        "task.enqueued",
        "gate.failed",
        "goal.replanned",
        "gate.passed",
        "goal.ready_for_review",
        "seal.recorded",
    ) == [
        "_ goal.accepted",
        "plan-1 task.enqueued",
        "_ goal.planned",
        "t-analyze-requirements task.enqueued",
        "t-design-architecture task.enqueued",
        "t-implement-jwt-module task.enqueued",
        "t-write-tests task.enqueued",
        "gate-tests-1 task.enqueued",
        "gate-tests-1 gate.failed",
        "_ goal.replanned",
        "debug-tests-1 task.enqueued",
        "_ goal.replanned",
        "fix-tests-1-1 task.enqueued",
        "gate-tests-2 task.enqueued",
        "gate-tests-2 gate.passed",
        "gate-security-1 task.enqueued",
        "gate-security-1 gate.passed",
        "gate-review-1 task.enqueued",
        "gate-review-1 gate.passed",
        "_ goal.ready_for_review",
        "_ seal.recorded",
    ]


def test_an_approved_goal_is_completed_with_the_promised_words() -> None:
    goal = approved_goal()
    assert goal.status == "completed"
    (completed,) = goal.events(GoalCompleted)
    assert isinstance(completed, GoalCompleted)
    assert completed.completion_summary == "All tasks completed, tests passed, security audit passed"
    assert completed.head == goal.truth.head


def test_what_is_offered_for_review_names_tasks_and_gates_behind_each_requirement() -> None:
    (ready,) = built_goal().gates_pass().events(GoalReadyForReview)
    assert isinstance(ready, GoalReadyForReview)
    assert [(found.requirement_id, found.tasks, found.gates) for found in ready.requirements] == [
        ("R1", ("t-write-tests",), ("gate-tests-1", "gate-review-1")),
        ("R2", ("t-write-tests",), ("gate-security-1", "gate-review-1")),
        ("R3", ("t-implement-jwt-module",), ("gate-review-1",)),
    ]
    assert ready.summary == "All tasks completed; tests passed; security audit passed; review approved"


def test_requested_changes_reopen_a_finished_goal_on_the_same_branch_and_arm_the_gates_again() -> None:
    goal = approved_goal()
    head = goal.truth.head
    goal.command(
        goal_commands.Rework(by="ada", request_id="rework", feedback="Please add 2FA support", priority="high")
    )
    assert goal.settled().status == "rework"
    assert goal.open() == ["plan-2"]
    order = goal.context("plan-2").plan
    assert order is not None
    assert order.feedback == "Please add 2FA support"
    assert {task.task_id for task in order.graph} == set(goal.truth.graph)
    goal.planned(step("implement-2fa-support", "implement-jwt-module"))
    assert goal.open() == ["t-implement-2fa-support"]
    enqueued = goal.task("t-implement-2fa-support").order
    assert enqueued is not None
    assert (enqueued.lane, enqueued.workspace_commit) == ("p1", head)
    goal.done("t-implement-2fa-support", changes=True)
    assert goal.open() == ["gate-tests-2"]
    goal.gates_pass()
    assert goal.status == "ready_for_review"
    assert len(goal.events(GoalReadyForReview)) == 2


def test_a_plan_carries_estimates_and_the_planner_is_told_the_requirements() -> None:
    goal = planned_goal()
    (planned,) = goal.events(GoalPlanned)
    assert isinstance(planned, GoalPlanned)
    assert (planned.estimates.tasks, planned.estimates.minutes) == (4, 45.0)
    assert goal.context("plan-1").requirements == REQUIREMENTS
    assert not goal.events(GoalReplanned)


def test_x12_every_order_names_its_task_attempt_lane_parent_and_budget() -> None:
    goal = built_goal().judged("gate-tests-1", passed=False).done("debug-tests-1")
    for event in goal.events(TaskEnqueued):
        assert isinstance(event, TaskEnqueued)
        assert event.attempt == 1
        assert event.budget is not None
        assert event.budget.max_llm_calls == 500
        assert (event.task_id, event.priority) == (event.originator_id.partition(".")[2], "normal")
        assert (event.retry_count, event.max_retries) == (0, 3)
        assert event.timeout_s > 0
        assert event.title
        assert goal.contexts[event.context_ref].task_id == event.task_id
        known = goal.task(event.task_id).planned
        assert event.depends_on == (known.depends_on if known else ())
    fix = goal.task("fix-tests-1-1").order
    assert fix is not None
    assert (fix.parent_task_id, fix.lane, fix.agent_type) == ("gate-tests-1", "p0", "coding")


def test_x6_a_goal_passes_through_the_promised_words() -> None:
    goal = Scenario()
    words = [goal.status]
    goal.accepted()
    words.append(goal.status)
    goal.planned(step("a"))
    words.append(goal.status)
    goal.claimed("t-a")
    words.append(goal.status)
    goal.done("t-a", changes=True)
    words.append(goal.status)
    goal.gates_pass()
    words.append(goal.status)
    goal.command(goal_commands.Approve(by="ada", request_id="1", ready_seq=goal.truth.aggregate.ready_seq))
    words.append(goal.settled().status)
    goal.command(goal_commands.Rework(by="ada", request_id="2", feedback="more"))
    words.append(goal.settled().status)
    assert words == [
        "accepted",
        "planning",
        "workflow_generated",
        "running",
        "validating",
        "ready_for_review",
        "completed",
        "rework",
    ]


def test_x19_a_goals_priority_moves_its_orders_in_the_queues() -> None:
    goal = a_goal(step("a"), step("b", "a"), step("c", "b"), priority="high")
    goal.done("t-a")
    goal.command(goal_commands.Reprioritize(by="ada", request_id="1", priority="low"))
    goal.settled().done("t-b")
    orders = [goal.task(task).order for task in ("t-a", "t-b", "t-c")]
    assert [(order.lane, order.priority) for order in orders if order] == [
        ("p1", "high"),
        ("p1", "high"),
        ("p3", "low"),
    ]


def test_a_requirement_that_nothing_proves_is_said_to_have_no_evidence() -> None:
    goal = a_goal(requirements=("Runs offline", "Unit tests")).planned(
        step("write", agent="coding-agent", requirement_ids=("R1", "R2"))
    )
    goal.done("t-write", changes=True).judged("gate-tests-1").judged("gate-security-1").asks("gate-review-1")
    goal.answered(goal.question(), "skip")
    (ready,) = goal.events(GoalReadyForReview)
    assert isinstance(ready, GoalReadyForReview)
    assert [found.none for found in ready.requirements] == [
        "No evidence exists: no gate that speaks to it has passed",
        "",
    ]
    assert ready.summary.endswith("review waived by a person; no evidence exists for R1")
