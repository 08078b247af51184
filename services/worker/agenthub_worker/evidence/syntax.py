"""Reads source and settings of which nobody knows what they are made for: within bounds, at no reader's cost."""

from __future__ import annotations

import ast
from typing import Any

from agenthub_runtime.toml_reading import TomlInvalid, TomlUnusable, read_toml

SOURCE_CHARS = 1 << 20
NESTED_DEEP = 100
"""More than people write; what walks through a tree by recursion needs a few calls for each level."""


def toml_in(text: str) -> dict[str, Any] | None:
    """The table of a TOML file; None when it is none, or written to exhaust its reader."""
    try:
        return read_toml(text)
    except TomlInvalid:
        return None


def toml_error(text: str) -> str:
    """What keeps a text from being TOML; empty when nothing does, or it was written to exhaust its reader."""
    try:
        read_toml(text)
    except TomlUnusable:
        return ""
    except TomlInvalid as error:
        return str(error)
    return ""


def syntax_error(text: str) -> str:
    """What keeps a text from being Python of this version, with its line; empty when nothing does."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return str(error.msg) if error.lineno is None else f"line {error.lineno}: {error.msg}"
    except (ValueError, MemoryError, RecursionError):
        return ""
    return ""


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of a module; None when it is no valid Python, or larger or deeper than is read."""
    found = _read(text)
    return found if isinstance(found, ast.Module) else None


def why_unread(text: str) -> str:
    """Why this text is not read though Python may run it, to go on a sentence; empty when that is not so."""
    found = _read(text)
    return found if isinstance(found, str) else ""


def is_guard(test: ast.expr) -> bool:
    """Whether a condition holds for type checkers alone, or for a file that is run as a script."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Compare(
            left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]
        ):
            return True
    return False


def _read(text: str) -> ast.Module | str | None:
    if len(text) > SOURCE_CHARS:
        return f"has {len(text)} characters, more than the {SOURCE_CHARS} that are read"
    try:
        module = ast.parse(text)
    except (MemoryError, RecursionError):
        return "is nested too deep to be read"
    except (SyntaxError, ValueError):
        return None
    return f"is nested more than {NESTED_DEEP} deep" if _is_deep(module) else module


def _is_deep(module: ast.Module) -> bool:
    level: list[ast.AST] = [module]
    for _ in range(NESTED_DEEP):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True
