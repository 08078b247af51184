"""Runs the tests of a repository, in whatever languages they are, suite by suite."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agenthub_events.catalogue.values import TestCounts
from agenthub_worker.environment.provision import own_python, settled
from agenthub_worker.errors import InvalidTestPath
from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.evidence.reports import (
    Case,
    ReportRefused,
    node_counts,
    parse_junit,
    report_in,
    uvu_counts,
)
from agenthub_worker.evidence.testing import TestReport, run_tests
from agenthub_worker.projects.plugin_choice import plugin_choice
from agenthub_worker.projects.project import import_roots, read_project
from agenthub_worker.projects.test_environment import Watched, run_folders, run_variables
from agenthub_worker.sandbox.port import ExecResult, Output, Sandbox
from agenthub_worker.suites.foreign import ForeignRun, files_in, percent
from agenthub_worker.suites.read import Read

_LOG_MAX = 256 << 10
_LEAST_S = 1.0


async def run_suites(
    sandbox: Sandbox,
    workspace: Path,
    command: TestCommand,
    *,
    timeout_s: float,
    paths: Sequence[str] = (),
    on_output: Output | None = None,
    measured: bool = True,
    measure_apart: bool = False,
    options: Sequence[str] = (),
    contexts_of: Sequence[str] = (),
    watched: Watched | None = None,
) -> TestReport:
    """Run the tests as at home; several suites one after the other, in `timeout_s` together.

    For the rest see `run_tests`, which runs Python's. Raises `InvalidTestPath` and `SandboxUnavailable`.
    """
    if paths and (command.parts or command.foreign):
        raise InvalidTestPath(f"The test command `{command.text}` takes no paths: run it without.")
    if command.parts:
        reports, left = list[TestReport](), timeout_s
        how: dict[str, Any] = {"measured": measured, "measure_apart": measure_apart, "options": options}
        how |= {"contexts_of": contexts_of, "watched": watched}
        for part in command.parts:
            within = max(_LEAST_S, left)
            report = await run_suites(sandbox, workspace, part, timeout_s=within, on_output=on_output, **how)
            left -= report.duration_s
            reports.append(report)
        return together(command, reports)
    if command.foreign:
        return await _run_foreign(
            sandbox, workspace, command, timeout_s, on_output, measured=measured, options=options
        )
    return await run_tests(
        sandbox,
        workspace,
        command,
        timeout_s=timeout_s,
        paths=paths,
        on_output=on_output,
        measured=measured,
        measure_apart=measure_apart,
        options=options,
        contexts_of=contexts_of,
        watched=watched,
    )


def together(command: TestCommand, reports: Sequence[TestReport]) -> TestReport:
    """The runs of several suites as one: what speaks against one of them speaks against all.

    The coverage is the lowest of those that were measured.
    """
    measured = [report for report in reports if report.coverage_percent is not None]
    executed = [report.executed for report in reports if report.executed is not None]
    is_counted = all(report.cases is not None for report in reports)
    return TestReport(
        command=command.text,
        exit_code=next((report.exit_code for report in reports if report.exit_code), 0),
        pytest=False,
        timed_out=any(report.timed_out for report in reports),
        duration_s=sum(report.duration_s for report in reports),
        cases=tuple(case for report in reports for case in report.cases or ()) if is_counted else None,
        unread="; ".join(report.unread for report in reports if report.unread),
        idle=tuple(report.command for report in reports if report.counts == TestCounts() and not report.exit_code),
        coverage_percent=min((report.coverage_percent or 0.0 for report in measured), default=None),
        executed={path: lines for found in executed for path, lines in found.items()} if executed else None,
        unmeasured=tuple(report.command for report in reports if report not in measured) if measured else (),
        build_failed=any(report.build_failed for report in reports),
        not_loaded=tuple(sorted({name for report in reports for name in report.not_loaded})),
        seen=tuple(line for report in reports for line in report.seen),
        log=b"\n".join(b"$ " + report.command.encode() + b"\n" + report.log for report in reports),
    )


async def _run_foreign(
    sandbox: Sandbox,
    workspace: Path,
    command: TestCommand,
    timeout_s: float,
    on_output: Output | None,
    *,
    measured: bool,
    options: Sequence[str],
) -> TestReport:
    # The line may lead to pytest by a way that nobody can read.
    project = await asyncio.to_thread(read_project, workspace)
    files = await asyncio.to_thread(files_in, workspace)
    async with settled(sandbox, workspace, on_output) as place:
        root = place.root or str(workspace)
        chosen = await asyncio.to_thread(plugin_choice, project, command.text, command.plugins, own_python(place))
        async with run_folders(root, import_roots(project)) as folders:
            run = ForeignRun(
                folders=folders,
                workspace=workspace,
                root=root,
                folder=command.folder,
                measured=measured,
                files=files,
            )
            await asyncio.to_thread(run.begin)
            ran = await place.run(
                await asyncio.to_thread(run.line, command.text),
                workspace=workspace,
                timeout_s=timeout_s,
                env={
                    **run_variables(folders, root, chosen.loaded, [*chosen.options, *options], measured=False),
                    **await asyncio.to_thread(run.variables, command.text),
                },
                binds=folders.binds,
                on_output=on_output,
            )
            report = await asyncio.to_thread(_report, run, command, ran)
            return msgspec.structs.replace(report, not_loaded=chosen.left)


def _report(run: ForeignRun, command: TestCommand, ran: ExecResult) -> TestReport:
    unread, read, others = "", Read(), tuple[Case, ...]()
    try:
        read = run.read(ran.output)
        # A line may run pytest as well, or bring a report in this form.
        data = report_in(run.folders.reports / "junit.xml")
        others = (parse_junit(data) if data else None) or ()
    except ReportRefused as refused:
        unread = str(refused)
    said = None if read.cases or others else node_counts(ran.output) or uvu_counts(ran.output)
    cases = (*read.cases, *others)
    log = read.log.encode("utf-8", "replace")
    return TestReport(
        command=command.text,
        exit_code=ran.exit_code,
        pytest=False,
        timed_out=ran.timed_out,
        duration_s=ran.duration_s,
        cases=cases if cases or read.told else None,
        unread=unread,
        said=said,
        coverage_percent=percent([read]),
        executed=read.lines.executed if read.lines and read.lines.executed else None,
        build_failed=read.build_failed,
        log=_log(ran.output, log),
    )


def _log(output: bytes, more: bytes) -> bytes:
    """The output, and behind it what a tool has told in its report alone: of a long one the two ends."""
    if len(more) > _LOG_MAX:
        more = more[: _LOG_MAX // 2] + b"\n[... cut ...]\n" + more[-_LOG_MAX // 2 :]
    return output + more
