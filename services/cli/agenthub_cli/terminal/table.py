"""A plain table: whole lines where nobody counts columns; on a terminal no word is broken that has room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agenthub_cli.terminal.cells import broken, padded, room

_GAP = "  "
_BELOW = "    "
_LONGEST_WORD = 24


class _Column(NamedTuple):
    """What stands below one head. `least`: how narrow it may become."""

    number: int
    wide: int
    least: int


def table_lines(
    rows: Sequence[Sequence[str]], names: Sequence[str], *, width: int | None, whole: Sequence[bool]
) -> Iterator[str]:
    """The lines of a table, its heads first; `width` None: nothing is broken.

    Columns that are `whole` are never broken: an id in two lines cannot be copied. Of the others the widest stand
    below their row where there is no room for their words.
    """
    columns = [
        _column(number, cells, whole[number]) for number, cells in enumerate(zip(names, *rows, strict=True))
    ]
    beside, below = (columns, []) if width is None else _placed(columns, width)
    wide = [column.wide for column in beside] if width is None else _shrunk(beside, width)
    for row in (names, *rows):
        cells = [_cell_lines(row[column.number], columns) for column, columns in zip(beside, wide, strict=True)]
        for line in range(max(map(len, cells))):
            parts = (cell[line] if line < len(cell) else "" for cell in cells)
            yield _GAP.join(padded(part, columns) for part, columns in zip(parts, wide, strict=True)).rstrip()
        if row is not names:
            for column in below:
                yield from _below(names[column.number], row[column.number], width or 0)


def _column(number: int, cells: Sequence[str], whole: bool) -> _Column:
    wide = max(room(cell) for cell in cells)
    longest = max(room(word) for cell in cells for word in cell.split(" "))
    return _Column(number, wide, wide if whole else min(longest, _LONGEST_WORD))


def _placed(columns: Sequence[_Column], width: int) -> tuple[list[_Column], list[_Column]]:
    """Which columns stand beside each other, and which below their row."""
    beside = list(columns)
    while sum(column.least for column in beside) + len(_GAP) * (len(beside) - 1) > width:
        movable = [column for column in beside[1:] if column.least < column.wide]
        if not movable:
            break
        beside.remove(max(movable, key=lambda column: column.wide))
    return beside, [column for column in columns if column not in beside]


def _shrunk(columns: Sequence[_Column], width: int) -> list[int]:
    """How wide each is, together no more than `width` where that can be: the widest gives way first."""
    wide = [column.wide for column in columns]
    too_much = sum(wide) + len(_GAP) * (len(wide) - 1) - width
    while too_much > 0:
        movable = [number for number, column in enumerate(columns) if wide[number] > column.least]
        if not movable:
            break
        widest = max(movable, key=lambda number: wide[number])
        next_widest = max((wide[number] for number in movable if wide[number] < wide[widest]), default=0)
        step = min(too_much, max(1, wide[widest] - max(next_widest, columns[widest].least)))
        wide[widest] -= step
        too_much -= step
    return wide


def _cell_lines(cell: str, columns: int) -> list[str]:
    return [cell] if room(cell) <= columns else broken(cell, columns)


def _below(name: str, cell: str, width: int) -> Iterator[str]:
    if cell:
        head = f"{_BELOW}{name}{_GAP}"
        for number, line in enumerate(broken(cell, max(width - room(head), _LONGEST_WORD))):
            yield f"{head if number == 0 else ' ' * room(head)}{line}"
