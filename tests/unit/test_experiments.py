"""The pure parts of the experiments on a green run."""

from __future__ import annotations

import ast

import pytest

from agenthub_events.catalogue.values import MutationEvidence, TestCounts
from agenthub_runtime.repository.history import FileEntry
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.reports import Case, Outcome
from agenthub_worker.evidence.source import functions_in
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments import canary, judge_settings, mutants, protected
from agenthub_worker.experiments.neutral import neutral
from agenthub_worker.experiments.operators import LAST, TELLING, WEAK, mutants_of


def edits(
    text: str, path: str = "m.py", lines: set[int] | None = None, ranks: tuple[int, ...] = (TELLING, WEAK)
) -> list[str]:
    found = (m for m in mutants_of(path, text, lines) if m.rank in ranks and not m.guarded)
    return [f"{m.line} {m.old}>{m.new}" for m in found]


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("a == b\n", ["1 ==>!="]),
        ("a not in b\n", ["1 not in>in"]),
        ("x = (a + b) * c\n", ["1 +>-", "1 *>+"]),
        ("x = a and b or c\n", ["1 and>or", "1 or>and"]),
        ("x = not a\n", ["1 not >"]),
        ("x += 2\n", ["1 +=>-=", "1 2>3"]),
        ("def f(a: int | None = None) -> int | None:\n    return a\n", ["2 a>None"]),
        ("if a:\n    raise E\n", ["1 >not ", "2 raise E>pass"]),
        ('x = f"{a + b}"\n', []),
        ('"""a == b"""\n', []),
        ("@dataclass(frozen=True)\nclass A:\n    b: int = 3\n", ["3 3>4"]),
        ("if __name__ == '__main__':\n    main()\n", []),
        ("x = 'ä' + a\n", ["1 +>-"]),
        ("def f(ä):\n    return ä\n", ["2 ä>None"]),
        ("x = a + b\r\n", ["1 +>-"]),
        ("if TYPE_CHECKING:\n    import a\n    x = a + b\n", []),
        ("def f(:\n", []),
    ],
)
def test_python_is_broken_in_small_ways_at_its_syntax_tree(text: str, broken: list[str]) -> None:
    assert edits(text) == broken
    for mutant in mutants_of("m.py", text, None):
        ast.parse(mutant.text)
        assert mutant.text != text


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("x = f(a)\n", ["1 f(a)>None"]),
        ("self.a: B = c\n", ["1 c>None"]),
        ("for a in b:\n    pass\n", ["1 b>()"]),
        ("del a\n", ["1 del a>pass"]),
        ("f = lambda: a\n", ["1 lambda: a>None", "1 a>None"]),
        ("x = 'text'\n", ["1 'text'>''"]),
        ("def f():\n    'text'\n", []),
    ],
)
def test_what_any_test_notices_is_broken_where_there_is_nothing_else(text: str, broken: list[str]) -> None:
    assert edits(text, ranks=(LAST,)) == broken
    every = mutants.candidates({"m.py": text + "y = a + b\n"}, {})
    assert [mutant.old for mutant in mutants.chosen(every, "c0ffee")] == ["+"]


def test_a_program_in_a_text_is_broken_inside() -> None:
    (found,) = (m for m in mutants_of("m.py", "exec('def f(a):\\n    return a\\n')\n", None) if "None" in m.text)
    assert found.text == "exec('def f(a):\\n    return None\\n')\n"


def test_code_behind_a_guard_is_broken_where_it_runs() -> None:
    every = mutants.candidates({"m.py": "if TYPE_CHECKING:\n    x = a + b\ny = a - b\n"}, {})
    assert [mutant.line for mutant in mutants.chosen(every, "c0ffee")] == [3]
    reached = mutants.on_lines(every, {"m.py": {1, 2, 3}})
    assert sorted(mutant.line for mutant in mutants.chosen(reached, "c0ffee")) == [2, 3]


@pytest.mark.parametrize(
    ("path", "text", "other"),
    [
        ("m.py", "x = 1\n", "x = 1\n\n# t0k\n"),
        (
            "m.py",
            "def f(a):\n    'd'\n    return a\n",
            "def f(a):\n    'd'\n    []  # t0k\n    return a\n\n# t0k\n",
        ),
        ("m.py", "def f(a): return a\n", "def f(a): return a\n\n# t0k\n"),
        (
            "m.py",
            "class A:\n    def f(self):\n        @g\n        def h():\n            pass\n",
            "class A:\n    def f(self):\n        []  # t0k\n        @g\n        def h():\n            []  # t0k\n"
            "            pass\n\n# t0k\n",
        ),
        ("m.py", "def f(\n", "def f(\n\n# t0k\n"),
        ("m.js", "f()\r\n", "f()\n\n// t0k\n"),
        ("m.rb", "f()", "f()\n# t0k\n"),
        ("m.php", "<?php f() ?>\n", "<?php f() ?>\n"),
    ],
)
def test_a_neutral_text_means_the_same_and_is_another(path: str, text: str, other: str) -> None:
    assert neutral(path, text, "t0k") == other


def test_the_tests_of_a_line_are_named_where_that_is_all_that_can_matter() -> None:
    (mutant,) = mutants.candidates({"m.py": "x = a + b\n"}, {})[-1:]
    known = {"t/test_a.py::test_x", "t/test_a.py::test_y", "t/test_b.py::test_z"}
    covering = {"m.py": {1: {"t/test_a.py::test_x", "t/test_b.py::test_z"}}}
    assert mutants.selection(mutant, covering, known) == ("t/test_a.py::test_x", "t/test_b.py::test_z")
    assert mutants.selection(mutant, {"m.py": {1: {"", "t/test_a.py::test_x"}}}, known) == ()
    assert mutants.selection(mutant, {"m.py": {1: {"t/test_a.py::test_forged"}}}, known) == ()
    assert mutants.selection(mutant, {"m.py": {2: known}}, known) == ()
    assert mutants.selection(mutant, {}, known) == ()
    odd = {"-p evil", "../a.py::test_x"}
    assert mutants.selection(mutant, {"m.py": {1: odd}}, odd) == ()
    many = {f"t/test_a.py::test_{'x' * 50}_{number}" for number in range(1000)}
    assert mutants.selection(mutant, {"m.py": {1: many}}, many) == ("t/test_a.py",)


def test_only_the_changed_lines_are_broken() -> None:
    text = "def f(a, b):\n    c = a + b\n    return c\n"
    assert edits(text, lines={2}) == ["2 +>-"]
    found = mutants.candidates({"m.py": text, "tests/test_m.py": text, "conftest.py": text}, {"m.py": {3}})
    assert [str(mutant) for mutant in found] == ["m.py:3 `c` -> `None`"]
    assert mutants.on_lines(found, {"m.py": {1, 2}}) == []


@pytest.mark.parametrize(
    ("path", "text", "broken"),
    [
        ("a.js", "if (a === b && c) { return a + 'x + y'; }\n", ["1 ===>!==", "1 &&>||", "1 +>-"]),
        ("a.go", "// a == b\nif a <= b {\n", ["2 <=>>"]),
        ("a.rs", "let a = true;\n", ["1 true>false"]),
        ("a.md", "a == b\n", []),
    ],
)
def test_other_languages_are_broken_by_their_text(path: str, text: str, broken: list[str]) -> None:
    assert edits(text, path) == broken


def test_mutants_are_few_spread_and_the_same_for_the_same_commit() -> None:
    text = "".join(f"x{n} = a + b * {n}\n" for n in range(50))
    every = mutants.candidates({"a.py": text, "b.py": "y = a - b\n"}, {})
    found = mutants.chosen(every, "c0ffee")
    assert found == mutants.chosen(list(reversed(every)), "c0ffee")
    assert len(found) == mutants.MUTANTS_MAX
    assert "b.py" in {mutant.path for mutant in found}
    assert len({(mutant.path, mutant.line) for mutant in found}) == len(found)
    assert not any(mutant.rank for mutant in found)
    assert mutants.chosen(every, "c0ffee") != mutants.chosen(every, "beef")


@pytest.mark.parametrize(
    ("evidence", "refused", "said"),
    [
        (MutationEvidence(tried=8, noticed=7, survivors=("a",)), False, "7 of 8 mutants noticed"),
        (MutationEvidence(tried=2, survivors=("a", "b")), True, "0 of 2 mutants noticed"),
        (MutationEvidence(unrun=True, survivors=("a",)), True, "no test runs a changed line"),
        (MutationEvidence(off=True), False, "mutants were not tried (constraints.mutants: off)"),
        (MutationEvidence(), False, ""),
    ],
)
def test_a_change_of_which_nothing_is_noticed_does_not_pass(
    evidence: MutationEvidence, refused: bool, said: str
) -> None:
    assert bool(mutants.refusal_of(evidence)) is refused
    assert str(evidence) == said


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
        ("node --test", ""),
        ("node --test a.test.js", "the test command names its tests"),
    ],
)
def test_no_canary_where_the_goal_itself_picks_tests(command: str, why_not: str) -> None:
    assert canary.why_not_asked(given_test_command(command)) == why_not


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
