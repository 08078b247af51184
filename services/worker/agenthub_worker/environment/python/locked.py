"""What the lock files of Poetry, PDM and Pipenv settle, as requirements with their hashes.

They are installed by pip, which knows this machine's package sources; each tool's own installer asks those that it
has settings of its own for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from agenthub_worker.environment.python.poetry import needs_in, optional_group, poetry_needs
from agenthub_worker.environment.python.tables import json_of, rows, table, text, texts, toml_of

LOCKS = ("poetry.lock", "pdm.lock", "Pipfile.lock")
_ALWAYS = 'python_version >= "3"'


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """What a lock file settles. `lines` are requirements with hashes, all that is installed.

    `apart` are those without one: folders of the repository, addresses. `pins`: an older lock does not say on
    which platforms a package is wanted, so pip finds `needs` with these versions.
    """

    name: str
    lines: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def locked_in(
    files: Mapping[str, bytes], project: Mapping[str, Any], test_groups: Collection[str]
) -> Locked | None:
    """What the first of these lock files says that is there; None: there is none."""
    name = next((name for name in LOCKS if name in files), None)
    if name == "Pipfile.lock":
        return _of_pipenv(json_of(files[name]))
    if name == "poetry.lock":
        return _of_poetry(toml_of(files[name]), project, test_groups)
    return None if name is None else _of_pdm(toml_of(files[name]), project, test_groups)


def _of_poetry(lock: Mapping[str, Any], project: Mapping[str, Any], test_groups: Collection[str]) -> Locked:
    packages = rows(lock.get("package"))
    if not any("groups" in package for package in packages) and packages:
        return _pinned("poetry.lock", packages, poetry_needs(project, test_groups, main=True))
    found = [entry for package in packages if (entry := _entry_of_poetry(package, project, test_groups))]
    return _joined("poetry.lock", found)


def _entry_of_poetry(
    package: Mapping[str, Any], project: Mapping[str, Any], test_groups: Collection[str]
) -> _Entry | None:
    groups = [
        name
        for name in texts(package.get("groups"))
        if name.lower() in test_groups or not optional_group(project, name)
    ]
    if not groups:
        return None
    markers = package.get("markers")
    if isinstance(markers, Mapping):
        said = [text(markers.get(group)) for group in groups]
        markers = " or ".join(f"({one})" for one in said) if all(said) else ""
    source, name = table(package, "source"), text(package.get("name"))
    return _Entry(
        need=_at_source(name, text(package.get("version")), source),
        marker=_with_extras(text(markers), test_groups),
        hashes=_hashes(package),
    )


def _of_pdm(lock: Mapping[str, Any], project: Mapping[str, Any], test_groups: Collection[str]) -> Locked:
    packages = [package for package in rows(lock.get("package")) if not package.get("extras")]
    if packages and not any("groups" in package for package in packages):
        needs = texts(table(project, "project").get("dependencies")) + list(_of_groups(project, test_groups))
        return _pinned("pdm.lock", packages, needs)
    extras = {
        name for name in table(project, "project", "optional-dependencies") if name.lower() not in test_groups
    }
    found = []
    for package in packages:
        if set(texts(package.get("groups"))) - extras:
            source = {"type": "directory", "url": package["path"]} if text(package.get("path")) else {}
            if git := text(package.get("git")):
                source = {"type": "git", "url": git, "reference": package.get("revision", package.get("ref", ""))}
            need = _at_source(text(package.get("name")), text(package.get("version")), source)
            found.append(_Entry(need=need, marker=text(package.get("marker")), hashes=_hashes(package)))
    return _joined("pdm.lock", found)


def _of_groups(project: Mapping[str, Any], test_groups: Collection[str]) -> Iterator[str]:
    for groups in (table(project, "dependency-groups"), table(project, "tool", "pdm", "dev-dependencies")):
        for needs in groups.values():
            yield from texts(needs)
    for name, needs in table(project, "project", "optional-dependencies").items():
        if name.lower() in test_groups:
            yield from texts(needs)


def _of_pipenv(lock: Mapping[str, Any]) -> Locked:
    found: dict[str, _Entry] = {}
    for group in ("develop", "default"):
        for name, package in table(lock, group).items():
            if not isinstance(package, Mapping):
                continue
            elsewhere = any(text(package.get(key)) for key in ("path", "git", "file", "url"))
            need = next(needs_in({name: package})) if elsewhere else name + text(package.get("version"))
            found[name] = _Entry(
                need=need.split(" ; ")[0],
                marker=text(package.get("markers")),
                hashes=() if elsewhere else tuple(texts(package.get("hashes"))),
            )
    return _joined("Pipfile.lock", found.values())


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    need: str
    marker: str
    hashes: tuple[str, ...]


def _joined(name: str, entries: Iterable[_Entry]) -> Locked:
    lines, apart = dict[str, None](), dict[str, None]()
    for entry in entries:
        marker = f" ; {entry.marker}" if entry.marker else ""
        if entry.hashes:
            lines["".join((entry.need, marker, *(f" --hash={one}" for one in entry.hashes)))] = None
        else:
            apart[entry.need if entry.need.startswith("-e ") else f"{entry.need}{marker}"] = None
    return Locked(name=name, lines=tuple(lines), apart=tuple(apart))


def _pinned(name: str, packages: Iterable[Mapping[str, Any]], needs: Iterable[str]) -> Locked:
    known = [package for package in packages if table(package, "source").get("type") not in ("directory", "git")]
    often = Counter(text(package.get("name")) for package in known)
    # Locked in several versions, for several Pythons: pip takes the one that goes with the rest.
    pins = (f"{one}=={text(p.get('version'))}" for p in known if often[one := text(p.get("name"))] == 1)
    return Locked(name=name, pins=tuple(pins), needs=tuple(dict.fromkeys(needs)))


def _at_source(name: str, version: str, source: Mapping[str, Any]) -> str:
    kind, address = text(source.get("type")), text(source.get("url"))
    if kind == "directory":
        return f"-e {address}"
    if kind == "git":
        where = text(source.get("resolved_reference")) or text(source.get("reference"))
        return f"{name} @ git+{address}@{where}"
    return f"{name} @ {address}" if kind in ("file", "url") else f"{name}=={version}"


def _hashes(package: Mapping[str, Any]) -> tuple[str, ...]:
    files = rows(package.get("files"))
    if table(package, "source").get("type") in ("directory", "git", "file", "url"):
        return ()
    return tuple(dict.fromkeys(one for file in files if (one := text(file.get("hash")))))


def _with_extras(marker: str, test_groups: Collection[str]) -> str:
    """Extras for tests are wanted; of the others pip knows nothing, and leaves them out."""
    for name in test_groups:
        marker = marker.replace(f'extra == "{name}"', _ALWAYS)
    return marker
