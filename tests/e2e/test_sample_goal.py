"""The sample goal as the demo plays it, by one POST; then what a person says about the result."""

from __future__ import annotations

import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalReadyForReview, GoalReplanned
from agenthub_events.catalogue.task import MergeDone, TaskCompleted, TaskEnqueued, TaskStarted
from tests.support.demo_run import Demo
from tests.support.running_hub import SAMPLE, Played, RunningHub, play, subsequence

# The order of events that the design promises for this goal, in the words of the timeline. What is enqueued in the
# same moment stands in the order in which the log took it, which is nobody's promise.
GOLDEN = (
    "Orchestrator: Generated workflow with 12 tasks",
    ("Orchestrator: Enqueued tasks: ", {"analyze-requirements", "design-architecture"}),
    "(architect): Started task",
    "(architect): Completed",
    ("Orchestrator: Analysis complete, enqueuing: ", {"implement-jwt-module"}),
    "(coding): Started task",
    "(coding): Completed",
    ("Orchestrator: Implementation complete, enqueuing: ", {"write-tests"}),
    "(testing): Started task write-tests",
    "(testing): Completed write-tests: Tests written",
    "(testing): Started running tests",
    "(testing): 2 tests failed",
    "Orchestrator: Tests failed, enqueuing: debug-tests-1",
    "(debug): Started debugging",
    "auth/jwt.py:",
    "Orchestrator: Bug found, enqueuing: fix-tests-1-1",
    "(coding): Started task fix-tests-1-1",
    "(coding): Completed fix-tests-1-1: Bug fixed",
    "(testing): All tests passing!",
    "Orchestrator: Tests passed, enqueuing: gate-security-1",
    "(security): Started security audit",
    "(security): Security audit passed",
    "Orchestrator: Security passed, enqueuing: gate-review-1",
    "(review): Started final review",
    "(review): Code review approved, ready for deployment",
    "Orchestrator: All tasks complete! Waiting for a person's review",
)
FAILING = {
    "test_a_refresh_token_works_only_once",
    "test_a_stolen_refresh_token_ends_the_whole_login",
}


@pytest.fixture(scope="module")
def played(demo: Demo, demo_hub: RunningHub) -> Played:
    """The sample goal at rest, as the demo left it."""
    return play(demo_hub, demo.goal_id, "ready_for_review")


def test_the_submission_ends_ready_for_review(played: Played) -> None:
    assert played.goal["status"] == "ready_for_review"
    assert played.goal["estimated_tasks"] == 12


def test_no_service_asked_for_more_than_its_rights(played: Played, demo_hub: RunningHub) -> None:
    logs = {path.name: path.read_text(errors="replace") for path in demo_hub.data.logs.glob("*.log")}
    assert {"orchestrator.log", "projector.log", "gateway.log", "notifier.log", "Worker-1.log"} <= set(logs)
    assert [name for name, text in logs.items() if "permissions violation" in text.lower()] == []


async def test_the_story_is_told_in_the_promised_order(played: Played) -> None:
    told = await played.hub.told(played.goal_id)
    assert subsequence(GOLDEN, told) == "", "\n".join(told)


def test_the_first_round_of_tests_really_fails_and_names_the_failing_tests(played: Played) -> None:
    failed = [gate for gate in played.of(GateFailed) if gate.gate == "tests"]
    assert [(gate.round, gate.exit_code) for gate in failed] == [(1, 1)]
    assert failed[0].counts is not None
    assert failed[0].counts.failed == len(failed[0].failing) == 2
    assert {test_id.split("::")[-1] for test_id in failed[0].failing} == FAILING
    assert "pytest" in failed[0].command
    assert failed[0].log_ref


def test_all_three_gates_pass_on_the_head_with_evidence(played: Played) -> None:
    passed = {gate.gate: gate for gate in played.of(GatePassed)}
    assert list(passed) == ["tests", "security", "review"]
    ready = played.of(GoalReadyForReview)
    assert {gate.commit for gate in passed.values()} == {ready[0].head} == {played.goal["head"]}
    tests = passed["tests"]
    assert (tests.round, tests.exit_code) == (2, 0)
    assert tests.counts is not None
    assert (tests.counts.failed, tests.counts.passed > 10) == (0, True)
    assert tests.coverage_percent is not None
    shown = played.hub.get(f"/goals/{played.goal_id}/gates")["items"]
    assert [(g["gate"], g["round"], g["verdict"]) for g in shown] == [
        ("tests", 1, "failed"),
        ("tests", 2, "passed"),
        ("security", 1, "passed"),
        ("review", 1, "passed"),
    ]


def test_every_planned_task_ends_and_every_requirement_has_proof(played: Played) -> None:
    tasks = list(played.hub.get(f"/goals/{played.goal_id}/tasks")["items"])
    work = [task for task in tasks if task["kind"] == "work"]
    assert len(work) == 12
    assert {task["status"] for task in tasks} == {"done"}
    assert {task["attempt"] for task in tasks} == {1}
    ready = played.of(GoalReadyForReview)[0]
    assert [coverage.text for coverage in ready.requirements] == SAMPLE["requirements"]
    assert all(coverage.tasks or coverage.gates for coverage in ready.requirements)


def test_independent_tasks_overlap_and_a_join_waits_for_all(played: Played) -> None:
    started = {r.event.task_id: r.seq for r in played.log if isinstance(r.event, TaskStarted)}
    ended = {r.event.task_id: r.seq for r in played.log if isinstance(r.event, TaskCompleted)}
    parts = [task for task in started if task.startswith("t-implement-") and task != "t-implement-login-service"]
    assert len(parts) == 5
    queued = {r.event.task_id: r.seq for r in played.log if isinstance(r.event, TaskEnqueued)}
    assert max(queued[part] for part in parts) < min(ended[part] for part in parts), "none waits for another"
    assert any(started[b] < ended[a] and started[a] < ended[b] for a in parts for b in parts if a != b)
    assert queued["t-implement-login-service"] > max(ended[part] for part in parts)


def test_i5_every_result_is_on_the_branch(played: Played) -> None:
    reachable = {merge.commit for merge in played.of(MergeDone)} | {merge.head for merge in played.of(MergeDone)}
    made = {done.result.commit for done in played.of(TaskCompleted) if done.result.files}
    assert made
    assert made <= reachable


async def test_a_rework_reopens_the_goal_on_its_branch_and_the_gates_judge_anew(played: Played) -> None:
    hub, goal_id = played.hub, played.goal_id
    before = len(played.of(MergeDone))
    answer = hub.post(f"/goals/{goal_id}/rework", {"feedback": "Please add 2FA support", "priority": "high"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "rework_accepted"
    again = await hub.see(
        goal_id, lambda e: isinstance(e, GoalReadyForReview), after=played.log[-1].seq, deadline_s=300
    )
    log = [r for r in await hub.events(goal_id) if r.seq > played.log[-1].seq]
    replanned = [r.event for r in log if isinstance(r.event, GoalReplanned)]
    assert [task.task_id for task in replanned[0].added] == ["t-implement-2fa-support", "t-write-2fa-tests"]
    done = {r.event.task_id for r in log if isinstance(r.event, TaskCompleted)}
    assert {"t-implement-2fa-support", "t-write-2fa-tests"} <= done
    merges = await hub.of(goal_id, MergeDone)
    assert merges[before].base == merges[before - 1].head, "the branch goes on where it was"
    verdicts = [r.event for r in log if isinstance(r.event, GatePassed)]
    assert isinstance(again.event, GoalReadyForReview)
    assert [(gate.gate, gate.commit) for gate in verdicts] == [
        (name, again.event.head) for name in ("tests", "security", "review")
    ]
    told = await hub.told(goal_id)
    wanted = ("Orchestrator: Human requested rework", "Orchestrator: Enqueued tasks: implement-2fa-support")
    assert subsequence(wanted, told) == "", "\n".join(told)


async def test_an_approval_completes_the_goal_and_only_what_was_seen_can_be_approved(played: Played) -> None:
    hub, goal_id = played.hub, played.goal_id
    goal = await hub.wait_for(goal_id, "ready_for_review")
    stale = hub.post(f"/goals/{goal_id}/approve", {"ready_seq": played.goal["ready_seq"]})
    assert stale.status_code == 409, stale.text
    assert hub.post(f"/goals/{goal_id}/approve", {"ready_seq": goal["ready_seq"]}).status_code == 202
    completed = await hub.wait_for(goal_id, "completed")
    assert completed["ended_at"]
    assert hub.post(f"/goals/{goal_id}/cancel").status_code == 409
