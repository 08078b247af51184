"""From a goal to a plan: proposals, refusals, workflows, approval, preparation."""

from __future__ import annotations

import pytest

from agenthub_events.catalogue.goal import GoalAccepted, GoalFailed, GoalPlanned, GoalPlanRejected, GoalReplanned
from agenthub_events.catalogue.values import PlannedTask, PlanTask
from agenthub_events.rules import goal_commands
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from tests.support.spec import Scenario, a_goal, step


def reasons(goal: Scenario) -> list[tuple[str, ...]]:
    return [event.reasons for event in goal.events(GoalPlanRejected) if isinstance(event, GoalPlanRejected)]


def test_a_goal_without_a_workflow_is_planned_by_a_planning_task() -> None:
    goal = a_goal()
    assert goal.open() == ["plan-1"]
    assert goal.status == "planning"
    order = goal.task("plan-1").order
    assert order is not None
    assert (order.agent_type, order.lane) == ("planner", "p2")
    goal.planned(step("a"))
    assert goal.status == "workflow_generated"
    assert goal.open() == ["t-a"]
    assert goal.claimed("t-a").status == "running"


def test_a_refused_proposal_is_told_to_the_next_planning_task() -> None:
    goal = a_goal().planned(step("a"), step("a"))
    assert goal.open() == ["plan-2"]
    told = goal.context("plan-2").plan
    assert told is not None
    assert told.rejected == ("task key `a` is used twice: every key must be unique",)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ((), "the plan is empty"),
        ((step("a", "nobody"),), "not in the plan"),
        ((step("a", agent="wizard"),), "unknown agent"),
        ((step("a"), step("a")), "used twice"),
        ((step("a", "b"), step("b")), "comes later"),
    ],
)
def test_a_plan_that_breaks_the_rules_is_refused_and_nothing_of_it_is_ordered(
    tasks: tuple[object, ...], said: str
) -> None:
    goal = a_goal().planned(*tasks)  # type: ignore[arg-type]
    assert said in reasons(goal)[0][0]
    assert goal.truth.graph == []
    assert not goal.events(GoalPlanned)


def test_two_refused_proposals_become_one_question_and_a_persons_word_starts_the_planner_again() -> None:
    goal = a_goal().planned().planned()
    assert goal.open() == []
    assert goal.status == "awaiting_human"
    assert goal.asked("plan").question.startswith("No usable plan after 2 proposals")
    goal.answered(goal.question("plan"), text="Two tasks are enough")
    assert goal.open() == ["plan-3"]
    told = goal.context("plan-3").plan
    assert told is not None
    assert told.feedback == "Two tasks are enough"
    goal.planned(step("a"))
    assert goal.open() == ["t-a"]


def test_a_planner_that_returns_no_plan_is_refused() -> None:
    assert reasons(a_goal().done("plan-1")) == [("the planner returned no plan",)]


def test_giving_up_on_the_plan_ends_the_goal() -> None:
    goal = a_goal().planned().planned()
    goal.answered(goal.question("plan"), option="Give the goal up")
    assert goal.status == "failed"


def test_cancelling_the_first_planning_ends_the_goal_and_pays_no_other_planner() -> None:
    goal = a_goal().asks("plan-1", "Which shop?")
    goal.answered(goal.question(), "cancel")
    assert goal.status == "failed"
    assert "plan-2" not in goal.truth.tasks
    (failed,) = goal.events(GoalFailed)
    assert isinstance(failed, GoalFailed)
    assert failed.reason == "plan-1 was cancelled, and without a plan there is nothing to do"


def test_a_workflow_in_the_submission_skips_the_planner() -> None:
    goal = a_goal(step("a"), step("b", "a"))
    assert goal.open() == ["t-a"]
    assert "plan-1" not in goal.truth.tasks


def test_x26_x27_a_workflow_with_an_unknown_dependency_starts_nothing_and_asks() -> None:
    goal = a_goal(step("a"), step("b", "nobody"))
    assert goal.open() == []
    assert "depends on `nobody`, which is not in the plan" in goal.asked("plan").evidence
    assert goal.status == "awaiting_human"


def test_an_empty_workflow_does_not_complete_by_accident() -> None:
    goal = Scenario()
    goal.tell(GOAL_AS_A_WHOLE, msg_accepted_with_empty_workflow(), "accepted")
    goal.settled()
    assert goal.open() == []
    assert goal.asked("plan").evidence == "the plan is empty: give at least one task"


def msg_accepted_with_empty_workflow() -> GoalAccepted:

    return GoalAccepted(goal="Nothing", workflow=())


def test_a_goal_whose_plan_needs_approval_starts_after_it_and_not_before() -> None:
    goal = a_goal(autonomy="approve_plan").planned(step("a"))
    assert goal.open() == []
    assert goal.status == "workflow_generated"
    assert not goal.watchdogs(), "a person is awaited: no watchdog barks"
    goal.command(goal_commands.ApprovePlan(by="ada", request_id="1", revision=1))
    assert goal.settled().open() == ["t-a"]


def test_a_person_edits_the_plan_before_approving_it() -> None:
    goal = a_goal(autonomy="approve_plan").planned(step("a"), step("b", "a"), step("c", "b"))
    tasks: tuple[PlannedTask, ...] = validate_plan(
        (step("a"), step("b2", "a")), limits=MANUAL_LIMITS, origin="human"
    )
    edit = goal_commands.EditPlan(by="ada", request_id="1", revision=1, tasks=tasks, dropped=("t-a", "t-b", "t-c"))
    goal.command(edit)
    assert goal.settled().open() == []
    goal.command(goal_commands.ApprovePlan(by="ada", request_id="2", revision=2))
    assert goal.settled().open() == ["t-a"]
    assert {task: goal.task(task).word for task in goal.truth.graph} == {
        "t-a": "enqueued",
        "t-b": "cancelled",
        "t-c": "cancelled",
        "t-b2": "pending",
    }
    assert goal.done("t-a").open() == ["t-b2"]


def test_a_task_that_an_edit_drops_and_a_later_one_brings_back_is_done() -> None:
    goal = a_goal(autonomy="approve_plan").planned(step("a"), step("b", "a"))
    plans: tuple[tuple[PlanTask, ...], ...] = ((step("b"),), (step("a"), step("b", "a")))
    for number, plan in enumerate(plans, start=1):
        tasks = validate_plan(plan, limits=MANUAL_LIMITS, origin="human")
        dropped = () if number == 2 else ("t-a",)
        edit = goal_commands.EditPlan(
            by="ada", request_id=str(number), revision=number, tasks=tasks, dropped=dropped
        )
        goal.command(edit)
        goal.settled()
    goal.command(goal_commands.ApprovePlan(by="ada", request_id="3", revision=3))
    assert goal.settled().open() == ["t-a"]
    assert goal.done("t-a").open() == ["t-b"]


def test_a_goal_with_a_repository_is_prepared_before_it_is_planned() -> None:
    goal = a_goal(repository="https://example.org/repo.git")
    assert goal.open() == ["prepare"]
    commit = goal.commit()
    goal.claimed("prepare")
    goal.tell(GOAL_AS_A_WHOLE, goal.merge_of("prepare", 1, commit, origin="prepare"))
    goal.done("prepare", changes=False)
    assert goal.open() == ["plan-1"]
    assert goal.truth.base == commit
    order = goal.task("plan-1").order
    assert order is not None
    assert order.workspace_commit == commit


def test_a_manual_workflow_waits_for_its_repository_as_well() -> None:
    goal = a_goal(step("a"), repository="https://example.org/repo.git")
    assert goal.open() == ["prepare"]
    assert goal.done("prepare").open() == ["t-a"]


def test_a_repository_that_cannot_be_fetched_is_a_question_and_cancelling_it_fails_the_goal() -> None:
    goal = a_goal(step("a"), repository="https://example.org/none.git").failed_for_good("prepare", "workspace")
    assert goal.status == "awaiting_human"
    goal.answered(goal.question(), "cancel")
    assert goal.status == "failed"
    assert goal.task("t-a").word == "cancelled"


def test_a_skipped_first_plan_is_planned_again_and_a_skipped_change_is_dropped() -> None:
    goal = a_goal().asks("plan-1")
    goal.answered(goal.question(), "skip")
    assert goal.open() == ["plan-2"]
    goal.planned(step("a")).done("t-a", changes=True).gates_pass()
    goal.command(goal_commands.Rework(by="ada", request_id="1", feedback="more"))
    goal.settled().asks("plan-3")
    goal.answered(goal.question(), "skip")
    dropped = goal.events(GoalReplanned)[-1]
    assert isinstance(dropped, GoalReplanned)
    assert (dropped.added, dropped.origin) == ((), "rework")


def test_a_refused_change_twice_lets_a_person_leave_everything_as_it_was() -> None:
    goal = a_goal(step("a")).done("t-a", changes=True).gates_pass()
    goal.command(goal_commands.Rework(by="ada", request_id="1", feedback="more"))
    goal.settled().planned().planned()
    assert "Leave everything as it was" in goal.asked("plan").options
    goal.answered(goal.question("plan"), option="Leave everything as it was")
    assert goal.truth.rework is None
    goal.gates_pass()
    assert goal.status == "ready_for_review"


def test_a_change_may_build_on_done_tasks_but_not_on_cancelled_ones() -> None:
    goal = a_goal(step("a"), step("b")).asks("t-b")
    goal.answered(goal.question(), "cancel")
    goal.done("t-a", changes=True).gates_pass()
    goal.command(goal_commands.Rework(by="ada", request_id="1", feedback="more"))
    goal.settled().planned(step("c", "b"))
    assert reasons(goal) == [("task `c` depends on `b`, which was cancelled",)]
    assert goal.planned(step("c", "a")).open() == ["t-c"]


def test_several_requests_for_changes_are_planned_one_after_the_other() -> None:
    goal = a_goal(step("a")).done("t-a", changes=True).gates_pass()
    for number in ("1", "2"):
        goal.command(goal_commands.Rework(by="ada", request_id=number, feedback=f"change {number}"))
    goal.settled()
    assert goal.open() == ["plan-1"]
    goal.planned(step("x"))
    assert goal.open() == ["plan-2", "t-x"]
    told = goal.context("plan-2").plan
    assert told is not None
    assert told.feedback == "change 2"
    assert goal.planned(step("y")).open() == ["t-x", "t-y"]


def test_an_agent_may_ask_for_more_tasks_within_the_bounds() -> None:
    goal = a_goal(step("a"), step("b"))
    goal.proposes("t-a", step("more", "b"))
    assert goal.task("t-more").word == "pending"
    goal.done("t-b")
    assert "t-more" in goal.open()
    goal.proposes("t-more", step("even-more"))
    assert "t-even-more" not in goal.truth.tasks, "what an agent asked for may not ask for more"


def test_a_request_of_an_agent_that_breaks_the_rules_changes_nothing_and_stops_nothing() -> None:
    goal = a_goal(step("a")).proposes("t-a", step("x", "nobody"))
    goal.proposes("t-a", *(step(f"many-{number}") for number in range(30)))
    assert goal.truth.graph == ["t-a"]
    assert goal.done("t-a", changes=True).gates_pass().status == "ready_for_review"


def test_a_plan_of_ten_thousand_tasks_is_ordered_within_the_goals_share_of_the_queues() -> None:
    goal = a_goal(*(step(f"n{number}", agent="noop") for number in range(10_000)))
    assert len(goal.open()) == goal.policy.max_open_orders
    goal.done("t-n0")
    assert goal.truth.started
    assert len(goal.open()) == goal.policy.max_open_orders
