"""Compares the tests of two commits: a gate must see tests that were deleted, skipped or emptied to go green."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set

import msgspec

from agenthub_events.catalogue.values import Finding
from agenthub_worker.evidence.layout import OWN_SETTINGS, SHADOWED, TEST_SETTINGS, is_test_file
from agenthub_worker.evidence.source import TestFunction, plain_id, successors, tests_in
from agenthub_worker.evidence.tampering import hooks_in, tampering_in
from agenthub_worker.evidence.test_history import some
from agenthub_worker.evidence.testing import TestReport

_PYTEST_TABLE = re.compile(r"^\s*\[(?:tool[.:])?pytest\b", re.M)


class TestDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tests between two commits; ids are pytest's, without parameters."""

    __test__ = False

    deleted_files: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    newly_skipped: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    tampering: tuple[Finding, ...] = ()

    def refusals(self, known: Set[str] = frozenset()) -> list[str]:
        """Why a gate must not pass on these tests, one sentence each; empty when nothing speaks against it.

        `known` are tests that are refused already, by better evidence.
        """
        reasons = [
            ("Test files were deleted", self.deleted_files),
            ("Tests were deleted", self.deleted),
            ("Tests are skipped that were not", self.newly_skipped),
            ("Tests check nothing any more, or less than before they were moved", self.emptied),
            ("Tests exist but did not run", self.not_run),
        ]
        left = ((what, [name for name in names if name not in known]) for what, names in reasons)
        found = [f"{what}: {some(names)}." for what, names in left if names]
        return found + [_sentence(item) for item in self.tampering if item.severity == "high"]


def compare_tests(
    base: Mapping[str, str], head: Mapping[str, str], *, head_report: TestReport | None = None
) -> TestDelta:
    """Compare the files for which `bears_on_tests` holds (path to text) in `base` and `head`.

    The report, of a whole run of `head`, adds the tests that were left out of it. A test that moved to another
    file, or was renamed with its code as it was, is not deleted.
    """
    before, after = tests_in(base), tests_in(head)
    moved = successors(before, after)
    deleted = before.keys() - after.keys() - moved.keys()
    thinner = {now for was, now in moved.items() if after[now].checks < before[was].checks}
    return TestDelta(
        deleted_files=tuple(sorted({before[name].file for name in deleted} - set(head))),
        deleted=tuple(sorted(deleted)),
        newly_skipped=tuple(sorted(_skipped(before, after))),
        emptied=tuple(sorted(thinner | {name for name, now in after.items() if _emptied(before.get(name), now)})),
        not_run=tuple(sorted(_left_out(base, head, after, head_report))),
        tampering=tuple(_tampering(base, head)),
    )


def _skipped(before: Mapping[str, TestFunction], after: Mapping[str, TestFunction]) -> Iterable[str]:
    for name, now in after.items():
        was = before.get(name)
        if now.skipped and not (was is not None and was.skipped):
            yield name


def _emptied(was: TestFunction | None, now: TestFunction) -> bool:
    return was is not None and was.checks > 0 and now.checks == 0


def _left_out(
    base: Mapping[str, str], head: Mapping[str, str], after: Mapping[str, TestFunction], report: TestReport | None
) -> Iterable[str]:
    """Tests of the head that the run does not know, where the change itself can be the reason.

    A repository may leave tests out on purpose (a marker, a folder of its own): what lies untouched under
    untouched settings, or in a folder from which nothing ran, is not held against anybody, unless the change
    brings both the tests and the settings.
    """
    if report is None or not report.cases:
        return ()
    ran = {plain_id(case.id) for case in report.cases}
    folders = {_top(name) for name in ran}
    changed = {path for path in head if base.get(path) != head[path]}
    settings_changed = any(not is_test_file(path) for path in changed)
    steered = any(_decides_what_runs(path, head[path]) for path in changed)
    return (
        name
        for name, function in after.items()
        if name not in ran
        and (
            (_top(name) in folders and (settings_changed or function.file in changed))
            or (steered and function.file in changed)
        )
        # A file that could not be imported shows in the report under its own name.
        and function.file not in ran
    )


def _decides_what_runs(path: str, text: str) -> bool:
    """Whether a file holds settings of pytest, wherever they may stand."""
    name = path.rsplit("/", 1)[-1]
    return name in OWN_SETTINGS or (name in TEST_SETTINGS and _PYTEST_TABLE.search(text) is not None)


def brought_hooks(base: Mapping[str, str], head: Mapping[str, str]) -> list[str]:
    """Why a gate must not pass on the other changed files (path to text) of two commits, one sentence each."""
    found = (hook for path in sorted(head) for hook in hooks_in(path, head[path], base.get(path, "")))
    return [_sentence(hook) for hook in found]


def _sentence(found: Finding) -> str:
    return f"{found.file}:{found.line}: {found.message}"


def _tampering(base: Mapping[str, str], head: Mapping[str, str]) -> Iterable[Finding]:
    for path in sorted(head):
        if base.get(path) == head[path]:
            continue
        top = path.split("/")[0].removesuffix(".py")
        if path.endswith(".py") and top in SHADOWED:
            message = f"A module `{top}` of the repository would be imported in place of the real one."
            yield Finding(file=path, line=1, severity="high", message=message, source="tests")
        elif path.endswith(".py"):
            yield from tampering_in(path, head[path], base.get(path, ""))


def _top(name: str) -> str:
    path = name.split("::", 1)[0]
    return path.rsplit("/", 1)[0] if "/" in path else ""
