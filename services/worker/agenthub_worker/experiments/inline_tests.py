"""Tests that stand in the code they test: Rust's modules of tests, taken out, put back and left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BLOCK = re.compile(
    r"^[ \t]*#\[cfg\((?:all\()?test\b[^\n]*\][ \t]*\n(?:[ \t]*#\[[^\n]*\]\s*\n)*[ \t]*(?:pub\s+)?mod\s+(\w+)\s*\{",
    re.M,
)
_SKIPPED = re.compile(
    r"//[^\n]*|/\*.*?\*/|b?r(#*)\".*?\"\1|b?\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\\n]|\\[^\n]{1,8})'", re.S
)


def blocks_of_tests(text: str) -> dict[str, tuple[int, int]]:
    """Where the modules of tests begin and end in a Rust file, by their names."""
    found: dict[str, tuple[int, int]] = {}
    for block in _BLOCK.finditer(text):
        if all(not start <= block.start() < end for start, end in found.values()):
            found[block[1]] = (block.start(), _closing(text, block.end()))
    return found


def lines_of_tests(text: str) -> frozenset[int]:
    """The lines, from 1, of those modules."""
    return frozenset(
        line
        for start, end in blocks_of_tests(text).values()
        for line in range(text.count("\n", 0, start) + 1, text.count("\n", 0, end) + 2)
    )


def spliced(before: str, now: str) -> str | None:
    """`now` with the modules of tests of `before`; None where these are the same, or there were none."""
    old, new = _texts(before), _texts(now)
    if not old or all(new.get(name) == text for name, text in old.items()):
        return None
    found = now
    for name, text in old.items():
        place = blocks_of_tests(found).get(name)
        found = f"{found}\n{text}\n" if place is None else f"{found[: place[0]]}{text}{found[place[1] :]}"
    return found


def spliced_files(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> dict[str, bytes]:
    """The Rust files of `now` whose modules of tests are not those of `before`, with these put back."""
    found: dict[str, bytes] = {}
    for path in sorted(before.keys() & now.keys()):
        if path.endswith(".rs") and before[path] != now[path]:
            text = spliced(before[path].decode("utf-8", "replace"), now[path].decode("utf-8", "replace"))
            if text is not None:
                found[path] = text.encode()
    return found


def _texts(text: str) -> Mapping[str, str]:
    return {name: text[start:end] for name, (start, end) in blocks_of_tests(text).items()}


def _closing(text: str, start: int) -> int:
    """The place behind the bracket that closes the one before `start`."""
    depth, place = 1, start
    while place < len(text):
        if skipped := _SKIPPED.match(text, place):
            place = skipped.end()
            continue
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
        if not depth:
            return place
    return len(text)
