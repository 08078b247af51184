"""Verdicts of gates, from evidence alone: what a model says of itself opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.catalogue.values import Finding, MutationEvidence, Severity, TestCounts, TestEvidence

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
    failed_before: Sequence[str] = (),
    cause: str = "",
    mutants: MutationEvidence | None = None,
    outside: str = "",
    notes: Sequence[str] = (),
) -> Judgement:
    """Passed: the run was green, its coverage is high enough, and the tests themselves were not weakened.

    `problems` are what the system found in the run (exit code, report, number of tests), `refusals` what it found
    in the change to the tests (deleted, skipped, emptied, tampered with). `new_skips` of the skipped are new.
    `not_counted`: the only problem is that nobody knows whether a test ran; no repair can tell it.
    `failed_before`: tests that failed before the goal and fail still. `cause`: what the problems come from, where
    the run tells it. `mutants`, `outside` (calls that were made again outside of tests) and `notes` are told in
    the words of a verdict that passes.
    """
    reasons = [*problems, *_coverage(evidence.coverage_percent, min_coverage), *refusals]
    if reasons:
        return Judgement(False, " ".join(reasons), cause or reasons[0], needs_person=not_counted and not refusals)
    counts = evidence.counts or TestCounts()
    coverage = f", coverage {evidence.coverage_percent:g} %" if evidence.coverage_percent is not None else ""
    new = f" ({new_skips} of them new)" if new_skips else ""
    skipped = f", {counts.skipped} skipped{new}" if counts.skipped else ""
    old = f"; {len(failed_before)} failed before this goal and fail still: {_some(failed_before)}"
    tried = "".join(f"; {said}" for said in (outside, str(mutants or ""), *notes) if said)
    return Judgement(True, f"{counts.passed} passed{skipped}{coverage}{tried}{old if failed_before else ''}")


def judge_security(
    findings: Sequence[Finding], *, agent_finished: bool, agent_said: str, gaps: Sequence[str] = ()
) -> Judgement:
    """Passed: the auditor has finished, and nothing of severity `high` or above counts against the change.

    `gaps`: what no scanner could say of it.
    """
    if not agent_finished:
        return Judgement(False, f"The security agent did not finish its audit: {agent_said}")
    serious = _serious(findings)
    if serious:
        said = f"{len(serious)} serious finding(s): {_places(serious)}"
        return Judgement(False, said, said)
    counted = sum(found.counts for found in findings)
    listed = [f"{counted} minor finding(s)" if counted else "no findings"]
    if old := sum(not found.touched for found in findings):
        listed.append(f"{old} on lines that the change did not touch")
    if dismissed := [found for found in findings if found.dismissed]:
        reasons = [f"{found.place} {found.message} ({found.dismissed})" for found in dismissed]
        listed.append(f"dismissed by the auditor: {_some(reasons)}")
    listed += gaps
    return Judgement(True, f"{'; '.join(listed)}. {agent_said}".strip())


def _serious(findings: Sequence[Finding]) -> list[Finding]:
    return [f for f in findings if f.counts and severity_rank(f.severity) >= severity_rank(BLOCKS_FROM)]


def judge_review(
    verdict: Verdict | None,
    *,
    findings: Sequence[Finding],
    said: str,
) -> Judgement:
    """Passed: the reviewer approved. Its run takes no verdict before the whole change was read."""
    if verdict is None:
        return Judgement(False, f"The reviewer gave no verdict: {said}")
    if verdict == "request_changes":
        places = f" {_places(findings)}" if findings else ""
        return Judgement(False, f"Changes requested: {said}{places}")
    if serious := _serious(findings):
        return Judgement(False, f"Approved beside {len(serious)} serious finding(s): {_places(serious)}")
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
    return _some([f"{f.place} {f.message}".strip() for f in findings])


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
