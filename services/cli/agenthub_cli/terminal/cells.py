"""How much room a text takes on a terminal."""

from __future__ import annotations

import unicodedata


def room(text: str) -> int:
    """The columns that a line takes: two for a wide character, none for one that joins the one before it."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, columns: int) -> str:
    """`text` with blanks up to `columns`."""
    return text + " " * (columns - room(text))


def padded_left(text: str, columns: int) -> str:
    """`text` with blanks before it up to `columns`."""
    return " " * (columns - room(text)) + text


def cut(text: str, columns: int) -> str:
    """As much of `text` as fits into `columns`; what is left out shows as `…`."""
    if room(text) <= columns:
        return text
    taken, used = [], 1
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        taken.append(character)
    return "".join(taken).rstrip() + "…" if columns > 0 else ""


def broken(text: str, columns: int) -> list[str]:
    """`text` in lines of at most `columns`, at blanks where there are some."""
    lines, line = [], ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if room(candidate) <= columns:
            line = candidate
            continue
        if line:
            lines.append(line)
        rest = word
        while room(rest) > columns:
            head = _fitting(rest, columns)
            lines.append(rest[:head])
            rest = rest[head:]
        line = rest
    return [*lines, line]


def _fitting(word: str, columns: int) -> int:
    """How many characters of a word fit, at least one."""
    used = 0
    for count, character in enumerate(word):
        used += _columns(character)
        if used > columns:
            return max(count, 1)
    return len(word)
