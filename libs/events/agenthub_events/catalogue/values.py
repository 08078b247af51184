"""Values that stand inside events."""

from __future__ import annotations

from typing import Literal, TypeAlias

from agenthub_events.base import Record

Priority: TypeAlias = Literal["low", "normal", "high", "urgent"]
Autonomy: TypeAlias = Literal["full", "approve_plan"]
Complexity: TypeAlias = Literal["low", "medium", "high"]
Lane: TypeAlias = Literal["p0", "p1", "p2", "p3"]
Severity: TypeAlias = Literal["info", "low", "medium", "high", "critical"]
Origin: TypeAlias = Literal["planner", "replanner", "rework", "human", "agent"]
FailureClass: TypeAlias = Literal[
    "transient", "model", "tool", "invalid", "crash", "workspace", "limit", "refused"
]
ParkReason: TypeAlias = Literal["overload", "budget", "paused", "config", "restart", "unreachable", "moved"]
Delivery: TypeAlias = Literal["none", "branch", "pull_request"]
Mutants: TypeAlias = Literal["on", "off"]
AnswerAction: TypeAlias = Literal["answer", "retry", "skip", "edit", "take_over", "cancel"]


class Constraints(Record, frozen=True, kw_only=True):
    """The bounds of a goal. None means the hub's default, never unlimited.

    `min_coverage` (percent, 0: none) and `security_audit` correct what the words of the requirements are taken to
    demand; None: as they are read. `mutants` "off": nobody tries whether the tests notice broken code. `network`
    are the hosts (`host:port`) that the commands of agents and tests may reach; none: no network.
    """

    max_time_s: int | None = None
    must_pass_tests: bool = True
    require_security_audit: bool = True
    max_cost_usd: float | None = None
    max_llm_calls: int | None = None
    min_coverage: float | None = None
    security_audit: bool | None = None
    mutants: Mutants = "on"
    network: tuple[str, ...] = ()


class PlanTask(Record, frozen=True, kw_only=True):
    """One task as a planner or a person writes it. `depends_on` names keys of earlier tasks.

    `changes_tests` are tests that were there before and that the task may change, since a requirement wants it:
    paths, patterns of paths, or ids.
    """

    key: str
    title: str
    details: str = ""
    agent: str = "coding"
    depends_on: tuple[str, ...] = ()
    complexity: Complexity = "medium"
    estimate_minutes: int | None = None
    acceptance: tuple[str, ...] = ()
    requirement_ids: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changes_tests: tuple[str, ...] = ()
    timeout_s: int | None = None


class PlannedTask(Record, frozen=True, kw_only=True):
    """A task of the validated graph. `depends_on` names task ids; `agent_type` is one of the queues."""

    task_id: str
    key: str
    title: str
    agent: str
    agent_type: str
    details: str = ""
    depends_on: tuple[str, ...] = ()
    complexity: Complexity = "medium"
    estimate_minutes: int = 0
    acceptance: tuple[str, ...] = ()
    requirement_ids: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changes_tests: tuple[str, ...] = ()
    timeout_s: int = 0
    origin: Origin = "planner"


class PlanAnalysis(Record, frozen=True, kw_only=True):
    """What the planner says about the goal as a whole."""

    summary: str = ""
    complexity: Complexity = "medium"
    assumptions: tuple[str, ...] = ()


class Plan(Record, frozen=True, kw_only=True):
    """A planner's proposal, before validation."""

    tasks: tuple[PlanTask, ...]
    analysis: PlanAnalysis = PlanAnalysis()


class Estimates(Record, frozen=True, kw_only=True):
    """How much work a plan is: `minutes` along the critical path, with a low and a high figure."""

    tasks: int
    minutes: float
    minutes_low: float
    minutes_high: float


class Usage(Record, frozen=True, kw_only=True):
    """Model calls and tokens of one attempt. `cost_usd` None: the price is not known."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = 0.0


class FileChange(Record, frozen=True, kw_only=True):
    """Lines added and removed in one file; `lines` is the file's length afterwards."""

    path: str
    added: int
    removed: int
    lines: int = 0


class LeftOut(Record, frozen=True, kw_only=True):
    """What an attempt has put into its workspace without it becoming part of the commit, and why.

    A path that ends in a slash is a folder.
    """

    path: str
    reason: str


class Finding(Record, frozen=True, kw_only=True):
    """One place in the code and what is wrong with it. `source` says who found it (a scanner or an agent).

    `touched` False: the change under judgement left this place as it was. `dismissed`: the reason for which the
    auditor does not let it count. Neither kind blocks.
    """

    message: str
    file: str = ""
    line: int = 0
    severity: Severity = "medium"
    source: str = ""
    touched: bool = True
    dismissed: str = ""

    @property
    def place(self) -> str:
        """File and line, as far as it has them."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    @property
    def counts(self) -> bool:
        """Whether it speaks against the change."""
        return self.touched and not self.dismissed


class TestCounts(Record, frozen=True, kw_only=True):
    """What a test run counted."""

    __test__ = False

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0


class MutationEvidence(Record, frozen=True, kw_only=True):
    """What the tests notice of broken code: small changes of the changed lines, each with a run of the tests.

    `survivors` are those that were not noticed, as `path:line` with what became what. `unrun`: no test runs a
    changed line. `off`: the goal does without them.
    """

    tried: int = 0
    noticed: int = 0
    survivors: tuple[str, ...] = ()
    unrun: bool = False
    off: bool = False

    def __str__(self) -> str:
        if self.off:
            return "mutants were not tried (constraints.mutants: off)"
        if self.unrun:
            return "no test runs a changed line"
        return f"{self.noticed} of {self.tried} mutants noticed" if self.tried else ""


class TestEvidence(Record, frozen=True, kw_only=True):
    """A test run as the system saw it: command, exit code, counts, coverage, and where the log is stored.

    `counts` None: not counted, because the command left nothing to read them from. `report_ref` is the outcome of
    every test by its id, a JSON object. `duration_s` 0: not recorded. `partial`: only tests that a change bears on
    were run, or a few.
    """

    __test__ = False

    command: str
    exit_code: int
    counts: TestCounts | None = None
    coverage_percent: float | None = None
    failing: tuple[str, ...] = ()
    log_ref: str = ""
    report_ref: str = ""
    duration_s: float = 0.0
    partial: bool = False


class ProjectCheck(Record, frozen=True, kw_only=True):
    """A command that a goal, or its repository, wants to end with exit code 0: `lint`, `types`, `build`, …"""

    name: str
    command: str


class CheckEvidence(Record, frozen=True, kw_only=True):
    """A check as the system ran it on the judged commit. `failed_before`: it failed on the goal's base, too."""

    name: str
    command: str
    exit_code: int
    log_ref: str = ""
    failed_before: bool = False


class Delivered(Record, frozen=True, kw_only=True):
    """A result at the repository that it was made for: `commit` is what its `branch` was put to.

    `url` is that of the pull or merge request, empty without one; `target` the branch that it goes into.
    """

    repository: str
    branch: str
    commit: str
    target: str = ""
    url: str = ""


class TaskResult(Record, frozen=True, kw_only=True):
    """What a finished task says of itself and what the system found in its workspace.

    `left_out` names what lay in the workspace at the end and is not in `commit`, `setup_log_ref` what the setup of
    the repository has printed.
    """

    summary: str
    tests_run: str = "N/A"
    insights: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: tuple[FileChange, ...] = ()
    commit: str = ""
    evidence: TestEvidence | None = None
    plan: Plan | None = None
    delivered: Delivered | None = None
    left_out: tuple[LeftOut, ...] = ()
    setup_log_ref: str = ""


class TaskEdits(Record, frozen=True, kw_only=True):
    """What a person changes in a task before it runs again; None leaves a field as it is."""

    title: str | None = None
    details: str | None = None
    agent: str | None = None
    timeout_s: int | None = None


class RequirementCoverage(Record, frozen=True, kw_only=True):
    """Which tasks and which gates stand behind one requirement; `none` says so where nothing proves it."""

    requirement_id: str
    text: str
    tasks: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    none: str = ""


class CallBudget(Record, frozen=True, kw_only=True):
    """What the goal may still spend when an order is written; the ledger in the log is what counts."""

    max_llm_calls: int
    max_cost_usd: float | None = None
