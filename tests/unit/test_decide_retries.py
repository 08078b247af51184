"""The ladder: three retries, then a debugger, then a person; what costs a retry and what does not."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.catalogue.task import (
    TaskDeadLettered,
    TaskDiscarded,
    TaskParked,
    TaskRequeued,
    TaskRetryScheduled,
)
from agenthub_events.catalogue.values import TaskEdits
from agenthub_events.notifications.escalation import Escalation, EscalationStep, steps_of
from agenthub_orchestrator.domain import Fired, is_settled_by, task_status, why_waiting
from agenthub_orchestrator.domain.policy import Unanswered
from tests.support.minihub import START
from tests.support.spec import Scenario, a_goal, step


def lane_of(goal: Scenario, task_id: str) -> tuple[int, str, int]:
    order = goal.task(task_id).order
    assert order is not None
    return order.attempt, order.lane, order.resumes


def test_a_failed_attempt_is_repeated_after_a_pause_on_a_faster_lane() -> None:
    goal = a_goal(step("a")).failed("t-a", reason="model said nonsense")
    assert task_status(goal.truth, "t-a") == "failed"
    assert why_waiting(goal.truth, "t-a").startswith("attempt 2 starts at 2026-01-05 09:0")
    assert goal.open() == []
    assert goal.status == "running"
    goal.fire_next("retry")
    assert lane_of(goal, "t-a") == (2, "p1", 0)
    order = goal.task("t-a").order
    assert order is not None
    assert (order.retry_count, order.max_retries) == (1, 3)
    assert order.changed == ("the attempt before ended: model said nonsense",)


def test_pauses_between_retries_grow_and_are_the_same_for_every_orchestrator() -> None:
    goal = a_goal(step("a"))
    for _ in range(3):
        goal.failed("t-a")
        goal.fire_next("retry")
    pauses = [event.due - event.timestamp for event in goal.events(TaskRetryScheduled)]  # type: ignore[attr-defined]
    assert timedelta(seconds=2.4) < pauses[0] < timedelta(seconds=5.1)
    assert timedelta(seconds=9.9) < pauses[2] < timedelta(seconds=20.1)
    assert goal.policy.backoff_s("g", "t", 1) == goal.policy.backoff_s("g", "t", 1)
    assert goal.policy.backoff_s("g", "t", 50) <= goal.policy.backoff_cap_s


def test_a_retry_that_is_due_starts_without_its_timer_as_well() -> None:
    goal = a_goal(step("a")).failed("t-a")
    goal.now = START + timedelta(hours=1)
    assert goal.settled().open() == ["t-a"]


@pytest.mark.parametrize("failure", ["transient", "crash", "workspace"])
def test_an_attempt_that_broke_from_outside_goes_on_where_it_was(failure: str) -> None:
    goal = a_goal(step("a")).failed("t-a", failure)  # type: ignore[arg-type]
    goal.fire_next("retry")
    assert lane_of(goal, "t-a") == (2, "p1", 1)


def test_x13_after_three_retries_a_debugger_looks_and_then_a_person_is_asked() -> None:
    goal = a_goal(step("a")).failed_for_good("t-a", "tool")
    assert goal.open() == ["debug-t-a-1"]
    assert "has failed 4 times" in goal.context("debug-t-a-1").details
    goal.done("debug-t-a-1", summary="the fixture is missing")
    assert lane_of(goal, "t-a") == (5, "p1", 0)
    assert goal.context("t-a").inherited[0].summary == "the fixture is missing"
    goal.failed("t-a", "tool", "still broken")
    asked = goal.asked()
    assert asked.question == "Failed after 4 retries: still broken"
    assert (asked.error, asked.retry_count) == ("still broken", 5)
    assert goal.status == "awaiting_human"
    assert task_status(goal.truth, "t-a") == "blocked"


def test_a_failure_that_no_debugger_can_mend_goes_to_a_person_after_three_retries() -> None:
    goal = a_goal(step("a")).failed_for_good("t-a", "transient")
    assert goal.asked().question == "Failed after 3 retries: it broke"
    assert goal.open() == []


def test_a_debugger_that_is_skipped_leaves_the_question_to_a_person() -> None:
    goal = a_goal(step("a")).failed_for_good("t-a").asks("debug-t-a-1")
    goal.answered(goal.question(), "skip")
    assert goal.asked("retries").question.startswith("Failed after 3 retries")


def test_a_used_up_limit_is_never_repeated_by_itself() -> None:
    goal = a_goal(step("a")).failed("t-a", "limit", "40 turns are used up")
    assert goal.asked().question == "Failed after 0 retries: 40 turns are used up"


def test_a_noop_task_is_not_debugged() -> None:
    goal = a_goal(step("n", agent="noop")).failed_for_good("t-n", "model")
    assert goal.asked().reason == "retries"


def test_a_persons_answer_goes_back_into_the_run_first_of_all() -> None:
    goal = a_goal(step("a")).asks("t-a", "Which database?")
    goal.answered(goal.question(), text="sqlite")
    assert lane_of(goal, "t-a") == (2, "p0", 1)
    answered = goal.context("t-a").answered
    assert answered is not None
    assert (answered.tool_use_id, answered.question, answered.answer) == ("toolu_1", "Which database?", "sqlite")


def test_an_answer_gives_the_task_its_retries_back() -> None:
    goal = a_goal(step("a")).failed_for_good("t-a", "transient")
    goal.answered(goal.question(), option="Try again")
    assert lane_of(goal, "t-a") == (5, "p0", 4)
    goal.failed_for_good("t-a", "transient")
    assert goal.asked().question == "Failed after 3 retries: it broke"


def test_a_run_that_came_to_its_end_is_begun_afresh_with_the_answer() -> None:
    goal = a_goal(step("a")).failed("t-a", "limit", "40 turns are used up")
    goal.answered(goal.question(), text="only change auth.py")
    assert lane_of(goal, "t-a") == (2, "p0", 0)
    answered = goal.context("t-a").answered
    assert answered is not None
    assert answered.answer == "only change auth.py"


def test_a_resumed_run_is_told_that_the_branch_has_moved() -> None:
    goal = a_goal(step("a"), step("b")).claimed("t-a").done("t-b", changes=True).parked("t-a", "restart")
    order = goal.task("t-a").order
    assert order is not None
    assert order.resumes == 1
    assert order.changed == (f"the branch has moved from its start to {goal.truth.head}",)


def test_a_persons_edit_changes_the_next_order() -> None:
    goal = a_goal(step("a")).asks("t-a")
    edits = TaskEdits(title="Do it simply", agent="debugger", timeout_s=60)
    goal.answered(goal.question(), "edit", edits=edits)
    order = goal.task("t-a").order
    assert order is not None
    assert (order.title, order.agent_type, order.timeout_s, order.resumes) == ("Do it simply", "debug", 60, 0)
    assert order.changed == ("title edited by ada", "agent edited by ada", "timeout_s edited by ada")


def test_what_a_person_takes_over_counts_as_skipped_with_their_words() -> None:
    goal = a_goal(step("a"), step("b", "a")).asks("t-a")
    goal.answered(goal.question(), "take_over", "done on paper")
    assert goal.context("t-b").inherited[0].summary == "Skipped by ada: done on paper"


def test_an_agents_own_options_are_text_for_the_agent() -> None:
    goal = a_goal(step("a")).asks("t-a", options=("Give the goal up", "Go on without it"))
    goal.answered(goal.question(), option="Give the goal up")
    answered = goal.context("t-a").answered
    assert answered is not None
    assert answered.answer == "Give the goal up"
    assert goal.status == "running"


def test_x13_overload_costs_no_retry_and_ends_at_its_date() -> None:
    goal = a_goal(step("a")).claimed("t-a")
    until = goal.now + timedelta(minutes=2)
    goal.parked("t-a", "overload", "529", until=until)
    (request,) = goal.watchdogs()
    assert (request.kind, request.due) == ("park", until)
    goal.fire_next("park")
    assert lane_of(goal, "t-a") == (2, "p1", 1)
    assert goal.task("t-a").retry_count == 0


def test_a_date_that_a_worker_wrote_is_never_compared_with_the_orchestrators_clock() -> None:
    goal = a_goal(step("a")).claimed("t-a")
    goal.parked("t-a", "overload", until=START)
    goal.now = START + timedelta(days=1)
    assert goal.settled().open() == []
    goal.fire_next("park")
    assert goal.open() == ["t-a"]


def test_a_draining_worker_hands_its_attempt_on_at_once() -> None:
    goal = a_goal(step("a")).parked("t-a", "restart")
    assert lane_of(goal, "t-a") == (2, "p1", 1)
    goal.parked("t-a", "restart")
    assert lane_of(goal, "t-a") == (3, "p1", 2)


def test_an_attempt_that_nobody_claimed_is_resumed_from_the_one_before() -> None:
    goal = a_goal(step("a")).parked("t-a", "restart")
    event = goal.say("t-a", parked_unclaimed(goal), "2")
    goal.store(event)
    assert lane_of(goal.settled(), "t-a") == (3, "p1", 1)


def parked_unclaimed(goal: Scenario) -> TaskParked:
    return TaskParked(task_id="t-a", attempt=goal.task("t-a").attempt, reason="restart")


def test_a_worker_that_is_gone_for_good_is_timed_out_by_the_orchestrators_timer() -> None:
    goal = a_goal(step("a", timeout_s=60)).claimed("t-a")
    (request,) = goal.watchdogs()
    assert (request.kind, request.after_s, request.ref) == ("attempt", 90.0, "1-1")
    goal.fire_next("attempt")
    assert task_status(goal.truth, "t-a") == "timed_out"
    goal.fire_next("retry")
    assert lane_of(goal, "t-a") == (2, "p1", 1)


def test_an_attempt_that_waits_in_a_queue_has_no_time_limit() -> None:
    goal = a_goal(step("a"))
    assert not [request for request in goal.requests() if request.kind == "attempt"]


def test_who_takes_an_attempt_over_has_its_full_time() -> None:
    goal = a_goal(step("a")).claimed("t-a")
    old = Fired("attempt", "t-a", "1-1")
    goal.claimed("t-a", worker="Worker-2")
    assert is_settled_by(old, goal.truth)
    assert [request.ref for request in goal.watchdogs()] == ["1-2"]


def test_an_order_that_kills_its_workers_becomes_a_dead_letter_that_people_can_send_back() -> None:
    goal = a_goal(step("a"), step("b", "a")).failed_for_good("t-a", "crash")
    assert task_status(goal.truth, "t-a") == "dead_lettered"
    (dead,) = goal.events(TaskDeadLettered)
    assert isinstance(dead, TaskDeadLettered)
    assert len(dead.causes) == 4
    assert goal.asked("dead_letter").task_id == "t-a"
    goal.tell("t-a", TaskRequeued(task_id="t-a", by="ada", edits=TaskEdits(details="smaller")))
    goal.settled()
    assert lane_of(goal, "t-a")[:2] == (5, "p0")
    assert not goal.truth.questions, "the question is closed with the dead letter"
    assert goal.context("t-a").details == "smaller"


def test_a_discarded_dead_letter_takes_its_dependents_along() -> None:
    goal = a_goal(step("a"), step("b", "a")).failed_for_good("t-a", "crash")
    goal.tell("t-a", TaskDiscarded(task_id="t-a", by="ada", reason="never mind"))
    goal.settled()
    assert task_status(goal.truth, "t-b") == "cancelled"
    assert not goal.truth.questions


def test_the_question_about_a_dead_letter_can_be_answered_instead() -> None:
    goal = a_goal(step("a"), step("b", "a")).failed_for_good("t-a", "crash")
    goal.answered(goal.question("dead_letter"), option="Go on without it")
    assert goal.open() == ["t-b"]


def test_an_order_that_the_server_cannot_deliver_is_a_dead_letter() -> None:
    goal = a_goal(step("a"))
    goal.fired.add(Fired("advisory", "t-a", "1"))
    goal.settled()
    assert task_status(goal.truth, "t-a") == "dead_lettered"
    assert not goal.fired


def test_x8_a_question_is_asked_once_and_raised_again_by_its_timer_alone() -> None:
    goal = a_goal(step("a")).asks("t-a")
    for _ in range(50):
        goal.settled()
    assert len(goal.events(AgentBlocked)) == 1
    levels = [goal.fire_next("escalate").ref.split("-")[1] for _ in range(goal.policy.max_escalations)]
    assert levels == ["1", "2", "3"]
    assert not goal.watchdogs(), "a question is not raised for ever"
    assert goal.truth.questions[goal.question()].level == 3


@pytest.mark.parametrize(
    ("unanswered", "status"), [("skip", "skipped"), ("cancel", "cancelled"), ("retry", "enqueued")]
)
def test_a_question_that_nobody_answers_is_answered_by_the_policy_after_its_last_reminder(
    unanswered: Unanswered, status: str
) -> None:
    goal = a_goal(step("a"))
    goal.policy = msgspec.structs.replace(goal.policy, unanswered=unanswered)
    goal.asks("t-a")
    told = what_is_told_of(goal)
    for _ in range(goal.policy.max_escalations):
        goal.fire_next("escalate")
        assert not goal.events(AgentAnswered)
    asked = goal.now
    goal.fire_next("escalate")
    (answer,) = goal.events(AgentAnswered)
    assert isinstance(answer, AgentAnswered)
    assert (answer.action, answer.by) == (unanswered, "agenthub")
    assert task_status(goal.truth, "t-a") == status
    late = goal.now - asked - timedelta(seconds=goal.policy.escalate_after_s * 8)
    assert timedelta() <= late < timedelta(seconds=1)
    assert not [request for request in goal.requests() if request.kind == "escalate"]
    happened = [event.timestamp for event in (*goal.events(AgentEscalated), answer)]
    assert len(happened) == len(told)
    for due, at in zip(told, happened, strict=True):
        assert due.at is not None
        assert timedelta() <= at - due.at < timedelta(seconds=1)


def what_is_told_of(goal: Scenario) -> tuple[EscalationStep, ...]:
    """What people read about the only open question."""
    asked, policy = goal.truth.questions[goal.question()], goal.policy
    escalation = Escalation(
        after_s=policy.escalate_after_s, reminders=policy.max_escalations, unanswered=policy.unanswered
    )
    return steps_of(escalation, None, since=asked.asked_at, level=asked.level, of_task=bool(asked.task_id))


def test_a_question_about_the_whole_goal_waits_whatever_the_policy_says() -> None:
    goal = a_goal(step("a"))
    goal.policy = msgspec.structs.replace(goal.policy, unanswered="skip")
    goal.failed_for_good("t-a", "crash")
    for _ in range(goal.policy.max_escalations):
        goal.fire_next("escalate")
    assert not [request for request in goal.requests() if request.kind == "escalate"]
    assert not goal.events(AgentAnswered)


def test_a_second_conflict_goes_to_a_person_and_a_first_one_to_a_neutral_merge() -> None:
    goal = a_goal(step("a"), step("b"), step("c", "a")).done("t-b", changes=True).conflicted("t-a", "auth.py")
    assert goal.open() == ["merge-t-a-1"]
    order = goal.context("merge-t-a-1").merge
    assert order is not None
    assert (order.task_id, order.files, order.others) == ("t-a", ("auth.py",), ("Do b: t-b is done",))
    goal.conflicted("merge-t-a-1", "auth.py")
    assert goal.asked("conflict").question.startswith("The changes conflict for the second time")
    goal.answered(goal.question(), "retry")
    goal.done("merge-t-a-1", changes=True)
    merged = goal.task("t-a")
    assert merged.word == "done"
    assert merged.result is not None
    assert merged.result.commit == goal.truth.head
    assert goal.open() == ["t-c"]


def test_a_skipped_merge_leaves_the_changes_out() -> None:
    goal = a_goal(step("a"), step("c", "a")).conflicted("t-a").conflicted("merge-t-a-1")
    goal.answered(goal.question(), "skip")
    assert task_status(goal.truth, "t-a") == "skipped"
    assert goal.open() == ["t-c"]
