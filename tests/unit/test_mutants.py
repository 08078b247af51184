"""Mutants: how code is broken in small ways, which of them are tried, and with which tests."""

from __future__ import annotations

import ast

import pytest

from agenthub_events.catalogue.values import MutationEvidence
from agenthub_worker.experiments import mutants
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
