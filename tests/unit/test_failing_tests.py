"""Tests that are made to fail, and code that is watched."""

from __future__ import annotations

import ast

import pytest

from agenthub_worker.evidence.reports import Case
from agenthub_worker.experiments import never_run, unaware
from agenthub_worker.experiments.own_tests.failing import FILES_MAX, Broken, broken, never_red
from agenthub_worker.experiments.own_tests.rewording import reworded

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


def test_every_test_that_passed_fails_where_it_checks_something() -> None:
    made = broken({"test_a.py": FILE}, {f"test_a.py::{name}" for name in IDS}, "t0k")
    named = ("test_plain", "test_long", "test_line", "TestMore::test_tab", "TestMore::test_twice")
    assert made.tests == {f"test_a.py::{name}" for name in named}
    text = made.texts["test_a.py"]
    raised = [
        [ast.unparse(line) for line in node.body].count("raise AssertionError('t0k')")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]
    assert raised == [1] * 6
    assert text.count("t0k") == 6
    assert "assert 3" in text


CHECKS = """\
import contextlib
import unittest

import pytest


def same(a, b):
    assert a == (
        b
    )  # Both.


def test_helper():
    print(map(same, [1], [1]))


def test_caught():
    with contextlib.suppress(AssertionError):
        assert 1 == 1, "one"
    with pytest.raises(Exception):
        assert 2 == 2
    with pytest.raises(AssertionError):
        assert 3 == 4
    for n in []: assert n; print(n)


def test_raises():
    with pytest.raises(ValueError):
        int("x")


class TestCases(unittest.TestCase):
    async def test_it(self):
        self.assertEqual(1,
            1)
        await self.assertLater(2)
"""
IN_CHECKS = ("test_helper", "test_caught", "test_raises", "TestCases::test_it")


def test_what_fails_stands_in_the_place_of_every_check_and_moves_no_assertion() -> None:
    made = broken({"test_b.py": CHECKS}, {f"test_b.py::{name}" for name in IN_CHECKS}, "t0k")
    assert made.tests == {f"test_b.py::{name}" for name in IN_CHECKS}
    text = made.texts["test_b.py"]
    assert "def same(a, b):\n    raise AssertionError('t0k')\n\n  # Both.\n" in text
    assert "suppress(AssertionError):\n        raise AssertionError('t0k')\n" in text
    assert "raises(Exception):\n        raise AssertionError('t0k')\n    with" in text
    assert "        assert 3 == 4\n    raise AssertionError('t0k')\n" in text
    assert "in []: raise AssertionError('t0k'); print(n)" in text
    assert "        int(\"x\")\n    raise AssertionError('t0k')\n" in text
    assert "        self.assertEqual(1, 2)\n\n        await" in text
    assert "assertLater(2); raise AssertionError('t0k')\n" in text
    assert (
        text.split("\n").index("class TestCases(unittest.TestCase):")
        == CHECKS.split("\n").index("class TestCases(unittest.TestCase):") + 2
    )


def test_checks_in_other_words_mean_the_same_on_the_same_lines() -> None:
    text = reworded({"test_b.py": CHECKS.replace("\n", "\r\n"), "test_c.py": "def test("}, "t0k")
    assert list(text) == ["test_b.py"]
    said = text["test_b.py"]
    assert "    if not ((\n        b\n    )): raise" not in said
    assert "    if not (a == (\n        b\n    )): raise AssertionError('t0k')  # Both.\n" in said
    assert "        if not (1 == 1): raise AssertionError('t0k')\n" in said
    assert "        assert 3 == 4\n" in said
    assert "    for n in []: assert n; print(n)\n" in said
    assert "_said_t0k(lambda: self.assertEqual(1,\n            1))\n" in said
    assert "        await self.assertLater(2)\n" in said
    lines = [kept.split("\n").index("class TestCases(unittest.TestCase):") for kept in (CHECKS, said)]
    assert lines[0] == lines[1]


NEVER_REACHED = """\
import sys


def test_refused():
    try:
        int("x")
        assert False, "taken"
    except ValueError:
        pass


def test_elsewhere():
    value = 1
    if sys.platform == "win32":
        assert value == 2


def test_old():
    for value in []:
        assert value
"""


def test_what_no_run_reaches_is_no_check() -> None:
    names = {f"test_c.py::{name}" for name in ("test_refused", "test_elsewhere")}
    made = broken({"test_c.py": NEVER_REACHED}, names, "t0k")
    assert made.tests == names
    text = made.texts["test_c.py"]
    assert "def test_refused():\n    raise AssertionError('t0k')\n    try:" in text
    assert "def test_elsewhere():\n    raise AssertionError('t0k')\n    value = 1\n" in text


def test_tests_that_stood_there_before_answer_for_no_check_and_keep_their_words() -> None:
    new = NEVER_REACHED + "\n\ndef test_new():\n    for value in []:\n        assert value\n"
    names = {"test_c.py::test_old", "test_c.py::test_new"}
    earlier = {"test_c.py": NEVER_REACHED.replace("\n", "\r\n")}
    text = broken({"test_c.py": new}, names, "t0k", earlier).texts["test_c.py"]
    assert "def test_old():\n    raise AssertionError('t0k')\n    for value in []:\n        assert value\n" in text
    assert "def test_new():\n    for value in []:\n        raise AssertionError('t0k')\n" in text
    (said,) = reworded({"test_c.py": new}, "t0k", earlier).values()
    assert said.count("if not (value): raise") == 1
    assert said.index("if not (value)") > said.index("def test_new")


def test_a_message_goes_with_its_assertion() -> None:
    source = "def test_a():\n    assert (\n        1\n    ), (\n        f'{2}'\n    )\n    return 3\n"
    (said,) = reworded({"test_a.py": source}, "t0k").values()
    assert said.startswith(
        "def test_a():\n    if not ((\n        1\n    )): raise AssertionError('t0k')\n\n\n    return 3\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "def test_a(:\n",
        "",
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
    assert unaware.watch_of({"plain.py": texts["plain.py"]}, {}, every=True) is not None
    # Nothing but lines taken away.
    assert unaware.watch_of({"looks.py": texts["looks.py"]}, {"looks.py": set()}) is None


@pytest.mark.parametrize(
    "text",
    [
        "import random\n\nX = random._os.environ\n",
        "from operator import attrgetter\n\nX = attrgetter('__glo' + 'bals__')\n",
        "import string\n\nX = string.Formatter().get_field('0.a', (1,), {})\n",
        "import coverage\n\nX = coverage.Coverage.current()\n",
    ],
)
def test_what_can_look_around_by_way_of_others_is_watched(text: str) -> None:
    assert unaware.watch_of({"a.py": text}, {}) is not None


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


def test_changed_functions_that_no_test_runs_are_named() -> None:
    text = (
        "def ran():\n    x = 1\n    return x\n\n\n"
        "def outer():\n    def inner():\n        return 2\n    return inner\n\n\n"
        'class A:\n    def idle(self):\n        """It says."""\n        return 3\n\n    def later(self):\n'
        "        raise NotImplementedError\n\n\ndef line(): return 4\n"
    )
    executed = {"a.py": frozenset({1, 2, 3, 6, 7, 9, 12, 13, 17, 21})}
    assert never_run.note({"a.py": text}, {}, executed) == "no test runs inner (a.py:7), idle (a.py:13)"
    assert never_run.note({"a.py": text}, {"a.py": {15}}, executed) == "no test runs idle (a.py:13)"
    # Files that nobody has loaded lower the coverage, and are not named one by one.
    assert not never_run.note({"a.py": text}, {}, {})


@pytest.mark.parametrize(
    ("test", "is_refused"),
    [
        ("from lib.a import idle\n\n\ndef test_a():\n    assert idle() == 3\n", True),
        ("import lib.a\n\n\ndef test_a():\n    assert lib.a.idle() == 3\n", True),
        ("from lib import a as m\n\n\ndef test_a():\n    assert m.idle() == 3\n", True),
        # What stands in for it in the tests of another one is a usual thing.
        ("from lib.a import ran\n\n\ndef test_a(monkeypatch):\n    assert ran() == 1\n", False),
        ("from lib.a import later\n\n\ndef test_a():\n    later()\n", False),
        ("from lib.a import cached\n\n\ndef test_a():\n    cached()\n", False),
    ],
)
def test_tests_that_call_a_function_which_never_runs_say_nothing(test: str, is_refused: bool) -> None:
    text = (
        "def ran():\n    return 1\n\n\ndef idle():\n    return 2\n\n\ndef later():\n    yield 3\n\n\n"
        "@cache\ndef cached():\n    return 4\n"
    )
    said = never_run.replaced(
        {"lib/a.py": text}, {}, {"lib/a.py": frozenset({1, 2, 5, 9, 13, 14})}, {"t.py": test}
    )
    assert bool(said) is is_refused
    assert "idle (lib/a.py:5)" in said or not is_refused
