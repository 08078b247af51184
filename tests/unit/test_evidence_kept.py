"""Of what the code under test makes up, the log takes only so much."""

from __future__ import annotations

from agenthub_events.catalogue.gate import GateFailed
from agenthub_events.serialization.codec import encode
from agenthub_worker.evidence.reports import Case
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.workspace.workspace import evidence_of


def test_a_flood_of_failing_tests_with_long_names_fits_into_an_event() -> None:
    cases = tuple(Case(id=f"test_{number}" + "x" * 10_000, outcome="failed") for number in range(2_000))
    report = TestReport(
        command="pytest", exit_code=1, pytest=True, timed_out=False, duration_s=1.0, cases=cases,
        coverage_percent=None, log=b"",
    )  # fmt: skip
    evidence = evidence_of(report, "f" * 64, "e" * 64)
    assert evidence.counts is not None
    assert evidence.counts.failed == 2_000
    verdict = GateFailed(
        task_id="gate-tests-1", gate="tests", round=1, attempt=1, commit="c" * 40, failing=evidence.failing
    )
    assert evidence.failing[0].startswith("test_0")
    assert len(encode(verdict)) < 1 << 20
