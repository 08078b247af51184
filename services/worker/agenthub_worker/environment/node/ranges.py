"""Ranges of versions as `engines` of a `package.json` gives them, and whether a version is in one."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_PART = re.compile(r"(>=|<=|>|<|=|\^|~>?)?\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?[-+\w.]*")
_GAP = re.compile(r"(>=|<=|>|<|=|\^|~>?)\s+")

_Version = tuple[int, int, int]


def in_range(version: str, wanted: str) -> bool:
    """Whether `version` (`20.1.0`, with or without a `v`) is in a range; true for what cannot be read as one."""
    has = _numbers(version)
    if has is None:
        return True
    return any(_holds(has, alternative) for alternative in wanted.split("||"))


def _holds(has: _Version, alternative: str) -> bool:
    plain = _HYPHEN.sub(r">=\1 <=\2", alternative.strip())
    for part in _GAP.sub(r"\1", plain).replace(",", " ").split():
        found = _PART.fullmatch(part)
        if found is None:
            continue
        numbers = [int(text) for text in found.groups()[1:] if text is not None and text.isdigit()]
        if numbers and not all(_within(has, found[1] or "", numbers)):
            return False
    return True


def _within(has: _Version, sign: str, numbers: list[int]) -> Iterator[bool]:
    """The bounds that one comparison sets, each with whether it holds; what is not said may be anything."""
    low, next_one = _filled(numbers), _after(numbers, len(numbers) - 1)
    if sign == ">":
        yield has >= next_one if len(numbers) < 3 else has > low
    elif sign == "<":
        yield has < low
    elif sign == "<=":
        yield has < next_one
    else:
        yield has >= low
        if sign == "^":
            first = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
            yield has < _after(numbers, first)
        elif sign.startswith("~"):
            yield has < _after(numbers, min(1, len(numbers) - 1))
        elif sign != ">=":
            yield has < next_one


def _after(numbers: list[int], place: int) -> _Version:
    return _filled([*numbers[:place], numbers[place] + 1])


def _filled(numbers: list[int]) -> _Version:
    one, two, three = [*numbers, 0, 0, 0][:3]
    return one, two, three


def _numbers(version: str) -> _Version | None:
    found = re.search(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", version)
    return None if found is None else _filled([int(part or 0) for part in found.groups()])
