"""Gates: a clean checkout of the ordered commit, evidence made by the system, and a verdict by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.values import Finding, TestEvidence, Usage
from agenthub_events.context import GateOrder, WorkContext
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_worker.domain.agent_output import Reported
from agenthub_worker.domain.gate_judgement import Judgement, judge_review, judge_security, judge_tests
from agenthub_worker.evidence.delta import brought_hooks, compare_tests
from agenthub_worker.evidence.layout import NoTestCommand
from agenthub_worker.evidence.scan import security_scan
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.test_history import LostTest, all_lost, fresh_skips, refusals_of
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.gates.test_history import Base, TestHistory, other_texts, test_texts
from agenthub_worker.lease.lease import Lease
from agenthub_worker.workspace.workspace import Workspace, run_system_tests, test_command_of

_SCAN_TIMEOUT_S = 300.0
_FINDINGS_KEPT = 500


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What the history of the tests says of a run.

    `refusals` speak against it, `findings` name the tests and hooks concerned, `skips` the tests that were skipped
    and are new; `base_report_ref` is where the outcomes of the goal's base are stored.
    """

    refusals: tuple[str, ...]
    findings: tuple[Finding, ...]
    skips: tuple[Finding, ...]
    base_report_ref: str


async def tests_verdict(lease: Lease, workspace: Workspace, context: WorkContext, order: GateOrder) -> Event:
    """Run the tests of the ordered commit and judge what they showed; no model is asked."""
    command = await test_command_of(workspace.repository, order.commit, context)
    if isinstance(command, NoTestCommand):
        return _verdict(lease, order, Judgement(False, f"No tests could be run. {command.reason}"))
    report, evidence = await run_system_tests(lease, workspace.path, command)
    weighed = await _weigh(lease, workspace, context, order, report)
    judgement = judge_tests(
        evidence,
        problems=report.problems,
        refusals=weighed.refusals,
        min_coverage=order.min_coverage,
        new_skips=len(weighed.skips),
    )
    return _verdict(
        lease,
        order,
        judgement,
        findings=(*weighed.findings, *weighed.skips)[:_FINDINGS_KEPT],
        base_report_ref=weighed.base_report_ref,
        **_of_tests(evidence, order),
    )


async def scan_change(lease: Lease, workspace: Workspace, order: GateOrder) -> tuple[Finding, ...]:
    """What the scanners find in the files that the goal has changed, the worst. Raises `ScanFailed`."""
    changed = await workspace.repository.changed_files(order.base, order.commit)
    scan = security_scan(lease.ports.sandbox, workspace.path, changed, timeout_s=_SCAN_TIMEOUT_S)
    return tuple((await lease.while_held(scan))[:_FINDINGS_KEPT])


def security_verdict(
    lease: Lease, order: GateOrder, report: Reported, *, scanned: Sequence[Finding], usage: Usage
) -> Event:
    """The verdict of an audit: the scanners' findings and the agent's together."""
    findings = (*scanned, *report.findings)
    judgement = judge_security(findings, agent_finished=report.done, agent_said=report.summary)
    return _verdict(lease, order, judgement, findings=findings, usage=usage)


def review_verdict(lease: Lease, order: GateOrder, report: Reported, *, read_diff: bool, usage: Usage) -> Event:
    """The verdict of a review. `read_diff`: the run holds a successful `git_diff`."""
    judgement = judge_review(
        report.verdict if report.done else None,
        read_diff=read_diff,
        findings=report.findings,
        said=report.summary,
    )
    return _verdict(lease, order, judgement, findings=report.findings, usage=usage)


def _verdict(lease: Lease, order: GateOrder, judgement: Judgement, **evidence: Any) -> GateVerdict:
    common = {
        "gate": order.gate,
        "round": order.round,
        "attempt": lease.order.attempt,
        "commit": order.commit,
        "task_id": lease.task_id,
        "summary": judgement.summary,
        "worker": lease.ports.worker,
        "agent": lease.order.agent,
        **evidence,
    }
    return GatePassed(**common) if judgement.passed else GateFailed(**common, blocking=order.blocking)


def _of_tests(evidence: TestEvidence, order: GateOrder) -> dict[str, Any]:
    return {
        "command": evidence.command,
        "exit_code": evidence.exit_code,
        "counts": evidence.counts,
        "coverage_percent": evidence.coverage_percent,
        "coverage_required": order.min_coverage,
        "failing": evidence.failing,
        "log_ref": evidence.log_ref,
        "report_ref": evidence.report_ref,
    }


async def _weigh(
    lease: Lease, workspace: Workspace, context: WorkContext, order: GateOrder, report: TestReport
) -> Weighed:
    """Compare the tests with the base, with every round since they last passed, and with the merges since then.

    A run that is not green fails anyway, and may have ended before it came to every test: only a green one is held
    against what ran earlier, and only then the base is run.
    """
    repository, cases = workspace.repository, report.cases or ()
    earlier = TestHistory(lease, workspace, order)
    await earlier.read()
    head = await test_texts(repository, order.commit)
    whole = report if report.green else None
    deltas = [
        compare_tests(await test_texts(repository, commit), head, head_report=whole)
        for commit in (order.base, *earlier.failed_commits)
    ]
    base, lost, skips = Base(report_ref=earlier.base_report_ref), list[LostTest](), list[Finding]()
    if report.green:
        base = await earlier.of_base(context)
        runs = [*await earlier.of_rounds(), *await earlier.of_merges(), *([base.run] if base.run else [])]
        lost = all_lost(runs, head, cases)
        skips = fresh_skips(cases, base.run.outcomes if base.run else {}, lost)
    known = {plain_id(test.id) for test in lost}
    refused = [reason for delta in deltas for reason in delta.refusals(known)]
    return Weighed(
        refusals=tuple(dict.fromkeys((*refusals_of(lost), *refused, *await _hooks(repository, order)))),
        findings=(*(test.finding for test in lost), *deltas[0].tampering),
        skips=tuple(skips),
        base_report_ref=base.report_ref,
    )


async def _hooks(repository: GoalRepository, order: GateOrder) -> list[str]:
    changed = frozenset(await repository.changed_files(order.base, order.commit))
    before, after = [await other_texts(repository, commit, changed) for commit in (order.base, order.commit)]
    return brought_hooks(before, after)
