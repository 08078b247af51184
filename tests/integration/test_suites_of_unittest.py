"""Real runs of unittest in the real sandbox: each test is told of by its name and its outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_worker.evidence.causes import cause_of
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.testing import TestReport, run_tests
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.suites.python.recording import EXPECTED_TO_FAIL

HEAD = """\
import os
import sys
import unittest


class T(unittest.TestCase):
    def test_ok(self):
        pass

"""
OUTCOMES = '''\
import doctest
import sys
import unittest


def tripled(n):
    """
    >>> tripled(2)
    6
    """
    return n * 3


class Plain(unittest.TestCase):
    def test_ok(self):
        print("OK")

    def test_bad(self):
        self.assertEqual(1, 2)

    def test_error(self):
        1 / 0

    def test_leaves(self):
        sys.exit(0)

    @unittest.skip("later")
    def test_skipped(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.fail()

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

    def tearDown(self):
        if self._testMethodName == "test_left_badly":
            1 / 0

    def test_left_badly(self):
        pass


class Parts(unittest.TestCase):
    def test_one_bad(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertNotEqual(n, 1)

    def test_all_good(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertLess(n, 3)

    def test_one_skipped(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertLess(n, 3)
                if n == 1:
                    self.skipTest("one")


@unittest.skip("whole")
class Skipped(unittest.TestCase):
    def test_a(self):
        pass


class SetUpBad(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        1 / 0

    def test_a(self):
        pass


class SetUpSkips(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest("class")

    def test_a(self):
        pass


class TearDownBad(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        1 / 0

    def test_a(self):
        pass


class Later(unittest.IsolatedAsyncioTestCase):
    async def test_ok(self):
        pass

    async def test_bad(self):
        self.assertEqual(1, 2)


def load_tests(loader, tests, pattern):
    tests.addTests(doctest.DocTestSuite(sys.modules[__name__]))
    return tests
'''
MODULES = {
    "tests/__init__.py": "",
    "tests/test_all.py": OUTCOMES,
    "tests/test_broken.py": "import nothing_like_this\n",
    "tests/test_later.py": "import unittest\n\nraise unittest.SkipTest('module')\n",
    "tests/test_set_up.py": f"{HEAD}\ndef setUpModule():\n    1 / 0\n",
}
ENDS = {
    "tests/test_all.py::Plain::test_ok": "passed",
    "tests/test_all.py::Plain::test_bad": "failed",
    "tests/test_all.py::Plain::test_error": "error",
    "tests/test_all.py::Plain::test_leaves": "error",
    "tests/test_all.py::Plain::test_skipped": "skipped",
    "tests/test_all.py::Plain::test_expected": "skipped",
    "tests/test_all.py::Plain::test_unexpected": "failed",
    "tests/test_all.py::Plain::test_left_badly": "error",
    "tests/test_all.py::Parts::test_one_bad": "failed",
    "tests/test_all.py::Parts::test_all_good": "passed",
    "tests/test_all.py::Parts::test_one_skipped": "skipped",
    "tests/test_all.py::Skipped::test_a": "skipped",
    "tests/test_all.py::SetUpBad": "error",
    "tests/test_all.py::SetUpSkips": "skipped",
    "tests/test_all.py::TearDownBad::test_a": "passed",
    "tests/test_all.py::TearDownBad": "error",
    "tests/test_all.py::Later::test_ok": "passed",
    "tests/test_all.py::Later::test_bad": "failed",
    "tests/test_all.py::tests.test_all.tripled": "passed",
    "tests/test_broken.py": "error",
    "tests/test_later.py": "skipped",
    "tests/test_set_up.py": "error",
}
# As Django does it: the tests run in other processes, and one result is told what has happened there.
PARALLEL = """\
import multiprocessing
import sys
import unittest


class Remote(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.events = []

    def startTest(self, test):
        super().startTest(test)
        self.events.append(("startTest", test.id()))

    def addSuccess(self, test):
        self.events.append(("addSuccess", test.id()))

    def addFailure(self, test, err):
        self.events.append(("addFailure", test.id()))


def run(name):
    result = Remote()
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    return result.events


class Parallel(unittest.TestSuite):
    def run(self, result):
        tests = {test.id(): test for suite in self for inner in suite for test in inner}
        with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
            for events in pool.imap_unordered(run, list(tests)):
                for name, test in events:
                    more = ((AssertionError, AssertionError("there"), None),) if name == "addFailure" else ()
                    getattr(result, name)(tests[test], *more)
            pool.close()
            pool.join()
        return result


if __name__ == "__main__":
    found = unittest.defaultTestLoader.discover(".")
    sys.exit(not unittest.TextTestRunner().run(Parallel(found)).wasSuccessful())
"""
OWN_RESULT = """\
import sys
import unittest


class Result(unittest.TextTestResult):
    def addSuccess(self, test):
        pass

    def addFailure(self, test, err):
        self.failures.append((test, ""))


runner = unittest.TextTestRunner(resultclass=Result)
sys.exit(not runner.run(unittest.defaultTestLoader.discover(".")).wasSuccessful())
"""


def case(body: str) -> dict[str, str]:
    """A file with one test that passes and this code below it."""
    return {"test_a.py": HEAD + "".join(f"    {line}\n" for line in body.splitlines())}


async def run(
    workspace: Path, files: dict[str, str], command: str = "python -m unittest", *, measured: bool = False
) -> TestReport:
    for name, text in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return await run_tests(Bubblewrap(), workspace, given_test_command(command), timeout_s=300, measured=measured)


def ends(report: TestReport) -> dict[str, str]:
    return {found.id: found.outcome for found in report.cases or ()}


@pytest.mark.parametrize("command", ["python -m unittest", "python -m unittest discover -b -v -s tests -t ."])
async def test_every_outcome_is_told_with_the_name_of_its_test(tmp_path: Path, command: str) -> None:
    report = await run(tmp_path, MODULES, command)
    assert ends(report) == ENDS, report.tail(2000)
    reasons = {found.id.rpartition("::")[2]: found.reason for found in report.cases or () if found.reason}
    assert (reasons["test_skipped"], reasons["test_expected"]) == ("later", EXPECTED_TO_FAIL)
    assert report.problems == ("4 failed, 7 errors.",)


@pytest.mark.parametrize(
    ("body", "exit_code", "end"),
    [
        ("def test_x(self):\n    os._exit(0)", 0, "error"),
        ("def test_x(self):\n    os.kill(os.getpid(), 9)", 137, "error"),
        ("def test_x(self):\n    raise KeyboardInterrupt", 130, "error"),
        ("def test_x(self):\n    if not os.fork():\n        raise SystemExit(1)\n    os.wait()", 0, "passed"),
        ("def test_x(self):\n    os.closerange(3, 200)\n    self.fail()", 1, "failed"),
        ("def test_x(self):\n    os.environ.clear()\n    os.chdir('/')", 0, "passed"),
    ],
)
async def test_a_test_that_does_odd_things_is_told_of(tmp_path: Path, body: str, exit_code: int, end: str) -> None:
    report = await run(tmp_path, case(body))
    assert report.exit_code == exit_code
    assert ends(report) == {"test_a.py::T::test_ok": "passed", "test_a.py::T::test_x": end}
    assert report.green is (end == "passed")


async def test_a_run_that_ends_before_its_first_test_is_an_error(tmp_path: Path) -> None:
    report = await run(tmp_path, {"test_a.py": f"{HEAD}\ndef setUpModule():\n    os._exit(0)\n"})
    assert report.problems == ("0 failed, 1 errors.", "The exit code 0 contradicts the report.")


async def test_what_a_test_has_put_in_the_place_of_others_changes_no_report(tmp_path: Path) -> None:
    names = ("os.open", "os.write", "os.getpid", "json.dumps", "os.path.exists")
    marks = "".join(f"    @unittest.mock.patch('{name}')\n" for name in names)
    text = f"import unittest.mock\n{HEAD}{marks}    def test_x(self, *given):\n        self.assertEqual(1, 2)\n"
    report = await run(tmp_path, {"test_a.py": text})
    assert ends(report) == {"test_a.py::T::test_ok": "passed", "test_a.py::T::test_x": "failed"}
    assert cause_of(report) == "test_a.py::T::test_x fails: AssertionError: 1 != 2."


INNER = """\
def test_inner(self):
    class Inner(unittest.TestCase):
        def test_never_told(self):
            self.fail()
    unittest.TextTestRunner().run(Inner("test_never_told"))
    unittest.TestSuite([Inner("test_never_told")]).run(unittest.TestResult())

def test_child(self):
    import subprocess
    words = ["sh", "-c", f"{sys.executable} -m unittest discover -s inner; true"]
    said = subprocess.run(words, capture_output=True, text=True).stderr
    self.assertIn("FAILED", said)
"""


async def test_runs_inside_of_tests_and_in_their_children_are_theirs(tmp_path: Path) -> None:
    inner = {"inner/test_in.py": f"{HEAD}    def test_bad(self):\n        self.fail()\n"}
    report = await run(tmp_path, {**case(INNER), **inner})
    assert report.green, report.tail(2000)
    assert ends(report).keys() == {f"test_a.py::T::{name}" for name in ("test_ok", "test_inner", "test_child")}


async def test_names_are_those_of_the_class_that_ran(tmp_path: Path) -> None:
    files = {
        "base.py": "class Checks:\n    def test_b(self):\n        self.assertTrue(self.good)\n",
        "test_a.py": "import unittest\n\nfrom base import Checks\n\n\n"
        "class A(Checks, unittest.TestCase):\n    good = True\n\n\n"
        "class B(Checks, unittest.TestCase):\n    good = False\n\n\n"
        "setattr(A, 'test_c[1]', lambda self: None)\nsetattr(A, 'test_\\ud800', lambda self: None)\n",
    }
    assert ends(await run(tmp_path, files)) == {
        "test_a.py::A::test_b": "passed",
        "test_a.py::A::test_c(1)": "passed",
        "test_a.py::A::test_?": "passed",
        "test_a.py::B::test_b": "failed",
    }


@pytest.mark.parametrize("start", ["fork", "spawn"])
async def test_tests_in_several_processes_are_told_of_once(tmp_path: Path, start: str) -> None:
    files = {**case("def test_x(self):\n    self.fail()"), "manage.py": PARALLEL}
    report = await run(tmp_path, files, f"python manage.py test {start}")
    assert ends(report) == {"test_a.py::T::test_ok": "passed", "test_a.py::T::test_x": "failed"}, report.tail(2000)


async def test_a_result_that_keeps_things_to_itself_is_heard_all_the_same(tmp_path: Path) -> None:
    files = {**case("def test_x(self):\n    self.fail()"), "manage.py": OWN_RESULT}
    report = await run(tmp_path, files, "python manage.py test")
    assert ends(report) == {"test_a.py::T::test_ok": "passed", "test_a.py::T::test_x": "failed"}


async def test_several_runs_of_a_line_are_one_report(tmp_path: Path) -> None:
    bad = f"{HEAD}    def test_x(self):\n        self.fail()\n"
    files = {"one/test_a.py": HEAD, "api/two/test_b.py": bad}
    line = "python -m unittest discover one && cd api && python -m unittest discover -f -s two"
    report = await run(tmp_path, files, line)
    assert ends(report) == {
        "one/test_a.py::T::test_ok": "passed",
        "api/two/test_b.py::T::test_ok": "passed",
        "api/two/test_b.py::T::test_x": "failed",
    }


@pytest.mark.parametrize(
    ("files", "command", "problem"),
    [
        ({"a.py": ""}, "python -m unittest", "No test was found"),
        ({"test_a.py": HEAD}, "python -m unittest -k nothing", "No test was found"),
        ({"test_a.py": HEAD.replace("class T", "@unittest.skip('x')\nclass T")}, "", "Every test was skipped."),
        ({"test_a.py": "import unittest\n\nraise unittest.SkipTest('x')\n"}, "", "Every test was skipped."),
    ],
)
async def test_a_run_without_a_test_that_passed_is_not_green(
    tmp_path: Path, files: dict[str, str], command: str, problem: str
) -> None:
    report = await run(tmp_path, files, command or "python -m unittest")
    assert report.problems[0].startswith(problem)


REPORTS = "prefix = sys.modules['agenthub_recorder']._Run.prefix\n"
QUIET = (
    "unittest.TextTestResult.addFailure = lambda self, test, error: None\n\n\n"
    "class U(unittest.TestCase):\n    def test_x(self):\n        self.fail()\n"
)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (QUIET, "of 2 tests that began it calls 1 red, and its closing lines speak of 2 tests, none of them red"),
        (f"{REPORTS}os.symlink('/etc/passwd', prefix + '1.jsonl')\n", "it is no plain file"),
        (
            f"{REPORTS}for n in range(200):\n    open(f'{{prefix}}{{n}}.jsonl', 'w').close()\n",
            "more than 100 processes have written into it",
        ),
        (
            f'{REPORTS}open(f\'{{prefix}}1.jsonl\', \'w\').write(\'{{"what": "started", "test": "x"}}\\n\')\n',
            "of 2 tests that began it calls 1 red, and its closing lines speak of 1 tests, none of them red",
        ),
    ],
)
async def test_a_report_that_says_something_else_than_the_run_cannot_be_used(
    tmp_path: Path, more: str, why: str
) -> None:
    report = await run(tmp_path, {"test_a.py": f"{HEAD}\n{more}"})
    assert report.cases is None
    assert why in report.problems[0], report.tail(2000)


MEASURED = {
    "app/__init__.py": "",
    "app/level.py": "def high(a, b):\n    return a > b\n\n\ndef low(a, b):\n    return a < b\n",
    "app/tool.py": "import sys\n\nif len(sys.argv) > 1:\n    print(sys.argv[1])\n",
    "app/unseen.py": "X = 1\n",
    "tests/__init__.py": "",
    "tests/test_level.py": "import subprocess\nimport sys\n" + HEAD + "\n"
    "    def test_high(self):\n        from app.level import high\n\n        self.assertTrue(high(3, 2))\n\n"
    "    def test_tool(self):\n        subprocess.run([sys.executable, '-m', 'app.tool', 'x'], check=True)\n",
}


@pytest.mark.parametrize(
    "command",
    ["python -m unittest", "python -m unittest tests.test_level", "cd tests && python -m unittest discover -t .."],
)
async def test_coverage_is_measured_in_the_processes_of_the_tests_as_well(tmp_path: Path, command: str) -> None:
    report = await run(tmp_path, MEASURED, command, measured=True)
    assert report.green, report.tail(2000)
    # Of eight statements a body and the module that nothing loads have not run.
    assert report.executed is not None
    assert report.executed["app/level.py"] == {1, 2, 5}
    assert report.executed["app/tool.py"] == {1, 3, 4}
    assert report.executed["app/unseen.py"] == frozenset()
    assert report.coverage_percent == 75


ODD_RUNS = {
    "nothing is left of a run that ends at once": ("import os\nos._exit(1)\n", None),
    "a red run": (f"{HEAD}    def test_x(self):\n        import code_of\n        self.fail()\n", 100),
    "a test that forks": (
        f"{HEAD}    def test_x(self):\n        import code_of\n        if not os.fork():\n"
        "            os._exit(0)\n        os.wait()\n",
        100,
    ),
}


@pytest.mark.parametrize("odd", list(ODD_RUNS))
async def test_coverage_of_odd_runs_of_unittest(tmp_path: Path, odd: str) -> None:
    text, percent = ODD_RUNS[odd]
    report = await run(tmp_path, {"code_of.py": "X = 1\n", "test_a.py": text}, measured=True)
    assert report.coverage_percent == percent, report.tail(2000)


async def test_a_line_that_measures_coverage_itself_stays_as_it_is(tmp_path: Path) -> None:
    report = await run(tmp_path, MEASURED, "python -m coverage run -m unittest", measured=True)
    assert report.green, report.tail(2000)
    assert report.coverage_percent is None


@pytest.mark.parametrize("start", ["fork", "spawn"])
async def test_coverage_is_measured_where_tests_run_in_several_processes(tmp_path: Path, start: str) -> None:
    code = {"code_of.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n", "manage.py": PARALLEL}
    files = {**case("def test_x(self):\n    from code_of import f\n    self.assertEqual(f(), 1)"), **code}
    report = await run(tmp_path, files, f"python manage.py test {start}", measured=True)
    assert report.green, report.tail(2000)
    assert report.executed is not None
    assert report.executed["code_of.py"] == {1, 2, 5}
