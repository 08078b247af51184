"""Gates: a clean checkout of the ordered commit, evidence made by the system, and a verdict by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.values import Finding
from agenthub_worker.advisories.commits import KnownAdvisories, known_advisories
from agenthub_worker.domain.gate_judgement import Judgement, judge_review, judge_security
from agenthub_worker.evidence.patch import PATCH_BYTES, touched_lines
from agenthub_worker.evidence.scan import not_scanned, security_scan, worst_first
from agenthub_worker.gates.gate_round import GateRound, Heard

_SCAN_TIMEOUT_S = 300.0
FINDINGS_KEPT = 500
_CAUSE_MAX = 300


async def scan_change(round_: GateRound, known: Sequence[Finding] = ()) -> tuple[Finding, ...]:
    """What the scanners find in the files that the goal has changed, and what is `known`: the worst of all.

    Raises `ScanFailed`.
    """
    lease, workspace, order = round_.lease, round_.workspace, round_.order
    changed = await workspace.repository.changed_files(order.base, order.commit)
    patch = await workspace.repository.diff(order.base, order.commit, max_bytes=PATCH_BYTES)
    # Of a patch that is cut the last file is known in part only: everything counts as changed.
    touched = touched_lines(patch) if len(patch.encode()) < PATCH_BYTES else {}
    scan = security_scan(lease.ports.sandbox, workspace.path, changed, timeout_s=_SCAN_TIMEOUT_S, touched=touched)
    return tuple(worst_first([*await lease.while_held(scan), *known])[:FINDINGS_KEPT])


async def advisories_of(round_: GateRound) -> KnownAdvisories:
    """What is known of the packages that the lock files of the judged commit name."""
    lease, repository, order = round_.lease, round_.workspace.repository, round_.order
    return await lease.while_held(known_advisories(lease.ports.advisories, repository, order.base, order.commit))


async def not_scanned_of(round_: GateRound) -> tuple[str, ...]:
    """What the scanners cannot say of the change, in plain words."""
    order = round_.order
    return not_scanned(await round_.workspace.repository.changed_files(order.base, order.commit))


def security_verdict(
    round_: GateRound, heard: Heard, scanned: Sequence[Finding], gaps: Sequence[str] = ()
) -> GateVerdict:
    """The verdict of an audit: the scanners' findings and the agent's together, and the `gaps` of the scan."""
    report = heard.report
    own = [
        msgspec.structs.replace(found, dismissed=report.dismissed.get(number, "") if found.touched else "")
        for number, found in enumerate(scanned, 1)
    ]
    findings = (*own, *report.findings)
    judgement = judge_security(findings, agent_finished=report.done, agent_said=report.summary, gaps=gaps)
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
