"""Verdicts of gates; each is the terminal event of a task `gate-<name>-<round>`."""

from __future__ import annotations

from agenthub_events.base import Event
from agenthub_events.catalogue.values import CheckEvidence, Finding, MutationEvidence, TestCounts, Usage
from agenthub_events.gates import GateName


class GateVerdict(Event, frozen=True, kw_only=True):
    """What every verdict carries: the commit that was judged and the evidence for it.

    `mutants` None: no green run was there to try them on.

    `report_ref` and `base_report_ref` are the outcomes of all tests on that commit and on the goal's base, for the
    rounds to come; the base is run once. `failed_before` failed before the goal and fail still, which blocks
    nothing; `failing` does not hold them. `checks` are those that the goal or its repository names.
    """

    gate: GateName
    round: int
    attempt: int
    commit: str
    task_id: str
    command: str = ""
    exit_code: int | None = None
    counts: TestCounts | None = None
    coverage_percent: float | None = None
    coverage_required: float | None = None
    failing: tuple[str, ...] = ()
    failed_before: tuple[str, ...] = ()
    mutants: MutationEvidence | None = None
    findings: tuple[Finding, ...] = ()
    log_ref: str = ""
    report_ref: str = ""
    base_report_ref: str = ""
    checks: tuple[CheckEvidence, ...] = ()
    summary: str = ""
    worker: str = ""
    agent: str = ""
    usage: Usage = Usage()


class GatePassed(GateVerdict, frozen=True, kw_only=True, tag="gate.passed"):
    """The evidence is good; it counts only while the branch's head is the judged commit.

    `nothing_to_do`: there was nothing that the gate could judge, `summary` says why; it is evidence of nothing.
    """

    nothing_to_do: bool = False


class GateFailed(GateVerdict, frozen=True, kw_only=True, tag="gate.failed"):
    """The evidence is not good; `findings` and `failing` say why.

    `needs_person`: no repair can change it, so a person is asked at once. `cause` is the reason in one sentence.
    """

    blocking: bool = True
    needs_person: bool = False
    cause: str = ""


EVENTS: tuple[type[Event], ...] = (GatePassed, GateFailed)
CLOSES_ATTEMPT: tuple[type[Event], ...] = EVENTS
