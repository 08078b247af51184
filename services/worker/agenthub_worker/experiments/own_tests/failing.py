"""The goal's own tests, made to fail: one that is not seen to fail under its own name says nothing by passing."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from agenthub_worker.evidence.reports import Case
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.syntax import parsed
from agenthub_worker.evidence.test_history import some
from agenthub_worker.experiments.own_tests.checks import (
    DEFINITIONS,
    Definition,
    Edit,
    as_before,
    checks_in,
    edited,
    helpers,
    plain_lines,
    reached,
    segment,
)

FILES_MAX = 500
_NONE: Mapping[str, str] = {}
# Given to the check itself: a class of tests may have put another one in its place.
_MUST_FAIL = {
    "assertEqual": "1, 2",
    "assertNotEqual": "1, 1",
    "assertTrue": "0",
    "assertFalse": "1",
    "assertIs": "1, 2",
    "assertIsNot": "1, 1",
    "assertIsNone": "1",
    "assertIsNotNone": "None",
    "assertIn": "1, []",
    "assertNotIn": "1, [1]",
    "assertAlmostEqual": "1, 9",
    "assertGreater": "1, 2",
    "assertLess": "2, 1",
    "assertListEqual": "[1], [2]",
    "assertDictEqual": "{1: 1}, {2: 2}",
}


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """Test files by path, in which every test must fail, and the ids of those tests."""

    texts: Mapping[str, str] = {}
    tests: frozenset[str] = frozenset()


def broken(
    files: Mapping[str, str], passed: Collection[str], token: str, earlier: Mapping[str, str] = _NONE
) -> Broken:
    """The tests of `files` (path to text) made to fail, as far as they `passed`; `token` is random.

    Each fails where it checks something first; one without a check of its own, or of a helper in its file, at its
    first line, and so does one that is as it was in `earlier`: its checks are not those of the change.
    """
    texts, tests = dict[str, str](), set[str]()
    for path in sorted(files)[:FILES_MAX]:
        source = plain_lines(files[path])
        module = parsed(source)
        if module is None:
            continue
        old = as_before(module, earlier.get(path, ""))
        raising = f"raise AssertionError('{token}')"
        edits = _edits(path, module, passed, raising, rows=source.split("\n"), old=old)
        text = edited(source, {edit for found in edits.values() for edit in found})
        if edits and parsed(text) is not None:
            texts[path] = text
            tests |= edits.keys()
    return Broken(texts=texts, tests=frozenset(tests))


def never_red(made: Broken, cases: Iterable[Case]) -> str:
    """Why the passing of tests says nothing that passed though they were made to fail; empty: none did."""
    outcomes: dict[str, set[str]] = {}
    for case in cases:
        outcomes.setdefault(plain_id(case.id), set()).add(case.outcome)
    found = sorted(name for name in made.tests if outcomes.get(name) == {"passed"})
    if not found:
        return ""
    return (
        f"Tests pass whatever stands in them ({some(found)}): with statements in the place of their checks that"
        " must fail they are still reported as passed. Something decides what they report, what their checks"
        " raise is caught (`suppress`, `raises(Exception)`, a thread that nobody asks), or they or their checks"
        " are never run (a coroutine that nobody awaits, a loop over nothing, a decorator that does not call"
        " them)."
    )


def _edits(
    path: str,
    module: ast.Module,
    passed: Collection[str],
    raising: str,
    *,
    rows: Sequence[str],
    old: Collection[Definition],
) -> dict[str, set[Edit]]:
    """By the id of each test that passed what makes it fail; without tests that share a line with something."""
    found, known, mixed = dict[str, set[Edit]](), helpers(module), set[str]()
    for name, test in _tests(path, module):
        if name not in passed:
            continue
        asked = () if test in old else (test, *reached(test, known))
        checks = [check for one in asked for check in checks_in(one.body)]
        edits = {edit for check in checks if (edit := _in_place(rows, check, raising))}
        edits = edits or {edit for edit in (_in_front(rows, test, raising),) if edit}
        if edits:
            found.setdefault(name, set()).update(edits)
        else:
            mixed.add(name)
    return {name: edits for name, edits in found.items() if name not in mixed}


def _in_place(rows: Sequence[str], check: ast.stmt, raising: str) -> Edit | None:
    """What fails where a check stands; none where no statement has room."""
    before, text, after = segment(rows, check)
    end_line, end_column = check.end_lineno or check.lineno, check.end_col_offset or 0
    if failing := raising if isinstance(check, ast.Assert) else _failing_call(check):
        # All lines below keep their numbers.
        lines = "" if after.lstrip().startswith(";") else "\n" * text.count("\n")
        return Edit(check.lineno, check.col_offset, end_line, end_column, failing + lines)
    if not isinstance(check, ast.With | ast.AsyncWith):
        return Edit(end_line, end_column, end_line, end_column, f"; {raising}")
    if before.strip() or end_line >= len(rows):
        return None
    return Edit(end_line + 1, 0, end_line + 1, 0, f"{before}{raising}\n")


def _failing_call(check: ast.stmt) -> str:
    """The same check of a `TestCase`, given what it must refuse; empty for another one."""
    match check:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name))):
            return f"self.{name}({_MUST_FAIL[name]})" if name in _MUST_FAIL else ""
    return ""


def _in_front(rows: Sequence[str], test: Definition, raising: str) -> Edit | None:
    """What fails at the first line of a test; none where that is not a line of its own."""
    first = test.body[0]
    line = min([first.lineno, *(item.lineno for item in getattr(first, "decorator_list", []))])
    is_alone = line > test.lineno and not rows[line - 1][: first.col_offset].strip(" \t@")
    if not is_alone or rows[line - 2].endswith("\\"):
        return None
    indent = rows[line - 1][: len(rows[line - 1]) - len(rows[line - 1].lstrip())]
    return Edit(line, 0, line, 0, f"{indent}{raising}\n")


def _tests(path: str, module: ast.Module) -> Iterator[tuple[str, Definition]]:
    for node in module.body:
        if isinstance(node, DEFINITIONS) and node.name.startswith("test"):
            yield f"{path}::{node.name}", node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, DEFINITIONS) and inner.name.startswith("test"):
                    yield f"{path}::{node.name}::{inner.name}", inner
