"""Changed functions that no test runs: what stands in for them in the tests may be right where they are wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from typing import TypeAlias

from agenthub_worker.evidence.patch import Touched
from agenthub_worker.evidence.source import dotted
from agenthub_worker.evidence.syntax import parsed
from agenthub_worker.evidence.test_history import some
from agenthub_worker.experiments.canary import module_names

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_COMES_LATER = (ast.Yield, ast.YieldFrom)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def note(texts: Mapping[str, str], touched: Touched, executed: Mapping[str, Set[int]]) -> str:
    """Which changed functions in files that tests load are run by none, for a verdict; empty: all are run."""
    found = [
        f"{node.name} ({path}:{node.lineno})"
        for path in sorted(texts)
        if path.endswith(".py") and executed.get(path) and (module := parsed(texts[path])) is not None
        for node in _idle(module, executed[path], touched.get(path))
    ]
    return f"no test runs {some(found)}" if found else ""


def replaced(
    texts: Mapping[str, str], touched: Touched, executed: Mapping[str, Set[int]], tests: Mapping[str, str]
) -> str:
    """Why tests count for nothing that call a changed function of which no line runs; empty: none does.

    `tests` are files with tests that passed, path to text.
    """
    called = {name for text in tests.values() for name in _called(parsed(text))}
    found = [
        f"{node.name} ({path}:{node.lineno})"
        for path in sorted(texts)
        if path.endswith(".py") and executed.get(path) and (module := parsed(texts[path])) is not None
        for node in _idle(module, executed[path], touched.get(path))
        if node in module.body and _runs_at_once(node)
        if any(f"{name}.{node.name}" in called for name in module_names(path))
    ]
    if not found:
        return ""
    return (
        f"Tests call {some(found)}, and no line of it was run: something has put another function in its place."
        " Test what was changed."
    )


def _runs_at_once(node: _Definition) -> bool:
    """Whether a call of it runs its body, as far as the definition tells."""
    is_plain = isinstance(node, ast.FunctionDef) and not node.decorator_list
    return is_plain and not any(isinstance(inner, _COMES_LATER) for inner in ast.walk(node))


def _called(module: ast.Module | None) -> Iterator[str]:
    """What a file of tests imports and calls, by the full names."""
    names: dict[str, str] = {}
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.Call):
            full = dotted(node.func)
            head, _, rest = full.rpartition(".")
            yield names.get(full, f"{names.get(head, head)}.{rest}")


def _idle(module: ast.Module, executed: Set[int], touched: Set[int] | None) -> Iterator[_Definition]:
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        # What begins in the line of the definition is run with it, as far as anybody sees.
        lines = {line for line in _lines(body) if line > node.lineno}
        is_changed = not touched or bool(touched & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
        if lines and is_changed and not lines & executed and not all(map(_says_nothing, body)):
            yield node


def _lines(body: list[ast.stmt]) -> Iterator[int]:
    """The lines of the statements of a function, without those of functions in it."""
    for node in body:
        yield node.lineno
        if not isinstance(node, _DEFINITIONS):
            yield from _lines([inner for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt)])


def _says_nothing(statement: ast.stmt) -> bool:
    """Whether it stands for a body that others write."""
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
            return True
    return False
