"""The checks of a goal: commands that have to end well on the judged commit, run in order beside its tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from agenthub_events.catalogue.values import CheckEvidence, Finding, ProjectCheck
from agenthub_runtime.repository.goal import ROOT_COMMIT
from agenthub_worker.environment.provision import settled
from agenthub_worker.errors import SetupInvalid
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.projects.checks import configured_checks
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.workspace.workspace import given_setup

_TAIL_CHARS = 1_500


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks have shown: `refusals` speak against the commit, `notes` belong into the verdict."""

    checks: tuple[CheckEvidence, ...] = ()
    refusals: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


async def checked(round_: GateRound) -> Checked:
    """Run the checks that the goal names, else those of the repository as the goal found it.

    One that fails on the goal's base as well speaks against nobody. They have the time of a run of all tests
    together.
    """
    order, workspace = round_.order, round_.workspace
    try:
        wanted = await _wanted(round_)
    except SetupInvalid as error:
        return Checked(refusals=(str(error),))
    if not wanted:
        return Checked()
    ran = await _run(round_, order.commit, wanted)
    red = [check for check, result in zip(wanted, ran, strict=True) if result.exit_code]
    old = set[str]()
    if red and order.base != ROOT_COMMIT:
        before = await _run(round_, order.base, red)
        old = {check.name for check, result in zip(red, before, strict=True) if result.exit_code}
    evidence, findings = list[CheckEvidence](), list[Finding]()
    ports = round_.lease.ports
    for check, result in zip(wanted, ran, strict=True):
        log = workspace.lease.secrets.masked_bytes(result.output) if workspace.lease.secrets else result.output
        reference = await ports.patiently(lambda data=log: ports.artifacts.put(data))  # type: ignore[misc]
        done = CheckEvidence(
            name=check.name,
            command=check.command,
            exit_code=result.exit_code,
            log_ref=reference,
            failed_before=check.name in old,
        )
        evidence.append(done)
        if result.exit_code:
            tail = log.decode("utf-8", "replace").strip()[-_TAIL_CHARS:]
            severity = "info" if done.failed_before else "high"
            findings.append(
                Finding(severity=severity, message=f"Check `{check.name}`: {tail}", source="tests")  # type: ignore[arg-type]
            )
    return _said(evidence, findings, ran)


def _said(evidence: Sequence[CheckEvidence], findings: Sequence[Finding], ran: Sequence[ExecResult]) -> Checked:
    late = {one.name for one, result in zip(evidence, ran, strict=True) if result.timed_out}
    failed = [one for one in evidence if one.exit_code and not one.failed_before]
    good = ", ".join(one.name for one in evidence if not one.exit_code)
    old = ", ".join(one.name for one in evidence if one.failed_before)
    notes = [f"checks passed: {good}"] if good else []
    notes += [f"checks that failed before this goal and fail still: {old}"] if old else []
    return Checked(
        checks=tuple(evidence),
        refusals=tuple(
            f"The check `{one.name}` (`{one.command}`)"
            f" {'did not end in its time' if one.name in late else f'failed with exit code {one.exit_code}'}."
            for one in failed
        ),
        findings=tuple(findings),
        notes=tuple(notes),
    )


async def _wanted(round_: GateRound) -> tuple[ProjectCheck, ...]:
    if round_.context.checks:
        return round_.context.checks
    workspace = round_.workspace
    given = await given_setup(workspace.repository, workspace.branch.imported, round_.context)
    return configured_checks(given.config)


async def _run(round_: GateRound, commit: str, checks: Sequence[ProjectCheck]) -> list[ExecResult]:
    """How each of them ends, one after the other: what one of them has made is there for the next."""
    workspace = round_.workspace
    path = workspace.path.with_name(f"{workspace.path.name}-checks")
    await workspace.repository.checkout(commit, path)
    left, found = workspace.branch.test_limit_s, list[ExecResult]()
    try:
        async with settled(workspace.sandbox, path) as place:
            for check in checks:
                work = place.run(check.command, workspace=path, timeout_s=max(1.0, left))
                result = await round_.lease.while_held(work)
                left -= result.duration_s
                found.append(result)
    finally:
        await asyncio.shield(workspace.repository.discard_workspace(path))
    return found
