"""How results are printed: tables for people, one JSON object a line for programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec


def program() -> str:
    """How the person can call this program: its name, or its path where the name would not be found."""
    if shutil.which("agenthub"):
        return "agenthub"
    called = Path(sys.argv[0])
    if called.name != "agenthub":
        return f"{sys.executable} -m agenthub_cli.main"
    absolute, here = called.resolve(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    print(msgspec.json.encode(value).decode(), flush=True)


def print_rows(rows: Iterable[dict[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """A plain table of `columns`; `empty` is said when there is nothing."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(soft_wrap=False).print(table if table.row_count else empty)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(item) for item in value)
    return str(value).replace("\n", " ")
