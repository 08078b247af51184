"""The fold of one goal: all that a decision looks at, kept so that an event costs the same for any size."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from agenthub_events.base import UNWRITTEN, Fence
from agenthub_events.catalogue.fork import InheritedTask
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalReadyForReview, GoalReworkRequested
from agenthub_events.catalogue.task import MergeDone, TaskProposed
from agenthub_events.catalogue.values import TestEvidence
from agenthub_events.context import Knowledge
from agenthub_events.gates import GATES, GateName
from agenthub_events.rules import goal_aggregate
from agenthub_events.rules.authors import Authors
from agenthub_events.rules.budget import Ledger
from agenthub_events.task_ids import PREPARE, deliver_task_id, kind_of
from agenthub_orchestrator.domain.state.task import Question, TaskState


class Seal(NamedTuple):
    """The goal's messages up to a sequence, a line for each, whose hash binds them."""

    up_to_seq: int
    messages: int
    lines: bytes


class Proposal(NamedTuple):
    """An agent's request for more tasks, at its place in the log."""

    seq: int
    event: TaskProposed


@dataclass(slots=True)
class GateState:
    """The rounds of one gate. `repairs` counts failed rounds answered with a repair since people last had a say.

    `streak` counts the last rounds that failed in exactly the same way, `waived`: a person accepts the result
    without this gate's consent, `guidance` is what people said about the failure.
    """

    rounds: int = 0
    verdict: GatePassed | GateFailed | None = None
    verdict_ordered_seq: int = 0
    repairs: int = 0
    streak: int = 0
    waived: bool = False
    guidance: str = ""

    def restart(self) -> None:
        """Count the rounds from here on, as people have asked for more."""
        self.repairs = 0
        self.streak = 0


@dataclass(slots=True)
class GoalState:
    """Everything that has happened to one goal. Updated in place by `apply`, read by everything else.

    Dictionaries with None as values are ordered sets: `ready` (every dependency met, never ordered), `open` (an
    attempt is queued or runs), `closed` (the last attempt is over, the task is not), `unended` (any task that has
    not ended), `doomed` (to be cancelled, with the cause chain), `diagnosed` (the debug task of a
    gate has ended and no repair has been made of it yet). `unknown` are the ends of aggregates that hold nothing
    but what is foreign. `heritage` is what had ended in the goal that this one was forked from, and has yet to be
    said here.
    """

    goal_id: str
    aggregate: goal_aggregate.GoalAggregate
    last_seq: int = 0
    last_at: datetime = UNWRITTEN
    messages: int = 0
    to_seal: list[bytes] = field(default_factory=list)
    authors: Authors = field(default_factory=Authors)
    families: dict[str, Fence] = field(default_factory=dict)
    unknown: dict[str, Fence] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)

    tasks: dict[str, TaskState] = field(default_factory=dict)
    graph: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    unfinished: int = 0
    real_work: int = 0
    proposed: int = 0
    ready: dict[str, None] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)
    closed: dict[str, None] = field(default_factory=dict)
    unended: dict[str, None] = field(default_factory=dict)
    doomed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    diagnosed: dict[str, None] = field(default_factory=dict)
    frozen: dict[str, None] = field(default_factory=dict)
    started: bool = False
    heritage: dict[str, InheritedTask] = field(default_factory=dict)

    causes: set[str] = field(default_factory=set)
    proposals: dict[int, Proposal] = field(default_factory=dict)
    reworks: list[GoalReworkRequested] = field(default_factory=list)
    reworks_answered: int = 0
    plans: list[str] = field(default_factory=list)
    judged: set[str] = field(default_factory=set)
    rejections: list[str] = field(default_factory=list)
    rejected: int = 0
    dropped_rework: str = ""
    guidance: str = ""

    gates: dict[GateName, GateState] = field(
        default_factory=lambda: {gate.name: GateState() for gate in GATES.values()}
    )
    approvals: int = 0
    rearmed_seq: int = 0
    tests_wanted_seq: int = 0
    tests_ordered_seq: int = 0
    head: str = ""
    base: str = ""
    setup: tuple[str, ...] = ()
    tests_before: TestEvidence | None = None
    merges: list[MergeDone] = field(default_factory=list)

    questions: dict[int, Question] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    abandoned: str = ""
    clock_from: datetime = UNWRITTEN
    deadline_passed_at: datetime | None = None
    resumed_seq: int = 0
    raised_seq: int = 0
    money_answered_seq: int = 0
    announced: tuple[int, str] | None = None
    offered: GoalReadyForReview | None = None
    ledger: Ledger = field(default_factory=Ledger)
    knowledge: list[Knowledge] = field(default_factory=list)
    stalled_unasked: bool = False
    seal_due: Seal | None = None
    sealed_seq: int = 0

    def task_fence(self, task_id: str) -> Fence:
        """The fence of a task; an empty one when nothing was said about it."""
        task = self.tasks.get(task_id)
        return task.fence if task else self.unknown.get(task_id, Fence())

    def fence(self, family: str) -> Fence:
        """The fence of a family of the goal as a whole; an empty one when nothing was said in it."""
        return self.families.get(family, Fence())

    @property
    def alive(self) -> bool:
        """Whether work may still happen: accepted, not over, and not approved unless the result is under way."""
        return self.aggregate.phase in ("open", "ready") or self.delivering

    @property
    def delivering(self) -> bool:
        """Whether the approved result has still to be brought to where the goal's repository is."""
        accepted = self.aggregate.accepted
        if self.aggregate.phase != "approved" or accepted is None or accepted.delivery == "none":
            return False
        task = self.tasks.get(deliver_task_id(self.approvals))
        return task is None or not task.ended

    @property
    def changed_since_approval(self) -> bool:
        """Whether the branch holds more than people approved, and what git alone has merged with it since."""
        for merge in reversed(self.merges):
            if merge.head == self.aggregate.head:
                return False
            if kind_of(merge.task_id) != "deliver":
                return True
        return False

    @property
    def plan_stands(self) -> bool:
        """Whether there is a plan that may be worked on."""
        accepted = self.aggregate.accepted
        if not self.aggregate.planned or accepted is None:
            return False
        return accepted.autonomy != "approve_plan" or self.aggregate.plan_approved

    @property
    def prepared(self) -> bool:
        """Whether the goal's repository is there, or none is named."""
        accepted = self.aggregate.accepted
        if accepted is None or not accepted.repository:
            return True
        prepare = self.tasks.get(PREPARE)
        return prepare is not None and prepare.ended

    @property
    def current_plan(self) -> TaskState | None:
        """The planning task whose outcome has not been judged; None when there is none."""
        if not self.plans or self.plans[-1] in self.judged:
            return None
        return self.tasks[self.plans[-1]]

    @property
    def rework(self) -> GoalReworkRequested | None:
        """The oldest request for changes that no plan has answered; None when all are answered."""
        if self.reworks_answered < len(self.reworks):
            return self.reworks[self.reworks_answered]
        return None

    @property
    def unsealed(self) -> Seal | None:
        """The seal that the last offer for review calls for; None when it is in the log, or none is due."""
        if self.seal_due is None or self.seal_due.up_to_seq <= self.sealed_seq:
            return None
        return self.seal_due

    def open_question(self, reason: str, task_id: str = "") -> Question | None:
        """The open question about the goal as a whole of this reason, if there is one."""
        for question in self.questions.values():
            asked = question.asked
            if not question.task_id and asked.reason == reason and asked.task_id == task_id:
                return question
        return None


def initial(goal_id: str) -> GoalState:
    """A goal of which nothing is known."""
    return GoalState(goal_id=goal_id, aggregate=goal_aggregate.initial(goal_id))
