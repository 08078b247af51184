"""The life of a goal: `evt.<goal>._.goal.>`."""

from __future__ import annotations

from datetime import datetime

from agenthub_events.base import Event
from agenthub_events.catalogue.fork import Fork
from agenthub_events.catalogue.values import (
    Autonomy,
    Constraints,
    Delivery,
    Estimates,
    Origin,
    PlanAnalysis,
    PlannedTask,
    PlanTask,
    Priority,
    ProjectCheck,
    RequirementCoverage,
)


class GoalAccepted(Event, frozen=True, kw_only=True, tag="goal.accepted"):
    """A person's goal is in the log; everything else follows from it.

    `secrets_ref` is the digest of the object with what the goal declared as secret. `notify` are recipients of
    notifications beside the hub's own. `ref` and `base_commit` say what of an address is worked on: the full name,
    and the commit that it stood for. `delivery` is what happens to the approved result there, on the branch
    `delivery_branch` (empty: `goal/<id>`). `fork` is what it inherits from the goal that it was forked from.
    """

    goal: str
    requirements: tuple[str, ...] = ()
    constraints: Constraints = Constraints()
    priority: Priority = "normal"
    repository: str = ""
    test_command: str = ""
    setup: tuple[str, ...] = ()
    checks: tuple[ProjectCheck, ...] = ()
    autonomy: Autonomy = "full"
    workflow: tuple[PlanTask, ...] | None = None
    submitted_by: str = "local"
    body_hash: str = ""
    secrets_ref: str = ""
    notify: tuple[str, ...] = ()
    ref: str = ""
    base_commit: str = ""
    delivery: Delivery = "none"
    delivery_branch: str = ""
    fork: Fork | None = None


class GoalPlanned(Event, frozen=True, kw_only=True, tag="goal.planned"):
    """The first validated task graph of the goal, whole."""

    revision: int
    tasks: tuple[PlannedTask, ...]
    estimates: Estimates
    analysis: PlanAnalysis = PlanAnalysis()
    origin: Origin = "planner"
    plan_task: str = ""


class GoalPlanRejected(Event, frozen=True, kw_only=True, tag="goal.plan_rejected"):
    """A planner's proposal broke the rules of plans; `reasons` lists every violation."""

    plan_task: str
    reasons: tuple[str, ...]


class GoalPlanApproved(Event, frozen=True, kw_only=True, tag="goal.plan_approved"):
    """A person approved the plan of this revision."""

    revision: int
    by: str


class GoalReplanned(Event, frozen=True, kw_only=True, tag="goal.replanned"):
    """The graph has grown or shrunk: tasks `added`, not-started tasks `dropped`; the rest is kept."""

    revision: int
    added: tuple[PlannedTask, ...] = ()
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    origin: Origin = "replanner"
    cause: str = ""
    reason: str = ""


class GoalReadyForReview(Event, frozen=True, kw_only=True, tag="goal.ready_for_review"):
    """Every task has ended and every gate has passed on `head`; a person's verdict is due."""

    revision: int
    head: str
    summary: str
    requirements: tuple[RequirementCoverage, ...] = ()


class GoalApproved(Event, frozen=True, kw_only=True, tag="goal.approved"):
    """A person accepted the result that stood at `ready_seq`."""

    by: str
    ready_seq: int


class GoalReworkRequested(Event, frozen=True, kw_only=True, tag="goal.rework_requested"):
    """A person wants something changed; the goal is open again, on the same branch."""

    rework_id: str
    feedback: str
    by: str
    priority: Priority = "normal"


class GoalTestsRequested(Event, frozen=True, kw_only=True, tag="goal.tests_requested"):
    """A person wants the tests to run now on the head of the branch."""

    by: str


class GoalCompleted(Event, frozen=True, kw_only=True, tag="goal.completed"):
    """The goal is reached and accepted."""

    completion_summary: str
    head: str = ""


class GoalFailed(Event, frozen=True, kw_only=True, tag="goal.failed"):
    """Nothing is left to try, or a person gave the goal up."""

    reason: str


class GoalCancelled(Event, frozen=True, kw_only=True, tag="goal.cancelled"):
    """A person stopped the goal for good; open tasks are cancelled."""

    by: str
    reason: str = ""


class GoalErased(Event, frozen=True, kw_only=True, tag="goal.erased"):
    """A person had everything erased that a finished goal kept beside the log: its runs and its objects."""

    by: str
    reason: str = ""


class GoalPaused(Event, frozen=True, kw_only=True, tag="goal.paused"):
    """No new work starts until the goal is resumed; running work is parked."""

    by: str
    reason: str = ""


class GoalResumed(Event, frozen=True, kw_only=True, tag="goal.resumed"):
    """Work goes on."""

    by: str


class GoalDeadlinePassed(Event, frozen=True, kw_only=True, tag="goal.deadline_passed"):
    """The goal's time is over; a person decides."""

    due: datetime


class GoalStalled(Event, frozen=True, kw_only=True, tag="goal.stalled"):
    """Nothing runs, is scheduled, parked with a date, or asked: `diagnosis` says why, task by task."""

    diagnosis: tuple[str, ...]
    due: datetime


class GoalBudgetRaised(Event, frozen=True, kw_only=True, tag="goal.budget_raised"):
    """A person allowed more; a limit is never lowered. None leaves a limit as it is."""

    by: str
    max_cost_usd: float | None = None
    max_llm_calls: int | None = None


class GoalReprioritized(Event, frozen=True, kw_only=True, tag="goal.reprioritized"):
    """A person moved the goal in the queues."""

    by: str
    priority: Priority


class SealRecorded(Event, frozen=True, kw_only=True, tag="seal.recorded"):
    """The goal's messages up to `up_to_seq` hash to `sha256`: any later change would show.

    Hashed is a line for each message: `<sequence> <subject> <sha256 of the stored body>`. The lines are an object
    under this digest, so that what was changed can be named. The orchestrator signs the event: `seal_key` and
    `seal_signature` in its metadata.
    """

    up_to_seq: int
    messages: int
    sha256: str


EVENTS: tuple[type[Event], ...] = (
    GoalAccepted,
    GoalPlanned,
    GoalPlanRejected,
    GoalPlanApproved,
    GoalReplanned,
    GoalReadyForReview,
    GoalApproved,
    GoalReworkRequested,
    GoalTestsRequested,
    GoalCompleted,
    GoalFailed,
    GoalCancelled,
    GoalPaused,
    GoalResumed,
    GoalDeadlinePassed,
    GoalStalled,
    GoalBudgetRaised,
    GoalReprioritized,
    GoalErased,
    SealRecorded,
)
BY_ORCHESTRATOR: tuple[type[Event], ...] = (
    *(GoalPlanned, GoalPlanRejected, GoalReplanned, GoalPaused, GoalReadyForReview),
    *(GoalCompleted, GoalFailed, GoalDeadlinePassed, GoalStalled, SealRecorded),
)
BY_GATEWAY: tuple[type[Event], ...] = (
    *(GoalAccepted, GoalApproved, GoalReworkRequested, GoalCancelled, GoalPaused, GoalResumed),
    *(GoalTestsRequested, GoalBudgetRaised, GoalReprioritized, GoalErased, GoalPlanApproved, GoalReplanned),
)
