"""The tests gate on modules of Go's: run, counted, tried, and not to be deceived."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.languages import Machine
from tests.support.small_projects import GO, edited

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("environments"))


CODE, TESTS = "level/level.go", "level/level_test.go"
BUG = edited(GO, CODE, "a > bound", "a >= bound")
MAIN = 'import (\n\t"os"\n\t"testing"\n)\n\nfunc TestMain(m *testing.M) {\n%s\n}\n'


async def test_an_honest_change_passes_with_its_tests_counted_and_its_mutants_noticed(
    machine: Machine, tmp_path: Path
) -> None:
    verdict = await machine.passes(tmp_path, GO)
    assert verdict.counts is not None
    assert verdict.counts.passed == 4
    assert verdict.coverage_percent == 100
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried == 2


async def test_an_injected_bug_is_named_by_the_test_that_fails(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(tmp_path, GO, BUG)
    assert verdict.failing == ("level/level_test.go::TestHigh",)


FORGED = {
    "a test edited to fit": (
        GO,
        {**BUG, **edited(GO, TESTS, "|| High(2, 2)", "|| !High(2, 2)")},
        "fail on the new code as they were before this goal",
    ),
    "a test skipped": (
        GO,
        {
            **BUG,
            **edited(
                GO, TESTS, "func TestHigh(t *testing.T) {\n", 'func TestHigh(t *testing.T) {\n\tt.Skip("later")\n'
            ),
        },
        "are skipped now",
    ),
    "a run that ends well by itself": (
        {},
        {**GO, **BUG, TESTS: GO[TESTS].replace('import "testing"\n', MAIN % "\tm.Run()\n\tos.Exit(0)")},
        "decides how the run of the tests ends",
    ),
    "the same in other words": (
        {},
        {
            **GO,
            **BUG,
            TESTS: GO[TESTS].replace(
                'import "testing"\n', MAIN % "\tm.Run()\n\tend := os.Exit\n\tend(len(os.Args) - len(os.Args))"
            ),
        },
        "",
    ),
    "code that asks whether it is tested": (
        {},
        {
            **GO,
            CODE: edited(GO, CODE, "a > bound", "a > bound || !testing.Testing() && a == bound")[CODE].replace(
                "package level\n", 'package level\n\nimport "testing"\n'
            ),
        },
        "`testing.Testing(` asks whether it is tested",
    ),
    "a run that knows which tests hold": (
        {},
        {
            **GO,
            **BUG,
            TESTS: GO[TESTS].replace(
                'import "testing"\n',
                (MAIN % '\tflag.Set("test.run", "TestAdd")\n\tos.Exit(m.Run())').replace('"os"', '"flag"\n\t"os"'),
            ),
        },
        "known outcome",
    ),
}


@pytest.mark.parametrize("forged", list(FORGED))
async def test_i6_forged_runs_do_not_pass(machine: Machine, tmp_path: Path, forged: str) -> None:
    base, change, said = FORGED[forged]
    verdict = await machine.fails(tmp_path, base, change)
    assert said in verdict.summary, verdict.summary
