"""Verdicts follow from evidence; a claim opens nothing."""

from __future__ import annotations

import pytest

from agenthub_events.catalogue.values import Finding, TestCounts, TestEvidence
from agenthub_events.gates import GATES
from agenthub_worker.domain.gate_judgement import judge_review, judge_security, judge_tests
from agenthub_worker.gates.runners import RUNNERS


def evidence(coverage: float | None = None, **counts: int) -> TestEvidence:
    return TestEvidence(command="pytest", exit_code=0, counts=TestCounts(**counts), coverage_percent=coverage)


def test_every_gate_has_its_runner() -> None:
    assert set(RUNNERS) == set(GATES)


def test_a_green_run_passes_and_says_what_ran() -> None:
    judged = judge_tests(evidence(87.0, passed=42), problems=(), refusals=(), min_coverage=80)
    assert (judged.passed, judged.summary) == (True, "42 passed, coverage 87 %")


def test_skipped_tests_are_counted_and_the_new_ones_among_them() -> None:
    def said(new_skips: int) -> str:
        counted = evidence(None, passed=4, skipped=3)
        return judge_tests(counted, problems=(), refusals=(), min_coverage=None, new_skips=new_skips).summary

    assert (said(0), said(2)) == ("4 passed, 3 skipped", "4 passed, 3 skipped (2 of them new)")


@pytest.mark.parametrize(
    ("problems", "refusals", "coverage", "word"),
    [
        (("2 failed, 0 errors.",), (), 90.0, "2 failed"),
        ((), ("Tests were deleted: test_a.",), 90.0, "deleted"),
        ((), (), 79.9, "Coverage is 79.9 %"),
        ((), (), None, "not measured"),
    ],
)
def test_everything_that_speaks_against_a_run_fails_it(
    problems: tuple[str, ...], refusals: tuple[str, ...], coverage: float | None, word: str
) -> None:
    judged = judge_tests(evidence(coverage, passed=1), problems=problems, refusals=refusals, min_coverage=80)
    assert not judged.passed
    assert word in judged.summary


def test_an_audit_passes_without_serious_findings_and_only_when_the_agent_has_finished() -> None:
    medium = Finding(message="weak hash", file="a.py", line=3, severity="medium")
    high = Finding(message="eval of input", file="a.py", line=9, severity="high")
    assert judge_security([medium], agent_finished=True, agent_said="ok").passed
    refused = judge_security([medium, high], agent_finished=True, agent_said="all clean")
    assert not refused.passed
    assert "a.py:9 eval of input" in refused.summary
    assert not judge_security([], agent_finished=False, agent_said="gave up").passed


def test_a_review_needs_an_approval_without_a_serious_finding() -> None:
    def judged(**change: object) -> bool:
        given = {"verdict": "approve", "findings": (), "said": "fine", **change}
        return judge_review(**given).passed  # type: ignore[arg-type]

    assert judged()
    serious = Finding(message="eval of input", severity="critical")
    assert not judged(findings=(serious,))
    assert judged(findings=(Finding(message="old", severity="high", touched=False),))
    assert not judged(verdict="request_changes")
    assert not judged(verdict=None)


def test_a_finding_without_a_line_is_named_by_its_file() -> None:
    found = [Finding(file="uv.lock", message="old", severity="high"), Finding(message="odd", severity="high")]
    assert (
        judge_security(found, agent_finished=True, agent_said="").summary
        == "2 serious finding(s): uv.lock old, odd"
    )
