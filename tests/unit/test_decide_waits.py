"""What is decided about orders that wait: ordered again when lost, told to people when nobody takes them."""

from __future__ import annotations

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_orchestrator.domain import Fired
from agenthub_orchestrator.domain.rules.retries import resumable
from agenthub_orchestrator.domain.state.timer_refs import attempt_ref, order_ref
from tests.support.spec import Scenario, a_goal, step


def found(goal: Scenario, kind: str, task_id: str, detail: str = "") -> Scenario:
    """The watch says so of the task's present order."""
    goal.fired.add(Fired(kind, task_id, order_ref(goal.task(task_id)), detail))
    return goal.settled()


def orders(goal: Scenario, task_id: str) -> list[TaskEnqueued]:
    return [event for event in goal.events(TaskEnqueued, task_id) if isinstance(event, TaskEnqueued)]


def test_a_lost_order_is_written_again_and_counts_no_attempt() -> None:
    goal = a_goal(step("a"), step("b"))
    before = goal.task("t-a").order_seq
    found(goal, "lost", "t-a")
    first, second = orders(goal, "t-a")
    assert (first.attempt, second.attempt, second.instead_of) == (1, 1, before)
    assert (first.lane, first.context_ref, first.budget) == (second.lane, second.context_ref, second.budget)
    assert goal.task("t-a").retry_count == 0
    assert not goal.fired
    assert len(orders(goal, "t-b")) == 1


def test_an_order_that_gets_lost_twice_is_written_twice() -> None:
    goal = a_goal(step("a"))
    for _ in range(2):
        found(goal, "lost", "t-a")
    assert [order.attempt for order in orders(goal, "t-a")] == [1, 1, 1]
    assert goal.claimed("t-a").done("t-a").task("t-a").word == "done"


def test_what_was_said_of_an_order_before_means_nothing_for_the_next_one() -> None:
    goal = a_goal(step("a"))
    goal.fired.add(Fired("lost", "t-a", str(goal.task("t-a").order_seq - 1)))
    goal.settled()
    assert len(orders(goal, "t-a")) == 1
    assert not goal.fired


def test_what_was_said_of_an_order_means_nothing_once_a_worker_is_at_it() -> None:
    goal = a_goal(step("a"))
    goal.fired.add(Fired("lost", "t-a", order_ref(goal.task("t-a"))))
    goal.claimed("t-a").settled()
    assert len(orders(goal, "t-a")) == 1
    assert not goal.fired


def test_a_claimed_order_that_got_lost_with_its_worker_is_written_again_and_its_run_goes_on() -> None:
    goal = a_goal(step("a")).claimed("t-a")
    before = goal.task("t-a").order_seq
    found(goal, "lost", "t-a")
    first, second = orders(goal, "t-a")
    assert (first.attempt, second.attempt, second.instead_of) == (1, 1, before)
    task = goal.task("t-a")
    assert (task.word, task.claims, task.worker, task.retry_count) == ("enqueued", 1, "", 0)
    assert resumable(task) == 1
    assert goal.claimed("t-a").done("t-a").task("t-a").word == "done"


def test_the_timer_of_a_lost_claim_does_not_end_the_one_that_follows_it() -> None:
    goal = a_goal(step("a")).claimed("t-a")
    timer = Fired("attempt", "t-a", attempt_ref(goal.task("t-a")))
    found(goal, "lost", "t-a").claimed("t-a")
    goal.fired.add(timer)
    goal.settled()
    assert goal.task("t-a").word == "in_progress"
    assert not goal.fired


def test_people_are_told_which_worker_is_missing_once_for_each_type() -> None:
    goal = a_goal(step("a"), step("b"), step("c", agent="review"))
    for task_id in ("t-a", "t-b", "t-c"):
        found(goal, "unserved", task_id)
    asked = [known.asked for known in goal.truth.questions.values()]
    assert [(a.reason, a.task_id) for a in asked] == [("unserved", "t-a"), ("unserved", "t-c")]
    assert asked[0].question.startswith("No running worker serves `coding`, so t-a has waited since ")
    assert asked[0].question.endswith("Start one with `agenthub worker coding`.")


def test_the_question_names_what_keeps_a_worker_from_starting() -> None:
    goal = found(a_goal(step("a")), "unserved", "t-a", "Worker w1 cannot start: Can't mount proc")
    assert goal.asked("unserved").question.endswith("Worker w1 cannot start: Can't mount proc")


def test_a_worker_that_comes_closes_the_question() -> None:
    goal = found(a_goal(step("a")), "unserved", "t-a").claimed("t-a")
    assert not goal.truth.questions
    (answer,) = goal.events(AgentAnswered)
    assert isinstance(answer, AgentAnswered)
    assert answer.text == "The order waits no more"


def test_an_answered_question_is_not_asked_again_about_the_same_order() -> None:
    goal = found(a_goal(step("a")), "unserved", "t-a")
    goal.answered(goal.question("unserved"), option="Try again")
    found(goal, "unserved", "t-a")
    assert len(goal.events(AgentBlocked)) == 1
    assert not goal.fired


def test_giving_up_ends_the_goal() -> None:
    goal = found(a_goal(step("a")), "unserved", "t-a")
    goal.answered(goal.question("unserved"), option="Give the goal up")
    assert goal.status == "failed"


def test_an_old_order_is_told_with_its_queue() -> None:
    goal = found(a_goal(step("a")), "queued", "t-a")
    assert "has waited in the queue of `coding` since" in goal.asked("queued").question
