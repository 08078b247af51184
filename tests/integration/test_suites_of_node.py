"""The tests gate on projects of node's: run, counted, tried, and not to be deceived."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.languages import Machine
from tests.support.small_projects import AVA, BUN, JEST, MOCHA, NODE, TAPE, UVU, VITEST, Files, edited

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("environments"))


PACKAGE = "package.json"
CODE, TESTS = "level.js", "test/level.test.js"
BUG = edited(NODE, CODE, "a > bound", "a >= bound")


async def test_an_honest_change_passes_with_its_tests_counted_and_its_mutants_noticed(
    machine: Machine, tmp_path: Path
) -> None:
    verdict = await machine.passes(tmp_path, NODE)
    assert verdict.counts is not None
    assert verdict.counts.passed == 3
    assert verdict.coverage_percent == 100
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried == 2


PACKAGES = {"jest": (JEST, 100), "vitest": (VITEST, None), "mocha": (MOCHA, None), "tape": (TAPE, None)}
PACKAGES |= {"ava": (AVA, None), "bun": (BUN, None)}
# As react-scripts, nx and kcd-scripts do it; the first would wait for changes.
JEST_WITHIN = {
    **edited(JEST, PACKAGE, '"test": "jest"', '"test": "node scripts/run.js"'),
    "scripts/run.js": "require('jest').run(['--watchAll', ...process.argv.slice(2)])\n",
}
PACKAGES["jest within another program"] = ({**JEST, **JEST_WITHIN}, 100)
PLAIN_JEST = edited(JEST, PACKAGE, '"test": "jest"', '"test": "jest --no-coverage"')
BY_ITS_FILE = edited(VITEST, PACKAGE, '"vitest"}', '"node --expose-gc node_modules/vitest/dist/cli.js"}')
PACKAGES["vitest by its file"] = ({**VITEST, **BY_ITS_FILE}, None)
PACKAGES["jest that is not to be measured"] = ({**JEST, **PLAIN_JEST}, None)


@pytest.mark.parametrize(("project", "coverage"), PACKAGES.values(), ids=list(PACKAGES))
async def test_runners_that_are_packages_are_installed_by_the_setup_and_tried_alike(
    machine: Machine, tmp_path: Path, project: Files, coverage: float | None
) -> None:
    verdict = await machine.passes(tmp_path, project)
    assert verdict.counts is not None
    assert (verdict.counts.passed, verdict.coverage_percent) == (3, coverage)
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried == 2


async def test_an_injected_bug_is_named_by_the_test_that_fails(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(tmp_path, NODE, BUG)
    assert verdict.failing == ("test/level.test.js::high > at",)


async def test_a_bug_is_named_by_the_test_of_bun(machine: Machine, tmp_path: Path) -> None:
    bug = edited(BUN, "src/level.ts", "a > bound", "a >= bound")
    verdict = await machine.fails(tmp_path, BUN, bug)
    assert verdict.failing == ("src/level.test.ts::high > at",)


@pytest.mark.parametrize(("project", "named"), [(MOCHA, "high > at"), (TAPE, "at"), (AVA, "at")])
async def test_a_bug_is_named_by_the_test_of_mocha_tape_and_ava(
    machine: Machine, tmp_path: Path, project: Files, named: str
) -> None:
    bug = edited(project, CODE, "a > bound", "a >= bound")
    verdict = await machine.fails(tmp_path, project, bug)
    assert verdict.failing == (f"test/level.js::{named}",)


async def test_the_tests_of_uvu_are_counted_and_tried_though_it_names_none_that_passed(
    machine: Machine, tmp_path: Path
) -> None:
    verdict = await machine.passes(tmp_path / "honest", UVU)
    assert verdict.counts is not None
    assert verdict.counts.passed == 3
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried == 2
    red = await machine.fails(tmp_path / "bug", UVU, edited(UVU, CODE, "a > bound", "a >= bound"))
    assert red.counts is not None
    assert (red.counts.passed, red.counts.failed) == (2, 1)
    told = "\\n  Total:     3\\n  Passed:    3\\n  Skipped:   0\\n  Duration:  1ms\\n"
    quits = f"const way = globalThis['pro' + 'cess']\nway.stdout.write('{told}')\nway['ex' + 'it'](0)\n"
    ends = edited(UVU, "test/level.js", "test.run()\n", quits)
    forged = await machine.fails(tmp_path / "forged", {}, {**UVU, **ends})
    assert "Tests of our own with a known outcome came out wrong" in forged.summary, forged.summary


FORGED = {
    "tests edited to fit": (
        NODE,
        {**BUG, **edited(NODE, TESTS, "!high(2, 2)", "high(2, 2)")},
        "fail on the new code as they were before this goal",
    ),
    "a test skipped": (NODE, {**BUG, **edited(NODE, TESTS, "test('at'", "test.skip('at'")}, "are skipped now"),
    "a test taken out": (NODE, {**BUG, TESTS: NODE[TESTS].split("  test('at'")[0] + "})\n"}, "did not run"),
    "the script says echo": (NODE, {**BUG, **edited(NODE, PACKAGE, "node --test", "echo ok")}, "runs no test"),
    "the script forgives": (
        NODE,
        {**BUG, **edited(NODE, PACKAGE, "--test", "--test || true")},
        "whatever they show",
    ),
    "a new project of one test": (
        {},
        {**NODE, **BUG, **edited(NODE, TESTS, "test('adds'", "test.only('adds'")},
        "leaves out every other test",
    ),
    "a way out at its end": (
        {},
        {
            **NODE,
            CODE: BUG[CODE]
            + "\nglobalThis['pro' + 'cess'].on('exit', () => globalThis['pro' + 'cess']['ex' + 'it'](0))\n",
        },
        "",
    ),
    "assertions that were taken away": (
        {},
        {**NODE, CODE: BUG[CODE] + "\nimport assert from 'node:assert'\nassert.ok = assert.equal = () => {}\n"},
        "do not notice",
    ),
    "tests that check nothing": (
        {},
        {**NODE, TESTS: "import { test } from 'node:test'\nimport '../level.js'\ntest('adds', () => {})\n"},
        "do not notice",
    ),
}


@pytest.mark.parametrize("forged", list(FORGED))
async def test_i6_forged_runs_do_not_pass(machine: Machine, tmp_path: Path, forged: str) -> None:
    base, change, said = FORGED[forged]
    verdict = await machine.fails(tmp_path, base, change)
    assert said in verdict.summary, verdict.summary


async def test_every_suite_of_a_mixed_repository_runs_and_counts(machine: Machine, tmp_path: Path) -> None:
    part = {f"ui/{path}": text for path, text in NODE.items()}
    python = {
        "service.py": "def half(n):\n    return n // 2\n",
        "tests/test_service.py": "from service import half\n\n\ndef test_half():\n    assert half(5) == 2\n",
    }
    verdict = await machine.passes(tmp_path / "good", {**part, **python})
    assert verdict.command == "python -m pytest && (cd ui && npm test)"
    assert verdict.counts is not None
    assert verdict.counts.passed == 4
    bug = {f"ui/{path}": text for path, text in BUG.items()}
    refused = await machine.fails(tmp_path / "bad", {**part, **python}, bug)
    assert refused.failing == ("ui/test/level.test.js::high > at",)
