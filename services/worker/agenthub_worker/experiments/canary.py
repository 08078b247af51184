"""Tests whose outcome is known: some that must pass and some that must fail, under names that nobody can know."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import PurePosixPath

import msgspec

from agenthub_events.catalogue.values import TestCounts
from agenthub_worker.automation.discovery import discovery_of
from agenthub_worker.evidence.layout import TestCommand, is_test_file
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments.mutants import can_be_broken

_FOLDERS_MAX = 5
# They take back what the settings bring: an expression, an early end; the names and files are ours.
OPTIONS = ("-k", "", "-m", "", "--maxfail=0", "-o", "python_functions=test_*", "-o", "python_files=test_*.py")
# Both words are in the names that Python's and node's own runners look for.
_NODE_TEST = re.compile(
    r"(?:^|/)(?:test-[^/]*|[^/]*[.\-_]test|test)\.(?P<kind>[cm]?js)$|(?:^|/)test/[^/]+\.[cm]?js$"
)

_LOADING = """\
import importlib

for name in {modules!r}:
    try:
        importlib.import_module(name)
    except BaseException:
        pass

"""
# One for each way to assert: code that takes one of them away leaves the others as they are.
_PYTEST = """\
import unittest

import pytest


def test_{good}():
    assert [1, 2] == [1, 2]


def test_{bad}():
    assert [1, 2] == [2, 1]


def test_{bad}_near():
    assert 1.0 == pytest.approx(2.0)


def test_{bad}_raises():
    with pytest.raises(ValueError):
        pass


class Test{bad}(unittest.TestCase):
    def test_equal(self):
        self.assertEqual([1, 2], [2, 1])
"""
_UNITTEST = """\
import unittest


class Test{bad}(unittest.TestCase):
    def test_{good}(self):
        self.assertEqual([1, 2], [1, 2])

    def test_{bad}(self):
        self.assertEqual([1, 2], [2, 1])
"""
# The same where each test is told of by itself: one for each way to fail.
_UNITTEST_TOLD = """\
import unittest


class Test{bad}(unittest.TestCase):
    def test_{good}(self):
        self.assertEqual([1, 2], [1, 2])

    def test_{bad}(self):
        self.assertEqual([1, 2], [2, 1])

    def test_{bad}_plain(self):
        assert [1, 2] == [2, 1]

    def test_{bad}_raises(self):
        with self.assertRaises(ValueError):
            pass

    def test_{bad}_part(self):
        with self.subTest(part=1):
            self.assertTrue(0)
"""
# Called without an object of theirs, the checks of Django's own classes need no database.
_DJANGO_TOLD = """
    def test_{bad}_simple(self):
        self.fails_by("SimpleTestCase")

    def test_{bad}_transaction(self):
        self.fails_by("TransactionTestCase")

    def test_{bad}_case(self):
        self.fails_by("TestCase")

    def fails_by(self, name):
        try:
            import django.test as owner
        except ImportError:
            owner = unittest
        getattr(owner, name, unittest.TestCase).assertEqual(self, [1, 2], [2, 1])
"""
_NODE = """\
import assert from 'node:assert'
import test from 'node:test'

for (const name of {modules}) {{
    try {{ await import(name) }} catch {{}}
}}

test('{good}', () => {{ assert.deepStrictEqual([1, 2], [1, 2]) }})
test('{bad}', () => {{ assert.deepStrictEqual([1, 2], [2, 1]) }})
"""
_OF_UVU = re.compile(r"""['"]uvu['"]""")
_REQUIRED = re.compile(r"""\brequire\(\s*['"]uvu['"]""")
_UVU = """\
{loading}

test.before(async () => {{
    for (const name of {modules}) {{
        try {{ await import(name) }} catch {{}}
    }}
}})
test('{good}', () => {{ assert.equal([1, 2], [1, 2]) }})
test('{bad}', () => {{ assert.equal([1, 2], [2, 1]) }})
test.run()
"""
_BY_REQUIRE = "const { test } = require('uvu')\nconst assert = require('uvu/assert')"
_BY_IMPORT = "import { test } from 'uvu'\nimport * as assert from 'uvu/assert'"

_BY_NAME = "the test command names its tests"
_BY_EXPRESSION = "the test command picks tests by an expression"


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """One file with tests that must pass and tests that must fail, by their ids."""

    path: str
    good: tuple[str, ...]
    bad: tuple[str, ...]
    text: str


def canaries(ran: Iterable[str], modules: Iterable[str], token: str) -> list[Canary]:
    """A canary of pytest for each folder in which tests of these ids ran: whatever rules there rules it, too.

    `modules` are the paths of changed files that the tests load: the canary loads them, so that what they do to
    pytest is done to it. `token` is random.
    """
    files = {name.split("::", 1)[0] for name in ran}
    found = []
    for number, folder in enumerate(
        _folders(file for file in files if is_test_file(file) or file.endswith(".py"))
    ):
        good, bad = f"{token}_{number}a", f"{token}_{number}b"
        path = str(PurePosixPath(folder) / f"test_{token}_{number}.py")
        names = [f"test_{bad}", f"test_{bad}_near", f"test_{bad}_raises", f"Test{bad}::test_equal"]
        found.append(
            Canary(
                path=path,
                good=(f"{path}::test_{good}",),
                bad=tuple(f"{path}::{name}" for name in names),
                text=_loading(modules) + _PYTEST.format(good=good, bad=bad),
            )
        )
    return found


def python_canaries(command: TestCommand, ran: Iterable[str], modules: Iterable[str], token: str) -> list[Canary]:
    """The canaries of pytest or of unittest, whichever runs the tests of Python; none where they have no place."""
    part = next((part for part in command.parts if part.unittest), command)
    if not part.unittest:
        return canaries(ran, modules, token)
    asked, found = discovery_of(part.text), list[Canary]()
    pattern, files = asked.pattern, {PurePosixPath(name.split("::", 1)[0]) for name in ran}
    known = [str(f) for f in files if fnmatch.fnmatchcase(f.name, pattern) and asked.looks_in(str(f.parent))]
    for number, folder in enumerate(_folders(known) if known and not asked.picks else ()):
        good, bad = f"{token}_{number}a", f"{token}_{number}b"
        name = _fitting(pattern, f"{token}_{number}")
        path = str(PurePosixPath(folder) / name)
        ways = ("", "_plain", "_raises", "_part", *(("_simple", "_transaction", "_case") if asked.labels else ()))
        told = _UNITTEST_TOLD + (_DJANGO_TOLD if asked.labels else "")
        found.append(
            Canary(
                path=path,
                good=(f"{path}::Test{bad}::test_{good}",),
                bad=tuple(f"{path}::Test{bad}::test_{bad}{way}" for way in ways),
                text=_loading(modules) + told.format(good=good, bad=bad),
            )
        )
    return found if all(_is_found(bird.path, pattern) for bird in found) else []


def _fitting(pattern: str, token: str) -> str:
    """The name of a file that unittest looks for: one that both patterns in use find, where it may be that."""
    usual = f"test_{token}_test.py"
    return usual if fnmatch.fnmatchcase(usual, pattern) else pattern.replace("*", f"t{token}")


def _is_found(path: str, pattern: str) -> bool:
    name = PurePosixPath(path).name
    return "*" in pattern and fnmatch.fnmatchcase(name, pattern) and name.removesuffix(".py").isidentifier()


def counted_canaries(
    command: TestCommand, files: Iterable[str], modules: Iterable[str], token: str
) -> list[Canary]:
    """Canaries of a runner that says no more than how many tests passed and failed.

    One for each folder in which `files` of the commit have names of tests; which it looks at, nobody knows.
    """
    found = []
    known = [path for path in files if (is_test_file(path) if command.unittest else _NODE_TEST.search(path))]
    for number, folder in enumerate(_folders(known)):
        good, bad = f"{token}_{number}a", f"{token}_{number}b"
        if command.unittest:
            name = f"test_{token}_{number}_test.py"
            text = _loading(modules) + _UNITTEST.format(good=good, bad=bad)
        else:
            name = f"test-{token}-{number}.test.mjs"
            text = _NODE.format(modules=_from(folder, modules), good=good, bad=bad)
        path = str(PurePosixPath(folder) / name)
        found.append(Canary(path=path, good=(good,), bad=(bad,), text=text))
    return found


def uvu_canaries(texts: Mapping[str, str], modules: Iterable[str], token: str) -> list[Canary]:
    """The same for uvu: beside the first of its tests in each folder, called and written as that one is.

    `texts` are files with their content. What uvu is told to look for, it says of names by their ends.
    """
    models: dict[str, str] = {}
    for path in sorted(path for path, text in texts.items() if _OF_UVU.search(text)):
        models.setdefault(str(PurePosixPath(path).parent), path)
    found = []
    for number, (folder, model) in enumerate(list(models.items())[:_FOLDERS_MAX]):
        good, bad = f"{token}_{number}a", f"{token}_{number}b"
        loading = _BY_REQUIRE if _REQUIRED.search(texts[model]) else _BY_IMPORT
        path = str(PurePosixPath(folder) / f"{token}-{PurePosixPath(model).name}")
        text = _UVU.format(loading=loading, modules=_from(folder, modules), good=good, bad=bad)
        found.append(Canary(path=path, good=(good,), bad=(bad,), text=text))
    return found


def _from(folder: str, modules: Iterable[str]) -> list[str]:
    """The modules of node's as a file in the folder names them."""
    up = "../" * (0 if folder == "." else folder.count("/") + 1)
    return [f"{up or './'}{path}" for path in sorted(modules) if path.endswith(("js", "cjs", "mjs"))]


def why_not_asked(command: TestCommand, *, is_told: bool = False) -> str:
    """Why no canary can be put among the tests of a command, to go on a sentence; empty when one can.

    Not where the goal itself picks tests: by an expression, or by their names. `is_told`: where tests ran, a
    report has told; names of folders leave room there.
    """
    if command.unittest:
        asked = discovery_of(command.text)
        is_named = asked.names and not (is_told and asked.labels)
        return _BY_EXPRESSION if asked.picks else _BY_NAME if is_named else ""
    words = command.text.rpartition("--test" if command.node else "pytest")[2].split()
    if command.node:
        return _BY_NAME if any(not word.startswith("-") for word in words) else ""
    return _BY_EXPRESSION if any(word.startswith(("-k", "-m")) for word in words) else ""


def why_not_found(tests: Mapping[str, bytes]) -> str:
    """Why unittest may not find a canary, to go on a sentence; `tests` are files of tests of the goal's base."""
    own = [path for path in sorted(tests) if path.endswith("__init__.py") and b"def load_tests" in tests[path]]
    return f"the project chooses its tests itself (`load_tests` in {own[0]})" if own else ""


def is_loaded(path: str, executed: Mapping[str, Set[int]] | None) -> bool:
    """Whether a changed file is code that the tests load, as far as anybody has looked."""
    return can_be_broken(path) and (executed is None or bool(executed.get(path)))


def stops_early(command: TestCommand) -> bool:
    """Whether the goal's own command ends with the first test that fails, or with the first run that is red."""
    parts = [part for part in command.parts if part.unittest] or [command]
    if any(part.unittest for part in parts):
        return any(discovery_of(part.text).stops for part in parts)
    return any(word == "--exitfirst" or word.startswith(("-x", "--maxfail")) for word in command.text.split())


def distrust(
    planted: Sequence[Canary], report: TestReport, before: TestReport | None = None, *, stops_early: bool = False
) -> str:
    """Why nothing that this run reports counts; empty when every canary ended as it must.

    `before`: the run without canaries, where what could run must still be able to. `stops_early`: one that must
    fail is enough.
    """
    outcomes = {case.id: case.outcome for case in report.cases or ()}
    bad = {name for canary in planted for name in canary.bad}
    if stops_early and any(outcomes.get(name) == "failed" for name in bad):
        unreached = {name for canary in planted for name in (*canary.good, *canary.bad)} - outcomes.keys()
        outcomes |= {name: "failed" if name in bad else "passed" for name in unreached}
    wrong = ["with one that must fail the run ended with exit code 0"] if report.exit_code == 0 else []
    wrong += [
        f"one that must {must} {_ended(outcomes.get(name, ''))}"
        for canary in planted
        for names, must, wanted in ((canary.good, "pass", "passed"), (canary.bad, "fail", "failed"))
        for name in names
        if outcomes.get(name) != wanted
    ]
    if before is not None and before.cases is not None:
        known = {name for canary in planted for name in (*canary.good, *canary.bad)}
        known |= {case.id for case in before.cases if case.outcome == "error"}
        broken = sorted(name for name, outcome in outcomes.items() if outcome == "error" and name not in known)
        wrong += [f"beside them {name} did not come to its end" for name in broken[:1]]
    return _distrusted(wrong)


def distrust_counts(planted: Sequence[Canary], before: TestCounts, report: TestReport) -> str:
    """The same by numbers: `before` is what the run without canaries counted, `report` the run with them."""
    counts, wrong = report.counts, list[str]()
    if report.exit_code == 0:
        wrong.append("with one that must fail the run ended with exit code 0")
    if counts is None:
        wrong.append("with them nothing was counted")
    elif not 1 <= counts.failed + counts.errors - before.failed - before.errors <= len(planted):
        wrong.append("one that must fail was not counted as failed")
    return _distrusted(wrong)


def _distrusted(wrong: Sequence[str]) -> str:
    if not wrong:
        return ""
    return (
        f"Tests of our own with a known outcome came out wrong ({', '.join(dict.fromkeys(wrong))}): something in"
        " the repository decides what runs of these tests report."
    )


def _folders(files: Iterable[str]) -> list[str]:
    return sorted({str(PurePosixPath(file).parent) for file in files})[:_FOLDERS_MAX] or ["."]


def _loading(modules: Iterable[str]) -> str:
    return _LOADING.format(modules=sorted({name for path in modules for name in module_names(path)}))


def _ended(outcome: str) -> str:
    return {"": "is not in the report", "error": "could not run"}.get(outcome, f"was reported as {outcome}")


def module_names(path: str) -> list[str]:
    """The names under which a file may be imported: from the root, and from a `src` folder."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if parts[-1:] == ["__init__"]:
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return []
    names = [".".join(parts)]
    return [".".join(parts[1:])] if parts[0] == "src" and len(parts) > 1 else names
