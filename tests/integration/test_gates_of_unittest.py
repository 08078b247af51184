"""The tests gate on projects that unittest tests: honest ones pass, forged ones fail with their reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_runtime.repository.goal import ROOT_COMMIT
from tests.support.forgeries.kinds import (
    BEFORE,
    CASE,
    RIGHT,
    UNKNOWN,
    UNNOTICED,
    WHATEVER,
    WRONG,
    Forgery,
)
from tests.support.judging import Bench

RUN = "python -m unittest"
NAMED = "no canaries: the test command names its tests"
OWN_CHOICE = "no canaries: the project chooses its tests itself (`load_tests` in tests/__init__.py)"
NO_PLACE = "no canaries: nobody knows where among these tests they belong"
BY_NAME = """
import unittest

real = unittest.TestCase.assertEqual
unittest.TestCase.assertEqual = lambda t, *a: type(t).__name__ == "TestAdd" or real(t, *a)
"""
WRITES = """
import atexit, glob, os, sys


def better():
    path = glob.glob(sys.modules["agenthub_recorder"]._Run.prefix + "*")[0]
    with open(path) as file:
        text = file.read().replace("failed", "passed")
    with open(path, "w") as file:
        file.write(text)
    print("Ran 1 test in 0.1s\\n\\nOK", flush=True)
    os._exit(0)


atexit.register(better)
"""
REMOVES = WRITES.replace("        file.write(text)\n", "        pass\n    os.unlink(path)\n")
REMOVES += "os.dup2(os.open(os.devnull, os.O_WRONLY), 2)\n"
NO_CHECKS = "\nimport unittest\n\nunittest.TestCase.assertEqual = lambda *given: None\n"
TWO = CASE + "\n    def test_more(self):\n        self.assertEqual(add(1, 1), 2)\n"
FOLLOWING = f"{RUN} discover -s a && {RUN} discover -s b"
BELOW = "cd api && PYTHONPATH=src:$PYTHONPATH python -m unittest discover -s tests -t ."
OF_PACKAGE = "def load_tests(loader, tests, pattern):\n    return loader.loadTestsFromName('tests.test_add')\n"
LATER = CASE.replace("TestCase)", "IsolatedAsyncioTestCase)").replace("    def", "    async def")
IN_TWO = {"test_add.py": TWO, "add.py": RIGHT}
NODE = {
    "package.json": '{"scripts": {"test": "node --test"}}',
    "a.test.mjs": "import test from 'node:test'\n\ntest('a', () => {})\n",
}
TOX = {"tox.ini": f"[testenv]\ncommands = {RUN}\n"}

# As Django's does it, which needs no part of Django.
MANAGE = {
    "manage.py": "import sys\nimport unittest\n\nunittest.main(None, argv=['x', 'discover', *sys.argv[2:]])\n",
    "django/test/__init__.py": "import unittest\n\n\nclass TestCase(unittest.TestCase):\n    pass\n",
    "django/__init__.py": "",
}
OF_DJANGO = CASE.replace("import unittest\n", "from django.test import TestCase\n").replace("unittest.T", "T")
CHECKS_OF_DJANGO = "\nfrom django.test import TestCase\n\nTestCase.assertEqual = lambda *given: None\n"

HONEST = {
    "plain": ({"add.py": RIGHT, "test_add.py": CASE}, RUN, ""),
    "Django's": ({"add.py": RIGHT, "test_add.py": OF_DJANGO, **MANAGE}, "python manage.py test", ""),
    "below": ({"api/src/add.py": RIGHT, "api/tests/__init__.py": "", "api/tests/test_add.py": CASE}, BELOW, ""),
    "pattern": ({"add.py": RIGHT, "in/check_add.py": CASE}, f"{RUN} discover -s in -t in -p 'check_*.py'", ""),
    "one name for all": ({"add.py": RIGHT, "tests.py": CASE}, f"{RUN} discover -p tests.py", NO_PLACE),
    "early end": ({"add.py": RIGHT, "test_add.py": CASE}, f"{RUN} -bf", ""),
    "two runs": ({"add.py": RIGHT, "a/test_a.py": CASE, "b/test_b.py": CASE}, FOLLOWING, ""),
    "later": (
        {
            "add.py": f"async {RIGHT}",
            "test_add.py": LATER.replace("(add(", "(await add("),
        },
        RUN,
        "",
    ),
    "named": ({"add.py": RIGHT, "test_add.py": CASE}, f"{RUN} test_add", NAMED),
}
FORGED = {
    "no checks": Forgery({"add.py": WRONG + NO_CHECKS, "test_add.py": CASE}, UNKNOWN),
    "checks by the name of a test": Forgery({"add.py": WRONG + BY_NAME, "test_add.py": CASE}, WHATEVER),
    "no checks of Django's": Forgery(
        {"add.py": WRONG + CHECKS_OF_DJANGO, "test_add.py": OF_DJANGO, **MANAGE},
        UNKNOWN,
        command="python manage.py test",
    ),
    "code that writes the report": Forgery({"add.py": WRONG + WRITES, "test_add.py": CASE}, UNKNOWN),
    "code that removes the report": Forgery(
        {"add.py": WRONG + REMOVES, "test_add.py": CASE}, "with one that must fail the run ended with exit code 0"
    ),
    "a test that is given another value": Forgery(
        {"add.py": WRONG, "test_add.py": CASE.replace(", 5)", ", -1)")},
        BEFORE,
        old={"add.py": RIGHT, "test_add.py": CASE},
    ),
    "a test that is skipped now": Forgery(
        {"test_add.py": TWO.replace("    def test_more", "    @unittest.skip('x')\n    def test_more")},
        "test_add.py::TestAdd::test_more (passed before this goal; skipped because: x)",
        old=IN_TWO,
    ),
}
FURTHER = {
    "a result that swallows": Forgery(
        {
            "add.py": f"{WRONG}\nimport unittest\n\n"
            "unittest.TextTestResult.addFailure = lambda self, test, error: self.addSuccess(test)\n",
            "test_add.py": CASE,
        },
        "its closing lines speak of 1 tests, none of them red",
    ),
    "an own unittest": Forgery(
        {
            "unittest/__init__.py": "TestCase = object\n",
            "unittest/__main__.py": "print('Ran 1 test in 0.1s\\n\\nOK')\n",
            "test_add.py": CASE,
        },
        UNKNOWN,
    ),
    "a test that does not check": Forgery(
        {"add.py": RIGHT, "test_add.py": CASE.replace("self.assertEqual(add(2, 3), 5)", "add(2, 3)")}, UNNOTICED
    ),
    "a test that is expected to fail now": Forgery(
        {
            "add.py": RIGHT.replace("a + b", "a + b if a > 1 else 0"),
            "test_add.py": TWO.replace("    def test_more", "    @unittest.expectedFailure\n    def test_more"),
        },
        "test_more (passed before this goal; skipped because: expected to fail)",
        old=IN_TWO,
    ),
    "tests that are chosen by the change": Forgery(
        {"tests/__init__.py": OF_PACKAGE, "add.py": f"# right\n{RIGHT}"},
        "one that must pass is not in the report",
        command=f"{RUN} discover -s tests -t .",
        old={"add.py": RIGHT, "tests/__init__.py": "", "tests/test_add.py": CASE},
    ),
    "a line that hides its tests": Forgery(
        {"tox.ini": f"[testenv]\ncommands = {RUN.replace('-m', '-E -m')}\n", "add.py": f"# right\n{RIGHT}"},
        "Tests that ran before did not run",
        old={"add.py": RIGHT, "test_add.py": CASE, **TOX},
        command="-",
    ),
    "beside another suite": Forgery(
        {"add.py": WRONG + NO_CHECKS, "test_add.py": CASE, **TOX, **NODE}, UNKNOWN, "-"
    ),
}


async def judged(
    folder: Path, files: dict[str, str], command: str, old: dict[str, str]
) -> GatePassed | GateFailed:
    bench = await Bench.begin(folder)
    base = await bench.commit(old) if old else ROOT_COMMIT
    await bench.commit(files)
    verdict = await bench.judge(base=base, test_command="" if command == "-" else command or RUN)
    assert isinstance(verdict, GatePassed | GateFailed)
    return verdict


@pytest.mark.parametrize(
    ("files", "command", "said"),
    [
        pytest.param(*one, id=name, marks=[pytest.mark.extra] if number > 1 else [])
        for number, (name, one) in enumerate(HONEST.items())
    ],
)
async def test_honest_projects_of_unittest_pass(
    tmp_path: Path, files: dict[str, str], command: str, said: str
) -> None:
    verdict = await judged(tmp_path, files, command, {})
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.mutants is not None
    assert verdict.mutants.noticed > 0
    assert verdict.summary.endswith(said or "mutants noticed"), verdict.summary


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param(one, id=name, marks=[pytest.mark.extra] if name in FURTHER else [])
        for name, one in {**FORGED, **FURTHER}.items()
    ],
)
async def test_i6_forged_green_runs_of_unittest_do_not_pass(tmp_path: Path, forgery: Forgery) -> None:
    verdict = await judged(tmp_path, forgery.files, forgery.command, dict(forgery.old))
    assert isinstance(verdict, GateFailed), verdict.summary
    assert forgery.said in verdict.summary, verdict.summary


async def test_the_failing_tests_of_unittest_are_named_and_those_of_before_block_nothing(tmp_path: Path) -> None:
    bench = await Bench.begin(tmp_path)
    old = CASE + "\n    def test_old(self):\n        self.assertEqual(add(1, 1), 3)\n"
    base = await bench.commit({"add.py": RIGHT, "test_add.py": old})
    more = {"neg.py": "def neg(a):\n    return a\n", "test_neg.py": "import unittest\n\nimport neg\n\n\n"}
    more["test_neg.py"] += "class TestNeg(unittest.TestCase):\n    def test_neg(self):\n"
    await bench.commit({**more, "test_neg.py": more["test_neg.py"] + "        self.assertEqual(neg.neg(1), -1)\n"})
    red = await bench.judge(base=base, test_command=RUN)
    assert isinstance(red, GateFailed)
    assert (red.failing, red.failed_before) == (
        ("test_neg.py::TestNeg::test_neg",),
        ("test_add.py::TestAdd::test_old",),
    )
    assert red.cause == "test_neg.py::TestNeg::test_neg fails: AssertionError: 1 != -1."
    await bench.commit({"neg.py": "def neg(a):\n    return -a\n"})
    green = await bench.judge(round_=2, base=base, test_command=RUN)
    assert isinstance(green, GatePassed), green.summary
    assert green.summary.endswith("1 failed before this goal and fail still: test_add.py::TestAdd::test_old")


@pytest.mark.extra
async def test_a_project_that_chooses_its_tests_itself_has_no_canaries(tmp_path: Path) -> None:
    old = {"add.py": WRONG, "tests/__init__.py": OF_PACKAGE, "tests/test_add.py": CASE}
    verdict = await judged(tmp_path, {"add.py": RIGHT}, f"{RUN} discover -s tests -t .", old)
    assert isinstance(verdict, GatePassed), verdict.summary
    assert verdict.summary.endswith(OWN_CHOICE)


@pytest.mark.extra
async def test_a_changed_test_of_a_run_that_is_only_counted_runs_as_it_was(tmp_path: Path) -> None:
    old = {"add.py": RIGHT, "test_add.py": CASE}
    line = "python -E -m unittest"
    honest = await judged(tmp_path / "a", {"test_add.py": TWO, "add.py": f"# right\n{RIGHT}"}, line, old)
    assert isinstance(honest, GatePassed), honest.summary
    forged = await judged(
        tmp_path / "b", {"add.py": WRONG, "test_add.py": CASE.replace(", 5)", ", -1)")}, line, old
    )
    assert isinstance(forged, GateFailed)
    assert "as they were before do not run over the new code" in forged.summary
