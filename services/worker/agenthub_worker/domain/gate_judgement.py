"""Verdicts of gates, from evidence alone: what a model says of itself opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.catalogue.values import Finding, Severity, TestCounts, TestEvidence

Verdict: TypeAlias = Literal["approve", "request_changes"]

SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
BLOCKS_FROM: Severity = "high"
_NAMED = 5


class Judgement(msgspec.Struct, frozen=True):
    """A verdict, and in words what it rests on.

    `cause` is what a failure comes from, in one sentence; `needs_person`: no repair can change it.
    """

    passed: bool
    summary: str
    cause: str = ""
    needs_person: bool = False


def judge_tests(
    evidence: TestEvidence,
    *,
    problems: Sequence[str],
    refusals: Sequence[str],
    min_coverage: float | None,
    new_skips: int = 0,
    not_counted: bool = False,
) -> Judgement:
    """Passed: the run was green, its coverage is high enough, and the tests themselves were not weakened.

    `problems` are what the system found in the run (exit code, report, number of tests), `refusals` what it found
    in the change to the tests (deleted, skipped, emptied, tampered with). `new_skips` of the skipped are new.
    `not_counted`: the only problem is that nobody knows whether a test ran; no repair can tell it.
    """
    reasons = [*problems, *_coverage(evidence.coverage_percent, min_coverage), *refusals]
    if reasons:
        return Judgement(False, " ".join(reasons), reasons[0], needs_person=not_counted and not refusals)
    counts = evidence.counts or TestCounts()
    coverage = f", coverage {evidence.coverage_percent:g} %" if evidence.coverage_percent is not None else ""
    new = f" ({new_skips} of them new)" if new_skips else ""
    skipped = f", {counts.skipped} skipped{new}" if counts.skipped else ""
    return Judgement(True, f"{counts.passed} passed{skipped}{coverage}")


def judge_security(findings: Sequence[Finding], *, agent_finished: bool, agent_said: str) -> Judgement:
    """Passed: the auditor has finished its work, and nobody found anything of severity `high` or above."""
    if not agent_finished:
        return Judgement(False, f"The security agent did not finish its audit: {agent_said}")
    serious = [f for f in findings if severity_rank(f.severity) >= severity_rank(BLOCKS_FROM)]
    if serious:
        return Judgement(False, f"{len(serious)} serious finding(s): {_places(serious)}")
    listed = f"{len(findings)} minor finding(s)" if findings else "no findings"
    return Judgement(True, f"{listed}. {agent_said}".strip())


def judge_review(
    verdict: Verdict | None,
    *,
    read_diff: bool,
    findings: Sequence[Finding],
    said: str,
) -> Judgement:
    """Passed: the reviewer approved, and its run shows that it really read the change."""
    if verdict is None:
        return Judgement(False, f"The reviewer gave no verdict: {said}")
    if not read_diff:
        return Judgement(False, "The reviewer gave a verdict without reading the whole change by `git_diff`.")
    if verdict == "request_changes":
        places = f" {_places(findings)}" if findings else ""
        return Judgement(False, f"Changes requested: {said}{places}")
    return Judgement(True, said)


def severity_rank(severity: Severity) -> int:
    """Position of a severity, the harmless first."""
    return SEVERITIES.index(severity)


def _coverage(measured: float | None, wanted: float | None) -> list[str]:
    if wanted is None:
        return []
    if measured is None:
        return [f"Coverage was not measured, {wanted:g} % is required."]
    return [f"Coverage is {measured:g} %, {wanted:g} % is required."] if measured < wanted else []


def _places(findings: Sequence[Finding]) -> str:
    return _some([f"{f.file}:{f.line} {f.message}" if f.file else f.message for f in findings])


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
