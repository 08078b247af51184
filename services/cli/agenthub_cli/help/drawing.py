"""A page of help in lines of a terminal's width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agenthub_cli.help.pages import HelpPage, Panel, Row
from agenthub_cli.terminal.cells import broken, padded, room

_NAMES_SHARE = 0.35
_NARROWEST = 12


class Box(NamedTuple):
    """The characters of a box: its corners, its sides."""

    top: str
    bottom: str
    flat: str
    side: str

    @classmethod
    def for_encoding(cls, encoding: str) -> Box:
        """Lines where the encoding has them."""
        try:
            "╭╮╰╯─│".encode(encoding)
        except (LookupError, UnicodeEncodeError):
            return cls("++", "++", "-", "|")
        return cls("╭╮", "╰╯", "─", "│")


def page_lines(page: HelpPage, width: int, box: Box) -> Iterator[str]:
    """The lines of a page, each of at most `width` columns where the words allow it."""
    yield from broken(f"Usage: {page.usage}", width)
    for paragraph in page.about.split("\n\n") if page.about else ():
        yield ""
        yield from broken(" ".join(paragraph.split()), width)
    for number, panel in enumerate(page.panels):
        if number == 0:
            yield ""
        yield from _panel_lines(panel, width, box)


def _panel_lines(panel: Panel, width: int, box: Box) -> Iterator[str]:
    inside = max(width - 4, 2 * _NARROWEST)
    head = f"{box.flat} {panel.title} "
    yield box.top[0] + head + box.flat * (inside + 2 - room(head)) + box.top[1]
    marked = any(row.required for row in panel.rows)
    room_inside = inside - 3 * marked
    # An option that is broken cannot be copied.
    longest = 2 + max(room(name) for row in panel.rows for name in row.names)
    most = max(int(room_inside * _NAMES_SHARE), min(longest, room_inside // 2), _NARROWEST)
    names = [_names(row, most) for row in panel.rows]
    columns = max(room(line) for lines in names for line in lines)
    for row, lines in zip(panel.rows, names, strict=True):
        words = broken(row.words, room_inside - columns - 2)
        for number in range(max(len(lines), len(words))):
            mark = ("*  " if row.required and number == 0 else "   ") if marked else ""
            left = padded(lines[number] if number < len(lines) else "", columns)
            right = words[number] if number < len(words) else ""
            yield f"{box.side} {padded(f'{mark}{left}  {right}', inside)} {box.side}"
    yield box.bottom[0] + box.flat * (inside + 2) + box.bottom[1]


def _names(row: Row, most: int) -> list[str]:
    """All names in a line, or one in each where that is too long."""
    whole = " ".join(row.names)
    if room(whole) <= most:
        return [whole]
    first, *others = row.names
    lines = broken(first, most)
    for name in others:
        lines += [f"  {line}" for line in broken(name, most - 2)]
    return lines
