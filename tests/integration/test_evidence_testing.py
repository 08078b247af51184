"""Real test runs in the real sandbox, honest ones and forged ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_events.catalogue.values import TestCounts
from agenthub_worker.errors import InvalidTestPath
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.test_history import PastTestRun, fresh_skips, lost_tests, outcomes_of
from agenthub_worker.evidence.testing import TestReport, run_tests
from agenthub_worker.sandbox.bubblewrap import Bubblewrap

PYTEST = given_test_command("python -m pytest")
CODE = "def add(a, b):\n    return a + b\n\n\ndef untested(x):\n    y = x\n    return y\n"


async def run(
    workspace: Path, files: dict[str, str], command: str = "python -m pytest", **options: object
) -> TestReport:
    for name, text in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return await run_tests(
        Bubblewrap(),
        workspace,
        given_test_command(command),
        timeout_s=float(options.get("timeout_s", 60)),  # type: ignore[arg-type]
        paths=options.get("paths", ()),  # type: ignore[arg-type]
    )


async def test_a_green_run_with_coverage_of_the_code(tmp_path: Path) -> None:
    report = await run(
        tmp_path,
        {
            "pkg/m.py": CODE,
            "tests/test_m.py": "from pkg.m import add\n\ndef test_add():\n    assert add(1, 2) == 3\n",
        },
    )
    assert report.green, report.tail(2000)
    assert report.exit_code == 0
    assert report.counts == TestCounts(passed=1)
    assert report.coverage_percent == 60.0
    assert report.failing == ()
    assert report.command == "python -m pytest"
    assert files_below(tmp_path) == ["m.py", "test_m.py"]


async def test_failures_errors_and_skips_are_counted_and_named(tmp_path: Path) -> None:
    report = await run(
        tmp_path,
        {
            "tests/test_m.py": (
                "import pytest\n"
                "def test_ok():\n    assert True\n"
                "class TestX:\n"
                "    @pytest.mark.parametrize('n', [1, 2])\n"
                "    def test_bad(self, n):\n        assert n == 1\n"
                "@pytest.fixture\ndef broken():\n    raise RuntimeError('no')\n"
                "def test_error(broken):\n    pass\n"
                "@pytest.mark.skip\ndef test_skip():\n    pass\n"
            )
        },
    )
    assert report.counts == TestCounts(passed=2, failed=1, errors=1, skipped=1)
    assert report.failing == ("tests/test_m.py::TestX::test_bad[2]", "tests/test_m.py::test_error")
    assert report.exit_code == 1
    assert report.problems == ("1 failed, 1 errors.",)


async def test_no_tests_at_all_is_not_green(tmp_path: Path) -> None:
    report = await run(tmp_path, {"pkg/m.py": CODE})
    assert report.exit_code == 5
    assert "No test was found" in report.problems[0]


async def test_only_skipped_tests_are_not_green(tmp_path: Path) -> None:
    report = await run(tmp_path, {"test_a.py": "import pytest\n@pytest.mark.skip\ndef test_a():\n    pass\n"})
    assert report.exit_code == 0
    assert report.problems == ("Every test was skipped.",)


async def test_a_file_that_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    report = await run(tmp_path, {"test_a.py": "import nothing_like_this\ndef test_a():\n    assert 1\n"})
    assert report.counts == TestCounts(errors=1)
    assert not report.green


async def test_only_some_tests_can_be_run(tmp_path: Path) -> None:
    files = {
        "tests/test_a.py": "def test_a():\n    assert 1\n",
        "tests/test_b.py": "def test_b():\n    assert 0\n",
    }
    report = await run(tmp_path, files, paths=["tests/test_a.py"])
    assert report.green
    assert report.command == "python -m pytest tests/test_a.py"
    for path in ("--collect-only", "/etc/passwd", "../x", "@file", "a/../../b"):
        with pytest.raises(InvalidTestPath):
            await run(tmp_path, files, paths=[path])
    with pytest.raises(InvalidTestPath, match="takes no paths"):
        await run(tmp_path, files, command="make test", paths=["tests"])


async def test_tests_that_hang_are_killed(tmp_path: Path) -> None:
    report = await run(tmp_path, {"test_a.py": "import time\ndef test_a():\n    time.sleep(600)\n"}, timeout_s=3)
    assert report.timed_out
    assert "did not end within their time" in report.problems[0]


async def test_a_command_whose_tests_nobody_can_count_is_never_green(tmp_path: Path) -> None:
    good = await run(tmp_path, {"check.sh": "echo fine\n"}, command="bash check.sh")
    bad = await run(tmp_path, {"check.sh": "echo broken; exit 3\n"}, command="bash check.sh")
    assert (good.green, good.counts, good.not_counted) == (False, None, True)
    assert good.problems[0].startswith("Not counted")
    assert not bad.not_counted
    assert bad.problems == ("The test command ended with exit code 3 before it wrote a report.",)


@pytest.mark.parametrize(
    "command",
    [
        "python -m unittest discover",
        "python -m pytest --collect-only",
        "python -m pytest -k nothing_like_this",
        "python -m pytest --deselect tests/test_m.py",
        "python -m pytest -k nothing_like_this || true",
        "python -m unittest discover || true",
        "python -m pytest --version",
        "true",
        "echo 3 passed",
        "echo 'Ran 3 tests in 0.1s'; echo; echo OK",
        "make",
        "exit 5",
    ],
)
async def test_zero_tests_are_never_green(tmp_path: Path, command: str) -> None:
    files = {
        "pkg/m.py": CODE,
        "tests/test_m.py": "from pkg.m import add\n\ndef test_add():\n    assert add(1, 2) == 3\n",
        "Makefile": "all:\n\t@echo built\n",
    }
    report = await run(tmp_path, files, command=command)
    assert not report.green, report.tail(2000)
    assert report.counts is None or report.counts.passed == 0


UNITTEST = """\
import unittest


class TestIt(unittest.TestCase):
    def test_right(self):
        self.assertEqual(1, 1)

    @unittest.skip("later")
    def test_later(self):
        pass
"""


@pytest.mark.parametrize(
    ("more", "counts", "green"),
    [
        ("", TestCounts(passed=1, skipped=1), True),
        ("\n    def test_wrong(self):\n        self.fail()\n", TestCounts(passed=1, failed=1, skipped=1), False),
        ("\n    def test_error(self):\n        1 / 0\n", TestCounts(passed=1, errors=1, skipped=1), False),
    ],
)
async def test_what_unittest_ran_is_counted(tmp_path: Path, more: str, counts: TestCounts, green: bool) -> None:
    report = await run(tmp_path, {"test_it.py": UNITTEST + more}, command="python -m unittest discover")
    assert (report.counts, report.green) == (counts, green), report.tail(2000)


@pytest.mark.parametrize(
    ("command", "counts"),
    [("python -m unittest", TestCounts(passed=1, skipped=1)), ("python -E -m unittest", None)],
)
async def test_a_second_summary_of_unittest_counts_for_nothing(
    tmp_path: Path, command: str, counts: TestCounts | None
) -> None:
    files = {"test_it.py": UNITTEST + "\nprint('Ran 99 tests in 0.1s\\n\\nOK')\n"}
    report = await run(tmp_path, files, command=command)
    assert (report.counts, report.not_counted) == (counts, counts is None)


async def test_a_run_of_unittest_that_nobody_can_hear_is_counted_by_its_closing_lines(tmp_path: Path) -> None:
    report = await run(tmp_path, {"test_it.py": UNITTEST}, command="python -E -m unittest")
    assert (report.cases, report.counts, report.green) == (None, TestCounts(passed=1, skipped=1), True)


async def test_unittest_that_skips_everything_is_not_green(tmp_path: Path) -> None:
    files = {"test_it.py": UNITTEST.replace("    def test_right", "    @unittest.skip('x')\n    def test_right")}
    report = await run(tmp_path, files, command="python -m unittest discover")
    assert report.problems == ("Every test was skipped.",)


async def test_pytest_below_another_command_still_reports(tmp_path: Path) -> None:
    files = {"test_a.py": "def test_a():\n    assert 0\n", "check.sh": "cd . && pytest -q\n"}
    report = await run(tmp_path, files, command="bash check.sh")
    assert report.failing == ("test_a.py::test_a",)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("truncate -s 100M $report", "it has 100 MiB, more than the 32 that are read"),
        ("rm -f $report; ln -s /etc/passwd $report", "it is no plain file"),
        ("rm -f $report; mkdir $report", "it is no plain file"),
        ("rm -f $report; mkfifo $report", "it is no plain file"),
        ("(echo '<testsuite>'; yes '<testsuite>' | head -n 100000) >$report", "nested more than 50 deep"),
    ],
)
async def test_a_report_that_attacks_its_reader_is_named_in_the_verdict(
    tmp_path: Path, make: str, words: str
) -> None:
    find = "report=${PYTEST_ADDOPTS#*--junitxml=}; report=${report%% *}"
    report = await run(tmp_path, {"make.sh": f"{find}\n{make}\n"}, "bash make.sh")
    assert report.problems == (f"The test command left a report that cannot be used: {report.unread}.",)
    assert words in report.unread


async def test_coverage_settings_of_the_repository_do_not_help(tmp_path: Path) -> None:
    report = await run(
        tmp_path,
        {
            "pkg/m.py": CODE.replace("def untested(x):", "def untested(x):  # pragma: no cover"),
            "pkg/never.py": CODE,
            "tests/test_m.py": "from pkg.m import add\n\ndef test_add():\n    assert add(1, 2) == 3\n",
            ".coveragerc": "[run]\nomit = pkg/never.py\n",
            "pyproject.toml": "[tool.coverage.run]\nomit = ['pkg/*']\n",
        },
    )
    assert report.coverage_percent == 30.0


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


FAILING = "def test_a():\n    assert 0\n"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"test_a.py": "import os\nos._exit(0)\n" + FAILING}, id="exit-before-the-report"),
        pytest.param(
            {
                "test_a.py": FAILING,
                "conftest.py": "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
            },
            id="exit-code-set-to-zero",
        ),
        pytest.param(
            {
                "test_a.py": FAILING,
                "conftest.py": (
                    "import atexit, os, re, sys\n"
                    "def forge():\n"
                    "    path = re.search(r'--junitxml=(\\S+)', os.environ['PYTEST_ADDOPTS']).group(1)\n"
                    "    open(path, 'w').write('<testsuite><testcase name=\"a\"/></testsuite>')\n"
                    "atexit.register(forge)\n"
                ),
            },
            id="report-rewritten-at-exit",
        ),
        pytest.param(
            {
                "test_a.py": (
                    "import os, re, subprocess\n"
                    "path = re.search(r'--junitxml=(\\S+)', os.environ['PYTEST_ADDOPTS']).group(1)\n"
                    "loop = f'while :; do echo \"<testsuite/>\" >{path}; done'\n"
                    "subprocess.Popen(['setsid', 'bash', '-c', loop])\n" + FAILING
                )
            },
            id="process-that-rewrites-the-report",
        ),
        pytest.param(
            {
                "test_a.py": FAILING,
                "conftest.py": (
                    "import os, re\n"
                    "path = re.search(r'--junitxml=(\\S+)', os.environ['PYTEST_ADDOPTS']).group(1)\n"
                    "os.symlink('/etc/passwd', path)\n"
                    "def pytest_unconfigure():\n    os._exit(0)\n"
                ),
            },
            id="report-is-a-link",
        ),
        pytest.param(
            {"test_a.py": FAILING, "pytest.ini": "[pytest]\naddopts = --collect-only\n"}, id="collect-only"
        ),
        pytest.param({"test_a.py": FAILING, "pytest.ini": "[pytest]\naddopts = -k nothing\n"}, id="deselect-all"),
    ],
)
async def test_a_forged_run_is_not_green(tmp_path: Path, files: dict[str, str]) -> None:
    report = await run(tmp_path, files)
    assert not report.green, report


BUG = "def test_bug():\n    assert 1 + 1 == 3\n"
HOOKS = """\
import pytest


@pytest.fixture(autouse=True)
def _mood(request):
    if "by_fixture" in request.node.nodeid:
        pytest.skip("not today")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "by_mark" in item.nodeid:
            item.add_marker(pytest.mark.skip)
        if "by_xfail_mark" in item.nodeid:
            item.add_marker(pytest.mark.xfail)
    config.hook.pytest_deselected(items=[item for item in items if "by_deselecting" in item.nodeid])
    items[:] = [item for item in items if "by_removal" not in item.nodeid and "by_deselecting" not in item.nodeid]
"""


def body(first: str) -> str:
    return BUG.replace("    assert", f"    {first}\n    assert")


# A failing test each, and what makes it silent; every change below leaves the run green.
SILENCED = {
    "tests/test_skip_call.py": "import pytest\n" + body("why = 'later'; pytest.skip(why)"),
    "tests/test_in_a_helper.py": "import pytest\ndef later():\n    pytest.skip('later')\n" + body("later()"),
    "tests/test_raised.py": "import pytest\n" + body("raise pytest.skip.Exception('later')"),
    "tests/test_unittest_skip.py": "import unittest\n" + body("raise unittest.SkipTest('later')"),
    "tests/test_missing_module.py": "import pytest\n" + body("pytest.importorskip('no_such_module')"),
    "tests/test_missing_for_all.py": "import pytest\npytest.importorskip('no_such_module')\n" + BUG,
    "tests/test_condition.py": "import os, pytest\n@pytest.mark.skipif(os.sep == '/', reason='x')\n" + BUG,
    "tests/test_xfail_call.py": "import pytest\n" + body("reason = 'x'; pytest.xfail(reason)"),
    "tests/test_by_fixture.py": BUG,
    "tests/test_by_mark.py": BUG,
    "tests/test_by_xfail_mark.py": BUG,
    "tests/test_by_removal.py": BUG,
    "tests/test_by_deselecting.py": BUG,
    "tests/test_by_addopts.py": BUG,
    "tests/test_by_keyword.py": BUG,
    "tests/test_by_ignore.py": BUG,
    "tests/test_not_a_test.py": BUG + "test_bug.__test__ = False\n",
    "tests/test_no_cases.py": "import pytest\n@pytest.mark.parametrize('n', [])\n" + BUG.replace("()", "(n)"),
    "tests/sub/test_by_collect_ignore.py": BUG,
    "tests/test_renamed.py": BUG.replace("test_bug", "check_bug"),
    "elsewhere/test_by_testpaths.py": BUG,
}
HONEST = {
    "tests/test_good.py": "def test_good():\n    assert 1 + 1 == 2\n",
    "tests/test_old_skip.py": "import pytest\n@pytest.mark.skip(reason='x')\ndef test_old():\n    pass\n",
}
SETTINGS = {
    "tests/conftest.py": HOOKS,
    "tests/sub/conftest.py": "collect_ignore = ['test_by_collect_ignore.py']\n",
    "pytest.ini": (
        "[pytest]\ntestpaths = tests\naddopts = --deselect tests/test_by_addopts.py::test_bug"
        " -k 'not keyword' --ignore=tests/test_by_ignore.py\n"
    ),
}


async def test_i6_every_way_to_silence_a_failing_test_shows_when_runs_are_compared(tmp_path: Path) -> None:
    base = {**dict.fromkeys((*SILENCED, "tests/test_file_renamed.py"), BUG), **HONEST}
    before = await run(tmp_path / "before", base)
    assert before.counts == TestCounts(passed=1, failed=len(SILENCED) + 1, skipped=1)
    head = {**SILENCED, "tests/file_renamed.py": BUG, **HONEST, **SETTINGS}
    after = await run(tmp_path / "after", head)
    assert after.green, after.tail(3000)
    earlier = PastTestRun(when="before", files=base, outcomes=outcomes_of(before.cases or ()))
    lost = {test.id for test in lost_tests(earlier, head, after.cases or ())}
    assert lost == {f"{path}::test_bug" for path in (*SILENCED, "tests/test_file_renamed.py")}
    assert lost_tests(earlier, base, before.cases or ()) == []
    named = {finding.file for finding in fresh_skips(after.cases or (), earlier.outcomes)}
    assert "tests/test_skip_call.py" in named
    assert "tests/test_old_skip.py" not in named


@pytest.mark.parametrize("way", ["os._exit(0)", "pytest.exit('x', 0)"])
async def test_i6_a_run_that_a_test_ends_is_not_green(tmp_path: Path, way: str) -> None:
    leaving = f"import os, pytest\ndef test_first():\n    assert 1\ndef test_leaving():\n    {way}\n"
    report = await run(tmp_path, {"test_a.py": leaving, "test_b.py": BUG})
    assert report.exit_code == 0
    assert not report.green, report
