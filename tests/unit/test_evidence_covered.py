"""Coverage over what was there to be covered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agenthub_worker.evidence.covered import read_contexts, read_coverage, sources_in


def report(**files: tuple[range, range]) -> bytes:
    measured = {
        name.replace("__", "/") + ".py": {"executed_lines": [*ran], "missing_lines": [*missed]}
        for name, (ran, missed) in files.items()
    }
    return json.dumps({"files": measured}).encode()


def percent(data: bytes, **texts: str) -> float | None:
    covered = read_coverage(data, {name.replace("__", "/") + ".py": text for name, text in texts.items()})
    assert covered is not None
    return covered.percent


def test_the_code_counts_and_the_tests_do_not() -> None:
    data = report(
        auth__jwt=(range(60), range(60, 80)),
        auth__b=(range(9), range(9, 10)),
        tests__test_a=(range(100), range(0)),
    )
    assert percent(data, auth__jwt="", auth__b="", tests__test_a="") == 76.67
    assert percent(report(), a="") is None
    for broken in (b"", b"[]", b'{"files": []}', b'{"files": {"a.py": {"executed_lines": "x"}}}'):
        assert read_coverage(broken, {}) is None


def test_what_a_run_makes_was_not_there_to_be_covered() -> None:
    data = report(a=(range(1), range(1, 2)), made=(range(1000), range(0)))
    assert percent(data, a="") == 50.0


def test_code_in_folders_of_documents_and_tests_is_no_hiding_place() -> None:
    data = report(a=(range(10), range(0)), docs__b=(range(0), range(10)))
    assert percent(data, a="", docs__b="") == 50.0
    hidden = report(a=(range(10), range(0)), tests__impl=(range(0), range(10)))
    assert percent(hidden, a="", tests__impl="") == 50.0
    padded = report(a=(range(5), range(5, 10)), tests__pad=(range(90), range(0)))
    assert percent(padded, a="", tests__pad="") == 50.0, "helpers never raise it"


@pytest.mark.parametrize(
    ("text", "ran", "missed", "share"),
    [
        ("def f(a): return a + 1\n", [1], [], 50.0),
        ("def f(a): b = a; c = b; return c\n", [1], [], 25.0),
        ("def f(a):\n    return a; print(a)\n", [1], [2], 33.33),
        ("class E(Exception): pass\n", [1], [], 100.0),
        ("def f(self) -> int: ...\n", [1], [], 100.0),
        ("a = 1; b = 2\n", [1], [], 100.0),
        ("a = 1\nif TYPE_CHECKING:\n    b = 2\n    c = 3\n", [1, 2], [3, 4], 100.0),
        ("a = 1\nif TYPE_CHECKING:\n    b = 2\n    c = 3\n", [1, 2, 3], [4], 75.0),
        ("a = 1\nif __name__ == '__main__':\n    f()\n", [1, 2], [3], 100.0),
        ("a = 1\nif __name__ == 'x':\n    f()\n", [1, 2], [3], 66.67),
        ("f = lambda a: a + 1\n", [1], [], 100.0),
        (
            "f = lambda a: [b * 2 for b in a if b > 3] + [c for c in a if c < 9] + [a[0] * 7, a[1]]\n",
            [1],
            [],
            50.0,
        ),
    ],
)
def test_many_statements_in_a_line_are_as_many(
    tmp_path: Path, text: str, ran: list[int], missed: list[int], share: float
) -> None:
    (tmp_path / "m.py").write_text(text)
    data = json.dumps({"files": {"m.py": {"executed_lines": ran, "missing_lines": missed}}}).encode()
    covered = read_coverage(data, sources_in(tmp_path))
    assert covered is not None
    assert covered.percent == share
    assert covered.executed == {"m.py": frozenset(ran)}


def test_paths_told_from_the_folder_in_which_the_tests_ran_are_found() -> None:
    data = report(pkg__m=(range(1), range(1, 2)), pkg__b=(range(2), range(0)))
    covered = read_coverage(data, {"services/api/pkg/m.py": "", "services/api/pkg/b.py": "", "web/pkg/m.py": ""})
    assert covered is not None
    assert covered.percent == 75.0
    assert sorted(covered.executed) == ["services/api/pkg/b.py", "services/api/pkg/m.py"]


def test_contexts_tell_the_tests_of_a_line(tmp_path: Path) -> None:
    contexts = {"1": [""], "2": ["t/test_a.py::test_x[a|b]|run", "t/test_a.py::test_x[c]|setup"], "x": ["y"]}
    (tmp_path / "contexts.json").write_text(json.dumps({"files": {"m.py": {"contexts": contexts}}}))
    assert read_contexts(tmp_path, {"m.py": ""}) == {"m.py": {1: {""}, 2: {"t/test_a.py::test_x"}}}
    assert read_contexts(tmp_path, {"api/m.py": ""}) == {"api/m.py": {1: {""}, 2: {"t/test_a.py::test_x"}}}
    (tmp_path / "contexts.json").write_text("[]")
    assert read_contexts(tmp_path, {"m.py": ""}) is None
    assert read_contexts(tmp_path / "nowhere", {"m.py": ""}) is None
