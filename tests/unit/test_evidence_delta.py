"""Tests that were deleted, skipped, emptied or steered to go green are seen."""

from __future__ import annotations

import pytest

from agenthub_worker.evidence.delta import TestDelta, brought_hooks, compare_tests
from agenthub_worker.evidence.layout import (
    NoTestCommand,
    bears_on_tests,
    belongs_to_tests,
    detect_test_command,
    given_test_command,
)
from agenthub_worker.evidence.reports import Case
from agenthub_worker.evidence.testing import TestReport

BASE = {
    "tests/test_a.py": (
        "import pytest\n"
        "def test_one():\n    assert f() == 1\n"
        "def test_two():\n    assert f() == 2\n"
        "class TestThing:\n    def test_three(self):\n        assert f() == 3\n"
    ),
    "tests/test_b.py": "def test_four():\n    assert g() == 4\n",
}
NAMES = (
    "tests/test_a.py::test_one",
    "tests/test_a.py::test_two",
    "tests/test_a.py::TestThing::test_three",
    "tests/test_b.py::test_four",
)


def report(*passed: str) -> TestReport:
    cases = [Case(name, "passed") for name in passed]
    return TestReport(
        command="python -m pytest",
        exit_code=0,
        pytest=True,
        timed_out=False,
        duration_s=1.0,
        cases=tuple(cases),
        coverage_percent=None,
        log=b"",
    )


def changed(path: str, old: str, new: str) -> dict[str, str]:
    assert old in BASE[path]
    return {**BASE, path: BASE[path].replace(old, new)}


def test_unchanged_tests_give_no_reason_to_refuse() -> None:
    delta = compare_tests(BASE, BASE, head_report=report(*NAMES))
    assert delta == TestDelta()
    assert delta.refusals() == []


def test_new_tests_are_welcome() -> None:
    head = {**BASE, "tests/test_c.py": "def test_five():\n    assert h() == 5\n"}
    assert compare_tests(BASE, head, head_report=report(*NAMES, "tests/test_c.py::test_five")) == TestDelta()


def test_a_deleted_file_and_a_deleted_function_are_seen() -> None:
    head = changed("tests/test_a.py", "def test_two():\n    assert f() == 2\n", "")
    del head["tests/test_b.py"]
    delta = compare_tests(BASE, head)
    assert delta.deleted == ("tests/test_a.py::test_two", "tests/test_b.py::test_four")
    assert delta.deleted_files == ("tests/test_b.py",)
    assert delta.refusals()[0] == "Test files were deleted: tests/test_b.py."


def test_a_moved_test_is_not_deleted() -> None:
    head = {"tests/test_a.py": BASE["tests/test_a.py"], "tests/unit/test_b.py": BASE["tests/test_b.py"]}
    assert compare_tests(BASE, head) == TestDelta()


def test_a_renamed_test_is_not_deleted_as_long_as_its_code_stays() -> None:
    renamed = changed("tests/test_b.py", "test_four", "test_the_fourth")
    assert compare_tests(BASE, renamed) == TestDelta()
    weaker = {**renamed, "tests/test_b.py": "def test_the_fourth():\n    assert g()\n"}
    assert compare_tests(BASE, weaker).deleted == ("tests/test_b.py::test_four",)


def test_what_is_refused_by_better_evidence_is_not_named_twice() -> None:
    delta = compare_tests(BASE, changed("tests/test_b.py", "def test_four", "def check_four"))
    assert delta.refusals() == ["Tests were deleted: tests/test_b.py::test_four."]
    assert delta.refusals({"tests/test_b.py::test_four"}) == []


def test_a_file_that_is_no_python_any_more_counts_as_deleted_tests() -> None:
    assert len(compare_tests(BASE, {**BASE, "tests/test_b.py": "def test_four(:\n"}).deleted) == 1


def test_every_way_to_skip_always_is_seen() -> None:
    two = "tests/test_a.py::test_two"
    for mark in (
        "@pytest.mark.skip\n",
        "@pytest.mark.skip(reason='flaky')\n",
        "@pytest.mark.skipif(True, reason='x')\n",
        "@pytest.mark.skipif(1 == 1, reason='x')\n",
        "@pytest.mark.xfail\n",
        "@pytest.mark.xfail(strict=False)\n",
        "@unittest.skip('x')\n",
    ):
        head = changed("tests/test_a.py", "def test_two", f"{mark}def test_two")
        assert compare_tests(BASE, head).newly_skipped == (two,), mark
    for body in ("    pytest.skip('later')\n", "    return\n", "    '''doc'''\n    pytest.xfail('x')\n"):
        head = changed("tests/test_a.py", "def test_two():\n", f"def test_two():\n{body}")
        assert compare_tests(BASE, head).newly_skipped == (two,), body


def test_a_skipped_module_or_class_skips_all_its_tests() -> None:
    head = changed("tests/test_b.py", "def test_four", "pytestmark = [pytest.mark.skip]\ndef test_four")
    assert compare_tests(BASE, head).newly_skipped == ("tests/test_b.py::test_four",)
    head = changed("tests/test_b.py", "def test_four", "pytest.skip('x', allow_module_level=True)\ndef test_four")
    assert compare_tests(BASE, head).newly_skipped == ("tests/test_b.py::test_four",)
    head = changed("tests/test_a.py", "class TestThing", "@pytest.mark.skip\nclass TestThing")
    assert compare_tests(BASE, head).newly_skipped == ("tests/test_a.py::TestThing::test_three",)


def test_a_condition_that_looks_at_the_machine_is_no_skip() -> None:
    for mark in (
        "@pytest.mark.skipif(sys.platform == 'win32', reason='x')\n",
        "@pytest.mark.skipif('sys.version_info < (3, 9)', reason='x')\n",
        "@pytest.mark.xfail(sys.platform == 'darwin', reason='x')\n",
        "@pytest.mark.parametrize('a', [1])\n",
    ):
        head = changed("tests/test_a.py", "def test_two", f"{mark}def test_two")
        assert compare_tests(BASE, head) == TestDelta(), mark


def test_an_emptied_test_is_seen() -> None:
    for body in ("pass", "assert True", "f()"):
        head = changed("tests/test_b.py", "assert g() == 4", body)
        assert compare_tests(BASE, head).emptied == ("tests/test_b.py::test_four",), body


def test_tests_left_out_by_changed_settings_or_in_a_changed_file_are_seen() -> None:
    head = {**BASE, "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-k one'\n"}
    assert compare_tests(BASE, head, head_report=report(NAMES[0])).not_run == tuple(sorted(NAMES[1:]))
    head = changed("tests/test_b.py", "g()", "h()")
    assert compare_tests(BASE, head, head_report=report(*NAMES[:3])).not_run == (NAMES[3],)


def test_tests_that_a_repository_leaves_out_by_itself_are_not_held_against_anybody() -> None:
    assert compare_tests(BASE, BASE, head_report=report(NAMES[0])) == TestDelta()
    head = {**BASE, "pyproject.toml": "x", "elsewhere/test_slow.py": "def test_slow():\n    assert 1 == f()\n"}
    assert compare_tests(BASE, head, head_report=report(*NAMES)) == TestDelta()


def test_hooks_that_steer_pytest_are_refused_when_they_are_new() -> None:
    for text in (
        "def pytest_runtest_makereport(item, call):\n    ...\n",
        "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
        "import os\nos._exit(0)\n",
        "import os\npath = os.environ['PYTEST_ADDOPTS']\n",
        "def pytest_configure(config):\n    open(config.option.xmlpath, 'w')\n",
        "import _pytest.runner\n_pytest.runner.check_interactive_exception = lambda *a: False\n",
    ):
        head = {**BASE, "tests/conftest.py": text}
        delta = compare_tests(BASE, head)
        assert delta.refusals(), text
        assert delta.tampering[0].file == "tests/conftest.py"
        assert compare_tests(head, {**head, "tests/conftest.py": text + "# more\n"}).refusals() == []


def test_a_hook_on_collection_is_reported_but_not_refused() -> None:
    head = {**BASE, "conftest.py": "def pytest_collection_modifyitems(items):\n    ...\n"}
    delta = compare_tests(BASE, head)
    assert [item.severity for item in delta.tampering] == ["medium"]
    assert delta.refusals() == []


def test_a_hook_that_decides_about_results_is_refused_in_any_file_under_any_name() -> None:
    for text in (
        "def pytest_runtest_makereport(item, call):\n    ...\n",
        "from .rewrite import green as pytest_runtest_makereport\n",
        "pytest_runtest_makereport = green\n",
        "@hookimpl(specname='pytest_runtest_makereport')\ndef green(item, call):\n    ...\n",
        "setattr(plugin, 'pytest_runtest_makereport', green)\n",
    ):
        (refusal,) = brought_hooks({}, {"app/plugin.py": text})
        assert refusal.startswith("app/plugin.py:"), text
        assert "pytest_runtest_makereport" in refusal
        assert compare_tests(BASE, {**BASE, "conftest.py": text}).refusals(), text
        assert brought_hooks({"app/plugin.py": text}, {"app/plugin.py": f"x = 1\n{text}"}) == [], "it was there"


def test_a_hook_that_swaps_a_test_for_another_or_its_result_is_refused() -> None:
    for line in (
        "items[0].obj = str",
        "items[0].runtest = str",
        "setattr(items[0], 'obj', str)",
        "x.outcome = ''",
    ):
        text = f"def pytest_collection_modifyitems(items):\n    {line}\n"
        assert brought_hooks({}, {"app/plugin.py": text}), line
        assert compare_tests(BASE, {**BASE, "conftest.py": text}).refusals(), line
    assert brought_hooks({}, {"app/job.py": "def finish(job):\n    job.outcome = 'passed'\n"}) == []
    renaming = {**BASE, "tests/test_b.py": "def test_four(record_xml_attribute):\n    assert g() == 4\n"}
    assert "record_xml_attribute" in compare_tests(BASE, renaming).refusals()[0]


def test_code_that_is_no_test_may_end_its_process_and_arrange_what_is_collected() -> None:
    text = "import os\ndef pytest_collection_modifyitems(items):\n    ...\nos._exit(1)\n"
    assert brought_hooks({}, {"app/main.py": text}) == []


def test_a_module_in_place_of_pytest_is_refused() -> None:
    for path in ("pytest.py", "pytest/__init__.py", "_pytest/runner.py", "coverage.py"):
        assert bears_on_tests(path)
        assert compare_tests(BASE, {**BASE, path: "x = 1\n"}).refusals(), path


def test_which_files_bear_on_tests() -> None:
    for path in ("tests/test_a.py", "a/b_test.py", "conftest.py", "pyproject.toml", "a/conftest.py"):
        assert bears_on_tests(path), path
    for path in ("auth/jwt.py", "README.md", "tests/data.json"):
        assert not bears_on_tests(path), path
    assert belongs_to_tests("tests/data.py")
    assert not belongs_to_tests("contest/latest.py")


def test_the_test_command_follows_from_the_repository() -> None:
    command = detect_test_command(["README.md", "src/a.py"])
    assert (getattr(command, "text", ""), getattr(command, "pytest", False)) == ("python -m pytest", True)
    assert isinstance(detect_test_command(["index.js"]), NoTestCommand)
    assert given_test_command("pytest -q tests/unit").pytest
    assert given_test_command("python3 -m pytest").pytest
    assert not given_test_command("make test").pytest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-" * 200_000 + "1", "nested too deep"),
        ("x = a" + ".b" * 200_000, "nested too deep"),
        ("x = a" + ".b" * 900, "nested more than 100 deep"),
        ("def test_a():\n    assert " + "not " * 150 + "x", "nested more than 100 deep"),
        ("x = f" + "()" * 500, "nested more than 100 deep"),
        ("lambda: " * 50_000 + "1", "nested too deep"),
        ("#" * (2 << 20), "2097152 characters, more than"),
    ],
    ids=["minus", "attributes", "900 attributes", "nots", "calls", "lambdas", "large"],
)
def test_a_source_that_exhausts_the_parser_is_refused_with_the_reason(text: str, words: str) -> None:
    refusals = compare_tests({}, {"tests/test_a.py": text}).refusals()
    assert len(refusals) == 1
    assert words in refusals[0]
    # What the base had already is nobody's doing.
    assert compare_tests({"tests/test_a.py": text}, {"tests/test_a.py": text}).refusals() == []


def test_an_ordinary_deep_source_is_read() -> None:
    nested = "".join(f"{'    ' * level}if x:\n" for level in range(20))
    text = f"def test_a():\n    assert 1 + {'(' * 30}2{')' * 30} == 3\n\n{nested}{'    ' * 20}pass\n"
    assert compare_tests({}, {"tests/test_a.py": text}).refusals() == []
