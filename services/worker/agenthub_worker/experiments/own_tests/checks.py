"""Finds the statements with which tests check something, and changes text at their places."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from agenthub_worker.evidence.source import dotted
from agenthub_worker.evidence.syntax import parsed

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_EXPECTING = frozenset({"raises", "warns", "assertRaises", "assertRaisesRegex", "assertWarns", "assertLogs"})
_FAILED = ("AssertionError", "failureException", "Failed")
_ANYTHING = ("Exception", "BaseException")
_MACHINE = frozenset({"sys.platform", "sys.version_info", "sys.implementation.name", "os.name", "platform.system"})


class Edit(msgspec.Struct, frozen=True, order=True):
    """Text in the place of another one; lines from 1, columns in bytes as the parser counts them."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


def checks_in(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """The statements of a body, or of functions and blocks in it, that check something by themselves.

    Where a failed assertion is what is expected, the block that expects it is the check, and nothing in it. What
    stands where nothing may come (`assert False`), or is checked on some machines alone, is none.
    """
    for node in body:
        if _is_for_no_run(node):
            continue
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Expr | ast.Assign) and _calls_check(node.value)):
            yield node
        elif isinstance(node, ast.With | ast.AsyncWith) and (words := _expected(node)) is not None:
            inner = [] if any(word in _FAILED for word in words) else list(checks_in(node.body))
            # What takes any exception takes those of the checks in it, too.
            yield from inner if inner and any(word in _ANYTHING for word in words) else [node]
        elif isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield from checks_in(ast.iter_child_nodes(node))


def as_before(module: ast.Module, earlier: str) -> list[Definition]:
    """The functions of a module and of its classes that stand in an earlier text of it, too."""
    old = parsed(plain_lines(earlier))
    known = {(scope, ast.dump(node)) for scope, node in _functions(old)} if old else set()
    return [node for scope, node in _functions(module) if (scope, ast.dump(node)) in known]


def helpers(module: ast.Module) -> dict[str, Definition]:
    """The functions of a module and of its classes that no runner calls by itself, by their plain names."""
    return {
        node.name: node
        for _, node in _functions(module)
        if not node.name.startswith("test") and not node.decorator_list
    }


def reached(test: Definition, known: Mapping[str, Definition]) -> list[Definition]:
    """The helpers that a test calls or hands on, by itself or through others."""
    found, left = dict[str, Definition](), [test]
    while left:
        for name in _named(left.pop()):
            if name in known and name not in found:
                found[name] = known[name]
                left.append(known[name])
    return list(found.values())


def edited(text: str, edits: Iterable[Edit]) -> str:
    """A text with these changes, of which none may overlap another one."""
    rows = [row.encode() for row in text.split("\n")]
    for edit in sorted(set(edits), reverse=True):
        first, last = rows[edit.line - 1], rows[edit.end_line - 1]
        new = first[: edit.column] + edit.text.encode() + last[edit.end_column :]
        rows[edit.line - 1 : edit.end_line] = new.split(b"\n")
    return b"\n".join(rows).decode()


def plain_lines(text: str) -> str:
    """A source with the line ends that Python makes of all others as it reads it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def segment(rows: Sequence[str], node: ast.stmt | ast.expr) -> tuple[str, str, str]:
    """What stands before a node in its line, the text of it, and what stands behind it."""
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    taken = [row.encode() for row in rows[node.lineno - 1 : end_line]]
    before, after = taken[0][: node.col_offset], taken[-1][end_column:]
    taken[-1] = taken[-1][:end_column]
    taken[0] = taken[0][node.col_offset :]
    return before.decode(), b"\n".join(taken).decode(), after.decode()


def _functions(module: ast.Module) -> Iterator[tuple[str, Definition]]:
    """The functions of a module and of its classes, each with the name of its class."""
    for node in module.body:
        if isinstance(node, DEFINITIONS):
            yield "", node
        elif isinstance(node, ast.ClassDef):
            yield from ((node.name, inner) for inner in node.body if isinstance(inner, DEFINITIONS))


def _is_for_no_run(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=ast.Constant(value=value)):
            return not value
        case ast.If(test=test):
            return any(dotted(inner) in _MACHINE for inner in ast.walk(test))
    return False


def _named(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute) and dotted(inner.value) in ("self", "cls"):
            yield inner.attr


def _calls_check(value: ast.expr) -> bool:
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call):
        return False
    name = dotted(call).rsplit(".", 1)[-1]
    return name.startswith("assert") or (name in _EXPECTING and len(call.args) > 1)


def _expected(node: ast.With | ast.AsyncWith) -> tuple[str, ...] | None:
    """The names of exceptions that a block expects; None: it expects none."""
    for item in node.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and dotted(call).rsplit(".", 1)[-1] in _EXPECTING:
            given = [call.args[0]] if call.args else [word.value for word in call.keywords]
            return tuple(dotted(n).rsplit(".", 1)[-1] for one in given for n in ast.walk(one))
    return None
