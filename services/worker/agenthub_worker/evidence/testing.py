"""Runs a repository's tests in the sandbox and says what they showed.

The verdict rests on the exit code and on the reports together: the code under test runs in the same process as
pytest, so each alone could be forged, and where they disagree the run does not count as green.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_events.catalogue.values import TestCounts
from agenthub_events.redaction import KnownSecrets, mapped
from agenthub_runtime.repository.trees import delete_tree
from agenthub_worker.errors import InvalidTestPath
from agenthub_worker.evidence.covered import read_coverage, sources_in
from agenthub_worker.evidence.layout import TestCommand
from agenthub_worker.evidence.reports import (
    Case,
    parse_junit,
    read_report,
    stored_id,
    unittest_counts,
)
from agenthub_worker.sandbox.port import Bind, ExecResult, Output, Sandbox

NOTHING_COLLECTED = 5
TESTS_FAILED = 1
NO_TEST = "No test was found: code without tests does not pass."
NONE_PASSED = "Not one test passed: those that failed before this goal fail still, and there are no others."
NOT_COUNTED = (
    "Not counted: the test command ended with exit code 0 and left no report, so nobody knows whether it ran a"
    " test; only a person can accept it."
)

# Plugins that are in agenthub's own environment by accident; starting them takes longer than most test runs.
_NOT_LOADED = ("-p", "no:faker", "-p", "no:hypothesispytest")

# Read instead of the repository's own settings, so that it cannot leave out files or lines.
_COVERAGE_RULES = """\
[run]
data_file = {folder}/coverage.data
omit =
    setup.py
    .venv/*
    node_modules/*
[report]
include_namespace_packages = true
ignore_errors = true
exclude_lines =
    if (typing\\.)?TYPE_CHECKING:
    if __name__ == .__main__.:
"""


class TestReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the tests as the system saw it.

    `cases` None: the command wrote no JUnit report; then `said` is what its own last words count, if they do.
    `coverage_percent` None: not measured. `log` is the output, its middle cut out when it was long.
    `executed`: the lines that ran, by path; None: not measured. `red_before`: tests that failed before the goal;
    that they fail still speaks against nobody.
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
    red_before: frozenset[str] = frozenset()
    executed: Mapping[str, frozenset[int]] | None = None

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
        if self.timed_out:
            return (f"The tests did not end within their time ({self.duration_s:.0f} s).",)
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
        if (counts.failed or counts.errors) and self.exit_code == 0:
            found.append("The exit code 0 contradicts the report.")
        if self.exit_code == NOTHING_COLLECTED or counts == TestCounts():
            found.append(NO_TEST)
        elif not counts.passed and not found:
            found.append(NONE_PASSED if self.still_red else "Every test was skipped.")
        if self.exit_code not in (0, TESTS_FAILED if self.still_red else 0) and not found:
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
    options: Sequence[str] = (),
) -> TestReport:
    """Run the tests (only `paths` of them, for pytest) and read their reports once nothing runs any more.

    `measured`: with coverage. `options` are further ones of pytest's.
    Raises `InvalidTestPath` for a path that is none, `SandboxUnavailable` when nothing can be run.
    """
    line = _with_paths(command, paths)
    sources = await asyncio.to_thread(sources_in, workspace) if measured else {}
    async with _report_folder() as folder:
        ran = await sandbox.run(
            line,
            workspace=workspace,
            timeout_s=timeout_s,
            env={
                "PYTEST_ADDOPTS": _reporting(folder, command, measured, options),
                "COVERAGE_FILE": f"{folder}/coverage.data",
            },
            binds=[Bind(folder, writable=True)],
            on_output=on_output,
        )
        return await asyncio.to_thread(_report, line, command, ran, folder, sources)


def _with_paths(command: TestCommand, paths: Sequence[str]) -> str:
    if paths and not command.pytest:
        raise InvalidTestPath(f"The test command `{command.text}` takes no paths: run it without.")
    for path in paths:
        if path.startswith(("-", "/", "@")) or ".." in path.split("/"):
            raise InvalidTestPath(f"{path!r} is not a test path: name a file, folder or id in the workspace.")
    return " ".join((command.text, *map(shlex.quote, paths)))


def _reporting(folder: Path, command: TestCommand, measured: bool, more: Sequence[str]) -> str:
    options = [
        f"--junitxml={folder}/junit.xml",
        "-o",
        "junit_family=xunit1",
        "-p",
        "no:cacheprovider",
        *_NOT_LOADED,
        *more,
    ]
    if command.pytest:
        # One file that cannot be imported must not keep all others from being run.
        options += ["--continue-on-collection-errors", "--tb=short"]
    if command.pytest and measured:
        options += ["--cov=.", f"--cov-config={folder}/coverage.ini"]
        options += [f"--cov-report=json:{folder}/coverage.json"]
    return shlex.join(options)


@contextlib.asynccontextmanager
async def _report_folder() -> AsyncIterator[Path]:
    """A folder outside of the workspace that lives as long as one run."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-reports-"))
    try:
        rules = _COVERAGE_RULES.format(folder=folder)
        await asyncio.to_thread((folder / "coverage.ini").write_text, rules)
        yield folder
    finally:
        await asyncio.to_thread(delete_tree, folder)


def _report(
    line: str, command: TestCommand, ran: ExecResult, folder: Path, sources: Mapping[str, str]
) -> TestReport:
    junit = read_report(folder / "junit.xml")
    measured = read_report(folder / "coverage.json")
    covered = read_coverage(measured, sources) if measured else None
    return TestReport(
        command=line,
        exit_code=ran.exit_code,
        pytest=command.pytest,
        timed_out=ran.timed_out,
        duration_s=ran.duration_s,
        cases=parse_junit(junit) if junit else None,
        said=unittest_counts(ran.output) if command.unittest else None,
        coverage_percent=covered.percent if covered else None,
        executed=covered.executed if covered else None,
        log=ran.output,
    )
