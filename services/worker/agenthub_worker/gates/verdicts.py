"""Gates: a clean checkout of the ordered commit, evidence made by the system, and a verdict by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.values import Finding, TestEvidence
from agenthub_events.context import GateOrder
from agenthub_events.gates import TESTS
from agenthub_events.rules.requirements import gates_for
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_worker.domain.gate_judgement import Judgement, judge_review, judge_security, judge_tests
from agenthub_worker.evidence.delta import brought_hooks, compare_tests
from agenthub_worker.evidence.layout import NoTestCommand, belongs_to_tests, is_document
from agenthub_worker.evidence.patch import PATCH_BYTES, touched_lines
from agenthub_worker.evidence.scan import security_scan
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.test_history import LostTest, all_lost, fresh_skips, refusals_of
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.gates.gate_round import GateRound, Heard
from agenthub_worker.gates.test_history import Base, TestHistory, other_texts, test_texts
from agenthub_worker.workspace.workspace import run_system_tests, test_command_of

_SCAN_TIMEOUT_S = 300.0
_FINDINGS_KEPT = 500
_CAUSE_MAX = 300


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What the history of the tests says of a run.

    `refusals` speak against it, `findings` name the tests and hooks concerned, `skips` the tests that were skipped
    and are new; `base_report_ref` is where the outcomes of the goal's base are stored.
    """

    refusals: tuple[str, ...]
    findings: tuple[Finding, ...]
    skips: tuple[Finding, ...]
    base_report_ref: str


async def tests_verdict(round_: GateRound) -> GateVerdict:
    """Run the tests of the ordered commit and judge what they showed; no model is asked."""
    workspace, order = round_.workspace, round_.order
    command = await test_command_of(workspace.repository, order.commit, round_.context)
    if why := await _nothing_to_test(round_):
        return make_verdict(round_, Judgement(True, why), nothing_to_do=True)
    if isinstance(command, NoTestCommand):
        said = f"No tests could be run. {command.reason}"
        return make_verdict(round_, Judgement(False, said, command.reason, needs_person=True))
    report, evidence = await run_system_tests(workspace, workspace.path, command)
    weighed = await _weigh(round_, report)
    judgement = judge_tests(
        evidence,
        problems=report.problems,
        refusals=weighed.refusals,
        min_coverage=order.min_coverage,
        new_skips=len(weighed.skips),
        not_counted=report.not_counted,
    )
    return make_verdict(
        round_,
        judgement,
        findings=(*weighed.findings, *weighed.skips)[:_FINDINGS_KEPT],
        base_report_ref=weighed.base_report_ref,
        **_of_tests(evidence, order),
    )


async def scan_change(round_: GateRound) -> tuple[Finding, ...]:
    """What the scanners find in the files that the goal has changed, the worst. Raises `ScanFailed`."""
    lease, workspace, order = round_.lease, round_.workspace, round_.order
    changed = await workspace.repository.changed_files(order.base, order.commit)
    patch = await workspace.repository.diff(order.base, order.commit, max_bytes=PATCH_BYTES)
    # Of a patch that is cut the last file is known in part only: everything counts as changed.
    touched = touched_lines(patch) if len(patch.encode()) < PATCH_BYTES else {}
    scan = security_scan(lease.ports.sandbox, workspace.path, changed, timeout_s=_SCAN_TIMEOUT_S, touched=touched)
    return tuple((await lease.while_held(scan))[:_FINDINGS_KEPT])


def security_verdict(round_: GateRound, heard: Heard, scanned: Sequence[Finding]) -> GateVerdict:
    """The verdict of an audit: the scanners' findings and the agent's together."""
    report = heard.report
    own = [
        msgspec.structs.replace(found, dismissed=report.dismissed.get(number, "") if found.touched else "")
        for number, found in enumerate(scanned, 1)
    ]
    findings = (*own, *report.findings)
    judgement = judge_security(findings, agent_finished=report.done, agent_said=report.summary)
    return make_verdict(round_, judgement, findings=findings, usage=heard.usage)


def review_verdict(round_: GateRound, heard: Heard) -> GateVerdict:
    """The verdict of a review."""
    report = heard.report
    judgement = judge_review(
        report.verdict if report.done else None,
        findings=report.findings,
        said=report.summary,
    )
    return make_verdict(round_, judgement, findings=report.findings, usage=heard.usage)


def make_verdict(round_: GateRound, judgement: Judgement, **evidence: Any) -> GateVerdict:
    """The event that ends the round: `evidence` are further fields of it."""
    lease, order = round_.lease, round_.order
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
    if judgement.passed:
        return GatePassed(**common)
    return GateFailed(
        **common, blocking=order.blocking, needs_person=judgement.needs_person, cause=judgement.cause[:_CAUSE_MAX]
    )


async def _nothing_to_test(round_: GateRound) -> str:
    """Why the change holds nothing that tests could show; empty when it does, or when tests were asked for."""
    context, order, repository = round_.context, round_.order, round_.workspace.repository
    if context.test_command or any(TESTS in gates_for(text) for text in context.requirements):
        return ""
    before, after = [{e.path for e in await repository.files(commit)} for commit in (order.base, order.commit)]
    changed = {*await repository.changed_files(order.base, order.commit), *(before - after)}
    present = before | after
    if not present or any(map(belongs_to_tests, present)) or not all(map(is_document, changed)):
        return ""
    return f"Nothing to test: the goal changed {len(changed)} document(s) and no code, and there are no tests."


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


async def _weigh(round_: GateRound, report: TestReport) -> Weighed:
    """Compare the tests with the base, with every round since they last passed, and with the merges since then.

    A run that is not green fails anyway, and may have ended before it came to every test: only a green one is held
    against what ran earlier, and only then the base is run.
    """
    repository, order, cases = round_.workspace.repository, round_.order, report.cases or ()
    earlier = TestHistory(round_.lease, round_.workspace, order)
    await earlier.read()
    head = await test_texts(repository, order.commit)
    whole = report if report.green else None
    deltas = [
        compare_tests(await test_texts(repository, commit), head, head_report=whole)
        for commit in (order.base, *earlier.failed_commits)
    ]
    base, lost, skips = Base(report_ref=earlier.base_report_ref), list[LostTest](), list[Finding]()
    if report.green:
        base = await earlier.of_base(round_.context)
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
