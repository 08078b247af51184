"""The tests gate: the tests of the ordered commit are run, and what they showed is judged by rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from agenthub_events.catalogue.gate import GateVerdict
from agenthub_events.catalogue.values import Finding, TestEvidence
from agenthub_events.context import GateOrder
from agenthub_events.gates import TESTS
from agenthub_events.rules.requirements import demands_branches, gates_for
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.domain.gate_judgement import Judgement, judge_tests
from agenthub_worker.evidence.causes import cause_of
from agenthub_worker.evidence.delta import brought_hooks, compare_tests
from agenthub_worker.evidence.layout import NoTestCommand, belongs_to_tests, is_document, sets_tests
from agenthub_worker.evidence.reports import stored_id
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.test_history import LostTest, all_lost, fresh_skips, refusals_of
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments.judge_settings import refusals_of_files, unreadable_sources
from agenthub_worker.experiments.mutants import can_be_broken
from agenthub_worker.experiments.operators import OTHER_LANGUAGES
from agenthub_worker.experiments.steering import sentences, steering_of
from agenthub_worker.gates.checks import checked
from agenthub_worker.gates.experiments import Experiments, Shown
from agenthub_worker.gates.gate_round import GateRound
from agenthub_worker.gates.test_history import Base, TestHistory, other_texts, test_texts
from agenthub_worker.gates.verdicts import FINDINGS_KEPT, make_verdict
from agenthub_worker.projects.named import not_loaded
from agenthub_worker.workspace.workspace import evidence_of, run_system_tests, test_command_of, with_plugins


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What the history of the tests says of a run.

    `refusals` speak against it, `findings` name the tests and hooks concerned, `skips` the tests that were skipped
    and are new.
    """

    refusals: tuple[str, ...]
    findings: tuple[Finding, ...]
    skips: tuple[Finding, ...]


async def tests_verdict(round_: GateRound) -> GateVerdict:
    """Run the tests of the ordered commit and judge what they showed; no model is asked."""
    workspace, order, repository = round_.workspace, round_.order, round_.workspace.repository
    command = await test_command_of(repository, order.commit, round_.context)
    if why := await _nothing_to_test(round_):
        return make_verdict(round_, Judgement(True, why), nothing_to_do=True)
    if isinstance(command, NoTestCommand):
        said = f"No tests could be run. {command.reason}"
        return make_verdict(round_, Judgement(False, said, command.reason, needs_person=True))
    command = await with_plugins(command, round_.lease, repository, order.base, round_.context)
    ran, stored = await run_system_tests(
        round_.lease,
        workspace.sandbox,
        workspace.path,
        command,
        timeout_s=workspace.branch.test_limit_s,
        contexts_of=list(filter(can_be_broken, await repository.changed_files(order.base, order.commit))),
    )
    earlier = await TestHistory(round_.lease, workspace, order).read()
    # What failed before the goal is only asked where it can matter: a run may have ended before it came to a test.
    asked = ran.green or ran.failing
    base = await earlier.of_base(round_.context) if asked else Base(report_ref=earlier.base_report_ref)
    report = ran.beside(outcomes := base.run.outcomes if base.run else {})
    weighed = await _weigh(round_, report, earlier, base)
    shown = Shown()
    if report.green and not weighed.refusals:
        shown = await Experiments(round_, command, report, outcomes, earlier.delivered).run()
    checks = await checked(round_)
    judgement = judge_tests(
        evidence_of(report, stored.log_ref, stored.report_ref),
        problems=report.problems,
        refusals=(*weighed.refusals, *shown.refusals, *checks.refusals),
        min_coverage=order.min_coverage,
        new_skips=len(weighed.skips),
        not_counted=report.not_counted,
        failed_before=report.still_red,
        cause=cause_of(report),
        mutants=shown.mutants,
        outside=shown.outside,
        notes=(*shown.notes, *_branches(round_), *_unmeasured(report), *_plugins_left(report), *checks.notes),
    )
    return make_verdict(
        round_,
        judgement,
        findings=(*weighed.findings, *shown.findings, *checks.findings, *weighed.skips)[:FINDINGS_KEPT],
        checks=checks.checks,
        mutants=shown.mutants,
        base_report_ref=base.report_ref,
        **_of_tests(report, stored, order),
    )


def _unmeasured(report: TestReport) -> tuple[str, ...]:
    named = ", ".join(f"`{command}`" for command in report.unmeasured)
    return (f"coverage of {named} was not measured",) if named else ()


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


def _branches(round_: GateRound) -> tuple[str, ...]:
    """What the goal demands and nobody measures, for the verdict."""
    asked = round_.order.min_coverage is not None and demands_branches(round_.context.requirements)
    return ("coverage is that of lines: branches are not measured",) if asked else ()


def _plugins_left(report: TestReport) -> tuple[str, ...]:
    why = not_loaded(report.not_loaded)
    return (why,) if why else ()


def _of_tests(report: TestReport, stored: TestEvidence, order: GateOrder) -> dict[str, Any]:
    evidence = evidence_of(report, stored.log_ref, stored.report_ref)
    return {
        "command": evidence.command,
        "exit_code": evidence.exit_code,
        "counts": evidence.counts,
        "coverage_percent": evidence.coverage_percent,
        "coverage_required": order.min_coverage,
        "failing": evidence.failing,
        "failed_before": tuple(stored_id(name) for name in report.still_red[:FINDINGS_KEPT]),
        "log_ref": evidence.log_ref,
        "report_ref": evidence.report_ref,
    }


async def _weigh(round_: GateRound, report: TestReport, earlier: TestHistory, base: Base) -> Weighed:
    """Compare the tests with the base, with every round since they last passed, and with the merges since then.

    A run that is not green fails anyway, and may have ended before it came to every test: only a green one is held
    against what ran earlier.
    """
    repository, order, cases = round_.workspace.repository, round_.order, report.cases or ()
    head = await test_texts(repository, order.commit)
    whole = report if report.green else None
    deltas = [
        compare_tests(await test_texts(repository, commit), head, head_report=whole)
        for commit in (order.base, *earlier.failed_commits)
    ]
    lost, skips = list[LostTest](), list[Finding]()
    if report.green:
        runs = [*await earlier.of_rounds(), *await earlier.of_merges(), *([base.run] if base.run else [])]
        lost = all_lost(runs, head, cases)
        skips = fresh_skips(cases, base.run.outcomes if base.run else {}, lost)
    known = {plain_id(test.id) for test in lost}
    refused = [reason for delta in deltas for reason in delta.refusals(known)]
    refused += await _files_refused(repository, order)
    steered = await _steered(repository, order)
    refused += sentences(steered)
    return Weighed(
        refusals=tuple(dict.fromkeys((*refusals_of(lost), *refused, *await _hooks(repository, order)))),
        findings=(*(test.finding for test in lost), *deltas[0].tampering, *steered),
        skips=tuple(skips),
    )


async def _files_refused(repository: GoalRepository, order: GateOrder) -> list[str]:
    """Files of the change that would decide how the judge runs, or that nobody can read."""
    before, now = [{e.path: e for e in await repository.files(commit)} for commit in (order.base, order.commit)]
    sources = [
        await repository.contents([e for e in files.values() if e.path.endswith(".py") and e.mode != "120000"])
        for files in (_differing(before, now), _differing(now, before))
    ]
    return [*refusals_of_files(before, now), *unreadable_sources(sources[0], sources[1])]


async def _steered(repository: GoalRepository, order: GateOrder) -> list[Finding]:
    """What the change has brought into tests of other languages that would steer them."""
    before, now = [{e.path: e for e in await repository.files(commit)} for commit in (order.base, order.commit)]
    texts = list[dict[str, str]]()
    for files in (_differing(before, now), _differing(now, before)):
        wanted = [e for e in files.values() if e.mode.startswith("100") and _steers(e.path)]
        contents = await repository.contents(wanted)
        texts.append({path: data.decode("utf-8", "replace") for path, data in contents.items()})
    return steering_of(texts[0], texts[1])


def _steers(path: str) -> bool:
    return path.endswith(tuple(OTHER_LANGUAGES)) or sets_tests(path)


def _differing(files: Mapping[str, FileEntry], others: Mapping[str, FileEntry]) -> dict[str, FileEntry]:
    return {path: entry for path, entry in files.items() if others.get(path) != entry}


async def _hooks(repository: GoalRepository, order: GateOrder) -> list[str]:
    changed = frozenset(await repository.changed_files(order.base, order.commit))
    before, after = [await other_texts(repository, commit, changed) for commit in (order.base, order.commit)]
    return brought_hooks(before, after)
