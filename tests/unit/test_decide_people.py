"""People: pausing, cancelling, deadlines, money, and messages that nobody can read."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from agenthub_events.catalogue.agent import AgentAnswered
from agenthub_events.catalogue.goal import (
    GoalAccepted,
    GoalDeadlinePassed,
    GoalPaused,
    GoalPlanned,
    GoalStalled,
    SealRecorded,
)
from agenthub_events.catalogue.money import BudgetExceeded, BudgetSettled
from agenthub_events.catalogue.task import TaskEnqueued, TaskParked
from agenthub_events.catalogue.values import Constraints, Estimates, ParkReason, PlannedTask
from agenthub_events.rules import goal_commands
from agenthub_events.rules.requirements import DEFAULT_MAX_COST_USD
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_orchestrator.domain import (
    Fired,
    Policy,
    derived_status,
    initial,
    is_settled_by,
    task_status,
    why_waiting,
)
from tests.support.minihub import GOAL, MiniHub
from tests.support.spec import Scenario, a_goal, step


def pause(goal: Scenario) -> Scenario:
    goal.command(goal_commands.Pause(by="ada", request_id=goal.request_id()))
    return goal.settled()


def resume(goal: Scenario) -> Scenario:
    goal.command(goal_commands.Resume(by="ada", request_id=goal.request_id()))
    return goal.settled()


def cancel(goal: Scenario) -> Scenario:
    goal.command(goal_commands.Cancel(by="ada", request_id=goal.request_id(), reason="changed my mind"))
    return goal.settled()


def test_a_paused_goal_parks_what_is_open_and_starts_nothing() -> None:
    goal = pause(a_goal(step("a"), step("b", "a"), step("c")).claimed("t-a"))
    assert goal.status == "paused"
    assert goal.open() == []
    assert {task_status(goal.truth, task) for task in ("t-a", "t-c")} == {"parked"}
    assert why_waiting(goal.truth, "t-b") == "the goal is paused"
    assert not goal.watchdogs()


def test_a_resumed_goal_goes_on_where_it_was() -> None:
    goal = resume(pause(a_goal(step("a"), step("b")).claimed("t-a")))
    assert goal.open() == ["t-a", "t-b"]
    orders = [goal.task(task).order for task in goal.open()]
    assert [(order.attempt, order.resumes, order.retry_count) for order in orders if order] == [
        (2, 1, 0),
        (2, 0, 0),
    ]


def test_an_order_that_slipped_through_a_pause_is_parked_as_well() -> None:
    goal = a_goal(step("a"), step("b", "a"))
    goal.claimed("t-a")
    goal.receive()
    late = goal.done("t-a").due()
    assert late == []
    pause(goal)
    assert task_status(goal.truth, "t-b") == "parked"


def test_a_retry_that_comes_due_in_a_pause_waits_for_its_end() -> None:
    goal = a_goal(step("a")).failed("t-a")
    pause(goal)
    assert is_settled_by(Fired("retry", "t-a", "2"), goal.truth)
    goal.now += timedelta(hours=1)
    assert goal.settled().open() == []
    assert resume(goal).open() == ["t-a"]


@pytest.mark.parametrize("reason", ["config", "unreachable"])
def test_what_only_people_can_mend_pauses_the_goal_with_its_plain_sentence(reason: ParkReason) -> None:
    goal = a_goal(step("a"), step("b"))
    sentence = "No API key: set ANTHROPIC_API_KEY, then resume the goal"
    goal.parked("t-a", reason, sentence)
    (paused,) = goal.events(GoalPaused)
    assert isinstance(paused, GoalPaused)
    assert (paused.by, paused.reason) == ("agenthub", sentence)
    assert task_status(goal.truth, "t-b") == "parked"
    assert resume(goal).open() == ["t-a", "t-b"]
    goal.parked("t-a", reason, sentence)
    assert len(goal.events(GoalPaused)) == 2, "still wrong: paused again"


def test_a_cancelled_goal_cancels_every_task_and_what_slips_through_later() -> None:
    goal = a_goal(step("a"), step("b", "a"), step("c")).claimed("t-a")
    slipping = goal.say("gate-tests-1", order_for("gate-tests-1"), "1")
    cancel(goal)
    assert goal.status == "cancelled"
    assert goal.truth.unended == {}
    goal.store(slipping)
    assert goal.settled().truth.unended == {}


def order_for(task_id: str) -> TaskEnqueued:
    return TaskEnqueued(
        task_id=task_id, agent="testing", agent_type="testing", attempt=1, lane="p0", title="late", timeout_s=60
    )


def test_a_completed_goal_keeps_no_open_task() -> None:
    goal = a_goal(step("a")).done("t-a", changes=True).gates_pass()
    goal.command(goal_commands.RequestTests(by="ada", request_id="1"))
    goal.settled()
    goal.command(goal_commands.Approve(by="ada", request_id="2", ready_seq=goal.truth.aggregate.ready_seq))
    assert goal.settled().status == "completed"
    assert goal.open() == []


def test_a_goal_whose_time_is_over_starts_nothing_new_until_a_person_decides() -> None:
    goal = a_goal(step("a"), step("b", "a"), constraints=Constraints(max_time_s=3_600))
    (deadline,) = goal.requests()
    assert deadline.kind == "deadline"
    goal.fire_next("deadline")
    (passed,) = goal.events(GoalDeadlinePassed)
    assert isinstance(passed, GoalDeadlinePassed)
    assert passed.due == goal.truth.clock_from + timedelta(hours=1)
    goal.done("t-a")
    assert goal.open() == []
    assert goal.status == "awaiting_human"
    assert why_waiting(goal.truth, "t-b") == "the goal's time is over: a person decides"
    goal.answered(goal.question("deadline"), option="Give it the same time again")
    assert goal.open() == ["t-b"]
    assert [request.kind for request in goal.requests()] == ["deadline"], "no limit is ever lifted for good"


@pytest.mark.parametrize("given", [None, 0])
def test_a_goal_without_a_limit_of_time_has_a_week(given: int | None) -> None:
    goal = a_goal(step("a"), constraints=Constraints(max_time_s=given))
    request = goal.fire_next("deadline")
    assert request.due == goal.truth.clock_from + timedelta(days=7)
    assert goal.asked("deadline").options[0] == "Give it the same time again"


def test_a_deadline_that_fires_on_a_finished_goal_is_settled() -> None:
    goal = a_goal(step("n", agent="noop"), constraints=Constraints(max_time_s=60))
    (request,) = goal.requests()
    goal.done("t-n")
    assert is_settled_by(Fired(request.kind, request.task_id, request.ref), goal.truth)
    assert not goal.requests()


def settled_slices(goal: Scenario) -> list[tuple[int, int]]:
    """Answered and unknown calls of each slice that was settled."""
    events = [event for event in goal.events(BudgetSettled) if isinstance(event, BudgetSettled)]
    return [(event.calls, event.unknown_calls) for event in events]


def test_the_slice_of_a_dead_attempt_is_settled_with_what_its_run_shows() -> None:
    goal = a_goal(step("a", timeout_s=60)).claimed("t-a").reserved("t-a", calls=10, cost_usd=1.0)
    goal.called("t-a", 1).called("t-a", 2).asked_model("t-a", 3)
    assert goal.truth.ledger.committed_calls == 10
    goal.fire_next("attempt")
    (settled,) = goal.events(BudgetSettled)
    assert isinstance(settled, BudgetSettled)
    assert (settled.calls, settled.unknown_calls) == (2, 1)
    assert settled.cost_usd == pytest.approx(0.12)
    assert (goal.truth.ledger.committed_calls, goal.truth.ledger.open) == (3, {})


def test_i7_a_slice_behind_which_another_was_taken_was_used_up() -> None:
    goal = a_goal(step("a", timeout_s=60)).claimed("t-a").reserved("t-a", calls=2)
    goal.called("t-a", 1).asked_model("t-a", 2).reserved("t-a", calls=2, slice_=2).asked_model("t-a", 2)
    goal.fire_next("attempt")
    assert settled_slices(goal) == [(1, 1), (0, 1)]
    assert goal.truth.ledger.committed_calls == 3


def test_i7_every_unanswered_call_of_an_attempt_that_was_ended_for_its_worker_is_charged() -> None:
    goal = a_goal(step("a")).claimed("t-a").reserved("t-a", calls=10, cost_usd=1.0).called("t-a", 1, cost_usd=0.05)
    goal.asked_model("t-a", 2).asked_model("t-a", 2).refused_by_model("t-a", 2).asked_model("t-a", 2)
    goal.command(goal_commands.Pause(by="ada", request_id="1"))
    goal.settled()
    assert settled_slices(goal) == [(1, 3)]
    assert goal.truth.ledger.used_cost_usd == pytest.approx(0.05 + 3 * 0.1)


def test_a_slice_of_which_nothing_was_used_is_given_back_whole() -> None:
    goal = a_goal(step("a")).claimed("t-a").reserved("t-a", calls=10, cost_usd=1.0)
    goal.command(goal_commands.Pause(by="ada", request_id="1"))
    assert settled_slices(goal.settled()) == [(0, 0)]
    assert (goal.truth.ledger.committed_calls, goal.truth.ledger.used_cost_usd) == (0, 0.0)


def test_i7_a_settlement_charges_the_whole_slice_until_the_run_has_been_read() -> None:
    goal = a_goal(step("a")).claimed("t-a").reserved("t-a", calls=10, cost_usd=1.0).called("t-a", 1)
    goal.command(goal_commands.Pause(by="ada", request_id="1"))
    goal.receive()
    goal.act(goal.due())
    goal.receive()
    (due,) = [due for due in goal.due() if due.charge is not None]
    assert isinstance(due.draft.event, BudgetSettled)
    assert (due.draft.event.unknown_calls, due.draft.event.cost_usd) == (10, 1.0)


def test_the_slice_of_a_running_attempt_is_left_alone() -> None:
    goal = a_goal(step("a")).claimed("t-a").reserved("t-a")
    assert not goal.events(BudgetSettled)


def tight_goal() -> Scenario:
    goal = a_goal(step("a"), step("b"), constraints=Constraints(max_llm_calls=10))
    return goal.claimed("t-a").reserved("t-a", calls=10)


def test_an_attempt_without_room_waits_for_what_others_give_back() -> None:
    goal = tight_goal().parked("t-b", "budget", "no room")
    assert not goal.truth.questions
    goal.called("t-a").done("t-a")
    assert goal.open() == ["t-b"]


def test_a_used_up_budget_is_said_once_and_asked_once() -> None:
    goal = tight_goal()
    for turn in range(10):
        goal.called("t-a", turn)
    goal.done("t-a").parked("t-b", "budget", "no room")
    (exceeded,) = goal.events(BudgetExceeded)
    assert isinstance(exceeded, BudgetExceeded)
    assert (exceeded.limit, exceeded.value, exceeded.used) == ("max_llm_calls", 10, 10)
    assert goal.asked("budget").question == (
        "The budget of this goal (max_llm_calls 10) has no room for another model call: no room."
        " Raise it to let the work go on."
    )
    assert goal.status == "awaiting_human"


def test_a_raised_budget_closes_the_question_and_lets_the_work_go_on() -> None:
    goal = tight_goal()
    for turn in range(10):
        goal.called("t-a", turn)
    goal.done("t-a").parked("t-b", "budget", "no room")
    goal.command(goal_commands.RaiseBudget(by="ada", request_id="1", max_llm_calls=100))
    goal.settled()
    assert goal.open() == ["t-b"]
    (closed,) = goal.events(AgentAnswered)
    assert isinstance(closed, AgentAnswered)
    assert (closed.by, closed.text) == ("agenthub", "The budget was raised")


def test_trying_again_without_more_money_asks_again_and_nothing_loops() -> None:
    goal = tight_goal()
    for turn in range(10):
        goal.called("t-a", turn)
    goal.done("t-a").parked("t-b", "budget", "no room")
    goal.answered(goal.question("budget"), option="Try again")
    assert goal.asked("budget").reason == "budget"
    assert goal.open() == []


def test_a_limit_of_money_is_asked_about_as_a_limit_of_money() -> None:
    goal = a_goal(step("a"), step("b"), constraints=Constraints(max_cost_usd=1.0))
    goal.claimed("t-a").reserved("t-a", calls=2, cost_usd=1.0).called("t-a", cost_usd=0.9)
    order = goal.task("t-b").order
    assert order is not None
    goal.parked("t-b", "budget", "nothing is left")
    assert goal.open() == ["t-a"]
    goal.done("t-a").parked("t-b", "budget", "0.1000 USD are left, and one call can cost 0.5000 USD")
    assert goal.asked("budget").question.startswith("The budget of this goal (max_cost_usd 1)")
    goal.command(goal_commands.RaiseBudget(by="ada", request_id="1", max_cost_usd=5.0))
    goal.settled()
    order = goal.task("t-b").order
    assert order is not None
    assert order.budget is not None
    assert order.budget.max_cost_usd is not None
    assert 3.5 < order.budget.max_cost_usd < 4.2


def test_money_that_nobody_limited_ends_at_the_default_and_can_be_raised_above_it() -> None:
    goal = a_goal(step("a"), step("b"))
    order = goal.task("t-b").order
    assert order is not None
    assert order.budget is not None
    assert order.budget.max_cost_usd == DEFAULT_MAX_COST_USD
    goal.claimed("t-a").reserved("t-a", calls=9, cost_usd=50.0).called("t-a", cost_usd=49.9)
    goal.done("t-a").parked("t-b", "budget", "0.1000 USD of 50.0000 are left")
    assert goal.asked("budget").question.startswith("The budget of this goal (max_cost_usd 50)")
    goal.command(goal_commands.RaiseBudget(by="ada", request_id="1", max_cost_usd=80.0))
    assert goal.settled().open() == ["t-b"]


def test_an_unreadable_message_freezes_its_task_and_asks() -> None:
    goal = a_goal(step("a"), step("b", "a"), step("c"))
    goal.garble("t-a", "task.completed")
    goal.settled()
    assert goal.asked("unreadable").task_id == "t-a"
    assert goal.open() == ["t-c"]
    assert why_waiting(goal.truth, "t-a").endswith("of this task cannot be read")
    assert goal.done("t-c").status == "awaiting_human"
    goal.answered(goal.question("unreadable"), option="Go on without it")
    assert goal.open() == ["t-b"]


def test_what_follows_an_unreadable_message_is_counted_and_not_guessed_at() -> None:
    goal = a_goal(step("a"))
    goal.garble("t-a", "task.started")
    goal.tell("t-a", TaskParked(task_id="t-a", attempt=1, reason="restart"))
    goal.settled()
    assert goal.task("t-a").fence.count == 3
    assert goal.task("t-a").attempt == 1


def test_an_unreadable_message_about_the_goal_itself_stops_everything_and_asks() -> None:
    goal = a_goal(step("a"), step("b", "a"))
    goal.garble(GOAL_AS_A_WHOLE, "goal.renamed")
    goal.settled()
    assert "the whole goal stands still" in goal.asked("unreadable").question
    goal.done("t-a")
    assert goal.task("t-b").word == "pending"
    assert goal.status == "awaiting_human"


def test_an_unreadable_seal_stops_nothing() -> None:
    goal = a_goal(step("n", agent="noop"), step("m", "n", agent="noop"))
    goal.garble(GOAL_AS_A_WHOLE, "seal.recorded")
    assert goal.settled().done("t-n").open() == ["t-m"]


def test_i10_another_text_in_a_sealed_message_is_another_seal() -> None:
    seals = set()
    for text in ("Build a shop", "Delete everything"):
        goal = MiniHub()
        goal.tell(GOAL_AS_A_WHOLE, GoalAccepted(goal=text, workflow=(step("a", agent="noop"),)), "accepted")
        goal.run()
        seals.add(b"".join(goal.truth.to_seal))
        assert [known.sha256 != "" for known in goal.log] == [True] * len(goal.log)
    assert len(seals) == 2


def test_what_is_offered_for_review_is_sealed_over_every_message_before() -> None:
    goal = a_goal(step("n", agent="noop")).done("t-n")
    (seal,) = goal.events(SealRecorded)
    assert isinstance(seal, SealRecorded)
    assert seal.messages == seal.up_to_seq == goal.truth.aggregate.ready_seq
    lines = [f"{m.seq} {m.subject} {m.sha256}\n" for m in goal.log if m.seq <= seal.up_to_seq]
    assert seal.sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_goal_on_which_nothing_can_happen_is_stalled_with_a_diagnosis_and_asked_about() -> None:
    goal = stalled_goal()
    (request,) = goal.watchdogs()
    assert (request.kind, request.after_s) == ("stall", 60.0)
    goal.fire_next("stall")
    (stalled,) = goal.events(GoalStalled)
    assert isinstance(stalled, GoalStalled)
    assert stalled.diagnosis == ("t-b: waits on unknown t-ghost",)
    assert goal.asked("stalled").options == ("Try again", "Give the goal up")
    goal.answered(goal.question("stalled"), option="Give the goal up")
    assert goal.status == "failed"


def stalled_goal() -> Scenario:
    """A plan that no validation would let pass: written by a hub with another idea of plans."""
    goal = a_goal()
    tasks = (
        PlannedTask(
            task_id="t-b", key="b", title="B", agent="coding", agent_type="coding", depends_on=("t-ghost",)
        ),
    )
    estimated = Estimates(tasks=1, minutes=1, minutes_low=1, minutes_high=1)
    goal.claimed("plan-1")
    goal.tell_goal(GoalPlanned(revision=1, tasks=tasks, estimates=estimated, plan_task="plan-1"))
    return goal.done("plan-1")


def test_x27_a_dependency_that_nobody_knows_is_never_met() -> None:
    goal = stalled_goal()
    assert goal.open() == []
    assert goal.status == "workflow_generated"


def test_a_stall_timer_is_settled_as_soon_as_anything_happens() -> None:
    goal = stalled_goal()
    (request,) = goal.watchdogs()
    fired = Fired(request.kind, request.task_id, request.ref)
    assert not is_settled_by(fired, goal.truth)
    goal.command(goal_commands.Pause(by="ada", request_id="1"))
    assert is_settled_by(fired, goal.truth)


def test_a_goal_of_which_nothing_is_known_needs_nothing() -> None:
    goal = Scenario(Policy())
    assert goal.due() == []
    assert not goal.requests()
    assert derived_status(initial(GOAL)) == "accepted"
