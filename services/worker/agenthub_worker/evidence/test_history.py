"""Compares a test run with earlier ones: a test that once ran has to go on running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.catalogue.values import Finding
from agenthub_worker.evidence.layout import may_hold_tests
from agenthub_worker.evidence.reports import NO_TESTS, Case, Outcome, stored_id
from agenthub_worker.evidence.source import TestFunction, plain_id, successors, tests_in

Outcomes: TypeAlias = Mapping[str, Outcome]
Fate: TypeAlias = Literal["skipped", "deleted", "not run"]

_NAMED = 10
_WHAT: Mapping[Fate, str] = {
    "skipped": "Tests that ran before are skipped now",
    "deleted": "Tests that ran before are deleted",
    "not run": "Tests that ran before did not run",
}
_REMEDY = (
    "Let them run and pass under their names, with as many cases as before;"
    " if one really has to go, a person can accept the gate as it is."
)


class PastTestRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the tests before the one that is judged.

    `when` ends a sentence ("in round 1"); `files` are the test files as they were then. `draft`: the work was not
    finished, so its tests may still be reshaped, except those that failed.
    """

    when: str
    files: Mapping[str, str]
    outcomes: Outcomes
    draft: bool = False

    def without(self, changed: Set[str]) -> PastTestRun:
        """The run without what its tests in these files did; a test that names no file goes with its kind."""
        if not changed:
            return self
        foreign = any(not path.endswith(".py") and may_hold_tests(path) for path in changed)
        kept = {
            name: outcome
            for name, outcome in self.outcomes.items()
            if (not foreign if (file := name.partition("::")[0]) not in self.files else file not in changed)
        }
        files = {path: text for path, text in self.files.items() if path not in changed}
        return msgspec.structs.replace(self, files=files, outcomes=kept)


class LostTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test that ran before and does not any more. `was`: "failed in round 1"; `reason`: why it is skipped."""

    id: str
    was: str
    fate: Fate
    reason: str = ""

    def __str__(self) -> str:
        reason = f"; skipped because: {self.reason}" if self.reason else ""
        return f"{self.id} ({self.was}{reason})"

    @property
    def finding(self) -> Finding:
        """The same, for the log."""
        return _finding(self.id, "high", f"{_WHAT[self.fate]}: {self}. {_REMEDY}")


def outcomes_of(cases: Iterable[Case]) -> dict[str, Outcome]:
    """How each test of a report ended, in the form that is stored for later rounds."""
    return {stored_id(case.id): case.outcome for case in cases}


def lost_tests(run: PastTestRun, files: Mapping[str, str], cases: Iterable[Case]) -> list[LostTest]:
    """Tests of an earlier run that the run `cases` of `files` did not execute.

    Cases of one test may change their names as long as they do not become fewer, and a test may move or be renamed
    as long as its code stays. What was skipped before may stay skipped.
    """
    before, after = tests_in(run.files), tests_in(files)
    now = _Run(cases)
    renamed = successors(before, after)
    known = {plain_id(name) for name in run.outcomes}
    found = []
    for plain, ran in _that_ran(run, before).items():
        if plain in now.owners or now.is_broken(plain):
            continue
        here = now.of(plain, known=known, renamed=renamed)
        gone: Fate = "deleted" if plain in before and plain not in after else "not run"
        for name, case in _missing(ran, here, run.outcomes, now.skipped_around(plain)):
            fate: Fate = gone if case is None else "skipped"
            if fate == "skipped" or not (run.draft and ran[name] == "passed"):
                was = "passed" if ran[name] == "passed" else "failed"
                reason = case.reason if case else ""
                found.append(LostTest(id=name, was=f"{was} {run.when}", fate=fate, reason=reason))
    return found


def all_lost(runs: Iterable[PastTestRun], files: Mapping[str, str], cases: Sequence[Case]) -> list[LostTest]:
    """The lost tests of several runs, each once, as the first of the runs knows it."""
    found: dict[str, LostTest] = {}
    for run in runs:
        for test in lost_tests(run, files, cases):
            found.setdefault(test.id, test)
    return list(found.values())


def refusals_of(lost: Iterable[LostTest]) -> list[str]:
    """Why a gate must not pass without these tests; empty when there are none."""
    by_fate: dict[Fate, list[str]] = {fate: [] for fate in _WHAT}
    for test in lost:
        by_fate[test.fate].append(str(test))
    found = [f"{_WHAT[fate]}: {some(names)}." for fate, names in by_fate.items() if names]
    return [*found, _REMEDY] if found else []


def fresh_skips(cases: Iterable[Case], base: Outcomes, lost: Iterable[LostTest] = ()) -> list[Finding]:
    """Skipped tests that are neither lost nor were skipped in the goal's base: they prove nothing."""
    refused = {owner for test in lost for owner in (test.id, *_owners(plain_id(test.id)))}
    return [
        _finding(case.id, "info", f"{case.id} is new and was skipped, so it proves nothing. {case.reason}".strip())
        for case in cases
        if case.outcome == "skipped" and base.get(name := stored_id(case.id)) != "skipped" and name not in refused
    ]


def some(names: Iterable[str]) -> str:
    """The first of many names, and how many more there are."""
    known = list(names)
    shown = ", ".join(known[:_NAMED])
    return f"{shown} and {len(known) - _NAMED} more" if len(known) > _NAMED else shown


class _Run:
    """The run that is judged: its cases by test, and what stands in the place of whole files or classes."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self._tests: dict[str, dict[str, Case]] = {}
        self._namesakes: dict[str, list[str]] = {}
        self.owners: set[str] = set()
        for case in cases:
            name = stored_id(case.id)
            self._tests.setdefault(plain_id(name), {})[name] = case
        for plain in self._tests:
            self._namesakes.setdefault(_qualified(plain), []).append(plain)
            self.owners.update(_owners(plain))

    def of(self, plain: str, *, known: Set[str], renamed: Mapping[str, str]) -> Mapping[str, Case]:
        """The cases of a test under its name or, for one that is gone, under that of its successor."""
        if plain in self._tests:
            return self._tests[plain]
        if renamed.get(plain) in self._tests:
            return self._tests[renamed[plain]]
        namesakes = self._namesakes.get(_qualified(plain), ())
        return next((self._tests[name] for name in namesakes if name not in known), {})

    def is_broken(self, plain: str) -> bool:
        """Whether the file of a test is in the report as one that could not be read."""
        file = plain.partition("::")[0]
        entry = self._tests.get(file, {}).get(file)
        return entry is not None and entry.outcome == "error"

    def skipped_around(self, plain: str) -> Case | None:
        """The entry that says that the file or class of a test was skipped as a whole."""
        entries = (self._tests.get(owner, {}).get(owner) for owner in _owners(plain))
        return next((entry for entry in entries if entry is not None and entry.outcome == "skipped"), None)


def _that_ran(run: PastTestRun, functions: Mapping[str, TestFunction]) -> dict[str, dict[str, Outcome]]:
    """What ran, by test. A file that could not be imported stands for every test that is written in it."""
    found: dict[str, dict[str, Outcome]] = {}
    broken = set()
    for name, outcome in run.outcomes.items():
        if name.endswith(".py"):
            broken.add(name)
        elif outcome != "skipped" and name not in NO_TESTS:
            found.setdefault(plain_id(name), {})[name] = outcome
    for function in functions.values():
        if function.file in broken and run.outcomes[function.file] == "error" and not run.draft:
            found.setdefault(function.id, {function.id: "error"})
    return found


def _missing(
    ran: Mapping[str, Outcome], here: Mapping[str, Case], known: Outcomes, around: Case | None
) -> Iterator[tuple[str, Case | None]]:
    """The cases of one test that are missing now, each with the skipped one that explains it."""
    skipped = [case for case in here.values() if case.outcome == "skipped"]
    old = sum(1 for name, case in here.items() if case.outcome == known.get(name) == "skipped")
    fewer = len(here) - len(skipped) < len(ran) or old < len(skipped)
    for name in ran:
        case = here.get(name)
        if case is not None and case.outcome == "skipped":
            yield name, case
        elif case is None and fewer:
            yield name, next(iter(skipped), around)


def _qualified(plain: str) -> str:
    return plain.partition("::")[2] or plain


def _owners(plain: str) -> list[str]:
    """The class, file and folders that hold a test."""
    file, *classes = plain.split("::")
    inner = ["::".join((file, *classes[:count])) for count in range(len(classes))]
    parts = file.split("/")
    return [*inner, *("/".join(parts[:count]) for count in range(1, len(parts)))]


def _finding(test: str, severity: Literal["info", "high"], message: str) -> Finding:
    return Finding(file=test.split("::", 1)[0], severity=severity, message=message[:2_000], source="tests")
