"""Dependency groups of a `pyproject.toml`, spelled out: a pip before its version 25.1 takes no group."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from agenthub_worker.environment.python.tables import rows, table, text, texts

_WITH_EXTRAS = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?\s*(?:[<>=!~;(].*)?")


def needs_of_groups(project: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """The requirements in the groups of these names, with those of the groups that they include."""
    groups = {_plain(name): entries for name, entries in table(project, "dependency-groups").items()}
    return list(dict.fromkeys(need for name in names for need in _needs(groups, _plain(name), ())))


def without_itself(project: Mapping[str, Any], needs: Collection[str]) -> tuple[list[str], list[str]]:
    """The needs that are other packages, and the extras with which a project asks for itself (`name[tests]`)."""
    name, others, extras = _plain(text(table(project, "project").get("name"))), list[str](), list[str]()
    for need in needs:
        found = _WITH_EXTRAS.fullmatch(need.strip())
        if found is None or _plain(found[1]) != name:
            others.append(need)
        else:
            extras += [part.strip() for part in (found[2] or "").split(",") if part.strip()]
    return others, extras


def _needs(groups: Mapping[str, Any], name: str, above: tuple[str, ...]) -> Iterator[str]:
    entries = groups.get(name)
    if name in above or not isinstance(entries, list):
        return
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, Mapping):
            yield from _needs(groups, _plain(text(entry.get("include-group"))), (*above, name))


def left_by_conflict(project: Mapping[str, Any], wanted: Collection[str]) -> list[str]:
    """Options of uv's that leave out all but one of those groups and extras that exclude each other.

    What stays is the first that is `wanted` or one of uv's own defaults, else the first that is named.
    """
    settings = table(project, "tool", "uv")
    first_choice = {*wanted, *texts(settings.get("default-groups"))}
    conflicts = settings.get("conflicts")
    options = []
    for conflict in conflicts if isinstance(conflicts, list) else []:
        # One that names another package of the workspace is that one's.
        named = [
            (kind, name) for row in rows(conflict) for kind in ("group", "extra") if (name := text(row.get(kind)))
        ]
        kept = next((one for one in named if one[1].lower() in first_choice), named[0] if named else None)
        options += [f"--no-{kind} {name}" for kind, name in named if (kind, name) != kept]
    return list(dict.fromkeys(options))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
