"""How results are printed: tables for people, one JSON object a line for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from agenthub_cli.terminal.cells import broken, room
from agenthub_cli.terminal.style import Look, looking, shows_looks
from agenthub_runtime.plain_text import one_line, plain

_DEFAULT_WIDTH = 80
_NARROWEST_TEXT = 20
# A spreadsheet calculates what begins so.
_FORMULAS = tuple("=+-@\t\r")


def say(text: str = "", *, aside: bool = False, look: Look = "") -> None:
    """A line for people on standard output, or beside it on standard error; whoever wrote it, it is only text."""
    stream = sys.stderr if aside else sys.stdout
    # A program without this output is not told on the other one.
    if stream is not None:
        print(looking(plain(text), look, shown=not aside and shows_looks()), file=stream, flush=True)


def say_beside(head: str, text: str, *, again: str | None = None) -> None:
    """A line whose text, where a terminal breaks it, stays right of its head; `again` heads the other lines."""
    width = terminal_width()
    shown = plain(text)
    if width is None or room(head) + room(shown) <= width:
        say(f"{head}{text}")
        return
    first, *others = broken(shown, max(width - room(head), _NARROWEST_TEXT))
    say(f"{head}{first}")
    for line in others:
        say(f"{' ' * room(head) if again is None else again}{line}")


def confirmed(word: str) -> bool:
    """Whether a person at the terminal types `word`; False where nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    say(f"This cannot be undone. Type {word} to go on:", aside=True)
    return sys.stdin.readline().strip() == word


def terminal_width() -> int | None:
    """How many columns the terminal at standard output has; None where there is no terminal."""
    if not on_terminal():
        return None
    return shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns


def on_terminal() -> bool:
    """Whether a terminal shows standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def print_json(value: Any) -> None:
    """One JSON object on one line, in UTF-8 whatever the locale is."""
    if sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(_json(value) + b"\n")
        sys.stdout.buffer.flush()


def _json(value: Any) -> bytes:
    import msgspec

    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Half a character, or a byte of a file name: UTF-8 has no place for it, JSON's escapes have.
        return json.dumps(msgspec.to_builtins(value)).encode()


def print_rows(rows: Iterable[dict[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """A plain table of `columns`; `empty` is said when there is nothing."""
    from agenthub_cli.terminal.table import table_lines

    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        say(empty)
        return
    # An id or a key that is broken over two lines cannot be copied.
    whole = [column.endswith(("id", "key")) for column in columns]
    # Who reads a pipe wants whole lines: nothing is broken there, and nothing cut.
    for number, line in enumerate(table_lines(cells, columns, width=terminal_width(), whole=whole)):
        say(line, look="bold" if number == 0 else "")


def print_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """Comma-separated values in UTF-8, as RFC 4180 has them; no text becomes a formula in a spreadsheet."""
    import csv
    import io

    if sys.stdout is not None:
        written = io.StringIO(newline="")
        sheet = csv.writer(written)
        sheet.writerow(columns)
        sheet.writerows([_harmless(row.get(column)) for column in columns] for row in rows)
        sys.stdout.flush()
        sys.stdout.buffer.write(written.getvalue().encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULAS else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(item) for item in value)
    return one_line(str(value))
