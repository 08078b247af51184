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


MODULES = {
    "pom.xml": JAVA["pom.xml"].replace(
        "<version>1</version>",
        "<version>1</version><packaging>pom</packaging><modules><module>level</module><module>app</module></modules>",
        1,
    ),
    **{f"level/{path}": text for path, text in JAVA.items() if path != "pom.xml"},
    **{
        f"{name}/pom.xml": '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<parent><groupId>tide</groupId><artifactId>tide</artifactId><version>1</version></parent>"
        f"<artifactId>{name}</artifactId>{needs}</project>\n"
        for name, needs in {
            "level": "",
            "app": "<dependencies><dependency><groupId>tide</groupId><artifactId>level</artifactId>"
            "<version>1</version></dependency></dependencies>",
        }.items()
    },
    "app/src/test/java/tide/AppTest.java": (
        "package tide;\n\nimport static org.junit.Assert.*;\n\nimport org.junit.Test;\n\n"
        "public class AppTest {\n"
        "    @Test\n    public void joins() {\n        assertEquals(7, Level.add(3, 4));\n    }\n}\n"
    ),
}


async def test_modules_that_need_each_other_are_set_up_and_counted_together(
    machine: Machine, tmp_path: Path
) -> None:
    verdict = await machine.fails(tmp_path, MODULES, edited(MODULES, f"level/{CODE}", "a > bound", "a >= bound"))
    assert verdict.failing == (f"level/{TESTS}::isHigh",)
    assert verdict.counts is not None
    # By itself Maven ends with the first module that is red.
    assert verdict.counts.passed == 1


async def test_i6_a_test_edited_to_fit_does_not_pass(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(
        tmp_path, JAVA, {**BUG, **edited(JAVA, TESTS, "assertFalse(Level.high(2", "assertTrue(Level.high(2")}
    )
    assert "fail on the new code as they were before this goal" in verdict.summary, verdict.summary
