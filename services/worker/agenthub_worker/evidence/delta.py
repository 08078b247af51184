"""Compares the tests of two commits: a gate must see tests that were deleted, skipped or emptied to go green."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agenthub_events.catalogue.values import Finding
from agenthub_worker.evidence.layout import SHADOWED, is_test_file
from agenthub_worker.evidence.source import TestFunction, functions_in
from agenthub_worker.evidence.tampering import tampering_in
from agenthub_worker.evidence.testing import TestReport


class TestDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tests between two commits; ids are pytest's, without parameters."""

    __test__ = False

    deleted_files: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    newly_skipped: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    tampering: tuple[Finding, ...] = ()

    def refusals(self) -> list[str]:
        """Why a gate must not pass on these tests, one sentence each; empty when nothing speaks against it."""
        reasons = [
            ("Test files were deleted", self.deleted_files),
            ("Tests were deleted", self.deleted),
            ("Tests are skipped that were not", self.newly_skipped),
            ("Tests check nothing any more", self.emptied),
            ("Tests exist but did not run", self.not_run),
        ]
        found = [f"{what}: {_some(names)}." for what, names in reasons if names]
        return found + [
            f"{item.file}:{item.line}: {item.message}" for item in self.tampering if item.severity == "high"
        ]


def compare_tests(
    base: Mapping[str, str],
    head: Mapping[str, str],
    *,
    base_report: TestReport | None = None,
    head_report: TestReport | None = None,
) -> TestDelta:
    """Compare the files for which `bears_on_tests` holds (path to text) in `base` and `head`.

    The reports, of whole runs, add what only a run shows: tests that were left out, or skipped from outside.
    A test that moved to another file under its name is not deleted.
    """
    before, after = _all_functions(base), _all_functions(head)
    deleted = _deleted(before, after)
    return TestDelta(
        deleted_files=tuple(sorted({before[name].file for name in deleted} - set(head))),
        deleted=tuple(sorted(deleted)),
        newly_skipped=tuple(
            sorted({*_skipped_in_source(before, after), *_skipped_in_run(base_report, head_report)})
        ),
        emptied=tuple(sorted(name for name, now in after.items() if _emptied(before.get(name), now))),
        not_run=tuple(sorted(_left_out(base, head, after, head_report))),
        tampering=tuple(_tampering(base, head)),
    )


def _all_functions(files: Mapping[str, str]) -> dict[str, TestFunction]:
    return {
        function.id: function
        for path in sorted(files)
        if is_test_file(path)
        for function in functions_in(path, files[path])
    }


def _deleted(before: Mapping[str, TestFunction], after: Mapping[str, TestFunction]) -> set[str]:
    fresh = {after[name].qualified for name in after.keys() - before.keys()}
    gone = before.keys() - after.keys()
    return {name for name in gone if before[name].qualified not in fresh}


def _skipped_in_source(before: Mapping[str, TestFunction], after: Mapping[str, TestFunction]) -> Iterable[str]:
    for name, now in after.items():
        was = before.get(name)
        if now.skipped and not (was is not None and was.skipped):
            yield name


def _skipped_in_run(base: TestReport | None, head: TestReport | None) -> Iterable[str]:
    if base is None or head is None or base.cases is None or head.cases is None:
        return ()
    ran = {plain_id(case.id) for case in base.cases if case.outcome != "skipped"}
    return {plain_id(case.id) for case in head.cases if case.outcome == "skipped"} & ran


def _emptied(was: TestFunction | None, now: TestFunction) -> bool:
    return was is not None and was.checks > 0 and now.checks == 0


def _left_out(
    base: Mapping[str, str], head: Mapping[str, str], after: Mapping[str, TestFunction], report: TestReport | None
) -> Iterable[str]:
    """Tests of the head that the run does not know, where the change itself can be the reason.

    A repository may leave tests out on purpose (a marker, a folder of its own): what lies untouched under
    untouched settings, or in a folder from which nothing ran, is not held against anybody.
    """
    if report is None or not report.cases:
        return ()
    ran = {plain_id(case.id) for case in report.cases}
    folders = {_top(name) for name in ran}
    changed = {path for path in head if base.get(path) != head[path]}
    settings_changed = any(not is_test_file(path) for path in changed)
    return (
        name
        for name, function in after.items()
        if name not in ran
        and _top(name) in folders
        and (settings_changed or function.file in changed)
        # A file that could not be imported shows in the report under its own name.
        and function.file not in ran
    )


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


def plain_id(name: str) -> str:
    """A test's id without its parameters."""
    return name.split("[", 1)[0]


def _top(name: str) -> str:
    path = name.split("::", 1)[0]
    return path.rsplit("/", 1)[0] if "/" in path else ""


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
