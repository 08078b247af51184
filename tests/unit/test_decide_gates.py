"""Gates: in their order, on the head as it is, with bounded rounds and repairs out of evidence."""

from __future__ import annotations

import pytest

from agenthub_events.catalogue.goal import GoalCompleted, GoalReadyForReview, GoalReplanned
from agenthub_events.catalogue.values import Constraints, Finding, LeftOut, TestCounts
from agenthub_events.rules import goal_commands
from agenthub_events.task_ids import gate_of
from agenthub_orchestrator.domain import Policy
from tests.support.spec import Scenario, a_goal, finding, step


def built(**more: object) -> Scenario:
    return a_goal(step("a"), **more).done("t-a", changes=True)  # type: ignore[arg-type]


def gates_of(goal: Scenario) -> list[str]:
    return [known for known in goal.open() if gate_of(known)]


def test_gates_open_one_after_the_other_once_all_work_has_ended() -> None:
    goal = a_goal(step("a"), step("b", "a")).done("t-a", changes=True)
    assert gates_of(goal) == []
    assert goal.done("t-b").open() == ["gate-tests-1"]
    assert goal.status == "validating"
    assert goal.judged("gate-tests-1").open() == ["gate-security-1"]
    assert goal.judged("gate-security-1").open() == ["gate-review-1"]
    assert goal.judged("gate-review-1").status == "ready_for_review"


def test_a_gate_is_ordered_on_the_head_with_the_parameters_that_the_words_bind() -> None:
    goal = built(requirements=("Unit tests >80% coverage", "Security audit"))
    told = goal.context("gate-tests-1").gate
    assert told is not None
    assert (told.commit, told.min_coverage, told.blocking) == (goal.truth.head, 80.0, True)
    assert told.base == "0" * 40
    goal.judged("gate-tests-1", counts=TestCounts(passed=42), coverage_percent=87.0).judged("gate-security-1")
    review = goal.context("gate-review-1")
    assert review.gate is not None
    assert review.gate.criteria == ("Unit tests >80% coverage", "Security audit")
    assert review.evidence is not None
    assert review.evidence.counts is not None
    assert (review.evidence.counts.passed, review.evidence.coverage_percent) == (42, 87.0)


def test_an_audit_that_nobody_asked_for_is_left_out() -> None:
    goal = built(constraints=Constraints(require_security_audit=False))
    assert goal.judged("gate-tests-1").open() == ["gate-review-1"]
    assert goal.judged("gate-review-1").status == "ready_for_review"


def test_tests_that_need_not_pass_are_reported_and_do_not_block() -> None:
    goal = built(constraints=Constraints(must_pass_tests=False))
    told = goal.context("gate-tests-1").gate
    assert told is not None
    assert not told.blocking
    goal.judged("gate-tests-1", passed=False)
    assert goal.open() == ["gate-security-1"]
    goal.gates_pass()
    (ready,) = goal.events(GoalReadyForReview)
    assert isinstance(ready, GoalReadyForReview)
    assert "tests failed, which this goal allows" in ready.summary


@pytest.mark.parametrize("gate", ["security", "review"])
def test_x9_findings_of_an_audit_or_a_review_are_mended_and_judged_again(gate: str) -> None:
    goal = built().judged("gate-tests-1")
    if gate == "review":
        goal.judged("gate-security-1")
    goal.judged(f"gate-{gate}-1", passed=False, findings=(finding("weak hash"), finding("no expiry", "b.py")))
    assert goal.open() == [f"fix-{gate}-1-1", f"fix-{gate}-1-2"]
    told = goal.context(f"fix-{gate}-1-1")
    assert told.trouble is not None
    assert told.title == "Fix: weak hash"
    assert "auth/jwt.py:123 [high] weak hash" in told.details
    goal.done(f"fix-{gate}-1-1", changes=True)
    assert goal.done(f"fix-{gate}-1-2", changes=True).open() == ["gate-tests-2"], "the head has moved"
    assert goal.gates_pass().status == "ready_for_review"


def test_findings_of_one_file_are_mended_together_and_many_files_share_five_tasks() -> None:
    found = tuple(Finding(message=f"m{n}", file=f"f{n // 2}.py") for n in range(20))
    goal = built().judged("gate-tests-1").judged("gate-security-1", passed=False, findings=found)
    assert goal.open() == [f"fix-security-1-{n}" for n in range(1, 6)]
    assert goal.context("fix-security-1-1").details.count("\n- ") + 1 == 2
    assert goal.context("fix-security-1-5").details.count("[medium]") == 12


def test_a_failed_gate_without_findings_still_gets_one_repair() -> None:
    goal = built().judged("gate-tests-1").judged("gate-security-1", passed=False)
    assert goal.open() == ["fix-security-1-1"]


def test_failing_tests_are_diagnosed_before_they_are_mended() -> None:
    goal = built().judged("gate-tests-1", passed=False, failing=("test_a", "test_b"))
    told = goal.context("debug-tests-1")
    assert told.trouble is not None
    assert told.trouble.failing == ("test_a", "test_b")
    goal.done("debug-tests-1", summary="the clock is wrong", findings=(finding("wrong clock"),))
    fix = goal.context("fix-tests-1-1")
    assert fix.inherited[0].findings == (finding("wrong clock"),)
    assert fix.trouble is not None


def test_a_repair_that_changes_nothing_is_judged_again_and_not_repaired_for_ever() -> None:
    goal = built().judged("gate-tests-1", passed=False, failing=("t",)).done("debug-tests-1")
    goal.done("fix-tests-1-1")
    assert goal.open() == ["gate-tests-2"]


def test_three_failed_rounds_of_a_gate_become_a_question_with_choices() -> None:
    goal = three_failures(built())
    assert goal.open() == []
    asked = goal.asked("rounds")
    assert asked.question.startswith("The tests gate does not pass. It has failed 3 rounds.")
    assert asked.options == ("Try again", "Accept it as it is", "Give the goal up")
    assert asked.task_id == "gate-tests-3"
    assert goal.status == "awaiting_human"


def details_of(goal: Scenario, task_id: str) -> str:
    planned = goal.task(task_id).planned
    assert planned is not None
    return planned.details


def test_what_tasks_left_out_is_in_the_question_and_in_the_order_of_who_mends() -> None:
    goal = built()
    goal.judged("gate-tests-1", passed=False, failing=("test_1",))
    assert "left out" not in details_of(goal, "debug-tests-1")
    lost = (LeftOut(path="app/data/x.csv", reason="ignored by .gitignore line 3"),)
    goal.done("debug-tests-1").done("fix-tests-1-1", changes=True, left_out=lost)
    goal.judged("gate-tests-2", passed=False, failing=("test_2",))
    assert "left out: app/data/x.csv, ignored by .gitignore line 3" in details_of(goal, "debug-tests-2")
    goal.done("debug-tests-2").done("fix-tests-2-1", changes=True)
    asked = goal.judged("gate-tests-3", passed=False, failing=("test_3",)).asked("rounds")
    assert "left out: app/data/x.csv, ignored by .gitignore line 3." in asked.question
    assert "left out: app/data/x.csv, ignored by .gitignore line 3" in asked.evidence


def three_failures(goal: Scenario) -> Scenario:
    for number in (1, 2):
        goal.judged(f"gate-tests-{number}", passed=False, failing=(f"test_{number}",))
        goal.done(f"debug-tests-{number}").done(f"fix-tests-{number}-1", changes=True)
    return goal.judged("gate-tests-3", passed=False, failing=("test_3",))


def test_the_same_failure_three_rounds_running_is_a_question_even_when_rounds_are_left() -> None:
    goal = built(policy=Policy(max_rounds=10))
    for number in (1, 2):
        goal.judged(f"gate-tests-{number}", passed=False, failing=("test_same",))
        goal.done(f"debug-tests-{number}").done(f"fix-tests-{number}-1", changes=True)
    goal.judged("gate-tests-3", passed=False, failing=("test_same",))
    assert "It failed in the same way 3 rounds running." in goal.asked("rounds").question


def test_what_no_repair_can_change_is_asked_at_once_and_names_its_cause() -> None:
    goal = built().judged(
        "gate-tests-1", passed=False, counts=None, needs_person=True, cause="Not counted: no report"
    )
    assert goal.open() == []
    asked = goal.asked("rounds")
    assert asked.question.startswith(
        "The tests gate does not pass: Not counted: no report. No repair can change that. Say how to mend it"
    )
    again = goal.answered(goal.question("rounds"), text="run pytest instead")
    assert again.open() == ["debug-tests-1"], "a person's word is tried before the same question comes again"


def test_a_gate_that_had_nothing_to_do_is_no_evidence() -> None:
    goal = built(requirements=("A guide for users",)).judged("gate-tests-1", counts=None, nothing_to_do=True)
    goal.gates_pass()
    (ready,) = goal.events(GoalReadyForReview)
    assert isinstance(ready, GoalReadyForReview)
    assert "tests had nothing to do" in ready.summary
    assert not any(gate.startswith("gate-tests") for covered in ready.requirements for gate in covered.gates)


def test_a_persons_word_starts_the_rounds_again_and_reaches_those_who_mend() -> None:
    goal = three_failures(built())
    goal.answered(goal.question("rounds"), text="the fixture is wrong, not the code")
    assert goal.open() == ["debug-tests-3"]
    assert "A person says: the fixture is wrong, not the code" in goal.context("debug-tests-3").details


def test_a_result_that_a_person_accepts_as_it_is_goes_on_and_says_so() -> None:
    goal = three_failures(built())
    goal.answered(goal.question("rounds"), option="Accept it as it is")
    assert goal.open() == ["gate-security-1"]
    goal.gates_pass()
    goal.command(goal_commands.Approve(by="ada", request_id="1", ready_seq=goal.truth.aggregate.ready_seq))
    goal.settled()
    (completed,) = goal.events(GoalCompleted)
    assert isinstance(completed, GoalCompleted)
    assert completed.completion_summary == ("All tasks completed, tests waived by a person, security audit passed")


def test_giving_up_after_the_last_round_fails_the_goal() -> None:
    goal = three_failures(built())
    goal.answered(goal.question("rounds"), "cancel", "too expensive")
    assert goal.status == "failed"
    assert goal.truth.unended == {}


def test_x10_a_verdict_on_an_older_head_counts_for_nothing() -> None:
    goal = built()
    goal.claimed("gate-tests-1")
    verdict = goal.verdict_of("gate-tests-1", passed=True)
    goal.command(goal_commands.Rework(by="ada", request_id="1", feedback="more"))
    goal.settled().planned(step("b")).done("t-b", changes=True)
    assert "gate-tests-1 task.cancelled" in goal.story()
    assert gates_of(goal) == ["gate-tests-2"]
    goal.tell("gate-tests-1", verdict)
    assert goal.settled().open() == ["gate-tests-2"], "a cancelled round's verdict is dropped"


def test_a_change_that_moved_no_head_is_judged_by_new_rounds_as_well() -> None:
    goal = built().gates_pass()
    goal.command(goal_commands.Rework(by="ada", request_id="1", feedback="look again"))
    goal.settled().planned(step("look", agent="review")).done("t-look")
    assert goal.open() == ["gate-tests-2"]
    assert goal.gates_pass().status == "ready_for_review"
    assert len(goal.events(GoalReadyForReview)) == 2


def test_tests_that_a_person_asks_for_run_at_once_on_the_head() -> None:
    goal = a_goal(step("a"), step("b")).done("t-a", changes=True)
    goal.command(goal_commands.RequestTests(by="ada", request_id="1"))
    assert goal.settled().open() == ["t-b", "gate-tests-1"]
    order = goal.task("gate-tests-1").order
    assert order is not None
    assert (order.workspace_commit, order.lane) == (goal.truth.head, "p0")
    goal.judged("gate-tests-1", passed=False, failing=("t",))
    assert goal.open() == ["t-b"], "a failure meanwhile is a report: the work is not done"
    goal.done("t-b", changes=True)
    assert goal.open() == ["gate-tests-2"]


def test_tests_that_a_person_asks_for_on_a_finished_result_leave_it_on_offer_when_they_pass() -> None:
    goal = built().gates_pass()
    goal.command(goal_commands.RequestTests(by="ada", request_id="1"))
    assert goal.settled().open() == ["gate-tests-2"]
    assert goal.judged("gate-tests-2").status == "ready_for_review"
    assert len(goal.events(GoalReadyForReview)) == 1


def test_a_finished_result_whose_tests_fail_later_is_no_longer_on_offer() -> None:
    goal = built().gates_pass()
    offered = goal.truth.aggregate.ready_seq
    goal.command(goal_commands.RequestTests(by="ada", request_id="1"))
    goal.settled().judged("gate-tests-2", passed=False, failing=("flaky",))
    assert goal.status == "running"
    goal.done("debug-tests-2").done("fix-tests-2-1", changes=True).gates_pass()
    assert goal.status == "ready_for_review"
    assert goal.truth.aggregate.ready_seq > offered


def test_a_goal_that_measures_only_has_no_gates() -> None:
    goal = a_goal(step("n", agent="noop")).done("t-n")
    assert goal.status == "ready_for_review"
    goal.command(goal_commands.Approve(by="bench", request_id="1", ready_seq=goal.truth.aggregate.ready_seq))
    (completed,) = goal.settled().events(GoalCompleted)
    assert isinstance(completed, GoalCompleted)
    assert completed.completion_summary == "All tasks completed"


def test_a_goal_that_has_changed_nothing_is_judged_on_its_empty_start() -> None:
    goal = a_goal(step("a")).done("t-a")
    assert goal.open() == ["gate-tests-1"]
    verdict = goal.claimed("gate-tests-1").verdict_of("gate-tests-1", passed=True)
    goal.tell("gate-tests-1", verdict)
    assert goal.settled().gates_pass().status == "ready_for_review"


def test_a_gate_whose_round_a_person_skips_counts_as_waived_for_this_head() -> None:
    goal = built().judged("gate-tests-1").judged("gate-security-1").asks("gate-review-1")
    goal.answered(goal.question(), "skip")
    (ready,) = goal.events(GoalReadyForReview)
    assert isinstance(ready, GoalReadyForReview)
    assert "review waived by a person" in ready.summary


def test_a_replan_names_its_cause_once() -> None:
    goal = three_failures(built())
    causes = [event.cause for event in goal.events(GoalReplanned) if isinstance(event, GoalReplanned)]
    assert causes == ["gate-tests-1", "debug-tests-1", "gate-tests-2", "debug-tests-2"]


def test_a_gate_that_goes_on_after_the_head_has_moved_begins_afresh() -> None:
    goal = a_goal(step("a"), step("b")).done("t-a", changes=True)
    goal.command(goal_commands.RequestTests(by="ada", request_id="1"))
    goal.settled().claimed("gate-tests-1").done("t-b", changes=True, summary="moved")
    assert "gate-tests-1 task.cancelled" in goal.story(), "its verdict would be about the past"
    assert goal.open() == ["gate-tests-2"]
    goal.parked("gate-tests-2", "restart")
    order = goal.task("gate-tests-2").order
    assert order is not None
    assert (order.attempt, order.resumes, order.changed) == (2, 1, ())
