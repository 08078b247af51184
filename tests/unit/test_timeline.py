"""The story of a goal, in the words of the seed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from agenthub_events.base import Event, Fence
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import (
    GoalCancelled,
    GoalPlanned,
    GoalReadyForReview,
    GoalReplanned,
    GoalReworkRequested,
)
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskStarted
from agenthub_events.catalogue.values import (
    Estimates,
    FileChange,
    Finding,
    PlannedTask,
    TaskResult,
    TestCounts,
)
from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import Unreadable
from agenthub_runtime.timeline.renderer import TEXT_MAX, TimelineRenderer, format_line, line_of
from tests.support.lines import render_all

GOAL = f"g-{1:026d}"
NINE = datetime(2025, 11, 14, 9, 0, 0, tzinfo=UTC)


def told(*events: tuple[str, Event]) -> list[Recorded]:
    log = []
    for number, (task_id, event) in enumerate(events, 1):
        draft = Fence().draft(GOAL, task_id, event, str(number))
        at = NINE + timedelta(seconds=number - 1)
        log.append(Recorded(seq=number, subject=draft.subject, event=draft.sealed(at, {})))
    return log


def planned(*keys: str) -> tuple[PlannedTask, ...]:
    return tuple(
        PlannedTask(task_id=f"t-{key}", key=key, title=key, agent="coding", agent_type="coding") for key in keys
    )


def enqueued(task_id: str, *depends_on: str, attempt: int = 1) -> tuple[str, Event]:
    event = TaskEnqueued(
        task_id=task_id,
        agent="coding",
        agent_type="coding",
        attempt=attempt,
        lane="p2",
        title=task_id,
        timeout_s=60,
        depends_on=depends_on,
    )
    return task_id, event


def started(task_id: str, worker: str, agent: str) -> tuple[str, Event]:
    event = TaskStarted(
        task_id=task_id, attempt=1, worker=worker, agent=agent, instance="i", delivery=1, ack_subject=""
    )
    return task_id, event


def completed(task_id: str, worker: str, agent: str, result: TaskResult) -> tuple[str, Event]:
    return task_id, TaskCompleted(task_id=task_id, agent=agent, attempt=1, result=result, worker=worker)


def verdict(
    kind: type[GatePassed] | type[GateFailed], gate: str, worker: str, agent: str, **more: object
) -> tuple[str, Event]:
    task_id = f"gate-{gate}-1"
    event = kind(gate=gate, round=1, attempt=1, commit="c", task_id=task_id, worker=worker, agent=agent, **more)  # type: ignore[arg-type]
    return task_id, event


def test_the_story_of_the_seed_is_told_in_its_words() -> None:
    plan = GoalPlanned(
        revision=1,
        tasks=planned("analyze-requirements", "design-architecture", "implement-jwt-module"),
        estimates=Estimates(tasks=3, minutes=1, minutes_low=1, minutes_high=1),
    )
    log = told(
        ("_", plan),
        enqueued("t-analyze-requirements"),
        enqueued("t-design-architecture"),
        started("t-analyze-requirements", "Worker-1", "system-architect"),
        completed(
            "t-analyze-requirements", "Worker-1", "system-architect", TaskResult(summary="found 3 core components")
        ),
        enqueued("t-implement-jwt-module", "t-analyze-requirements"),
        completed(
            "t-implement-jwt-module",
            "Worker-2",
            "coding",
            TaskResult(summary="", files=(FileChange(path="auth/jwt.py", added=245, removed=0, lines=245),)),
        ),
        enqueued("gate-tests-1"),
        started("gate-tests-1", "Worker-3", "testing"),
        verdict(GateFailed, "tests", "Worker-3", "testing", counts=TestCounts(passed=8, failed=2)),
        ("_", GoalReplanned(revision=2, added=planned("x"), cause="gate-tests-1", reason="the tests failed")),
        enqueued("debug-tests-1"),
        started("debug-tests-1", "Worker-4", "debug"),
        completed(
            "debug-tests-1",
            "Worker-4",
            "debug",
            TaskResult(
                summary="see finding",
                findings=(Finding(message="issue in token refresh logic", file="auth/jwt.py", line=123),),
            ),
        ),
        enqueued("fix-tests-1-1"),
        verdict(GatePassed, "tests", "Worker-3", "testing", counts=TestCounts(passed=10), coverage_percent=87.0),
        enqueued("gate-security-1"),
        started("gate-security-1", "Worker-5", "security"),
        verdict(GatePassed, "security", "Worker-5", "security"),
        enqueued("gate-review-1"),
        started("gate-review-1", "Worker-6", "review"),
        verdict(GatePassed, "review", "Worker-6", "review"),
        ("_", GoalReadyForReview(revision=1, head="c", summary="")),
        ("_", GoalReworkRequested(rework_id="r", feedback="Please add 2FA support", by="me")),
        ("_", GoalReplanned(revision=2, added=planned("implement-2fa-support"), origin="rework")),
        enqueued("t-implement-2fa-support"),
    )
    assert [format_line(line).partition(" ")[2] for line in render_all({}, log)] == [
        "Orchestrator: Generated workflow with 3 tasks",
        "Orchestrator: Enqueued tasks: analyze-requirements, design-architecture",
        "Worker-1 (system-architect): Started task analyze-requirements",
        "Worker-1 (system-architect): Completed analyze-requirements: found 3 core components",
        "Orchestrator: Analysis complete, enqueuing: implement-jwt-module",
        "Worker-2 (coding): Completed implement-jwt-module (auth/jwt.py, 245 lines)",
        "Orchestrator: Implementation complete, enqueuing: gate-tests-1",
        "Worker-3 (testing): Started running tests",
        "Worker-3 (testing): 2 tests failed",
        "Orchestrator: Changed the workflow (1 added): the tests failed",
        "Orchestrator: Tests failed, enqueuing: debug-tests-1",
        "Worker-4 (debug): Started debugging",
        "Worker-4 (debug): Found issue in token refresh logic (auth/jwt.py:123)",
        "Orchestrator: Bug found, enqueuing: fix-tests-1-1",
        "Worker-3 (testing): All tests passing! (10 passed, 87% coverage)",
        "Orchestrator: Tests passed, enqueuing: gate-security-1",
        "Worker-5 (security): Started security audit",
        "Worker-5 (security): Security audit passed, no vulnerabilities",
        "Orchestrator: Security passed, enqueuing: gate-review-1",
        "Worker-6 (review): Started final review",
        "Worker-6 (review): Code review approved, ready for deployment",
        "Orchestrator: All tasks complete! Waiting for a person's review",
        "Orchestrator: Human requested rework, generating new tasks: Please add 2FA support",
        "Orchestrator: Changed the workflow (1 added)",
        "Orchestrator: Enqueued tasks: implement-2fa-support",
    ]


def test_a_line_has_the_time_of_its_event() -> None:
    _, recorded = told(enqueued("t-a"), started("t-a", "Worker-3", "testing"))
    line = line_of(recorded, {"t-a": "write-tests"})
    assert line is not None
    assert format_line(line) == "[09:00:01] Worker-3 (testing): Started task write-tests"


def test_tasks_enqueued_together_replace_the_line_that_was_told_before() -> None:
    narrator = TimelineRenderer()
    lines = [narrator.tell(recorded) for recorded in told(enqueued("t-a"), enqueued("t-b"))]
    assert [(line.seq, line.last_seq, line.text) for line in lines if line] == [
        (1, 1, "Enqueued tasks: t-a"),
        (1, 2, "Enqueued tasks: t-a, t-b"),
    ]


def test_what_was_printed_in_one_batch_is_not_printed_again_in_the_next() -> None:
    narrators: dict[str, TimelineRenderer] = {}
    first, second = told(enqueued("t-a"), enqueued("t-b"))
    printed: Sequence[str] = [line.text for batch in ([first], [second]) for line in render_all(narrators, batch)]
    assert printed == ["Enqueued tasks: t-a", "Enqueued tasks: t-b"]


def test_a_question_and_its_answer_are_told() -> None:
    log = told(
        ("t-a", AgentBlocked(question="Which\n  database?", task_id="t-a", worker="Worker-1")),
        ("t-a", AgentAnswered(action="answer", by="ada", blocked_seq=1, task_id="t-a", text="Postgres")),
    )
    assert [format_line(line) for line in render_all({}, log)] == [
        "[09:00:00] Worker-1: Blocked at t-a, needs a person: Which database?",
        "[09:00:01] Human (ada): Answered (answer): Postgres",
    ]


def test_a_line_stays_a_line_however_long_the_text() -> None:
    (recorded,) = told(("_", GoalReworkRequested(rework_id="r", feedback="x\n" * 5_000, by="me")))
    line = line_of(recorded, {})
    assert line is not None
    assert len(line.text) == TEXT_MAX
    assert "\n" not in line.text


def test_what_cannot_be_read_says_nothing() -> None:
    assert line_of(Recorded(seq=1, subject=f"evt.{GOAL}.t-a.task.x", event=Unreadable(b"", "no")), {}) is None


def test_a_reference_to_a_text_beside_the_log_is_shown_as_a_plain_mask() -> None:
    reason = f"postgres://[redacted:{'0' * 64}]@h/x leaks"
    (line,) = render_all({}, told(("_", GoalCancelled(by="ada", reason=reason))))
    assert "postgres://[redacted]@h/x leaks" in line.text
