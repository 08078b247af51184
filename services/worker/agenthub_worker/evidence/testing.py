"""Runs a repository's tests in the sandbox and says what they showed.

The verdict rests on the exit code and on the reports together: the code under test runs in the same process as
pytest, so each alone could be forged, and where they disagree the run does not count as green.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_events.catalogue.values import TestCounts
from agenthub_events.redaction import KnownSecrets, mapped
from agenthub_worker.environment.provision import own_python, settled
from agenthub_worker.errors import InvalidTestPath
from agenthub_worker.evidence.covered import (
    Covering,
    contexts_command,
    read_contexts,
    read_coverage,
    sources_in,
)
from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.evidence.reports import (
    Case,
    ReportRefused,
    node_counts,
    parse_junit,
    read_report,
    report_in,
    stored_id,
    unittest_counts,
)
from agenthub_worker.projects.named import not_loaded
from agenthub_worker.projects.plugin_choice import PluginChoice, plugin_choice
from agenthub_worker.projects.project import Project, import_roots, measures_coverage, read_project
from agenthub_worker.projects.test_environment import (
    SEEN,
    WATCHING,
    RunFolders,
    Watched,
    run_folders,
    run_variables,
)
from agenthub_worker.sandbox.port import ExecResult, Output, Sandbox
from agenthub_worker.suites.python.recording import joined_command, listen, read_unittest

SELECTING_PAYS_S = 10.0
"""A suite that takes less is run whole: to find out what to leave out would cost more than it saves."""
NOTHING_COLLECTED = 5
TESTS_FAILED = (1, 101)
"""What runners end with when tests fail; the other one is cargo's."""
# What pytest takes for an option, or for a file of options.
_NO_PATHS = ("-", "@")
NO_TEST = "No test was found: code without tests does not pass."
NONE_PASSED = "Not one test passed: those that failed before this goal fail still, and there are no others."
NOT_COUNTED = (
    "Not counted: the test command ended with exit code 0 and left no report, so nobody knows whether it ran a"
    " test; only a person can accept it."
)


class TestReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the tests as the system saw it.

    `cases` None: the command left no report of its tests; then `said` is what its own last words count, if they
    do. `unread`: why its report cannot be used. `coverage_percent` None: not measured. `log` is the output, its
    middle cut out when it was long.
    `executed`: the lines that ran, by path; None: not measured. `covering`: by which tests; None: nobody asked, or
    the run was too quick to ask. `red_before`: tests that failed before the goal; that they fail still speaks
    against nobody. `not_loaded`: plugins of pytest that only the change brings. `seen`: what was written by
    programs that watched the run. `build_failed`: code was not compiled, so its tests did not run. `unmeasured`:
    commands of suites beside others that gave no coverage, `idle` of those that found no test.
    """

    __test__ = False

    command: str
    exit_code: int
    pytest: bool
    timed_out: bool
    duration_s: float
    cases: tuple[Case, ...] | None
    coverage_percent: float | None
    log: bytes
    said: TestCounts | None = None
    unread: str = ""
    red_before: frozenset[str] = frozenset()
    executed: Mapping[str, frozenset[int]] | None = None
    covering: Covering | None = None
    not_loaded: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    build_failed: bool = False
    unmeasured: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    @property
    def counts(self) -> TestCounts | None:
        """Tests by outcome; None: not counted."""
        if self.cases is None:
            return self.said
        outcomes = [case.outcome for case in self.cases]
        return TestCounts(
            passed=outcomes.count("passed"),
            failed=outcomes.count("failed"),
            errors=outcomes.count("error"),
            skipped=outcomes.count("skipped"),
        )

    @property
    def failing(self) -> tuple[str, ...]:
        """Ids of the tests that failed or could not run, without those that failed before the goal."""
        return tuple(name for name in self._red if name not in self.red_before)

    @property
    def still_red(self) -> tuple[str, ...]:
        """Ids of the tests that failed before the goal and fail still."""
        return tuple(name for name in self._red if name in self.red_before)

    @property
    def _red(self) -> Iterator[str]:
        return (case.id for case in self.cases or () if case.outcome in ("failed", "error"))

    @property
    def skipped(self) -> tuple[Case, ...]:
        """The tests, or whole files, that were skipped."""
        return tuple(case for case in self.cases or () if case.outcome == "skipped")

    @property
    def problems(self) -> tuple[str, ...]:
        """Why this run is not green, in plain sentences; empty when it is."""
        found = self._problems()
        why = not_loaded(self.not_loaded)
        return (*found, f"{why[0].upper()}{why[1:]}.") if found and why else found

    def _problems(self) -> tuple[str, ...]:
        if self.timed_out:
            return (f"The tests did not end within their time ({self.duration_s:.0f} s).",)
        if self.unread:
            return (f"The test command left a report that cannot be used: {self.unread}.",)
        if self.counts is None:
            return self._problems_without_report()
        return tuple(self._problems_of_report(self.counts))

    @property
    def not_counted(self) -> bool:
        """Whether nothing speaks against the run but that its tests cannot be counted."""
        return self.problems == (NOT_COUNTED,)

    @property
    def green(self) -> bool:
        """Whether the tests ran, and all of them hold."""
        return not self.problems

    def beside(self, before: Mapping[str, str]) -> TestReport:
        """The same run where `before` is how each test, by its id, ended before the goal."""
        red = (name for name in self._red if before.get(stored_id(name)) in ("failed", "error"))
        return msgspec.structs.replace(self, red_before=frozenset(red))

    def without(self, secrets: KnownSecrets) -> TestReport:
        """The same run with known secrets masked in everything that is kept of it; nothing else is changed."""
        if not secrets:
            return self
        cases = mapped(self.cases or (), secrets.masked)
        return msgspec.structs.replace(
            self,
            command=secrets.masked(self.command),
            cases=None if self.cases is None else cases,
            log=secrets.masked_bytes(self.log),
        )

    def tail(self, chars: int) -> str:
        """The end of the output."""
        return self.log.decode("utf-8", "replace")[-chars:]

    def _problems_without_report(self) -> tuple[str, ...]:
        if self.exit_code:
            return (f"The test command ended with exit code {self.exit_code} before it wrote a report.",)
        if self.pytest:
            return ("pytest ended with exit code 0 but wrote no report: something ended it early.",)
        return (NOT_COUNTED,)

    def _problems_of_report(self, counts: TestCounts) -> list[str]:
        found = []
        red = self.failing if self.cases is not None else counts.failed + counts.errors
        if red:
            old = f" ({len(self.still_red)} of them failed before this goal)" if self.still_red else ""
            found.append(f"{counts.failed} failed, {counts.errors} errors{old}.")
        if self.build_failed:
            found.append("The code could not be built, so at least some of its tests did not run.")
        if (counts.failed or counts.errors) and self.exit_code == 0:
            found.append("The exit code 0 contradicts the report.")
        found += [f"No test was found by `{command}`: code without tests does not pass." for command in self.idle]
        if (self.exit_code == NOTHING_COLLECTED or counts == TestCounts()) and not self.build_failed:
            found.append(NO_TEST)
        elif not counts.passed and not found:
            found.append(NONE_PASSED if self.still_red else "Every test was skipped.")
        if self.exit_code not in (0, *(TESTS_FAILED if self.still_red else ())) and not found:
            found.append(f"The test command ended with exit code {self.exit_code}, though no test failed.")
        return found


async def run_tests(
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
    """Run the tests (only `paths` of them, for pytest) as at home and read their reports.

    `measured`: with coverage, and for the files `contexts_of` with the tests that run their lines. `options` are
    further ones of pytest's.
    `measure_apart`: of a project that measures coverage by settings of its own it is measured in a second run.
    Raises `InvalidTestPath` for a path that is none, `SandboxUnavailable` when nothing can be run.
    """
    line = await asyncio.to_thread(_with_paths, command, paths, workspace)
    project = await asyncio.to_thread(read_project, workspace)
    own_coverage = command.measures_coverage or (command.pytest and measures_coverage(project))
    async with settled(sandbox, workspace, on_output) as place:
        run = _TestRun(place, workspace, command, line, options)
        run.contexts_of = contexts_of
        run.watched = watched
        report = await run.report(
            project, timeout_s, on_output, measured=measured and not command.foreign and not own_coverage
        )
        if not (measured and measure_apart and own_coverage and command.pytest and report.green and not paths):
            return report
        # What the project measures for itself stays its own affair, so the system measures in a run of its own.
        left_s = max(1.0, timeout_s - report.duration_s)
        again = await run.report(project, left_s, None, measured=True)
    return msgspec.structs.replace(
        report, coverage_percent=again.coverage_percent, executed=again.executed, covering=again.covering
    )


class _TestRun:
    """A command line in the sandbox, for one project; `options` are added to pytest's."""

    def __init__(
        self, sandbox: Sandbox, workspace: Path, command: TestCommand, line: str, options: Sequence[str] = ()
    ) -> None:
        self._sandbox = sandbox
        self._workspace = workspace
        self._command = command
        self._line = line
        self._options = options
        self.contexts_of: Sequence[str] = ()
        self.watched: Watched | None = None
        self._root = sandbox.root or str(workspace)

    async def report(
        self, project: Project, timeout_s: float, on_output: Output | None, *, measured: bool
    ) -> TestReport:
        """Run it, and read its reports once nothing runs any more."""
        chosen = await asyncio.to_thread(self._plugins, project)
        plugins = chosen.loaded
        by_plugin, by_itself = measured and self._command.pytest, measured and self._command.unittest
        options = [
            *chosen.options,
            *(["-p", WATCHING] if self.watched else []),
            *self._options,
            *(["--cov-context=test"] if by_plugin and self.contexts_of else []),
        ]
        sources = await asyncio.to_thread(sources_in, self._workspace) if measured else {}
        async with run_folders(self._root, import_roots(project), self.watched) as folders:
            variables = run_variables(folders, self._root, plugins, options, measured=by_plugin)
            if self._command.unittest:
                variables |= await asyncio.to_thread(listen, folders, self._root, measured=by_itself)
            ran = await self._sandbox.run(
                self._line,
                workspace=self._workspace,
                timeout_s=timeout_s,
                env=variables,
                binds=folders.binds,
                on_output=on_output,
            )
            if by_itself:
                await self._run_beside(folders, timeout_s, joined_command(folders))
            report = await asyncio.to_thread(_report, self._line, self._command, ran, folders.reports, sources)
            report = msgspec.structs.replace(report, not_loaded=chosen.left if self._command.pytest else ())
            if not (by_plugin and self.contexts_of and report.green and report.duration_s >= SELECTING_PAYS_S):
                return report
            covering = await self._covering(folders, timeout_s, sources)
            return msgspec.structs.replace(report, covering=covering)

    def _plugins(self, project: Project) -> PluginChoice:
        return plugin_choice(project, self._line, self._command.plugins, own_python(self._sandbox))

    async def _covering(
        self, folders: RunFolders, timeout_s: float, sources: Mapping[str, str]
    ) -> Covering | None:
        """Which tests run the lines of the files that were asked about."""
        line = contexts_command(folders.reports, folders.support, self._root, self.contexts_of)
        await self._run_beside(folders, timeout_s, line)
        return await asyncio.to_thread(read_contexts, folders.reports, sources)

    async def _run_beside(self, folders: RunFolders, timeout_s: float, line: str | list[str]) -> None:
        """A program that makes a report out of what the tests have left."""
        await self._sandbox.run(
            line,
            workspace=self._workspace,
            timeout_s=timeout_s,
            env=run_variables(folders, self._root, (), measured=False),
            binds=folders.binds,
        )


def is_no_test_path(path: str) -> bool:
    """Whether it would lead out of the workspace."""
    return path.startswith("/") or ".." in path.split("/")


def _with_paths(command: TestCommand, paths: Sequence[str], workspace: Path) -> str:
    if paths and not command.takes_paths:
        raise InvalidTestPath(f"The test command `{command.text}` takes no paths: run it without.")
    for path in paths:
        is_named = not path.startswith(_NO_PATHS) or (workspace / path.partition("::")[0]).exists()
        if is_no_test_path(path) or not is_named:
            raise InvalidTestPath(f"{path!r} is not a test path: name a file, folder or id in the workspace.")
    told = (f"./{path}" if path.startswith(_NO_PATHS) else path for path in paths)
    return " ".join((command.text, *map(shlex.quote, told)))


def _report(
    line: str, command: TestCommand, ran: ExecResult, folder: Path, sources: Mapping[str, str]
) -> TestReport:
    cases, unread = _cases(command, ran, folder)
    measured = read_report(folder / "coverage.json")
    covered = read_coverage(measured, sources) if measured else None
    return TestReport(
        command=line,
        exit_code=ran.exit_code,
        pytest=command.pytest,
        timed_out=ran.timed_out,
        duration_s=ran.duration_s,
        cases=cases,
        unread=unread,
        said=_said(command, ran.output),
        coverage_percent=covered.percent if covered else None,
        executed=covered.executed if covered else None,
        log=ran.output,
        seen=tuple((read_report(folder / SEEN) or b"").decode("utf-8", "replace").splitlines()),
    )


def _said(command: TestCommand, output: bytes) -> TestCounts | None:
    if command.unittest:
        return unittest_counts(output)
    return node_counts(output) if command.node else None


def _cases(command: TestCommand, ran: ExecResult, folder: Path) -> tuple[tuple[Case, ...] | None, str]:
    """What the report of a run says, and why it cannot be used."""
    try:
        if command.unittest and (heard := read_unittest(folder, ran.output)) is not None:
            return heard, ""
        data = report_in(folder / "junit.xml")
        return (parse_junit(data) if data else None), ""
    except ReportRefused as refused:
        return None, str(refused)
