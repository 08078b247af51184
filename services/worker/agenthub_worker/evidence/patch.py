"""What a patch of git says: the lines that it changes, its pages, and what of it nobody has read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeAlias

import msgspec

from agenthub_events.runs import DiffSpan

PATCH_BYTES = 64 << 20

_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_FILE = re.compile(r"^diff --git ", re.M)
_HUNK_LINE = re.compile(r"^@@ [^@]* @@", re.M)
_NEW_NAME = re.compile(r"^(?:\+\+\+ b/|rename to )(.+)$", re.M)
_OLD_NAME = re.compile(r"^--- a/(.+)$", re.M)
_HUNKS_NAMED = 8

Touched: TypeAlias = Mapping[str, Set[int]]
"""By path, the numbers of the lines that a change adds or changes."""


def touched_lines(patch: str) -> dict[str, set[int]]:
    """The added and changed lines by path. A file whose name git had to quote is left out."""
    found: dict[str, set[int]] = {}
    lines: set[int] = set()
    old = new = number = 0
    for line in patch.split("\n"):
        if old > 0 or new > 0:
            kind = line[:1]
            if kind == "+":
                lines.add(number)
            old -= kind in ("-", " ", "")
            new -= kind in ("+", " ", "")
            number += kind in ("+", " ", "")
        elif hunk := _HUNK.match(line):
            old, number, new = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
        elif line.startswith(("+++ b/", "rename to ")):
            # git ends a name that holds a space with a tab.
            name = line.removeprefix("+++ b/").removeprefix("rename to ").removesuffix("\t")
            lines = found.setdefault(name, set())
    return found


class FilePatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a patch says of one file; joined, these are the patch."""

    path: str
    text: str


Page: TypeAlias = Sequence[DiffSpan]
"""As much of a patch as is shown at once."""


def file_patches(patch: str) -> list[FilePatch]:
    """The patch by file, in its order."""
    starts = [found.start() for found in _FILE.finditer(patch)]
    texts = [patch[start:end] for start, end in itertools.pairwise((*starts, len(patch)))]
    return [FilePatch(path=_path_of(text), text=text) for text in texts]


def pages(files: Iterable[FilePatch], limit: int) -> Sequence[Page]:
    """The files' patches in pages of at most `limit` characters, cut between lines where these fit a page."""
    found: list[list[DiffSpan]] = [[]]
    room = limit
    for file in files:
        at = 0
        while at < len(file.text):
            end = at + _fitting(file.text, at, room, whole_line=room == limit)
            if end == at:
                found.append([])
                room = limit
                continue
            found[-1].append(DiffSpan(path=file.path, start=at, end=end))
            room -= end - at
            at = end
    return found


def unread(files: Sequence[FilePatch], shown: Iterable[DiffSpan], limit: int) -> list[str]:
    """What of the change was not among the spans `shown`: a line for each file, with its pages and hunks."""
    by_path: dict[str, list[DiffSpan]] = {}
    for span in shown:
        by_path.setdefault(span.path, []).append(span)
    found = []
    for file in files:
        gaps = _gaps(len(file.text), by_path.get(file.path, ()))
        if gaps:
            own = pages([file], limit)
            missing = [n for n, page in enumerate(own, 1) if any(_overlap(page, gap) for gap in gaps)]
            hunks = [h[0] for h in _HUNK_LINE.finditer(file.text) if any(a <= h.start() < b for a, b in gaps)]
            more = f" and {len(hunks) - _HUNKS_NAMED} more" if len(hunks) > _HUNKS_NAMED else ""
            named = f": {', '.join(hunks[:_HUNKS_NAMED])}{more}" if hunks else ""
            listed = ", ".join(map(str, missing))
            found.append(f"{file.path}, page {listed} of {len(own)}{named}")
    return found


def _fitting(text: str, at: int, room: int, *, whole_line: bool) -> int:
    """How many characters from `at` go into `room`; 0: the next line needs a page of its own."""
    if len(text) - at <= room:
        return len(text) - at
    newline = text.rfind("\n", at, at + room)
    return newline + 1 - at if newline >= at else room if whole_line else 0


def _gaps(length: int, spans: Iterable[DiffSpan]) -> list[tuple[int, int]]:
    found, at = [], 0
    for span in sorted(spans, key=lambda span: span.start):
        if span.start > at:
            found.append((at, span.start))
        at = max(at, span.end)
    return [*found, (at, length)] if at < length else found


def _overlap(page: Page, gap: tuple[int, int]) -> bool:
    return any(span.start < gap[1] and gap[0] < span.end for span in page)


def _path_of(text: str) -> str:
    head = text.split("\n@@ ", 1)[0]
    named = _NEW_NAME.search(head) or _OLD_NAME.search(head)
    if named:
        return named[1].removesuffix("\t")
    first = head.split("\n", 1)[0].removeprefix("diff --git ")
    # Without a line of its own both names are the same: `a/x b/x`.
    return first[len(first) // 2 + 1 :].removeprefix("b/")
