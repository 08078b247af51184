"""Tests that are made to fail, and code that is watched."""

from __future__ import annotations

import ast

import pytest

from agenthub_worker.evidence.reports import Case
from agenthub_worker.experiments import unaware
from agenthub_worker.experiments.failing import FILES_MAX, Broken, broken, never_red

FILE = '''\
import pytest


def helper():
    return 1


def test_plain():
    assert helper()


@pytest.mark.parametrize("n", [1])
async def test_long(
    n,
):
    """It says."""
    assert n


def test_line(): assert helper()


class TestMore:
\tdef test_tab(self):
\t\t@pytest.fixture
\t\tdef inner():
\t\t\treturn 1

    # The same name twice: both are made to fail.
\tdef test_twice(self):
\t\tassert 1

\tdef test_twice(self):
\t\tassert 2

\tdef not_a_test(self):
\t\tassert 3
'''.replace("    # The", "\t# The")
IDS = [
    "test_plain",
    "test_long",
    "test_line",
    "TestMore::test_tab",
    "TestMore::test_twice",
    "TestMore::not_a_test",
]


def ran(outcome: str, *names: str) -> list[Case]:
    return [Case(f"test_a.py::{name}", outcome) for name in names]  # type: ignore[arg-type]


def test_every_test_that_passed_fails_at_its_first_line() -> None:
    made = broken({"test_a.py": FILE}, {f"test_a.py::{name}" for name in IDS}, "t0k")
    assert made.tests == {
        f"test_a.py::{name}" for name in ("test_plain", "test_long", "TestMore::test_tab", "TestMore::test_twice")
    }
    text = made.texts["test_a.py"]
    first = [
        ast.unparse(node.body[0])
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]
    assert first.count("raise AssertionError('t0k')") == 5
    assert text.count("t0k") == 5


@pytest.mark.parametrize(
    "text",
    [
        "def test_a(:\n",
        "",
        "def test_a():\r\n    assert 1\r\n",
        "def test_a(): pass\n",
        "def test_a(\n): pass\n",
        "x = 1\n",
    ],
)
def test_what_cannot_be_made_to_fail_is_left_as_it_is(text: str) -> None:
    assert broken({"test_a.py": text}, {"test_a.py::test_a"}, "t0k") == Broken()


def test_tests_that_did_not_pass_and_files_without_end_are_left_out() -> None:
    assert broken({"test_a.py": FILE}, {"test_a.py::test_other"}, "t0k") == Broken()
    many = {f"test_{n}.py": "def test_a():\n    pass\n" for n in range(FILES_MAX + 5)}
    assert len(broken(many, {f"{path}::test_a" for path in many}, "t0k").texts) == FILES_MAX


@pytest.mark.parametrize(
    ("cases", "named"),
    [
        (ran("failed", "test_plain", "test_long[1]"), ""),
        (ran("skipped", "test_plain"), ""),
        ([], ""),
        ([*ran("passed", "test_long[1]"), *ran("failed", "test_long[2]")], ""),
        (ran("passed", "test_other"), ""),
        ([*ran("passed", "test_plain"), *ran("error", "test_long[1]")], "test_plain"),
        (ran("passed", "test_long[1]", "test_long[2]"), "test_long"),
    ],
)
def test_a_test_that_passes_though_it_was_made_to_fail_says_nothing(cases: list[Case], named: str) -> None:
    made = Broken(tests=frozenset({"test_a.py::test_plain", "test_a.py::test_long"}))
    said = never_red(made, cases)
    assert said.startswith(f"Tests pass whatever stands in them (test_a.py::{named}):") if named else not said


def test_only_code_that_can_look_around_is_watched_on_its_changed_lines() -> None:
    texts = {
        "plain.py": "def add(a, b):\n    return a + b\n",
        "looks.py": "import sys\n\nBUSY = 'pytest' in sys.modules\n",
        "asks.py": "try:\n    import pytest\nexcept ImportError:\n    pytest = None\nimport unittest\n",
        "like.py": "from unittest.mock import ANY\n\n\nclass A:\n    def __eq__(self, other):\n        return 1\n",
        "looks.js": "import sys",
    }
    watch = unaware.watch_of(texts, {"looks.py": {3, 1}, "asks.py": {2}})
    assert watch is not None
    assert watch.lines == {"looks.py": (1, 3), "asks.py": (2,), "like.py": ()}
    assert (watch.guarded, watch.doubles, watch.logging) == ({"asks.py": (2,)}, True, False)
    assert unaware.watch_of({"plain.py": texts["plain.py"]}, {}) is None
    # Nothing but lines taken away.
    assert unaware.watch_of({"looks.py": texts["looks.py"]}, {"looks.py": set()}) is None


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["Write a pytest plugin that retries"], True),
        (["A plugin for pytest"], True),
        (['[project.entry-points.pytest11]\nx = "x"'], True),
        (["Add two numbers", "Tested with pytest", "A plugin system"], False),
        ([], False),
    ],
)
def test_a_goal_that_wants_a_plugin_of_pytest_is_known(words: list[str], wanted: bool) -> None:
    assert unaware.is_plugin(words) is wanted


def test_a_refusal_names_what_the_code_looked_at_and_nothing_that_cannot_be_read() -> None:
    seen = ["mark\ta.py:3\tsys.modules['pytest']", "same\tb.py:4\tSum.__eq__", "forged", "mark\tx"]
    said = unaware.refusal(["test_a.py::test_a"], seen)
    assert "(test_a.py::test_a): what the code returns is equal to anything: b.py:4 (Sum.__eq__); the code" in said
    assert "looks whether it is tested: a.py:3 (sys.modules['pytest'])." in said
    assert "forged" not in said
    assert [unaware.looked(lines) for lines in (seen, ["began", "forged"], [])] == [True, False, False]
    assert unaware.has_begun(["began"])
    assert not unaware.has_begun(seen)
    assert "(the whole run)" in unaware.refusal([], seen)
    assert set(unaware.programs()) == {"veil", "likeness", "shapes", "calls"}
