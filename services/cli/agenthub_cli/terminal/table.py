"""A plain table: whole lines where nobody counts columns, broken ones on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agenthub_cli.terminal.cells import broken, padded, room

_GAP = "  "
_NARROWEST = 8


def table_lines(
    rows: Sequence[Sequence[str]], names: Sequence[str], *, width: int | None, whole: Sequence[bool]
) -> Iterator[str]:
    """The lines of a table, its heads first; `width` None: nothing is broken.

    Columns that are `whole` are never broken: an id in two lines cannot be copied.
    """
    wide = [max(room(cell) for cell in column) for column in zip(names, *rows, strict=True)]
    if width is not None:
        wide = _shrunk(wide, width, whole)
    for row in (names, *rows):
        cells = [
            [cell] if kept or width is None else broken(cell, columns)
            for cell, columns, kept in zip(row, wide, whole, strict=True)
        ]
        for number in range(max(map(len, cells))):
            parts = (cell[number] if number < len(cell) else "" for cell in cells)
            yield _GAP.join(padded(part, columns) for part, columns in zip(parts, wide, strict=True)).rstrip()


def _shrunk(wide: list[int], width: int, whole: Sequence[bool]) -> list[int]:
    """Columns that fit into `width` together: the widest gives way first."""
    wide = list(wide)
    too_much = sum(wide) + len(_GAP) * (len(wide) - 1) - width
    while too_much > 0:
        movable = [n for n, kept in enumerate(whole) if not kept and wide[n] > _NARROWEST]
        if not movable:
            break
        widest = max(movable, key=lambda n: wide[n])
        next_widest = max((wide[n] for n in movable if wide[n] < wide[widest]), default=_NARROWEST)
        step = min(too_much, max(1, wide[widest] - max(next_widest, _NARROWEST)))
        wide[widest] -= step
        too_much -= step
    return wide
