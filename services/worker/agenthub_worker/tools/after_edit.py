"""What an edit answers: the lines as they are now, whether they can be read, and what was nearest to a miss."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from agenthub_worker.evidence.syntax import syntax_error, toml_error

_AROUND = 3
_ROOM = 4_000
_LINE_CHARS = 300
_COMPARED = 4_000_000
_CHECKED_CHARS = 1 << 20
_ALIKE = 0.6
_CANDIDATES = 5
_COMPARED_CHARS = 2_000
_LOOKED_THROUGH = 20_000
_WITH_COMMENTS = ("tsconfig", "jsconfig", ".eslintrc", "devcontainer", ".babelrc", "deno")


def changed_lines(before: Sequence[str], after: Sequence[str]) -> str:
    """The lines of `after` that differ from `before`, numbered, with some around them; as far as there is room."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    spans = [(0, len(new))]
    if len(old) * len(new) <= _COMPARED:
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        spans = [(j1, j2) for kind, _, _, j1, j2 in matcher.get_opcodes() if kind != "equal"]
    return "\n".join(_within(_numbered(after, _around(spans, start, len(after)))))


def syntax_note(path: str, text: str) -> str:
    """What keeps a file of this name from being read as what it is; empty when nothing does, or nobody looks."""
    if len(text) > _CHECKED_CHARS:
        return ""
    match PurePosixPath(path).suffix:
        case ".py" | ".pyi":
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            return (found := syntax_error(text)) and f"Python {version} cannot read the file as it is now: {found}"
        case ".json" if not _takes_comments(path):
            return (found := _json_error(text)) and f"The file is no JSON as it is now: {found}"
        case ".toml":
            return (found := toml_error(text)) and f"The file is no TOML as it is now: {found}"
    return ""


def nearest(lines: Sequence[str], wanted: str) -> str:
    """The place in a file that is most like a text that does not occur in it, numbered; empty when none is."""
    parts = wanted.removesuffix("\n").split("\n")
    starts = _starts(lines, parts)
    if not starts:
        return ""
    short = wanted[:_COMPARED_CHARS]

    def alike(start: int) -> float:
        place = "\n".join(lines[start : start + len(parts)])[:_COMPARED_CHARS]
        return difflib.SequenceMatcher(None, short, place, autojunk=False).ratio()

    best = max(starts, key=alike)
    if alike(best) < _ALIKE:
        return ""
    return "\n".join(_within(_numbered(lines, [(best, min(best + len(parts), len(lines)))])))


def _starts(lines: Sequence[str], parts: Sequence[str]) -> list[int]:
    """Where a text of these lines may have been meant to begin: where most of them stand, but for their spaces."""
    bare, wanted = [line.strip() for line in lines[:_LOOKED_THROUGH]], [part.strip() for part in parts]
    where: dict[str, list[int]] = {}
    for number, line in enumerate(bare):
        where.setdefault(line, []).append(number)
    votes: dict[int, int] = {}
    for offset, part in enumerate(wanted[:_LOOKED_THROUGH]):
        for number in where.get(part, ())[:_CANDIDATES] if part else ():
            votes[number - offset] = votes.get(number - offset, 0) + 1
    found = sorted((start for start in votes if start >= 0), key=lambda start: (-votes[start], start))
    if found:
        return found[:_CANDIDATES]
    first = next(((offset, part) for offset, part in enumerate(wanted) if part), None)
    if first is None:
        return []
    like = difflib.get_close_matches(first[1][:_LINE_CHARS], [line[:_LINE_CHARS] for line in bare], 3, _ALIKE)
    return [
        number - first[0]
        for line in like
        for number, known in enumerate(bare)
        if known[:_LINE_CHARS] == line and number >= first[0]
    ][:_CANDIDATES]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    limit = min(len(one), len(other))
    return next((n for n in range(limit) if one[n] != other[n]), limit)


def _around(spans: Sequence[tuple[int, int]], start: int, count: int) -> Iterator[tuple[int, int]]:
    """The spans with what lies around them, those that touch as one."""
    held: tuple[int, int] | None = None
    for first, last in spans:
        wide = (max(0, start + first - _AROUND), min(count, start + last + _AROUND))
        if held is not None and wide[0] <= held[1]:
            held = (held[0], wide[1])
            continue
        if held is not None:
            yield held
        held = wide
    if held is not None:
        yield held


def _numbered(lines: Sequence[str], spans: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> Iterator[str]:
    for position, (first, last) in enumerate(spans):
        if position:
            yield "[...]"
        for number in range(first, last):
            line = lines[number]
            more = f"[... {len(line) - _LINE_CHARS} more characters ...]" if len(line) > _LINE_CHARS else ""
            yield f"{number + 1:6d}\t{line[:_LINE_CHARS]}{more}"


def _within(lines: Iterator[str]) -> Iterator[str]:
    room = _ROOM
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            yield "[... look at the rest with `view` ...]"
            return
        yield line


def _takes_comments(path: str) -> bool:
    """Whether programs read this file as JSON with comments."""
    place = PurePosixPath(path)
    return place.name.startswith(_WITH_COMMENTS) or place.parent.name == ".vscode"


def _json_error(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError):
        return ""  # a number too long, or too deep, for this reader; others may read it
    return ""
