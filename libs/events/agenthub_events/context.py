"""The context object of a work order: everything an agent is told, stored before the order is written."""

from __future__ import annotations

import hashlib

import msgspec

from agenthub_events.base import Record
from agenthub_events.catalogue.values import (
    Constraints,
    Finding,
    PlannedTask,
    ProjectCheck,
    RequirementCoverage,
    TestCounts,
    TestEvidence,
)
from agenthub_events.gates import GateName
from agenthub_events.task_ids import TaskKind


class Inherited(Record, frozen=True, kw_only=True):
    """What an earlier task leaves for this one."""

    task_id: str
    title: str
    summary: str
    insights: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: tuple[str, ...] = ()


class Knowledge(Record, frozen=True, kw_only=True):
    """Something that an agent recorded for everybody on the goal."""

    task_id: str
    kind: str
    text: str


class GateOrder(Record, frozen=True, kw_only=True):
    """What a gate's round has to judge: `commit` against `base`, by these parameters and criteria.

    `dismissed` are findings of the gates before that their auditor did not let count. `tests_from` is the commit
    that delivered the goal's own tests, `changes_tests` what the plan lets the goal change of earlier tests.
    """

    gate: GateName
    round: int
    commit: str
    base: str
    blocking: bool = True
    min_coverage: float | None = None
    criteria: tuple[str, ...] = ()
    dismissed: tuple[Finding, ...] = ()
    tests_from: str = ""
    changes_tests: tuple[str, ...] = ()


class TroubleReport(Record, frozen=True, kw_only=True):
    """Why a gate failed, for those who diagnose or mend it."""

    gate: GateName
    round: int
    commit: str
    command: str = ""
    exit_code: int | None = None
    failing: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    log_ref: str = ""
    summary: str = ""


class MergeOrder(Record, frozen=True, kw_only=True):
    """Two sides that do not fit together, with the intent of each.

    With a `target`, `commit` is what that branch of the goal's repository has become since `base`.
    """

    task_id: str
    attempt: int
    base: str
    head: str
    commit: str
    bundle_ref: str
    files: tuple[str, ...]
    intent: str
    others: tuple[str, ...] = ()
    target: str = ""


class PlanOrder(Record, frozen=True, kw_only=True):
    """What a planning task works from: feedback, the graph so far, and why earlier proposals were refused."""

    number: int
    feedback: str = ""
    graph: tuple[PlannedTask, ...] = ()
    done: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


class JudgedGate(Record, frozen=True, kw_only=True):
    """A gate's last verdict, as it is shown to those who get the result."""

    gate: GateName
    passed: bool
    summary: str = ""
    command: str = ""
    counts: TestCounts | None = None
    coverage_percent: float | None = None
    log_ref: str = ""


class DeliveryOrder(Record, frozen=True, kw_only=True):
    """What was approved, and where it goes: `commit` onto `branch`, with a pull or merge request if `request`.

    `base` is the commit that the changes are measured against: what the goal began with, or what its target had
    become when it was last merged. `moves` counts how often that has happened to this delivery since people last
    had a say in it; `as_it_is`: a person wants no merge. The rest is what the request says.
    """

    commit: str
    base: str
    branch: str
    request: bool = False
    summary: str = ""
    requirements: tuple[RequirementCoverage, ...] = ()
    gates: tuple[JudgedGate, ...] = ()
    moves: int = 0
    as_it_is: bool = False


class Checkpoint(Record, frozen=True, kw_only=True):
    """The saved workspace of the attempt that this one goes on from."""

    attempt: int
    commit: str = ""
    bundle_ref: str = ""


class Answered(Record, frozen=True, kw_only=True):
    """A person's answer to the question that closed the attempt before."""

    tool_use_id: str
    question: str
    answer: str


class WorkContext(Record, frozen=True, kw_only=True):
    """The context of one attempt.

    `instructions` is what the person who forked the goal tells every agent.
    `evidence` is the newest run of the tests that bears on the work, `tests_before` that of the repository before
    the goal changed anything.
    """

    goal_id: str
    goal: str
    task_id: str
    kind: TaskKind
    title: str
    details: str = ""
    requirements: tuple[str, ...] = ()
    constraints: Constraints = Constraints()
    acceptance: tuple[str, ...] = ()
    requirement_ids: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    repository: str = ""
    ref: str = ""
    base_commit: str = ""
    test_command: str = ""
    setup: tuple[str, ...] = ()
    checks: tuple[ProjectCheck, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    knowledge: tuple[Knowledge, ...] = ()
    evidence: TestEvidence | None = None
    tests_before: TestEvidence | None = None
    gate: GateOrder | None = None
    trouble: TroubleReport | None = None
    merge: MergeOrder | None = None
    plan: PlanOrder | None = None
    checkpoint: Checkpoint | None = None
    answered: Answered | None = None
    delivery: DeliveryOrder | None = None
    instructions: str = ""


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(WorkContext)


def encode_context(context: WorkContext) -> bytes:
    """Deterministic JSON: the same context always has the same digest."""
    return _ENCODER.encode(context)


def decode_context(data: bytes) -> WorkContext:
    """Read a context object. Raises `msgspec.DecodeError`."""
    return _DECODER.decode(data)


def digest_of(data: bytes) -> str:
    """sha256 in hex: the name of an object in the artifact store."""
    return hashlib.sha256(data).hexdigest()
