"""What the calls answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import humanize
import msgspec

from agenthub_events.catalogue.values import Delivery, FileChange
from agenthub_events.notifications.escalation import EscalationStep, steps_of
from agenthub_events.notifications.interventions import InterventionRequired
from agenthub_events.rules.answer_options import consequences
from agenthub_events.rules.requirements import gate_parameters
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_gateway.errors import FieldError
from agenthub_replay.positions import GoalAt
from agenthub_runtime.operations.escalation import NOTHING_KNOWN, EscalationKnown
from agenthub_runtime.readmodels import (
    AttemptRow,
    DeadLetterRow,
    GateRow,
    GoalRow,
    InterventionRow,
    KnowledgeRow,
    MergeRow,
    TaskRow,
    TimelineRow,
    UsageRow,
)
from agenthub_runtime.readmodels.analytics import AgentFigures, GateFigures, GoalFigures, ModelFigures
from agenthub_runtime.repository.history import FileEntry

# In the order in which a goal passes through them, as far as it does.
GOAL_STATES = (
    "accepted",
    "planning",
    "workflow_generated",
    "running",
    "validating",
    "rework",
    "awaiting_human",
    "paused",
    "ready_for_review",
    "completed",
    "failed",
    "cancelled",
)
_CENTURY_MINUTES = 100 * 365 * 24 * 60.0


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub takes a goal's words and constraints to demand; `min_coverage` in percent, null: none.

    What is wrong here is corrected by constraints of the same name (`min_coverage` 0: none), or by other words.
    `network` are the hosts that its commands may reach.
    """

    min_coverage: float | None
    security_audit: bool
    must_pass_tests: bool
    gates: tuple[str, ...]
    network: tuple[str, ...]


class GoalSubmitted(msgspec.Struct, frozen=True, kw_only=True):
    """A goal is in the log. The estimates are null until there is a plan.

    `warnings`: what was taken as it was given and will hardly be meant so.
    """

    goal_id: str
    status: str
    workflow_generated: bool
    estimated_tasks: int | None
    estimated_time: str | None
    estimated_completion: datetime | None
    event_id: str
    sequence: int
    understood: Understood
    warnings: tuple[str, ...] = ()


class RepositoryFound(msgspec.Struct, frozen=True, kw_only=True):
    """The repository of a goal as its work would find it.

    `commit` is what `ref` (empty: HEAD) names now; `delivery` is what would become of the result there. What
    follows is told by a worker, and counts only when it has `surveyed`: `files` and those among them that hold
    tests, how the tests are run, what is installed before (null: a warning
    says why that is not known) and who says so, and the names of further checks.
    """

    repository: str
    ref: str
    commit: str
    delivery: Delivery
    surveyed: bool
    files: int
    test_files: int
    test_command: str
    setup: tuple[str, ...] | None
    setup_source: str
    checks: tuple[str, ...]


class GoalCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a submission would be taken as; nothing of it is in the log.

    `refusals` name the places for which it would be refused; with any, nothing else is known. `repository` is null
    for a goal that begins with nothing. `warnings` are sentences about what would not be as one may expect it; a
    goal with warnings is accepted.
    """

    understood: Understood | None = None
    repository: RepositoryFound | None = None
    warnings: tuple[str, ...] = ()
    refusals: tuple[FieldError, ...] = ()


class CommandAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A command's event is in the log at `sequence`; null: nothing had to happen, it was so already."""

    goal_id: str
    event_id: str | None
    sequence: int
    status: str = "accepted"


class ForkAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A new goal that goes on from an event of another one.

    `tasks_inherited` had ended there; `tasks_ahead` are ordered anew, null when there was no plan yet.
    """

    goal_id: str
    forked_from: str
    at_seq: int
    tasks_inherited: int
    tasks_ahead: int | None
    event_id: str
    sequence: int
    status: str = "accepted"


class ReworkAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The goal is open again."""

    goal_id: str
    rework_id: str
    event_id: str | None
    sequence: int
    status: str = "rework_accepted"


class GoalView(GoalRow, kw_only=True):
    """A goal at a glance, with its estimates in words.

    `left_out` says what of it the hub could not take further (its dead letters have more); empty when all is in.
    `gates` are those that its result has to pass; `gates_to_come` counts those that had no round yet, which
    `tasks_total` does not. `why` names tasks that nobody takes, with the worker that is missing or what keeps it
    from working; it is empty in lists.
    """

    workflow_generated: bool = False
    estimated_time: str | None = None
    left_out: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    gates_to_come: int = 0
    why: tuple[str, ...] = ()


class GoalPage(msgspec.Struct, frozen=True):
    """Goals, the youngest first."""

    items: list[GoalView]
    next_cursor: str | None


class TaskPage(msgspec.Struct, frozen=True):
    """Tasks in the order in which they came up."""

    items: list[TaskRow]
    next_cursor: str | None


class TaskDetail(msgspec.Struct, frozen=True):
    """A task and all its attempts."""

    task: TaskRow
    attempts: list[AttemptRow]


class AttemptList(msgspec.Struct, frozen=True):
    """Every attempt of a goal."""

    items: list[AttemptRow]
    next_cursor: str | None = None


class GateList(msgspec.Struct, frozen=True):
    """Rounds of the gates with their evidence."""

    items: list[GateRow]
    next_cursor: str | None = None


class KnowledgePage(msgspec.Struct, frozen=True):
    """What agents left for each other."""

    items: list[KnowledgeRow]
    next_cursor: str | None


class TimelinePage(msgspec.Struct, frozen=True):
    """The story of a goal, line by line."""

    items: list[TimelineRow]
    next_cursor: str | None


class InterventionView(InterventionRow, kw_only=True):
    """A question to a person; `id` is what an answer names. `consequences` has a sentence for each option.

    `if_unanswered`: what is to come while it stays open, the next first; empty for what is not open, and while no
    orchestrator says.
    """

    id: str
    if_unanswered: tuple[EscalationStep, ...] = ()


class InterventionPage(msgspec.Struct, frozen=True):
    """Questions, the oldest first; `notifications` has the open ones of this page, one entry for each goal."""

    items: list[InterventionView]
    next_cursor: str | None
    notifications: list[InterventionRequired]


class DeadLetterView(DeadLetterRow, kw_only=True):
    """Work that was given up, or a message with which the hub cannot go on; `id` is what a decision names."""

    id: str


class DeadLetterPage(msgspec.Struct, frozen=True):
    """Work that was given up, and messages that nobody can read."""

    items: list[DeadLetterView]
    next_cursor: str | None


class EventDocument(msgspec.Struct, frozen=True):
    """A message of the log: its place, and the event as it is stored."""

    sequence: int
    type: str
    goal_id: str
    task_id: str
    subject: str
    event: dict[str, Any]


class EventDocuments(msgspec.Struct, frozen=True):
    """Events in the order of the log."""

    items: list[EventDocument]
    next_cursor: str | None


class ReplayedGoal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal as of the event `seq`: what the other reads answered when the log ended there."""

    seq: int
    at: datetime | None
    goal: GoalView
    tasks: tuple[TaskRow, ...]
    attempts: tuple[AttemptRow, ...]
    gates: tuple[GateRow, ...]
    interventions: tuple[InterventionView, ...]
    usage: tuple[UsageRow, ...]
    knowledge: tuple[KnowledgeRow, ...]
    merges: tuple[MergeRow, ...]
    timeline: tuple[TimelineRow, ...]
    dead_letters: tuple[DeadLetterView, ...]


class DiffView(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed between two commits of the goal's branch."""

    base: str
    head: str
    files: list[FileChange]
    diff: str


class FileList(msgspec.Struct, frozen=True):
    """The files of the goal's branch at `head`."""

    head: str
    items: list[FileEntry]
    next_cursor: str | None = None


class Analytics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the goals that were accepted at or after `since`."""

    since: datetime
    goals: list[GoalFigures]
    gates: list[GateFigures]
    agents: list[AgentFigures]
    models: list[ModelFigures]


def goal_view(
    row: GoalRow, left_out: Sequence[str] = (), begun: Sequence[str] = (), why: Sequence[str] = ()
) -> GoalView:
    """A row with its estimates in words, what is left out of it, its gates, and why its orders wait.

    `begun` names the gates that had a round already.
    """
    planned = row.estimated_tasks > 0
    gates = gate_parameters(row.requirements, row.constraints).required
    return GoalView(
        **msgspec.structs.asdict(row),
        workflow_generated=planned,
        estimated_time=in_words(row.estimated_minutes) if planned else None,
        left_out=tuple(left_out),
        gates=gates,
        gates_to_come=sum(gate not in begun for gate in gates),
        why=tuple(why),
    )


def intervention_view(row: InterventionRow, known: EscalationKnown = NOTHING_KNOWN) -> InterventionView:
    """A row under the id that an answer names, with what follows from each option and from no answer."""
    view = InterventionView(**msgspec.structs.asdict(row), id=row.intervention_id)
    view.consequences = consequences(row.options, reason=row.reason, worker=row.worker, said=row.consequences)
    since = row.raised_at or row.asked_at
    if known.escalation is not None and since is not None and row.state == "open":
        view.if_unanswered = steps_of(
            known.escalation,
            known.audience,
            since=since,
            level=row.level,
            of_task=row.task_id != GOAL_AS_A_WHOLE,
        )
    return view


def dead_letter_view(row: DeadLetterRow) -> DeadLetterView:
    """A row under the id that a decision names."""
    return DeadLetterView(**msgspec.structs.asdict(row), id=row.dead_letter_id)


def replayed_goal(seen: GoalAt) -> ReplayedGoal:
    """A goal at a position in the shapes of the other answers."""
    return ReplayedGoal(
        seq=seen.seq,
        at=seen.at,
        goal=goal_view(seen.goal, seen.left_out, [gate.gate for gate in seen.gates]),
        tasks=seen.tasks,
        attempts=seen.attempts,
        gates=seen.gates,
        interventions=tuple(map(intervention_view, seen.interventions)),
        usage=seen.usage,
        knowledge=seen.knowledge,
        merges=seen.merges,
        timeline=seen.timeline,
        dead_letters=tuple(map(dead_letter_view, seen.dead_letters)),
    )


def duration_of(minutes: float) -> timedelta:
    """An estimate as a duration, a century at most: a plan in the log may claim anything."""
    return timedelta(minutes=round(min(max(minutes, 0.0), _CENTURY_MINUTES)))


def in_words(minutes: float) -> str:
    """`240` as `4 hours`."""
    return humanize.precisedelta(duration_of(minutes), minimum_unit="minutes", format="%0.0f")
