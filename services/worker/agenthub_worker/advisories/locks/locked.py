"""A package in an exact version, and what a lock file says of such packages."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from io import StringIO

import msgspec

PYPI, NPM, CRATES, GO, MAVEN = "PyPI", "npm", "crates.io", "Go", "Maven"

_ENTRIES = 50_000
_NAME_CHARS, _VERSION_CHARS = 214, 128
_ONE_WORD = re.compile(r"[!-~]+")
_SEPARATORS = re.compile(r"[-_.]+")


class LockUnread(ValueError):
    """A file of that name has another form than its tool writes."""


class Dependency(msgspec.Struct, frozen=True, order=True):
    """A package of a registry, in one version; names and ecosystems as the OSV format has them."""

    ecosystem: str
    name: str
    version: str


class LockedPackages(msgspec.Struct, frozen=True):
    """What a file names. `loose` entries have no exact version of a registry: ranges, addresses, git."""

    dependencies: frozenset[Dependency]
    loose: int = 0


def locked(found: Iterable[Dependency | None]) -> LockedPackages:
    """All of them; None stands for a loose entry. What no registry could hold is loose as well.

    Raises `LockUnread` for more than a project can have.
    """
    kept, loose = set[Dependency](), 0
    for one in found:
        if len(kept) + loose >= _ENTRIES:
            raise LockUnread(f"it names more than {_ENTRIES} packages")
        if one is not None and _can_be(one):
            kept.add(one)
        else:
            loose += 1
    return LockedPackages(frozenset(kept), loose)


def of_python(name: str, version: str) -> Dependency:
    """A distribution of Python; the part of a version behind `+` says who built it, and no registry has it."""
    return Dependency(PYPI, _SEPARATORS.sub("-", name).lower(), version.partition("+")[0])


def lines_of(data: bytes) -> Iterator[str]:
    """The lines of a text, without their ends; some shells write requirement files in UTF-16."""
    wide = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    yield from (line.rstrip("\n") for line in StringIO(text, newline=None))


def _can_be(one: Dependency) -> bool:
    return (
        len(one.name) <= _NAME_CHARS
        and len(one.version) <= _VERSION_CHARS
        and _ONE_WORD.fullmatch(one.name) is not None
        and _ONE_WORD.fullmatch(one.version) is not None
    )
