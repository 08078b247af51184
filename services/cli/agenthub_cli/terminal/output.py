"""How results are printed: tables for people, one JSON object a line for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agenthub_runtime.plain_text import one_line, plain

_PIPE_WIDTH = 100_000


def program() -> str:
    """How the person can call this program: its name, or its path where the name would not be found."""
    if shutil.which("agenthub"):
        return "agenthub"
    called = Path(sys.argv[0])
    if called.name != "agenthub":
        return f"{sys.executable} -m agenthub_cli.main"
    try:
        absolute, here = called.resolve(), Path.cwd()
    except OSError:
        # The folder in which the person stands is gone.
        return str(called)
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def say(text: str = "", *, aside: bool = False) -> None:
    """A line for people on standard output, or beside it on standard error; whoever wrote it, it is only text."""
    stream = sys.stderr if aside else sys.stdout
    # A program without this output is not told on the other one.
    if stream is not None:
        print(plain(text), file=stream, flush=True)


def confirmed(word: str) -> bool:
    """Whether a person at the terminal types `word`; False where nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    say(f"This cannot be undone. Type {word} to go on:", aside=True)
    return sys.stdin.readline().strip() == word


def print_json(value: Any) -> None:
    """One JSON object on one line, in UTF-8 whatever the locale is."""
    if sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(_json(value) + b"\n")
        sys.stdout.buffer.flush()


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Half a character, or a byte of a file name: UTF-8 has no place for it, JSON's escapes have.
        return json.dumps(msgspec.to_builtins(value)).encode()


def print_rows(rows: Iterable[dict[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """A plain table of `columns`; `empty` is said when there is nothing."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # An id that is broken over two lines cannot be copied.
        table.add_column(column, no_wrap=column.endswith("id"))
    for row in rows:
        # Text, not str: rich would read `[/list]` as markup.
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    # Who reads a pipe wants whole lines: nothing is broken there, and nothing cut.
    console = Console(soft_wrap=False) if sys.stdout.isatty() else Console(soft_wrap=True, width=_PIPE_WIDTH)
    console.print(table if table.row_count else empty)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(item) for item in value)
    return one_line(str(value))
