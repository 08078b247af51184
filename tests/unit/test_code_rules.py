"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = [path for top in ("libs", "services") for path in sorted((ROOT / top).rglob("agenthub_*/**/*.py"))]

SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|LISTEN\s|NOTIFY\s"
    r"|(CREATE|DROP|ALTER)\s+(TABLE|SCHEMA|VIEW|DATABASE|INDEX)\s)"
)


BROAD = {"Exception", "BaseException"}
BROAD_A_THOUSAND_LINES = 0.3


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_sql_lives_in_sql_files_and_in_one_queries_module_per_reader() -> None:
    assert len(MODULES) > 200
    elsewhere = [
        f"{path.relative_to(ROOT)}: {text.strip()[:60]}"
        for path in MODULES
        if path.name != "queries.py"
        for text in texts(path)
        if SQL.match(text)
    ]
    assert elsewhere == []


def broad_catches(path: Path) -> Iterator[int]:
    """The lines on which everything is caught."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            named = list(ast.walk(node.type or ast.Name("Exception")))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "suppress":
            named = [name for argument in node.args for name in ast.walk(argument)]
        else:
            continue
        if any(isinstance(name, ast.Name) and name.id in BROAD for name in named):
            yield node.lineno


def test_everything_is_caught_only_at_the_edge_of_a_loop() -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for path in MODULES for line in broad_catches(path)]
    lines = sum(path.read_text().count("\n") for path in MODULES)
    assert len(found) <= BROAD_A_THOUSAND_LINES * lines / 1000, found
