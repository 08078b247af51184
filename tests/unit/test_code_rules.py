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
