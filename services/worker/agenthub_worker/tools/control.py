"""Calls that end, pause or steer an agent's run. Their inputs are described here; the agent loop answers them."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

from agenthub_events.catalogue.values import Complexity, Plan, PlanTask, Severity
from agenthub_events.task_ids import TaskKind
from agenthub_worker.tools.contract import Tool

# What a model says here stands in events, which are kept for ever: a report, not a transcript.
LONGEST = 60_000

_PLAN: frozenset[TaskKind] = frozenset({"plan"})
_GATE: frozenset[TaskKind] = frozenset({"gate"})
_EVERY: frozenset[TaskKind] = frozenset(get_args(TaskKind))

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]
MaybeText = Annotated[str, msgspec.Meta(max_length=LONGEST)]
Texts = Annotated[tuple[MaybeText, ...], msgspec.Meta(max_length=200)]


class ReportedFinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the code and what is wrong there."""

    file: str
    line: int
    severity: Severity
    message: Text


class Dismissal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scanner's finding, by its number in the order, that is no danger, and why."""

    number: Annotated[int, msgspec.Meta(ge=1)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000, pattern=r"\S")]


class ReportResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the task ended, in the agent's words; what counts is what the system finds in the workspace."""

    status: Literal["done", "failed"]
    summary: Text
    tests_run: MaybeText = ""
    insights: Texts = ()
    findings: Annotated[tuple[ReportedFinding, ...], msgspec.Meta(max_length=500)] = ()
    verdict: Literal["approve", "request_changes"] | None = None
    dismissed: Annotated[tuple[Dismissal, ...], msgspec.Meta(max_length=500)] = ()


class AskHuman(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question that only a person can answer; `consequences` has one entry for each option, or none."""

    question: Text
    options: Texts = ()
    consequences: Texts = ()
    evidence: MaybeText = ""


class ProposedTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One task of a plan; `depends_on` names keys of earlier tasks."""

    key: Text
    title: Text
    agent: Text
    details: MaybeText = ""
    depends_on: tuple[str, ...] = ()
    complexity: Complexity = "medium"
    estimate_minutes: int | None = None
    acceptance: tuple[str, ...] = ()
    requirement_ids: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changes_tests: tuple[str, ...] = ()
    timeout_s: int | None = None


class RequestTasks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Further tasks that an agent finds necessary; the orchestrator decides about them."""

    tasks: Annotated[tuple[ProposedTask, ...], msgspec.Meta(min_length=1)]
    reason: Text

    def plan_tasks(self) -> tuple[PlanTask, ...]:
        """The tasks as the plan rules take them."""
        return msgspec.convert(msgspec.to_builtins(self.tasks), tuple[PlanTask, ...])


class RecordKnowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the agents after this one should know."""

    kind: Literal["decision", "interface", "fact", "insight"]
    text: Text


class ProposedAnalysis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the planner says about the goal as a whole."""

    summary: Text
    complexity: Complexity = "medium"
    assumptions: tuple[str, ...] = ()


class SubmitPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole plan."""

    analysis: ProposedAnalysis
    tasks: tuple[ProposedTask, ...]

    def plan(self) -> Plan:
        """The plan as the plan rules take it."""
        return msgspec.convert(msgspec.to_builtins(self), Plan)


REPORT_RESULT = Tool(
    name="report_result",
    description=(
        "End this task with its result. `done` when the acceptance criteria hold, else `failed` with what is "
        "missing. Say which tests you ran and what they showed. A review gives its `verdict`; `approve` goes with "
        "no finding of severity high or critical. An audit may dismiss findings of the scanners, each with a "
        "reason. A diagnosis gives the cause as findings with file and line."
    ),
    input=ReportResult,
    function=None,
    kinds=_EVERY - _PLAN,
    ends_run=True,
    repairs=3,
)
ASK_HUMAN = Tool(
    name="ask_human",
    description=(
        "Ask a person, when the task cannot go on without a decision or a fact that you cannot find out. Offer "
        "options where you can, and say in `consequences` what follows from each. Your run stops here and goes on"
        " with the answer."
    ),
    input=AskHuman,
    function=None,
    kinds=_EVERY,
    ends_run=True,
    repairs=2,
)
REQUEST_TASKS = Tool(
    name="request_tasks",
    description="Propose further tasks for other agents, when this one needs them. Go on with your own.",
    input=RequestTasks,
    function=None,
    kinds=_EVERY - _PLAN - _GATE,
)
RECORD_KNOWLEDGE = Tool(
    name="record_knowledge",
    description="Tell the agents after you a decision, an interface, a fact or an insight, in a sentence or two.",
    input=RecordKnowledge,
    function=None,
    kinds=_EVERY,
)
SUBMIT_PLAN = Tool(
    name="submit_plan",
    description=(
        "Hand in the plan: an analysis and the tasks in order. A task depends only on keys of tasks before it. "
        "Tasks that change the same files must depend on each other. Tests that were there before must go on "
        "passing as they were, unless a task names them in `changes_tests`. Test, security and review gates are "
        "added by the system."
    ),
    input=SubmitPlan,
    function=None,
    kinds=_PLAN,
    ends_run=True,
    repairs=2,
)
TOOLS = (REPORT_RESULT, ASK_HUMAN, REQUEST_TASKS, RECORD_KNOWLEDGE, SUBMIT_PLAN)
