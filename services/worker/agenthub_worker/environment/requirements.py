"""Which packages a Python project asks for, as far as its files say it line by line."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

UNKNOWN = "-"
"""A need that only an installer understands."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*\(?\s*((?:[<>!=~]=?=?\s*[\w.*+!]+\s*,?\s*)*)\)?\s*(?:;.*)?")
_BOUND = re.compile(r"([<>!=~]=?=?)\s*([\w.*+!]+)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_KEEPS: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
    "<=": operator.le,
}


def needs_of(
    requirements: Mapping[str, bytes], project: Mapping[str, object], test_groups: Collection[str]
) -> list[str]:
    """The lines of requirement files, and the dependencies in `pyproject.toml` with those of its tests."""
    needs = [line for data in requirements.values() for line in _lines(data)]
    return needs + [need if isinstance(need, str) else UNKNOWN for need in _of_project(project, test_groups)]


def all_at_hand(needs: Iterable[str], at_hand: Mapping[str, str]) -> bool:
    """Whether packages that are there anyway are all that is asked for; `at_hand` gives their versions."""
    return all(_is_at_hand(need, at_hand) for need in needs)


def _lines(data: bytes) -> Iterator[str]:
    for line in data.decode("utf-8", "replace").split("\n"):
        if text := _COMMENT.sub("", line).strip():
            yield text


def _of_project(project: Mapping[str, object], test_groups: Collection[str]) -> Iterator[object]:
    table, groups = _table(project, "project"), _table(project, "dependency-groups")
    yield from _list(table.get("dependencies"))
    if "dependencies" in _list(table.get("dynamic")):
        yield UNKNOWN
    for extras in (_table(table, "optional-dependencies"), groups):
        for name, needs in extras.items():
            if name.lower() in test_groups:
                yield from _list(needs)
    poetry = _table(_table(project, "tool"), "poetry")
    yield from (UNKNOWN for name in _table(poetry, "dependencies") if name != "python")


def _is_at_hand(need: str, at_hand: Mapping[str, str]) -> bool:
    found = _REQUIREMENT.fullmatch(need.strip())
    version = at_hand.get(re.sub(r"[-_.]+", "-", found[1]).lower()) if found else None
    if found is None or version is None:
        return False
    return all(_keeps(version, sign, bound) for sign, bound in _BOUND.findall(found[2]))


def _keeps(version: str, sign: str, bound: str) -> bool:
    """Whether a bound holds; one that pins a version holds for nothing but an installer."""
    numbers = re.fullmatch(r"\d+(?:\.\d+)*", bound)
    return sign in _KEEPS and numbers is not None and _KEEPS[sign](_numbers(version), _numbers(bound))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _table(table: Mapping[str, object], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
