"""The dependencies in Poetry's and Pipenv's own notation, as pip is told of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from agenthub_worker.environment.python.tables import table, text, texts

_CARET = re.compile(r"(\^|~)\s*(\d+(?:\.\d+)*)([\w.]*)")
_BARE = re.compile(r"\d[\w.+!]*(?:\.\*)?")


def poetry_needs(project: Mapping[str, Any], test_groups: Collection[str], *, main: bool) -> list[str]:
    """What the groups of `[tool.poetry]` ask for that are not optional or are for tests; `main`: the rest, too."""
    poetry = table(project, "tool", "poetry")
    found = list(needs_in(table(poetry, "dependencies"))) if main else []
    found += needs_in(table(poetry, "dev-dependencies"))
    for name, group in table(poetry, "group").items():
        if name.lower() in test_groups or not optional_group(project, name):
            found += needs_in(table(group if isinstance(group, Mapping) else {}, "dependencies"))
    return found


def optional_group(project: Mapping[str, Any], name: str) -> bool:
    """Whether Poetry installs the group only when somebody asks for it."""
    return table(project, "tool", "poetry", "group", name).get("optional") is True


def needs_in(dependencies: Mapping[str, Any]) -> Iterator[str]:
    """The entries of a table of dependencies, but for Python itself."""
    for name, said in dependencies.items():
        if name.lower() == "python":
            continue
        # Of several entries for several platforms or versions of Python each has a condition of its own.
        for entry in said if isinstance(said, list) else [said]:
            if isinstance(entry, str):
                yield name + bounds(entry)
            elif isinstance(entry, Mapping) and entry.get("optional") is not True:
                yield _need(name, entry)


def _need(name: str, entry: Mapping[str, Any]) -> str:
    if path := text(entry.get("path")):
        return f"-e {path}" if entry.get("editable", entry.get("develop", True)) else path
    extras = f"[{','.join(extras)}]" if (extras := texts(entry.get("extras"))) else ""
    marker = f" ; {markers}" if (markers := text(entry.get("markers"))) else ""
    if git := text(entry.get("git")):
        where = next((text(entry[key]) for key in ("rev", "ref", "tag", "branch") if text(entry.get(key))), "")
        return f"{name}{extras} @ git+{git}{f'@{where}' if where else ''}{marker}"
    if address := text(entry.get("url")) or text(entry.get("file")):
        return f"{name}{extras} @ {address}{marker}"
    return f"{name}{extras}{bounds(text(entry.get('version')))}{marker}"


def bounds(version: str) -> str:
    """The bounds of a version as pip writes them; none for what has alternatives, which a lock file settles."""
    if "|" in version:
        return ""
    parts = [part.strip() for part in version.split(",")]
    return ",".join(bound for part in parts if part not in ("", "*") and (bound := _bound(part)))


def _bound(part: str) -> str:
    if found := _CARET.fullmatch(part):
        numbers = [int(number) for number in found[2].split(".")]
        return f">={found[2]}{found[3]},<{'.'.join(map(str, _next(numbers, found[1])))}"
    if _BARE.fullmatch(part):
        return f"=={part}"
    return part.replace(" ", "")


def _next(numbers: list[int], sign: str) -> list[int]:
    """The first version that is not allowed any more."""
    if sign == "~":
        place = min(1, len(numbers) - 1)
    else:
        place = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return [*numbers[:place], numbers[place] + 1]
