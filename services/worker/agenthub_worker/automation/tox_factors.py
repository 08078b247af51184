"""The factors of tox's environments, and the conditions on lines of its settings that rest on them. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator

_PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}"
"""The Python that environments are made with."""
_ANY_PYTHON = (_PYTHON, f"{sys.version_info.major}.{sys.version_info.minor}", "py3", "py")
_OTHER_PYTHON = re.compile(r"py\d+|pypy\d*|\d\.\d+")
_CONDITION = re.compile(r"^\s*(?P<condition>!?[\w.{][\w.{},!-]*)\s*:(?!:)\s+(?P<rest>\S.*)$")
_BRACES = re.compile(r"\{([^{}:]*)\}")
_RANGE = re.compile(r"(\d+)-(\d+)")
_MOST = 1_000


def factors_for(listed: str, own: Collection[str]) -> frozenset[str]:
    """The factors of the first listed environment for this Python; `own` are those with settings of their own."""
    names = [name for name in _names(listed) if name not in own]
    fitting = (name for name in names if set(name.split("-")) & set(_ANY_PYTHON))
    plain = (name for name in names if not any(_OTHER_PYTHON.fullmatch(part) for part in name.split("-")))
    chosen = next(fitting, None) or next(plain, "")
    return frozenset({_PYTHON, *filter(None, chosen.split("-"))})


def condition_of(line: str) -> tuple[str, str]:
    """The condition in front of a line, empty for none, and the line behind it."""
    found = _CONDITION.match(line)
    return (found["condition"], found["rest"]) if found else ("", line)


def holds(condition: str, factors: Collection[str]) -> bool:
    """Whether one of the alternatives holds, each with factors that have to be there, or with `!` must not."""
    return any(
        all((part.removeprefix("!") in factors) != part.startswith("!") for part in alternative.split("-"))
        for alternative in _names(condition)
    )


def _names(text: str) -> list[str]:
    found: list[str] = []
    for part in re.split(r",(?![^{]*\})|\s+(?![^{]*\})", text):
        found += _expanded(part.strip())
    return [name for name in found if name][:_MOST]


def _expanded(text: str) -> Iterator[str]:
    """`py{39,310-312}-x` as the names that it stands for."""
    found = _BRACES.search(text)
    if found is None:
        yield text
        return
    for part in found[1].split(","):
        ranged = _RANGE.fullmatch(part.strip())
        numbers = range(int(ranged[1]), min(int(ranged[2]), int(ranged[1]) + 50) + 1) if ranged else ()
        for one in map(str, numbers) if ranged else (part.strip(),):
            yield from _expanded(text[: found.start()] + one + text[found.end() :])
