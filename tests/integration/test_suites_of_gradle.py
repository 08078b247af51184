"""The tests gate on a project of Gradle's, by the real Gradle: set up, then run and tried without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.languages import Machine
from tests.support.small_projects import JAVA, edited

pytestmark = [pytest.mark.extra, pytest.mark.timeout(3_600)]

CODE, TESTS = "src/main/java/tide/Level.java", "src/test/java/tide/LevelTest.java"
# Debian's Gradle is older than the word `testImplementation` for everybody; its packages lie beside it.
GRADLE = {
    **{path: text for path, text in JAVA.items() if path != "pom.xml"},
    "settings.gradle": "rootProject.name = 'tide'\n",
    "build.gradle": (
        "apply plugin: 'java'\n"
        "repositories { maven { url uri('/usr/share/maven-repo') } }\n"
        "dependencies { testImplementation 'junit:junit:4.x' }\n"
    ),
}
BUG = edited(GRADLE, CODE, "a > bound", "a >= bound")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    assert shutil.which("gradle"), "this test needs Debian's package `gradle`"
    return Machine(tmp_path_factory.mktemp("environments"))


async def test_an_honest_change_passes_with_its_tests_counted(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.passes(tmp_path, GRADLE)
    assert verdict.counts is not None
    assert verdict.counts.passed == 2
    assert verdict.mutants is not None
    assert verdict.mutants.noticed == verdict.mutants.tried > 0


async def test_an_injected_bug_is_named_by_the_test_that_fails(machine: Machine, tmp_path: Path) -> None:
    verdict = await machine.fails(tmp_path, GRADLE, BUG)
    assert verdict.failing == (f"{TESTS}::isHigh",)
