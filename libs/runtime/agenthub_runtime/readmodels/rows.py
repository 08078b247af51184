"""The rows of the read models: what the projector writes and everybody else reads.

A class is a table, a field is a column of the same name. Fields that are neither a plain text, number, truth
value nor time are stored as jsonb. Times are those of the events; sequences are those of the log.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, TypeAlias

import msgspec

from agenthub_events.catalogue.values import (
    Constraints,
    FileChange,
    Finding,
    MutationEvidence,
    RequirementCoverage,
    TestEvidence,
)


class GoalRow(msgspec.Struct, kw_only=True):
    """A goal at a glance. `head` is the branch as merged; `cost_usd` leaves out what has no known price
    (`unpriced_calls`); `forked_from` is the goal from whose event `forked_at_seq` this one goes on; `needs_you`
    means that a person is asked, or the result waits for a verdict; `settled` that it is over and nothing is left
    to be tidied up."""

    table: ClassVar[str] = "goals"
    key: ClassVar[tuple[str, ...]] = ("goal_id",)

    goal_id: str
    goal: str = ""
    requirements: tuple[str, ...] = ()
    constraints: Constraints = Constraints()
    priority: str = "normal"
    repository: str = ""
    test_command: str = ""
    autonomy: str = "full"
    manual: bool = False
    submitted_by: str = ""
    forked_from: str = ""
    forked_at_seq: int = 0
    status: str = "accepted"
    paused_by: str = ""
    pause_reason: str = ""
    needs_you: bool = False
    settled: bool = False
    revision: int = 0
    plan_approved: bool = False
    analysis: str = ""
    complexity: str = ""
    head: str = ""
    ready_seq: int = 0
    rework_round: int = 0
    summary: str = ""
    coverage: tuple[RequirementCoverage, ...] = ()
    stalled: tuple[str, ...] = ()
    tasks_total: int = 0
    tasks_done: int = 0
    tasks_queued: int = 0
    tasks_running: int = 0
    tasks_blocked: int = 0
    tasks_failed: int = 0
    open_questions: int = 0
    estimated_tasks: int = 0
    estimated_minutes: float = 0.0
    estimated_minutes_low: float = 0.0
    estimated_minutes_high: float = 0.0
    estimated_completion: datetime | None = None
    llm_calls: int = 0
    max_llm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    max_cost_usd: float | None = None
    events: int = 0
    first_seq: int = 0
    last_seq: int = 0
    accepted_at: datetime | None = None
    planned_at: datetime | None = None
    ended_at: datetime | None = None
    updated_at: datetime | None = None


class TaskRow(msgspec.Struct, kw_only=True):
    """A task as it stands. `ordinal` is its place in the goal; `reason` says in plain words why it is not going
    on; `due` is when it will by itself."""

    table: ClassVar[str] = "tasks"
    key: ClassVar[tuple[str, ...]] = ("goal_id", "task_id")

    goal_id: str
    task_id: str
    ordinal: int = 0
    key_name: str = ""
    title: str = ""
    details: str = ""
    kind: str = "work"
    origin: str = ""
    agent: str = ""
    agent_type: str = ""
    status: str = "pending"
    attempt: int = 0
    retry_count: int = 0
    max_retries: int = 0
    lane: str = ""
    worker: str = ""
    complexity: str = "medium"
    estimate_minutes: int = 0
    timeout_s: int = 0
    depends_on: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    requirement_ids: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changes_tests: tuple[str, ...] = ()
    progress_percentage: int = 0
    summary: str = ""
    tests_run: str = ""
    insights: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: tuple[FileChange, ...] = ()
    commit_id: str = ""
    reason: str = ""
    due: datetime | None = None
    context_ref: str = ""
    first_seq: int = 0
    last_seq: int = 0
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class DependencyRow(msgspec.Struct, kw_only=True):
    """`task_id` waits for `depends_on`; read only, a view on the tasks."""

    table: ClassVar[str] = "dependencies"
    key: ClassVar[tuple[str, ...]] = ("goal_id", "task_id", "depends_on")

    goal_id: str
    task_id: str
    depends_on: str


class AttemptRow(msgspec.Struct, kw_only=True):
    """One work order: `outcome` is empty while it is open, else the type of the event that closed it."""

    table: ClassVar[str] = "attempts"
    key: ClassVar[tuple[str, ...]] = ("goal_id", "task_id", "attempt")

    goal_id: str
    task_id: str
    attempt: int
    agent: str = ""
    agent_type: str = ""
    agent_hash: str = ""
    lane: str = ""
    model: str = ""
    worker: str = ""
    instance: str = ""
    delivery: int = 0
    resumes: int = 0
    outcome: str = ""
    failure_class: str = ""
    reason: str = ""
    checkpoint: str = ""
    llm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    enqueued_seq: int = 0
    started_seq: int = 0
    ended_seq: int = 0
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class GateRow(msgspec.Struct, kw_only=True):
    """A round of a gate and its evidence. `verdict`: open, passed or failed."""

    table: ClassVar[str] = "gates"
    key: ClassVar[tuple[str, ...]] = ("goal_id", "gate", "round")

    goal_id: str
    gate: str
    round: int
    task_id: str
    verdict: str = "open"
    blocking: bool = True
    commit_id: str = ""
    command: str = ""
    exit_code: int | None = None
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    counted: bool = False
    coverage_percent: float | None = None
    coverage_required: float | None = None
    failing: tuple[str, ...] = ()
    failed_before: tuple[str, ...] = ()
    mutants: MutationEvidence | None = None
    findings: tuple[Finding, ...] = ()
    log_ref: str = ""
    summary: str = ""
    worker: str = ""
    agent: str = ""
    seq: int = 0
    at: datetime | None = None


class InterventionRow(msgspec.Struct, kw_only=True):
    """A question to a person. `state`: open, answered, or gone (nobody needs the answer any more). `level` counts
    escalations, the last of them at `raised_at`. `task_id` is where the answer goes, `_` for a question about the
    goal as a whole; `about` is the task that it is about, if any, and `title` that task's title, else the goal.
    `consequences` are what follows from each option, as far as the one who asks has said so."""

    table: ClassVar[str] = "interventions"
    key: ClassVar[tuple[str, ...]] = ("intervention_id",)

    intervention_id: str
    goal_id: str
    task_id: str
    about: str = ""
    title: str = ""
    state: str = "open"
    question: str = ""
    options: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    evidence: str = ""
    error: str = ""
    reason: str = ""
    retry_count: int = 0
    attempt: int = 0
    worker: str = ""
    level: int = 0
    blocked_seq: int = 0
    asked_at: datetime | None = None
    raised_at: datetime | None = None
    action: str = ""
    answer: str = ""
    option: str = ""
    answered_by: str = ""
    answered_seq: int = 0
    answered_at: datetime | None = None


class UsageRow(msgspec.Struct, kw_only=True):
    """Model calls of a task, by model. `cost_usd` sums the priced calls; `unpriced_calls` have no known price.

    `latency_ms` sums their times; `latencies` counts them by step, as `latencies.py` has it."""

    table: ClassVar[str] = "usage"
    key: ClassVar[tuple[str, ...]] = ("goal_id", "task_id", "provider", "model")

    goal_id: str
    task_id: str
    provider: str
    model: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    latency_ms: int = 0
    latencies: dict[str, int] = {}


class TimelineRow(msgspec.Struct, kw_only=True):
    """A line of the goal's story. `seq` is the first event that it tells of, `last_seq` the last."""

    table: ClassVar[str] = "timeline"
    key: ClassVar[tuple[str, ...]] = ("seq",)

    seq: int
    goal_id: str
    task_id: str
    type: str
    at: datetime
    component: str
    text: str
    last_seq: int


class KnowledgeRow(msgspec.Struct, kw_only=True):
    """Something that an agent recorded for the others."""

    table: ClassVar[str] = "knowledge"
    key: ClassVar[tuple[str, ...]] = ("seq",)

    seq: int
    goal_id: str
    task_id: str
    kind: str
    text: str
    at: datetime


class DeadLetterRow(msgspec.Struct, kw_only=True):
    """Work that was given up (`kind` task), or a message with which the hub cannot go on.

    `kind`: unreadable (no code here can read it), unwritable (the read models cannot hold what it says), or
    undecidable (the orchestrator fails over it). `state`: open, requeued, discarded, or released (taken up again).
    `body` is an unreadable message as text. `aggregate` is what stays out from the message on, a whole goal when
    it is a goal's id; `skipped` counts the later messages that stay out.
    """

    table: ClassVar[str] = "dead_letters"
    key: ClassVar[tuple[str, ...]] = ("dead_letter_id",)

    dead_letter_id: str
    kind: str
    goal_id: str
    task_id: str
    title: str = ""
    state: str = "open"
    reason: str = ""
    causes: tuple[str, ...] = ()
    attempt: int = 0
    subject: str = ""
    aggregate: str = ""
    body: str = ""
    skipped: int = 0
    seq: int = 0
    at: datetime | None = None
    decided_by: str = ""
    decided_at: datetime | None = None


class MergeRow(msgspec.Struct, kw_only=True):
    """A link of the goal's branch: from `base` to `head`, the commits in the bundle `bundle_ref`."""

    table: ClassVar[str] = "merges"
    key: ClassVar[tuple[str, ...]] = ("seq",)

    seq: int
    goal_id: str
    task_id: str
    attempt: int
    base: str
    head: str
    commit_id: str
    tree: str
    bundle_ref: str
    origin: str
    tests: TestEvidence | None
    at: datetime


Row: TypeAlias = (
    GoalRow
    | TaskRow
    | DependencyRow
    | AttemptRow
    | GateRow
    | InterventionRow
    | UsageRow
    | TimelineRow
    | KnowledgeRow
    | DeadLetterRow
    | MergeRow
)

ROW_KINDS: tuple[type[Row], ...] = (
    GoalRow,
    TaskRow,
    DependencyRow,
    AttemptRow,
    GateRow,
    InterventionRow,
    UsageRow,
    TimelineRow,
    KnowledgeRow,
    DeadLetterRow,
    MergeRow,
)
