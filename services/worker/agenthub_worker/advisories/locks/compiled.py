"""Lock files of Rust, Go and Java."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from agenthub_worker.advisories.locks.locked import (
    CRATES,
    GO,
    MAVEN,
    Dependency,
    LockedPackages,
    LockUnread,
    lines_of,
    locked,
)
from agenthub_worker.advisories.locks.python import packages_of
from agenthub_worker.environment.python.tables import text

_REGISTRIES = ("registry+", "sparse+")
_COMMENT = re.compile(r"(?:^|\s)//.*")
_MODULE = re.compile(r"\"?(?P<path>[^\s\"]+)\"?(?:\s+v(?P<version>[^\s\"]+))?")
_SUM = re.compile(r"(?P<path>\S+) v(?P<version>[^\s/]+) h1:\S+")
_BLOCK = re.compile(r"(?P<word>\w+)\s*\(\s*")
_LINE = re.compile(r"(?P<word>require|replace|go)\s+(?P<rest>.+)")
_PROPERTY = re.compile(r"\$\{([^${}]+)\}")
_VALUE_CHARS = 200
_RANGE = frozenset("[](),$ ")
# Since this version a `go.mod` names all that is built, and not only what is asked for directly.
_NAMES_ALL = (1, 17)


def of_cargo(data: bytes) -> LockedPackages:
    """`Cargo.lock`. Raises `LockUnread`."""
    return locked(_in_cargo(data))


def of_go(data: bytes) -> LockedPackages:
    """`go.mod`: what it requires, as far as it does not replace it."""
    replaced = dict[str, Dependency | None]()
    required = dict[str, str]()
    for word, line in _statements(data):
        if word == "require" and (found := _MODULE.match(line)) and found["version"]:
            required[found["path"]] = found["version"]
        elif word == "replace" and "=>" in line:
            old, _, new = line.partition("=>")
            known, by = _MODULE.match(old.strip()), _MODULE.match(new.strip())
            if known and by and (not known["version"] or known["version"] == required.get(known["path"])):
                replaced[known["path"]] = Dependency(GO, by["path"], by["version"]) if by["version"] else None
    # What a folder stands in for is the repository's own.
    kept = {path: replaced.get(path, Dependency(GO, path, version)) for path, version in required.items()}
    return locked(one for one in kept.values() if one is not None)


def of_go_sums(data: bytes, module: bytes) -> LockedPackages:
    """`go.sum`, where the `go.mod` beside it is too old to name all: the modules whose contents were wanted."""
    told = next((line for word, line in _statements(module) if word == "go"), "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    if numbers >= _NAMES_ALL:
        return LockedPackages(frozenset())
    named = {one.name for one in of_go(module).dependencies}
    found = (_SUM.fullmatch(line.strip()) for line in lines_of(data))
    return locked(Dependency(GO, one["path"], one["version"]) for one in found if one and one["path"] not in named)


def of_maven(data: bytes) -> LockedPackages:
    """`pom.xml`: dependencies whose version it says itself, also those that it manages. Raises `LockUnread`."""
    try:
        pom = defusedxml.ElementTree.fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise LockUnread(f"it is no XML: {error}") from None
    if _plain(pom.tag) != "project":
        raise LockUnread("it is no project of Maven's")
    return locked(_in_maven(pom))


def _in_cargo(data: bytes) -> Iterator[Dependency | None]:
    for package in packages_of(data):
        if source := text(package.get("source")):
            known = Dependency(CRATES, text(package.get("name")), text(package.get("version")))
            yield known if source.startswith(_REGISTRIES) else None


def _statements(data: bytes) -> Iterator[tuple[str, str]]:
    """Each statement of a `go.mod` with its word; those of a block one by one, replacements last."""
    found, block = list[tuple[str, str]](), ""
    for raw in lines_of(data):
        line = _COMMENT.sub("", raw).strip()
        if block:
            if line == ")":
                block = ""
            elif line:
                found.append((block, line))
        elif opened := _BLOCK.fullmatch(line):
            block = opened["word"]
        elif one := _LINE.fullmatch(line):
            found.append((one["word"], one["rest"]))
    yield from sorted(found, key=lambda statement: statement[0] == "replace")


def _in_maven(pom: Element) -> Iterator[Dependency | None]:
    properties = {
        _plain(field.tag): (field.text or "").strip()[:_VALUE_CHARS]
        for kind in _below(pom, "properties")
        for field in kind
    }
    for name in ("version", "groupId"):
        said = _said(pom, name) or next((_said(parent, name) for parent in _below(pom, "parent")), "")
        properties |= {f"project.{name}": said, f"pom.{name}": said}
    sections = [pom, *(profile for kind in _below(pom, "profiles") for profile in _below(kind, "profile"))]
    managed = [
        one for section in sections for kind in _below(section, "dependencyManagement") for one in _in(kind)
    ]
    known = {_key(one, properties) for one in managed if _said(one, "version")}
    for one in managed:
        if _said(one, "scope") != "import":
            yield _of_maven(one, properties)
    for one in (one for section in sections for one in _in(section)):
        # The version of one without any is said here above, or in a parent.
        if _said(one, "version") or _key(one, properties) not in known:
            yield _of_maven(one, properties)


def _of_maven(dependency: Element, properties: Mapping[str, str]) -> Dependency | None:
    version, name = _filled(_said(dependency, "version"), properties), _key(dependency, properties)
    if not version or _RANGE & {*version, *name}:
        return None
    return Dependency(MAVEN, name, version)


def _key(dependency: Element, properties: Mapping[str, str]) -> str:
    return ":".join(_filled(_said(dependency, name), properties) for name in ("groupId", "artifactId"))


def _filled(value: str, properties: Mapping[str, str]) -> str:
    for _ in range(5):
        value = _PROPERTY.sub(lambda found: properties.get(found[1], found[0]), value)[:_VALUE_CHARS]
    return value


def _in(section: Element) -> list[Element]:
    return [one for kind in _below(section, "dependencies") for one in _below(kind, "dependency")]


def _below(element: Element, name: str) -> list[Element]:
    return [child for child in element if _plain(child.tag) == name]


def _said(element: Element, name: str) -> str:
    return next(((child.text or "").strip() for child in _below(element, name)), "")


def _plain(tag: object) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
