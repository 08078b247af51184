"""The goal's own tests in other words: the same checks, in another text, saying something else when they fail."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agenthub_worker.evidence.source import dotted
from agenthub_worker.evidence.syntax import parsed
from agenthub_worker.evidence.test_history import some
from agenthub_worker.experiments.own_tests.checks import (
    DEFINITIONS,
    Edit,
    as_before,
    checks_in,
    edited,
    plain_lines,
    segment,
)
from agenthub_worker.experiments.own_tests.failing import FILES_MAX

_NONE: Mapping[str, str] = {}
_NO_LAMBDA = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_SAYING = """

def _said_{token}(check):
    try:
        return check()
    except AssertionError:
        raise AssertionError('{token}') from None
"""


def reworded(files: Mapping[str, str], token: str, earlier: Mapping[str, str] = _NONE) -> dict[str, str]:
    """Test files (path to text) whose checks are worded otherwise, each line where it was; `token` is random.

    Functions that are as they were in `earlier` keep their words: a project may have tests that read their own.
    """
    found = {}
    for path in sorted(files)[:FILES_MAX]:
        source = plain_lines(files[path])
        module = parsed(source)
        if module is None:
            continue
        edits = list(_edits(module, source.split("\n"), token, earlier.get(path, "")))
        text = f"{edited(source, edits)}\n# {token}\n{_SAYING.format(token=token)}"
        if parsed(text) is not None:
            found[path] = text
    return found


def refusal(names: Iterable[str]) -> str:
    """Why tests count for nothing that fail in other words."""
    found = sorted(names)
    return (
        f"Tests pass only as they are worded ({some(found) if found else 'the whole run'}): with the same checks"
        " in another text they fail on the same code. Something knows them by their text, or by what a failed"
        " check says. Where it is meant, a person can accept it."
    )


def _edits(module: ast.Module, rows: Sequence[str], token: str, earlier: str) -> Iterator[Edit]:
    old = {inner for node in as_before(module, earlier) for inner in ast.walk(node)}
    outer = [node for node in ast.walk(module) if isinstance(node, DEFINITIONS) and node not in old]
    checks = {id(check): check for node in outer for check in checks_in(node.body)}
    for check in checks.values():
        text = _in_other_words(rows, check, token)
        if text:
            end = (check.end_lineno or check.lineno, check.end_col_offset or 0)
            yield Edit(check.lineno, check.col_offset, *end, text)


def _in_other_words(rows: Sequence[str], check: ast.stmt, token: str) -> str:
    """The same check; empty where it has to stay as it is."""
    before, text, after = segment(rows, check)
    match check:
        case ast.Assert() if not before.strip() and not after.split("#", 1)[0].strip():
            condition = _condition(check, text)
            if not condition:
                return ""
            said = f"if not ({condition}): raise AssertionError('{token}')"
            return said + "\n" * (text.count("\n") - condition.count("\n"))
        case ast.Expr(value=ast.Call() as call) if dotted(call).startswith("self.assert"):
            if not any(isinstance(node, _NO_LAMBDA) for node in ast.walk(call)):
                return f"_said_{token}(lambda: {text})"
    return ""


def _condition(check: ast.Assert, text: str) -> str:
    """The text of what is asserted, without its message."""
    condition = text.removeprefix("assert")
    if check.msg is not None:
        message = ast.get_source_segment(f"{' ' * check.col_offset}{text}", _moved(check.msg, check.lineno))
        condition = condition.rpartition(message)[0].rstrip(" \t\n(").removesuffix(",") if message else ""
    try:
        same = ast.dump(ast.parse(f"({condition})", mode="eval").body) == ast.dump(check.test)
    except SyntaxError:
        return ""
    return condition.strip() if same else ""


def _moved(node: ast.expr, first: int) -> ast.expr:
    """The same place counted from the line `first`."""
    moved = ast.Constant(value=None)
    moved.lineno, moved.col_offset = node.lineno - first + 1, node.col_offset
    moved.end_lineno, moved.end_col_offset = (node.end_lineno or node.lineno) - first + 1, node.end_col_offset
    return moved
