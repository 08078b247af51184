"""Gates: a clean checkout of the ordered commit, evidence made by the system, and a verdict by rule."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.values import Finding, TestEvidence, Usage
from agenthub_events.context import GateOrder, WorkContext
from agenthub_events.task_ids import gate_task_id
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_worker.domain.gate_rules import Judgement, judge_review, judge_security, judge_tests
from agenthub_worker.domain.handed_in import Reported
from agenthub_worker.evidence.delta import compare_tests
from agenthub_worker.evidence.layout import NoTestCommand, bears_on_tests
from agenthub_worker.evidence.scan import security_scan
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.hold import Hold
from agenthub_worker.workplace import Workplace, run_system_tests, test_command_of

_SCAN_TIMEOUT_S = 300.0
_FINDINGS_KEPT = 500


async def tests_verdict(hold: Hold, place: Workplace, context: WorkContext, order: GateOrder) -> Event:
    """Run the tests of the ordered commit and judge what they showed; no model is asked."""
    command = await test_command_of(place.repository, order.commit, context)
    if isinstance(command, NoTestCommand):
        return _verdict(hold, order, Judgement(False, f"No tests could be run. {command.reason}"))
    report, evidence = await run_system_tests(hold, place.path, command)
    judgement = judge_tests(
        evidence,
        problems=report.problems,
        refusals=await _refusals(hold, place.repository, order, report),
        min_coverage=order.min_coverage,
    )
    return _verdict(hold, order, judgement, **_of_tests(evidence, order))


async def scan_change(hold: Hold, place: Workplace, order: GateOrder) -> tuple[Finding, ...]:
    """What the scanners find in the files that the goal has changed, the worst. Raises `ScanFailed`."""
    changed = await place.repository.changed_files(order.base, order.commit)
    scan = security_scan(hold.bench.sandbox, place.path, changed, timeout_s=_SCAN_TIMEOUT_S)
    return tuple((await hold.while_held(scan))[:_FINDINGS_KEPT])


def security_verdict(
    hold: Hold, order: GateOrder, report: Reported, *, scanned: Sequence[Finding], usage: Usage
) -> Event:
    """The verdict of an audit: the scanners' findings and the agent's together."""
    findings = (*scanned, *report.findings)
    judgement = judge_security(findings, agent_finished=report.done, agent_said=report.summary)
    return _verdict(hold, order, judgement, findings=findings, usage=usage)


def review_verdict(hold: Hold, order: GateOrder, report: Reported, *, read_diff: bool, usage: Usage) -> Event:
    """The verdict of a review. `read_diff`: the run holds a successful `git_diff`."""
    judgement = judge_review(
        report.verdict if report.done else None,
        read_diff=read_diff,
        findings=report.findings,
        said=report.summary,
    )
    return _verdict(hold, order, judgement, findings=report.findings, usage=usage)


def _verdict(hold: Hold, order: GateOrder, judgement: Judgement, **evidence: Any) -> GateVerdict:
    common = {
        "gate": order.gate,
        "round": order.round,
        "attempt": hold.order.attempt,
        "commit": order.commit,
        "task_id": hold.task_id,
        "summary": judgement.summary,
        "worker": hold.bench.worker,
        "agent": hold.order.agent,
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
    }


async def _refusals(hold: Hold, repository: GoalRepository, order: GateOrder, report: TestReport) -> list[str]:
    """What speaks against the tests themselves, compared with the base and with every round that they failed."""
    head = await _test_texts(repository, order.commit)
    found: dict[str, None] = {}
    for commit in (order.base, *await _failed_commits(hold, order)):
        delta = compare_tests(await _test_texts(repository, commit), head, head_report=report)
        found.update(dict.fromkeys(delta.refusals()))
    return list(found)


async def _failed_commits(hold: Hold, order: GateOrder) -> list[str]:
    """Commits of the rounds that failed since the gate last passed, the newest first."""
    commits: list[str] = []
    for round_ in range(order.round - 1, 0, -1):
        prefix = f"{hold.goal_id}.{gate_task_id(order.gate, round_)}"
        for recorded in reversed(await hold.bench.patiently(partial(hold.bench.events.read, prefix))):
            if isinstance(recorded.event, GatePassed):
                return commits
            if isinstance(recorded.event, GateFailed):
                commits.append(recorded.event.commit)
                break
    return commits


async def _test_texts(repository: GoalRepository, commit: str) -> dict[str, str]:
    entries = [e for e in await repository.files(commit) if bears_on_tests(e.path) and e.mode.startswith("100")]
    contents = await repository.contents(entries)
    return {path: data.decode("utf-8", "replace") for path, data in contents.items()}
