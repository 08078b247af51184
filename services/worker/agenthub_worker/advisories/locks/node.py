"""Lock files of JavaScript: npm, pnpm and both forms of yarn's.

Those of pnpm and yarn are read line by line, as their tools write them.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec

from agenthub_worker.advisories.locks.locked import NPM, Dependency, LockedPackages, LockUnread, lines_of, locked
from agenthub_worker.environment.python.tables import table, text

_VERSION = r"\d+\.\d+\.\d+[^\s/:()@]*"
_EXACT = re.compile(_VERSION)
_AT = re.compile(rf"(?P<name>(?:@[^@/\s]+/)?[^@/\s]+)@(?P<version>{_VERSION})")
_BELOW = re.compile(r"/(?P<name>(?:@[^@/\s]+/)?[^@/\s]+)/(?P<version>[^/\s]+)")
_HEADER = re.compile(r"\"?(?P<name>(?:@[^@/\s\"]+/)?[^@/\s\"]+)@(?P<range>[^\",]*)")
_RESOLVED = re.compile(rf"(?P<name>(?:@[^@/\s]+/)?[^@/\s]+)@npm:(?P<version>{_VERSION})(?:::.*)?")
_OWN = ("workspace:", "link:", "portal:", "file:")
_LOCAL = re.compile(r"(?:^|@)(?:file|link):")
_FIELDS = ("version", "resolution")
_OF_REGISTRY = "npm:"


def of_npm(data: bytes) -> LockedPackages:
    """`package-lock.json` and `npm-shrinkwrap.json`, of all versions of npm. Raises `LockUnread`."""
    try:
        lock = msgspec.json.decode(data.removeprefix(BOM_UTF8), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LockUnread(f"it is no JSON object: {error}") from None
    if isinstance(lock.get("packages"), dict):
        return locked(_in_packages(lock["packages"]))
    if "lockfileVersion" not in lock:
        raise LockUnread("it has no `lockfileVersion`")
    return locked(_in_dependencies(table(lock, "dependencies")))


def of_pnpm(data: bytes) -> LockedPackages:
    """`pnpm-lock.yaml`. Raises `LockUnread`."""
    if not any(line.startswith("lockfileVersion:") for line in lines_of(data)):
        raise LockUnread("it has no `lockfileVersion`")
    return locked(_in_pnpm(lines_of(data)))


def of_yarn(data: bytes) -> LockedPackages:
    """`yarn.lock`. Raises `LockUnread`."""
    if not any(line.startswith(("# yarn lockfile", "__metadata:")) for line in lines_of(data)):
        raise LockUnread("it does not begin as yarn's does")
    return locked(_in_yarn(lines_of(data)))


def _in_packages(packages: Mapping[str, Any]) -> Iterator[Dependency | None]:
    for path, package in packages.items():
        _, inside, name = path.rpartition("node_modules/")
        # What lies elsewhere is a package of the repository's own.
        if inside and isinstance(package, Mapping) and not package.get("link"):
            yield _of_npm(text(package.get("name")) or name, package)


def _in_dependencies(dependencies: Mapping[str, Any]) -> Iterator[Dependency | None]:
    waiting = [dependencies]
    while waiting:
        for name, package in waiting.pop().items():
            if not isinstance(package, Mapping):
                continue
            waiting.append(table(package, "dependencies"))
            version = text(package.get("version"))
            if version.startswith(_OF_REGISTRY):
                alias = _AT.fullmatch(version.removeprefix(_OF_REGISTRY))
                yield Dependency(NPM, alias["name"], alias["version"]) if alias else None
            elif not version.startswith(_OWN):
                yield _of_npm(name, package)


def _of_npm(name: str, package: Mapping[str, Any]) -> Dependency | None:
    version, where = text(package.get("version")), text(package.get("resolved"))
    if not _EXACT.fullmatch(version) or where.startswith(("git", "file:")):
        return None
    return Dependency(NPM, name, version)


def _in_pnpm(lines: Iterable[str]) -> Iterator[Dependency | None]:
    inside = False
    for line in lines:
        if line and not line.startswith((" ", "#")):
            inside = line.rstrip() == "packages:"
        elif inside and (key := _key_of(line)) and not _LOCAL.search(key):
            yield _of_pnpm(key)


def _key_of(line: str) -> str:
    """The key of an entry two places in; empty for any other line."""
    told = line.rstrip()
    if told.endswith("}"):
        told = f"{told.partition(': {')[0]}:"
    if not told.startswith("  ") or told[2:3] in ("", " ", "#") or not told.endswith(":"):
        return ""
    return told[2:-1].strip("'\"")


def _of_pnpm(key: str) -> Dependency | None:
    # Behind it stand the packages next to which it was installed.
    plain = key.partition("(")[0]
    found = _AT.fullmatch(plain.removeprefix("/"))
    if found:
        return Dependency(NPM, found["name"], found["version"])
    older = _BELOW.fullmatch(plain)
    version = older["version"].partition("_")[0] if older else ""
    return Dependency(NPM, older["name"], version) if older and _EXACT.fullmatch(version) else None


def _in_yarn(lines: Iterable[str]) -> Iterator[Dependency | None]:
    header, fields = "", dict[str, str]()
    for line in chain(lines, ("end:",)):
        if line and not line.startswith((" ", "\t", "#")):
            if header and header != "__metadata:":
                yield from _of_yarn(header, fields)
            header, fields = line.rstrip(), {}
        elif line.startswith("  "):
            key, _, value = line[2:].partition(" ")
            if key.rstrip(":") in _FIELDS:
                fields.setdefault(key.rstrip(":"), value.strip(' "'))


def _of_yarn(header: str, fields: Mapping[str, str]) -> Iterator[Dependency | None]:
    if resolution := fields.get("resolution"):
        found = _RESOLVED.fullmatch(resolution)
        # A patched package is there a second time, as it was before the patch.
        if not any(f"@{kind}" in resolution for kind in (*_OWN, "patch:")):
            yield Dependency(NPM, found["name"], found["version"]) if found else None
        return
    wanted = _HEADER.match(header)
    if wanted is None or wanted["range"].startswith(_OWN):
        return
    name, asked, version = wanted["name"], wanted["range"], fields.get("version", "")
    if asked.startswith(_OF_REGISTRY):
        name, asked = asked.removeprefix(_OF_REGISTRY), ""
        name = name if name.rfind("@") <= 0 else name[: name.rfind("@")]
    elsewhere = "/" in asked or asked.startswith("git") or not _EXACT.fullmatch(version)
    yield None if elsewhere else Dependency(NPM, name, version)
