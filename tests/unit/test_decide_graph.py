"""The graph: who may run, who waits, who is cancelled with whom."""

from __future__ import annotations

import sys
from types import FrameType

from agenthub_events.catalogue.task import TaskCancelled, TaskCompleted, TaskEnqueued
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.rules import goal_commands
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_orchestrator.domain import Policy, decide, task_status, why_waiting
from tests.support.spec import a_goal, step


def test_independent_tasks_are_open_together_and_a_fan_in_waits_for_all() -> None:
    goal = a_goal(step("a"), step("b"), step("c"), step("join", "a", "b", "c"))
    assert goal.open() == ["t-a", "t-b", "t-c"]
    goal.done("t-b").done("t-a")
    assert task_status(goal.truth, "t-join") == "pending"
    assert why_waiting(goal.truth, "t-join") == "waits on enqueued t-c"
    assert goal.done("t-c").open() == ["t-join"]


def test_x7_deciding_a_hundred_times_orders_every_task_once() -> None:
    goal = a_goal(step("a"), step("b"))
    for _ in range(100):
        assert decide(goal.truth, now=goal.now, policy=goal.policy) == []
    assert len(goal.events(TaskEnqueued)) == 2


def test_an_aggregate_in_flight_takes_no_second_draft() -> None:
    goal = a_goal(step("a"), step("b"), step("c", "a", "b"))
    goal.done("t-a")
    goal.claimed("t-b")
    goal.tell("t-b", goal_done("t-b"), "1-1-i")
    in_flight = frozenset({f"{goal.goal_id}.t-c"})
    goal.receive()
    assert decide(goal.mind, now=goal.now, policy=goal.policy, in_flight=in_flight) == []
    assert [due.draft.task_id for due in goal.due()] == ["t-c"]


def goal_done(task_id: str) -> TaskCompleted:
    return TaskCompleted(task_id=task_id, agent="a", attempt=1, result=TaskResult(summary="done"))


def test_x28_only_the_blocked_part_of_the_graph_waits() -> None:
    goal = a_goal(step("a"), step("b", "a"), step("x"), step("y", "x"))
    goal.asks("t-a")
    assert why_waiting(goal.truth, "t-b") == "waits on blocked t-a"
    assert goal.open() == ["t-x"]
    assert goal.status == "running"
    goal.done("t-x").done("t-y")
    assert goal.status == "awaiting_human"
    goal.answered(goal.question(), text="sqlite")
    assert goal.open() == ["t-a"]


def test_a_cancelled_task_takes_all_that_depend_on_it_along_with_the_chain_of_causes() -> None:
    goal = a_goal(step("a"), step("b", "a"), step("c", "b"), step("d")).asks("t-a")
    goal.answered(goal.question(), "cancel", "not needed")
    cancelled = {event.task_id: event.causes for event in goal.events(TaskCancelled)}  # type: ignore[attr-defined]
    assert cancelled == {"t-a": (), "t-b": ("t-a",), "t-c": ("t-b", "t-a")}
    assert goal.open() == ["t-d"]


def test_dependents_of_a_skipped_task_go_on_and_are_told() -> None:
    goal = a_goal(step("a"), step("b", "a")).asks("t-a")
    goal.answered(goal.question(), "skip", "we have one already")
    assert goal.open() == ["t-b"]
    assert goal.context("t-b").inherited[0].summary == "Skipped by ada: we have one already"


def test_what_a_task_found_out_is_inherited_by_those_that_depend_on_it() -> None:
    goal = a_goal(step("a"), step("b", "a"))
    goal.done("t-a", summary="found 3 components", insights=("use PyJWT",))
    (inherited,) = goal.context("t-b").inherited
    assert (inherited.task_id, inherited.summary, inherited.insights) == (
        "t-a",
        "found 3 components",
        ("use PyJWT",),
    )


def test_x18_every_planned_task_has_ended_when_the_goal_is_offered() -> None:
    goal = a_goal(step("a"), step("b", "a"), step("c"), step("d", "c")).asks("t-c")
    goal.answered(goal.question(), "cancel")
    goal.done("t-a").done("t-b").gates_pass()
    assert goal.status == "ready_for_review"
    assert {task_status(goal.truth, task) for task in goal.truth.graph} == {"done", "cancelled"}


def test_a_manual_twelve_task_workflow_runs_to_its_end() -> None:
    shape = {
        "analyze-requirements": (),
        "design-architecture": (),
        "implement-jwt-module": ("analyze-requirements",),
        "implement-refresh": ("implement-jwt-module",),
        "implement-hashing": ("design-architecture",),
        "implement-login": ("implement-jwt-module", "implement-hashing"),
        "implement-logout": ("implement-login",),
        "write-tests": ("implement-login", "implement-refresh"),
        "write-docs": ("design-architecture",),
        "write-examples": ("write-docs", "implement-login"),
        "measure": ("write-tests",),
        "release-notes": ("implement-logout", "write-examples", "measure"),
    }
    goal = a_goal(*(step(key, *after, agent="noop") for key, after in shape.items()))
    seen = 0
    while ids := goal.open():
        seen = max(seen, len(ids))
        goal.done(ids[0])
    assert seen >= 3
    assert {task_status(goal.truth, task) for task in goal.truth.graph} == {"done"}
    assert goal.status == "ready_for_review"


def test_a_noop_order_carries_neither_context_nor_budget() -> None:
    order = a_goal(step("n", agent="noop")).task("t-n").order
    assert order is not None
    assert (order.context_ref, order.budget, order.model, order.workspace_commit) == ("", None, "", "")


def test_one_more_event_costs_the_same_in_a_goal_of_ten_thousand_tasks() -> None:
    small, large = calls_of_hops(100), calls_of_hops(10_000)
    assert abs(large - small) < small / 100


def calls_of_hops(size: int) -> int:
    """Function calls that 50 completions cost to fold and decide, in a goal of `size` chained tasks."""
    tasks = [step("n0", agent="noop")]
    tasks += [step(f"n{number}", f"n{number - 1}", agent="noop") for number in range(1, size)]
    goal = a_goal(*tasks, policy=Policy())
    calls = 0

    def count(frame: FrameType, what: str, argument: object) -> None:
        nonlocal calls
        calls += what == "call"

    for number in range(50):
        sys.setprofile(count)
        try:
            goal.done(f"t-n{number}")
        finally:
            sys.setprofile(None)
    return calls


def test_an_edited_plan_moves_a_tasks_dependencies() -> None:
    goal = a_goal(autonomy="approve_plan").planned(step("a"), step("b"), step("c", "a"))
    tasks = validate_plan((step("a"), step("b"), step("c", "b")), limits=MANUAL_LIMITS, origin="human")
    goal.command(goal_commands.EditPlan(by="ada", request_id="1", revision=1, tasks=tasks[2:], dropped=()))
    goal.settled()
    goal.command(goal_commands.ApprovePlan(by="ada", request_id="2", revision=2))
    goal.settled().done("t-a")
    assert goal.open() == ["t-b"]
    assert goal.done("t-b").open() == ["t-c"]


def test_every_reason_to_wait_is_said_in_a_sentence() -> None:
    goal = a_goal(step("a"), step("b"), step("c"), step("d"), step("e", "a", "b", "c", "d"))
    assert why_waiting(goal.truth, "t-a") == "waits for a free coding worker"
    goal.claimed("t-a")
    assert why_waiting(goal.truth, "t-a") == ""
    assert why_waiting(goal.truth, "t-e") == ("waits on in_progress t-a, enqueued t-b, enqueued t-c and 1 more")
    goal.parked("t-b", "overload", "the model is overloaded")
    assert why_waiting(goal.truth, "t-b") == "parked: the model is overloaded"
    goal.conflicted("t-c", "x.py", "y.py")
    assert why_waiting(goal.truth, "t-c") == "its changes conflict with others in x.py, y.py"
    goal.asks("t-d", "Which one?")
    assert why_waiting(goal.truth, "t-d") == "waits for an answer: Which one?"
    goal.failed_for_good("t-a", "crash")
    assert why_waiting(goal.truth, "t-a") == "is a dead letter: a person decides"
    unapproved = a_goal(autonomy="approve_plan").planned(step("a"))
    assert why_waiting(unapproved.truth, "t-a") == "the plan waits for approval"
