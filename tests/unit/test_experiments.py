"""The pure parts of the experiments on a green run."""

from __future__ import annotations

import ast

import pytest

from agenthub_events.catalogue.values import TestCounts
from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.reports import Case, Outcome
from agenthub_worker.evidence.source import functions_in
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments import canary, judge_settings, protected


def entry(path: str, mode: str = "100644", blob: str = "1") -> FileEntry:
    return FileEntry(path=path, mode=mode, blob=blob, size=1)


@pytest.mark.parametrize(
    ("path", "mode", "refused"),
    [
        ("conftest.py", "120000", True),
        ("tests", "120000", True),
        ("tests/data.json", "120000", True),
        ("pytest.ini", "120000", True),
        ("docs/latest.md", "120000", False),
        ("pkg/m.cpython-311.pyc", "100644", True),
        ("x.pth", "100644", True),
        ("evil-1.0.dist-info/entry_points.txt", "100644", True),
        ("lib/evil.egg-info/entry_points.txt", "100644", True),
        ("docs/entry_points.txt", "100644", False),
        ("stub/pytest.py", "100644", True),
        ("lib/_pytest/__init__.py", "100644", True),
        ("deep/sitecustomize.py", "100644", True),
        ("docs/pytest/howto.py", "100644", False),
        ("pkg/m.py", "100644", False),
    ],
)
def test_files_that_decide_about_the_judge_are_refused(path: str, mode: str, refused: bool) -> None:
    assert bool(judge_settings.refusals_of_files({}, {path: entry(path, mode)})) is refused
    same = {path: entry(path, mode)}
    assert judge_settings.refusals_of_files(same, same) == [], "what was there before may stay"


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (b"x = 1\n", False),
        ("x = 'ä'\n".encode(), False),
        (b"\xef\xbb\xbfx = 1\n", False),
        (b"# coding: unicode_escape\nx = 1\n", True),
        (b"# -*- coding: utf-7 -*-\nx = 1\n", True),
        (b"# coding: latin-1\nx = '\xe4'\n", True),
        (b"# coding: nonsense\n", True),
        (b"x = '\xe4'\n", True),
        (b"# coding: utf8\nx = 1\n", False),
    ],
)
def test_python_that_is_not_utf8_is_refused(data: bytes, refused: bool) -> None:
    assert bool(judge_settings.unreadable_sources({}, {"conftest.py": data})) is refused
    assert judge_settings.unreadable_sources({"conftest.py": data}, {"conftest.py": data}) == []


def test_a_module_in_the_place_of_another_is_named() -> None:
    paths = ["add.py", "stub/add.py", "src/pkg/m.py", "fake/pkg/m.py", "tests/test_a.py"]
    ran = {"add.py": set[int](), "stub/add.py": {1}, "src/pkg/m.py": set[int](), "fake/pkg/m.py": {1}}
    said = judge_settings.stand_ins(paths, ran, set(paths))
    assert [str(line).split(",")[0] for line in said] == [
        "fake/pkg/m.py was tested in the place of src/pkg/m.py",
        "stub/add.py was tested in the place of add.py",
    ]
    assert judge_settings.stand_ins(paths, ran, {"tests/test_a.py"}) == []
    assert judge_settings.stand_ins(paths, {**ran, "add.py": {1}, "src/pkg/m.py": {2}}, set(paths)) == []
    (one,) = judge_settings.stand_ins(
        ["a/b.py", "src/a/b/__init__.py"], {"a/b.py": set(), "src/a/b/__init__.py": {1}}, {"src/a/b/__init__.py"}
    )
    assert (one.ran, one.idle, one.name) == ("src/a/b/__init__.py", "a/b.py", "a.b")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import config\n", True),
        ("import os, config\n", True),
        ("from config import a\n", True),
        ("    from config.sub import a\n", True),
        ("importlib.import_module('config')\n", True),
        ("mock.patch('config.a')\n", True),
        ("from app.config import a\n", False),
        ("from . import config\n", False),
        ("from app import config\n", False),
        ("import configure\n", False),
    ],
)
def test_a_stand_in_is_one_where_its_name_is_imported(text: str, found: bool) -> None:
    assert judge_settings.imports([text], "config") is found


def test_only_settings_that_speak_of_tests_are_put_back() -> None:
    old = {
        "pyproject.toml": b"[project]\nversion='1'\n[tool.pytest.ini_options]\naddopts='-q'\n",
        "tests/test_a.py": b"1",
    }
    version = {**old, "pyproject.toml": old["pyproject.toml"].replace(b"'1'", b"'2'")}
    assert not protected.restored(old, version)
    quiet = {**old, "pyproject.toml": old["pyproject.toml"].replace(b"-q", b"--setup-only")}
    assert list(protected.restored(old, quiet).write) == ["pyproject.toml"]
    more = {
        **old,
        "pytest.ini": b"[pytest]\naddopts = -k nothing\n",
        "tox.ini": b"[tox]\n",
        "tests/test_b.py": b"2",
    }
    assert protected.restored(old, more).remove == ("pytest.ini",)
    edited = {**old, "tests/test_a.py": b"2"}
    assert list(protected.restored(old, edited).write) == ["tests/test_a.py"]
    for declared in ("tests/test_a.py", "tests/*", "*"):
        assert not protected.restored(old, edited, [declared])
    assert list(protected.restored(old, {"pyproject.toml": old["pyproject.toml"]}).write) == ["tests/test_a.py"]


def cases(**outcomes: Outcome) -> list[Case]:
    return [Case(f"test_a.py::{name}", outcome) for name, outcome in outcomes.items()]


def test_a_test_that_is_red_as_it_was_and_green_as_it_is_contradicts_the_change() -> None:
    before: dict[str, Outcome] = {"test_a.py::test_x": "passed", "test_a.py::test_old": "failed"}
    green = cases(test_x="passed", test_old="passed", test_new="passed")
    assert protected.contradicted(before, cases(test_x="failed", test_old="failed", test_new="passed"), green) == [
        "test_a.py::test_x"
    ]
    assert protected.contradicted(before, cases(test_x="passed", test_new="failed"), green) == []
    assert protected.contradicted(before, cases(test_old="failed"), green) == ["test_a.py::test_x"]
    assert protected.contradicted(before, cases(test_x="failed"), green, ["test_a.py::test_x"]) == []
    assert protected.contradicted(before, [Case("test_a.py", "error")], green) == [
        "test_a.py",
        "test_a.py::test_x",
    ]


def test_canaries_are_planted_where_tests_ran_and_load_what_changed() -> None:
    ran = ["tests/unit/test_a.py::test_x", "tests/test_b.py::TestC::test_y"]
    first, second = canary.canaries(ran, ["pkg/m.py", "src/app/__init__.py", "odd-name.py"], "t0k3n")
    assert (first.path, second.path) == ("tests/test_t0k3n_0.py", "tests/unit/test_t0k3n_1.py")
    assert "in ['app', 'pkg.m']:" in first.text
    ast.parse(first.text)
    assert len(first.bad) == 4, "one for each way to assert"


@pytest.mark.parametrize(
    ("command", "why_not"),
    [
        ("python -m pytest", ""),
        ("make test", ""),
        ("python -m pytest -k fast", "the test command picks tests by an expression"),
        ("pytest -m 'not slow'", "the test command picks tests by an expression"),
        ("python -m unittest", ""),
        ("python -m unittest -v", ""),
        ("python -m unittest discover -s tests", ""),
        ("python -m unittest tests.test_a", "the test command names its tests"),
        ("python -m unittest -v tests.test_a", "the test command names its tests"),
        ("python -m unittest discover -k fast", "the test command picks tests by an expression"),
        ("python -m unittest -kfast", "the test command picks tests by an expression"),
        ("python manage.py test --exclude-tag=slow", "the test command picks tests by an expression"),
        ("python manage.py test --parallel 2 --settings a.b", ""),
        ("python -m unittest discover tests '*_test.py' && echo done", ""),
        ("node --test", ""),
        ("node --test a.test.js", "the test command names its tests"),
    ],
)
def test_no_canary_where_the_goal_itself_picks_tests(command: str, why_not: str) -> None:
    assert canary.why_not_asked(given_test_command(command)) == why_not


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("python -m unittest", ["test_t0k_0_test.py", "a/test_t0k_1_test.py"]),
        ("python -m unittest discover -s a -p 'check_*.py'", ["a/check_tt0k_0.py"]),
        ("python -m unittest discover . '*_tests.py'", ["b/c/tt0k_0_tests.py"]),
        ("python -m unittest discover -ptest_a.py", []),
        ("python -m unittest discover -p '*-tests.py'", []),
        ("python -m unittest a.test_a", []),
        ("python -m unittest -k fast", []),
        ("python manage.py test a.test_a", []),
        ("python manage.py test a --parallel 2", ["a/test_t0k_0_test.py"]),
        ("python manage.py test ./b/", []),
        ("python manage.py test b/c --pattern=*_tests.py", ["b/c/tt0k_0_tests.py"]),
    ],
)
def test_canaries_of_unittest_lie_where_it_looks_for_tests(line: str, paths: list[str]) -> None:
    ran = [
        "a/test_a.py::T::test_x",
        "a/check_a.py::T::test_x",
        "b/c/d_tests.py::T::test_x",
        "test_b.py::T::test_x",
    ]
    planted = canary.python_canaries(given_test_command(line), ran, ["pkg/m.py"], "t0k")
    assert [bird.path for bird in planted] == paths
    for bird in planted:
        names = {f"{bird.path}::{found.qualified}" for found in functions_in(bird.path, bird.text)}
        assert names == {*bird.good, *bird.bad}
        assert "['pkg.m']" in bird.text


@pytest.mark.parametrize(
    ("line", "early"),
    [
        ("python -m unittest", False),
        ("python -m unittest -vf", True),
        ("python -m unittest discover -s a -f", True),
        ("python -m unittest discover -s folder -t for", False),
        ("python manage.py test --failfast", True),
        ("cd unittest && python -m unittest", False),
        ("python -m unittest discover a && python -m unittest discover b", True),
        ("python manage.py test --settings a; python manage.py test --settings b", True),
    ],
)
def test_a_run_of_unittest_that_ends_early_is_known(line: str, early: bool) -> None:
    assert canary.stops_early(given_test_command(line)) is early


def test_canaries_of_a_runner_that_only_counts_lie_where_its_tests_lie() -> None:
    files = ["pkg/m.py", "tests/test_a.py", "lib/a.test.js", "lib/b.js", "test-c.mjs", "README.md"]
    (python,) = canary.counted_canaries(given_test_command("python -m unittest"), files, ["pkg/m.py"], "t0k")
    assert python.path == "tests/test_t0k_0_test.py", "found by both patterns in use"
    ast.parse(python.text)
    assert "['pkg.m']" in python.text
    first, second = canary.counted_canaries(given_test_command("node --test"), files, ["lib/b.js"], "t0k")
    assert (first.path, second.path) == ("test-t0k-0.test.mjs", "lib/test-t0k-1.test.mjs")
    assert "['./lib/b.js']" in first.text
    assert "['../lib/b.js']" in second.text


@pytest.mark.parametrize(
    ("failed", "exit_code", "said"),
    [(1, 1, ""), (2, 1, ""), (0, 1, "was not counted"), (1, 0, "exit code 0"), (3, 1, "was not counted")],
)
def test_a_canary_that_is_only_counted_has_to_be_counted_as_failed(failed: int, exit_code: int, said: str) -> None:
    command = given_test_command("python -m unittest")
    planted = canary.counted_canaries(command, ["test_a.py", "t/test_b.py"], [], "t0k")
    counts = TestCounts(passed=5, failed=failed)
    report = TestReport(
        command=command.text,
        exit_code=exit_code,
        pytest=False,
        timed_out=False,
        duration_s=1.0,
        cases=None,
        coverage_percent=None,
        log=b"",
        said=counts,
    )
    found = canary.distrust_counts(planted, TestCounts(passed=3), report)
    assert said in found
    assert bool(said) is bool(found)


def test_what_only_tests_read_is_put_back_too() -> None:
    tests = [
        "import json\nfrom helpers import checks\nfrom pkg import m\nopen('data/x.json')\nopen('docs/y.json')\n"
    ]
    changed = {
        "data/x.json": b"{}",
        "docs/y.json": b"{}",
        "data/other.json": b"{}",
        "helpers/checks.py": b"def same(a, b):\n    assert a == b\n",
        "pkg/m.py": b"def f():\n    return 1\n",
        "tests/z.json": b"{}",
    }
    assert sorted(protected.aids(changed, tests)) == ["data/x.json", "helpers/checks.py"]
    assert list(protected.aids(changed, tests, ["data/*"])) == ["helpers/checks.py"]
    assert protected.reads(["import checks as c"], "helpers/checks.py")
    assert not protected.reads(["# checks\nimport json"], "helpers/checks.py")


def test_changed_settings_of_the_tests_are_named() -> None:
    old = {"pytest.ini": b"[pytest]\naddopts = -q\n", "conftest.py": b"1", "setup.cfg": b"[metadata]\nname = a\n"}
    new = {
        "pytest.ini": b"[pytest]\naddopts = -q\npythonpath = .\n",
        "conftest.py": b"2",
        "setup.cfg": b"[metadata]\nname = b\n",
        "pytest.toml": b"[pytest]\ntestpaths = ['a']\n",
    }
    assert protected.changed_settings(old, new) == ["pytest.ini: pythonpath", "pytest.toml: testpaths"]
    assert protected.changed_settings(old, old) == []
    assert protected.changed_settings({}, {"tox.ini": b"[pytest]\naddopts = -x\n"}) == ["tox.ini: addopts"]


@pytest.mark.parametrize(
    ("assertion", "checks"),
    [
        ("assert add(1, 2) == 3", 1),
        ("assert (add(1, 2) == 3, 'sum')", 0),
        ("assert [add(1, 2)]", 0),
        ("assert add(1, 2) or True", 0),
        ("assert 1 == 1", 0),
        ("assert x == x", 0),
        ("assert x and y", 1),
        ("assert True", 0),
        ("assert f'{x}'", 1),
    ],
)
def test_an_assertion_that_holds_always_is_no_check(assertion: str, checks: int) -> None:
    (function,) = functions_in("test_a.py", f"def test_a():\n    {assertion}\n")
    assert function.checks == checks
