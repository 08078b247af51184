"""How much of the code that was there to be covered the tests have run, which lines of it, and by which tests."""

from __future__ import annotations

import ast
import os
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TypeAlias

import msgspec

from agenthub_worker.evidence.layout import belongs_to_tests, run_folder
from agenthub_worker.evidence.reports import read_report
from agenthub_worker.evidence.source import plain_id
from agenthub_worker.evidence.syntax import is_guard, parsed

_SOURCE_BYTES = 1 << 20
_FILES_MAX = 20_000
_NOT_OURS = frozenset({".git", ".venv", "node_modules", "__pycache__"})
# What may hold more code in a line than the line tells: only such files are parsed.
_DENSE = re.compile(r"^[ \t]*(?:async[ \t]+)?def\b[^\n]*:[ \t]*[^\s#]|;|\blambda\b", re.M)
# Code that no test runs, unless somebody lets it run all the same.
_GUARD = re.compile(r"^[ \t]*if[ \t(]+(?:[\w.]*\bTYPE_CHECKING|__name__[ \t]*==)", re.M)
# A lambda of more syntax nodes than this is a function in disguise.
_LAMBDA_NODES = 20

_Sources = Mapping[str, str]

Covering: TypeAlias = Mapping[str, Mapping[int, Set[str]]]
"""By path and line the ids, without parameters, of the tests that run it; an empty one: it ran without a test."""

_ASKED_MAX = 200


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has executed: `percent` of the code under test, and the lines by path."""

    percent: float | None
    executed: Mapping[str, frozenset[int]]


class _File(msgspec.Struct):
    executed_lines: list[int] = []
    missing_lines: list[int] = []
    contexts: dict[str, list[str]] = {}


class _Report(msgspec.Struct):
    files: dict[str, _File]


def sources_in(workspace: Path) -> dict[str, str]:
    """The Python files of a workspace before anything runs in it: by path, the text where more than lines counts.

    What a run makes is nothing that was there to be covered.
    """
    found: dict[str, str] = {}
    for folder, folders, names in os.walk(workspace):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS)
        for name in sorted(names):
            if name.endswith(".py") and len(found) < _FILES_MAX:
                path = Path(folder, name)
                text = (read_report(path, limit=_SOURCE_BYTES) or b"").decode("utf-8", "replace")
                found[path.relative_to(workspace).as_posix()] = (
                    text if _DENSE.search(text) or _GUARD.search(text) else ""
                )
    return found


def read_coverage(data: bytes, sources: _Sources) -> Covered | None:
    """A JSON report of coverage.py over the files of `sources`; None when it cannot be read.

    Test files do not count; other Python files in folders of tests do where they lower the result. A line with
    several statements counts as so many, and a function in a line of its own with its body as one that nobody saw
    run: the line is executed when it is defined.
    """
    try:
        report = msgspec.json.decode(data, type=_Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    prefix = run_folder(report.files, sources)
    files = {place: file for path, file in report.files.items() if (place := prefix + path) in sources}
    counted = {path: _counts(file, sources[path]) for path, file in files.items()}
    code = [counted[path] for path in files if not belongs_to_tests(path)]
    helpers = [counted[path] for path in files if belongs_to_tests(path) and not _is_test(path)]
    shares = [share for share in (_share(code), _share([*code, *helpers])) if share is not None]
    return Covered(
        percent=min(shares) if _share(code) is not None else None,
        executed={path: frozenset(file.executed_lines) for path, file in files.items()},
    )


def contexts_command(reports: Path, support: Path, root: str, files: Sequence[str]) -> list[str]:
    """The command that writes which tests run the lines of `files`, paths below `root`, into the folder `reports`.

    Isolated, so that no module of the workspace stands in for one of coverage's.
    """
    include = ",".join(posixpath.join(root, path) for path in files[:_ASKED_MAX])
    line = ["python", "-I", "-m", "coverage", "json", "-q", f"--rcfile={support}/coverage.ini"]
    return [*line, "--show-contexts", f"--include={include}", "-o", f"{reports}/contexts.json"]


def read_contexts(reports: Path, sources: Collection[str]) -> Covering | None:
    """What was written; `sources` are the files of the workspace. None when it cannot be read."""
    try:
        report = msgspec.json.decode(read_report(reports / "contexts.json") or b"", type=_Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    prefix = run_folder(report.files, sources)
    return {
        prefix + path: {int(line): _tests(names) for line, names in file.contexts.items() if line.isdecimal()}
        for path, file in report.files.items()
    }


def _tests(contexts: Sequence[str]) -> set[str]:
    # pytest-cov names the phase of a test behind its id.
    return {plain_id(name.rpartition("|")[0]) for name in contexts}


def _is_test(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name in ("conftest.py", "__init__.py") or name.startswith("test_") or name.endswith("_test.py")


def _share(counts: Sequence[tuple[int, int]]) -> float | None:
    total = sum(statements for statements, _ in counts)
    return round(100 * sum(run for _, run in counts) / total, 2) if total else None


def _counts(file: _File, text: str) -> tuple[int, int]:
    """Statements of a file, and how many of them have run."""
    executed, missing = set(file.executed_lines), set(file.missing_lines)
    if text and _GUARD.search(text):
        guarded = _guarded_lines(text, executed)
        executed, missing = executed - guarded, missing - guarded
    total, run = len(executed | missing), len(executed)
    if text:
        for line, hidden in _dense_lines(text, executed | missing):
            total += 1
            run += line in executed and not hidden
    return total, run


def _guarded_lines(text: str, executed: Set[int]) -> set[int]:
    """Blocks for type checkers and for scripts of which nothing has run."""
    module = parsed(text)
    found = set[int]()
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.If) and is_guard(node.test):
            body = set(range(node.body[0].lineno, (node.body[-1].end_lineno or node.body[-1].lineno) + 1))
            found |= set() if body & executed else body | {node.lineno}
    return found


def _dense_lines(text: str, lines: Set[int]) -> Iterator[tuple[int, bool]]:
    """Each statement that shares its line with one that is counted, and whether nobody can see it run."""
    module = parsed(text)
    if module is None:
        return
    seen: set[int] = set()
    hidden = {id(inner) for node in ast.walk(module) for inner in _hidden_in(node)}
    for node in ast.walk(module):
        if isinstance(node, ast.Lambda):
            if id(node) in hidden and node.lineno in lines:
                yield node.lineno, True
        elif isinstance(node, ast.stmt) and node.lineno in lines and not _says_nothing(node):
            if node.lineno in seen:
                yield node.lineno, id(node) in hidden
            seen.add(node.lineno)


def _hidden_in(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a definition that its own line seems to have run."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (
            inner for statement in node.body if statement.lineno == node.lineno for inner in ast.walk(statement)
        )
    elif isinstance(node, ast.Lambda) and sum(1 for _ in ast.walk(node.body)) > _LAMBDA_NODES:
        yield node


def _says_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
