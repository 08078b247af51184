"""The written pages of this repository, and what can be checked in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.M)
_ASSIGNMENT = re.compile(r"^[A-Z][A-Z0-9_]*=")


class Place(NamedTuple):
    """Something that a page says; `page` is its path below the root."""

    page: str
    text: str


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def written_pages() -> list[Path]:
    """Those that are written by hand."""
    return [page for page in pages() if "Written by `make docs`" not in page.read_text(encoding="utf-8")]


def links(page: Path) -> Iterator[Place]:
    """The links of a page that lead to files of this project."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if "://" not in target and not target.startswith("mailto:"):
            yield Place(_name(page), target)


def anchors(page: Path) -> set[str]:
    """The names under which headings of a page can be linked."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def shell_commands(page: Path) -> Iterator[Place]:
    """Every command of the page's shell fences, and lines behind a `$` in its outputs."""
    for language, body in _FENCE.findall(page.read_text(encoding="utf-8")):
        for line in body.replace("\\\n", " ").splitlines():
            if language == "sh":
                yield Place(_name(page), line.strip())
            elif line.startswith("$ "):
                yield Place(_name(page), line.removeprefix("$ "))


def inline_code(page: Path) -> Iterator[Place]:
    """Every piece of code in running text."""
    for code in _INLINE.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield Place(_name(page), code)


def words_of(command: str, program: str) -> list[str] | None:
    """The arguments that a command line gives to `program`; None when it calls something else."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    while words and (_ASSIGNMENT.match(words[0]) or words[0] == "sudo"):
        words = words[1:]
    if words and words[0].rpartition("/")[2] == program:
        return words[1:]
    return None


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))
