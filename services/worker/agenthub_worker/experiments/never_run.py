"""Changed functions that no test runs: what stands in for them in the tests may be right where they are wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set

from agenthub_worker.evidence.patch import Touched
from agenthub_worker.evidence.syntax import parsed
from agenthub_worker.evidence.test_history import some

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def note(texts: Mapping[str, str], touched: Touched, executed: Mapping[str, Set[int]]) -> str:
    """Which changed functions in files that tests load are run by none, for a verdict; empty: all are run."""
    found = [
        f"{name} ({path}:{line})"
        for path in sorted(texts)
        if path.endswith(".py") and executed.get(path) and (module := parsed(texts[path])) is not None
        for name, line in _idle(module, executed[path], touched.get(path))
    ]
    return f"no test runs {some(found)}" if found else ""


def _idle(module: ast.Module, executed: Set[int], touched: Set[int] | None) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        # What begins in the line of the definition is run with it, as far as anybody sees.
        lines = {line for line in _lines(body) if line > node.lineno}
        is_changed = not touched or bool(touched & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
        if lines and is_changed and not lines & executed and not all(map(_says_nothing, body)):
            yield node.name, node.lineno


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
