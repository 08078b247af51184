"""Texts of strangers as an agent is shown them: each line marked, all that is in it in sight, and bounded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from agenthub_runtime.repository.shown_paths import shown_path

MARK = "> "
"""How every line begins that the hub has not written."""

_BYTES_A_TOKEN = 3
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_LINE_CHARS = 500
_NAME_CHARS = 160


def tokens_of(text: str) -> int:
    """How many tokens a text has at most, roughly: no model's own count is at hand."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)


def plain(text: str) -> str:
    """`text` as one line that shows all that is in it: nothing in it moves a cursor, hides or turns the rest."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def name_of(path: str) -> str:
    """A path as one short line."""
    shown = plain(shown_path(path))
    return shown if len(shown) <= _NAME_CHARS else f"{shown[:_NAME_CHARS]}[...]"


def quoted(text: str) -> Iterator[str]:
    """The lines of a text, each marked, and cut where it is long."""
    for line in _LINE_END.split(text):
        shown = plain(line[: _LINE_CHARS + 1].replace("\t", "    "))
        yield f"{MARK}{shown if len(line) <= _LINE_CHARS else f'{shown[:_LINE_CHARS]}[...]'}".rstrip()


def within(lines: Iterable[str], tokens: int) -> tuple[list[str], bool]:
    """As many of the first lines as fit into a budget, and whether these are all."""
    kept: list[str] = []
    for line in lines:
        tokens -= tokens_of(f"{line}\n")
        if tokens < 0:
            return kept, False
        kept.append(line)
    return kept, True


def _shown(letter: str) -> str:
    if letter == " " or unicodedata.category(letter) not in _HIDDEN:
        return letter
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{{{number:x}}}"
