"""The tests gate on projects of Maven's: set up from the package sources, then run and tried without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.languages import Machine
from tests.support.small_projects import JAVA, edited

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("environments"))


CODE, TESTS = "src/main/java/tide/Level.java", "src/test/java/tide/LevelTest.java"
BUG = edited(JAVA, CODE, "a > bound", "a >= bound")


async def test_an_honest_change_passes_with_its_tests_counted_and_its_mutants_noticed(
    machine: Machine, tmp_path: Path
) -> None:
    verdict = await machine.passes(tmp_path, JAVA)
    assert verdict.counts is not None
    assert verdict.counts.passed == 2
    assert verdict.coverage_percent is None
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried > 0


async def test_an_injected_bug_is_named_by_the_test_that_fails(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(tmp_path, JAVA, BUG)
    assert verdict.failing == (f"{TESTS}::isHigh",)


async def test_i6_a_test_edited_to_fit_does_not_pass(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(
        tmp_path, JAVA, {**BUG, **edited(JAVA, TESTS, "assertFalse(Level.high(2", "assertTrue(Level.high(2")}
    )
    assert "fail on the new code as they were before this goal" in verdict.summary, verdict.summary
