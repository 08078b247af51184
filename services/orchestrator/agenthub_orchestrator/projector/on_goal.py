"""What the life of a goal, its plan, its branch and its money do to the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue.money import LlmCalled
from agenthub_events.catalogue.task import KnowledgeRecorded, MergeDone
from agenthub_events.catalogue.values import PlannedTask
from agenthub_orchestrator.projector.rows import ID_MAX, GoalRows, Handlers, minutes_after
from agenthub_runtime.readmodels.latencies import with_one_more
from agenthub_runtime.readmodels.rows import KnowledgeRow, MergeRow, UsageRow


def accepted(view: GoalRows, seq: int, event: g.GoalAccepted) -> None:
    """The goal is there."""
    goal = view.goal
    goal.goal = event.goal
    goal.requirements = event.requirements
    goal.constraints = event.constraints
    goal.repository = event.repository
    goal.test_command = event.test_command
    goal.autonomy = event.autonomy
    goal.manual = event.workflow is not None
    goal.submitted_by = event.submitted_by
    goal.accepted_at = event.timestamp
    goal.first_seq = seq
    if event.fork is not None:
        goal.forked_from = event.fork.goal_id
        goal.forked_at_seq = event.fork.at_seq


def planned(view: GoalRows, seq: int, event: g.GoalPlanned) -> None:
    """The first graph, with how much work it is."""
    goal = view.goal
    goal.planned_at = event.timestamp
    goal.analysis = event.analysis.summary
    goal.complexity = event.analysis.complexity
    goal.estimated_tasks = event.estimates.tasks
    goal.estimated_minutes = event.estimates.minutes
    goal.estimated_minutes_low = event.estimates.minutes_low
    goal.estimated_minutes_high = event.estimates.minutes_high
    goal.estimated_completion = minutes_after(event.timestamp, event.estimates.minutes)
    _grow(view, seq, event.tasks)


def replanned(view: GoalRows, seq: int, event: g.GoalReplanned) -> None:
    """More tasks; those that are dropped are cancelled by events of their own."""
    _grow(view, seq, event.added)


def _grow(view: GoalRows, seq: int, tasks: Sequence[PlannedTask]) -> None:
    for planned in tasks:
        row = view.task(planned.task_id, seq)
        if row.attempt:
            continue
        row.key_name = planned.key[:ID_MAX]
        row.title = planned.title
        row.details = planned.details
        row.origin = planned.origin
        row.agent = planned.agent
        row.agent_type = planned.agent_type
        row.complexity = planned.complexity
        row.estimate_minutes = planned.estimate_minutes
        row.timeout_s = planned.timeout_s
        row.depends_on = planned.depends_on
        row.acceptance = planned.acceptance
        row.requirement_ids = planned.requirement_ids
        row.writes = planned.writes
        row.changes_tests = planned.changes_tests


def ready_for_review(view: GoalRows, seq: int, event: g.GoalReadyForReview) -> None:
    """The result waits for a person."""
    view.goal.summary = event.summary
    view.goal.coverage = event.requirements
    view.goal.stalled = ()


def rework_requested(view: GoalRows, seq: int, event: g.GoalReworkRequested) -> None:
    """The goal is open again."""
    view.goal.ended_at = None


def completed(view: GoalRows, seq: int, event: g.GoalCompleted) -> None:
    """The goal is reached."""
    view.goal.summary = event.completion_summary
    _ended(view, event.timestamp)


def given_up(view: GoalRows, seq: int, event: g.GoalFailed | g.GoalCancelled) -> None:
    """The goal is over without a result."""
    view.goal.summary = event.reason
    _ended(view, event.timestamp)


def _ended(view: GoalRows, at: datetime) -> None:
    view.goal.ended_at = at
    view.goal.stalled = ()


def paused(view: GoalRows, seq: int, event: g.GoalPaused) -> None:
    """Why nothing starts."""
    view.goal.pause_reason = event.reason


def resumed(view: GoalRows, seq: int, event: g.GoalResumed) -> None:
    """Work goes on."""
    view.goal.pause_reason = ""


def stalled(view: GoalRows, seq: int, event: g.GoalStalled) -> None:
    """Why nothing moves."""
    view.goal.stalled = event.diagnosis


def merged(view: GoalRows, seq: int, event: MergeDone) -> None:
    """The branch has moved."""
    view.touch(
        MergeRow(
            seq=seq,
            goal_id=view.goal.goal_id,
            task_id=event.task_id,
            attempt=event.attempt,
            base=event.base,
            head=event.head,
            commit_id=event.commit,
            tree=event.tree,
            bundle_ref=event.bundle_ref,
            origin=event.origin,
            tests=event.tests,
            at=event.timestamp,
        )
    )


def learned(view: GoalRows, seq: int, event: KnowledgeRecorded) -> None:
    """An agent leaves something for the others."""
    view.touch(
        KnowledgeRow(
            seq=seq,
            goal_id=view.goal.goal_id,
            task_id=event.task_id,
            kind=event.kind,
            text=event.text,
            at=event.timestamp,
        )
    )


def called(view: GoalRows, seq: int, event: LlmCalled) -> None:
    """A model was asked: by task and model, by attempt, and for the goal as a whole."""
    key = (event.task_id[:ID_MAX], event.provider[:ID_MAX], event.model[:ID_MAX])
    usage = view.usage.get(key)
    if usage is None:
        usage = view.usage[key] = UsageRow(
            goal_id=view.goal.goal_id, task_id=key[0], provider=key[1], model=key[2]
        )
    usage.calls += 1
    usage.cache_read_tokens += event.cache_read_tokens
    usage.cache_write_tokens += event.cache_write_tokens
    usage.latency_ms += event.latency_ms
    usage.latencies = with_one_more(usage.latencies, event.latency_ms)
    attempt = view.attempt(event.task_id, event.attempt)
    attempt.llm_calls += 1
    attempt.model = event.model
    view.goal.llm_calls += 1
    cost = event.cost_usd or 0.0
    for row in (usage, attempt, view.goal):
        row.input_tokens += event.input_tokens
        row.output_tokens += event.output_tokens
        row.cost_usd = round(row.cost_usd + cost, 9)
    if event.cost_usd is None:
        usage.unpriced_calls += 1
        view.goal.unpriced_calls += 1
    view.touch(usage)


HANDLERS: Handlers = {
    g.GoalAccepted: accepted,
    g.GoalPlanned: planned,
    g.GoalReplanned: replanned,
    g.GoalReadyForReview: ready_for_review,
    g.GoalReworkRequested: rework_requested,
    g.GoalCompleted: completed,
    g.GoalFailed: given_up,
    g.GoalCancelled: given_up,
    g.GoalPaused: paused,
    g.GoalResumed: resumed,
    g.GoalStalled: stalled,
    MergeDone: merged,
    KnowledgeRecorded: learned,
    LlmCalled: called,
}
