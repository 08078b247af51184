"""The same program in another text: who notices that looks at the source and not at what it does."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from agenthub_worker.evidence.syntax import parsed

_HASH_COMMENTS = frozenset({".py", ".rb", ".ex", ".exs"})


def neutral(path: str, text: str, token: str) -> str:
    """A file with comments, and in Python statements without effect, that were not in it; `token` is random."""
    suffix = PurePosixPath(path).suffix
    if suffix == ".php":
        return text
    rows = text.replace("\r\n", "\n").split("\n")
    if suffix == ".py" and (module := parsed(text)) is not None:
        rows = _with_idle_statements(rows, module, token)
    mark = "#" if suffix in _HASH_COMMENTS else "//"
    return "\n".join([*rows, f"{mark} {token}", ""])


def _with_idle_statements(rows: Sequence[str], module: ast.Module, token: str) -> list[str]:
    """A statement more in each function, so that its compiled code is another one, too."""
    found = list(rows)
    for line in sorted(set(_first_lines(rows, module)), reverse=True):
        indent = rows[line - 1][: len(rows[line - 1]) - len(rows[line - 1].lstrip())]
        found.insert(line - 1, f"{indent}[]  # {token}")
    return found if parsed("\n".join(found)) is not None else list(rows)


def _first_lines(rows: Sequence[str], module: ast.Module) -> Iterator[int]:
    """The lines with which the bodies of functions begin, after their docstrings."""
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body:
            continue
        decorators = getattr(body[0], "decorator_list", [])
        line = min([body[0].lineno, *(item.lineno for item in decorators)])
        is_begun = line <= node.lineno or rows[line - 2].endswith("\\")
        if not is_begun and not rows[line - 1][: body[0].col_offset].strip(" \t@"):
            yield line
