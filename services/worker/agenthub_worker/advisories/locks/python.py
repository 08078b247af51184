"""Lock files of Python: uv, Poetry, PDM, Pipenv, and requirement files with exact versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agenthub_runtime.toml_reading import TomlInvalid, read_toml
from agenthub_worker.advisories.locks.locked import (
    Dependency,
    LockedPackages,
    LockUnread,
    lines_of,
    locked,
    of_python,
)
from agenthub_worker.environment.python.tables import json_of, rows, table, text

_OWN = frozenset({"editable", "virtual", "directory"})
_COMMENT = re.compile(r"(?:^|\s)#.*")
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?\s*(?P<versions>[^;@\s()][^;@()]*)?\)?"
)
_EXACT = re.compile(r"===?\s*([^\s,*]+)(?![^\s,]*\*)")
_ENTRY_CHARS = 1_000
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]+")
_OPTIONS = re.compile(r"\s--?[a-z].*")


def of_uv(data: bytes) -> LockedPackages:
    """`uv.lock`. Raises `LockUnread`."""
    return locked(_in_uv(packages_of(data)))


def of_poetry(data: bytes) -> LockedPackages:
    """`poetry.lock`. Raises `LockUnread`."""
    return locked(_in_poetry(packages_of(data)))


def of_pdm(data: bytes) -> LockedPackages:
    """`pdm.lock`. Raises `LockUnread`."""
    return locked(_in_pdm(packages_of(data)))


def of_pipenv(data: bytes) -> LockedPackages:
    """`Pipfile.lock`. Raises `LockUnread`."""
    lock = json_of(data)
    if "_meta" not in lock:
        raise LockUnread("it has no `_meta`")
    return locked(_in_pipenv(lock))


def of_requirements(data: bytes) -> LockedPackages:
    """A requirement file: what it names by `==`; lines that name a range or an address are loose."""
    return locked(_in_requirements(data))


def of_pylock(data: bytes) -> LockedPackages:
    """`pylock.toml`, the form that several tools write. Raises `LockUnread`."""
    return locked(_in_pylock(packages_of(data, "packages")))


def packages_of(data: bytes, name: str = "package") -> list[Mapping[str, Any]]:
    """The tables of that name in a lock file in TOML. Raises `LockUnread`."""
    try:
        lock = read_toml(data)
    except TomlInvalid as error:
        raise LockUnread(f"it is no TOML: {error}") from None
    if not isinstance(lock.get(name), list) and not {"version", "metadata", "lock-version"} & lock.keys():
        raise LockUnread("it names no packages")
    return rows(lock.get(name))


def _in_uv(packages: list[Mapping[str, Any]]) -> Iterator[Dependency | None]:
    for package in packages:
        source = table(package, "source")
        if not _OWN & source.keys():
            yield _of(package) if "registry" in source else None


def _in_poetry(packages: list[Mapping[str, Any]]) -> Iterator[Dependency | None]:
    for package in packages:
        kind = text(table(package, "source").get("type"))
        if kind != "directory":
            yield None if kind in ("file", "url", "git") else _of(package)


def _in_pdm(packages: list[Mapping[str, Any]]) -> Iterator[Dependency | None]:
    for package in packages:
        if not text(package.get("path")):
            yield None if text(package.get("git")) or text(package.get("url")) else _of(package)


def _in_pylock(packages: list[Mapping[str, Any]]) -> Iterator[Dependency | None]:
    for package in packages:
        if "directory" not in package:
            yield None if {"vcs", "archive"} & package.keys() else _of(package)


def _in_pipenv(lock: Mapping[str, Any]) -> Iterator[Dependency | None]:
    for group, packages in lock.items():
        if group == "_meta" or not isinstance(packages, Mapping):
            continue
        for name, package in packages.items():
            if isinstance(package, Mapping) and not text(package.get("path")):
                exact = _EXACT.fullmatch(text(package.get("version")))
                yield of_python(name, exact[1]) if exact else None


def _in_requirements(data: bytes) -> Iterator[Dependency | None]:
    parts = list[str]()
    for line in lines_of(data):
        part = _COMMENT.sub("", line)
        parts.append(part.removesuffix("\\"))
        if part.endswith("\\"):
            continue
        entry = _EDITABLE.sub("", " ".join(parts).strip())
        parts = []
        # A folder of the repository's own, or options of the whole file; those of one entry stand behind it.
        if not entry or entry.startswith(("-", ".", "/", "file:")):
            continue
        found = _REQUIREMENT.match(_OPTIONS.sub("", entry)[:_ENTRY_CHARS])
        exact = _EXACT.search(found["versions"] or "") if found else None
        yield of_python(found["name"], exact[1]) if found and exact else None


def _of(package: Mapping[str, Any]) -> Dependency:
    return of_python(text(package.get("name")), text(package.get("version")))
