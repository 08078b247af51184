"""The goal's own tests, made to fail: one that is not seen to fail under its own name says nothing by passing."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from agenthub_worker.evidence.reports import Case
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.syntax import parsed
from agenthub_worker.evidence.test_history import some

FILES_MAX = 50

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """Test files by path, in which every test fails at its first line, and the ids of those tests."""

    texts: Mapping[str, str] = {}
    tests: frozenset[str] = frozenset()


def broken(files: Mapping[str, str], passed: Collection[str], token: str) -> Broken:
    """The tests of `files` (path to text) made to fail, as far as they `passed`; `token` is random."""
    texts, tests = dict[str, str](), set[str]()
    for path in sorted(files)[:FILES_MAX]:
        module = parsed(files[path])
        rows = files[path].split("\n")
        places = {} if module is None or "\r" in files[path] else _places(path, module, rows)
        known = {name for name in places if name in passed}
        for line in sorted({line for name in known for line in places[name]}, reverse=True):
            indent = rows[line - 1][: len(rows[line - 1]) - len(rows[line - 1].lstrip())]
            rows.insert(line - 1, f"{indent}raise AssertionError('{token}')")
        if known and parsed("\n".join(rows)) is not None:
            texts[path] = "\n".join(rows)
            tests |= known
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
        f"Tests pass whatever stands in them ({some(found)}): with a line in front that must fail they are still"
        " reported as passed. Something decides what they report, or they are never run (a coroutine that nobody"
        " awaits, a decorator that does not call them)."
    )


def _places(path: str, module: ast.Module, rows: Sequence[str]) -> dict[str, set[int]]:
    """By the id of each test the lines with which its definitions begin; without those that share a line."""
    found: dict[str, set[int]] = {}
    mixed = set[str]()
    for name, node in _tests(path, module):
        first = node.body[0]
        line = min([first.lineno, *(item.lineno for item in getattr(first, "decorator_list", []))])
        is_alone = line > node.lineno and not rows[line - 1][: first.col_offset].strip(" \t@")
        if is_alone and not rows[line - 2].endswith("\\"):
            found.setdefault(name, set()).add(line)
        else:
            mixed.add(name)
    return {name: lines for name, lines in found.items() if name not in mixed}


def _tests(path: str, module: ast.Module) -> Iterator[tuple[str, _Definition]]:
    for node in module.body:
        if isinstance(node, _DEFINITIONS) and node.name.startswith("test"):
            yield f"{path}::{node.name}", node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, _DEFINITIONS) and inner.name.startswith("test"):
                    yield f"{path}::{node.name}::{inner.name}", inner
