"""Which versions of Python a project runs with, as its files bound them."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from agenthub_worker.environment.python.tables import table, text, toml_of

_CLAUSE = re.compile(r"(===|~=|==|!=|<=|>=|<|>|\^|~)?\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.\*)?")
_OF_SETUP_PY = re.compile(rb"\bpython_requires\s*=\s*['\"]([^'\"]+)['\"]")
# A release is known by its first two numbers; what bounds the third is held against the last of them.
_LAST = 99

_Release = tuple[int, int]


def python_bounds(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What the files, the upper ones first, say of the versions of Python: `>=3.12`, `^3.9`."""
    ordered = sorted(files, key=lambda path: (path.count("/"), path))
    found = (said.strip() for path in ordered for said in _said(path.rpartition("/")[2], files[path]))
    return tuple(dict.fromkeys(said for said in found if said))


def admits(bounds: str, release: _Release) -> bool:
    """Whether a release, such as 3.12, is within bounds; what cannot be read bounds nothing."""
    alternatives = bounds.replace("||", "|").split("|")
    return any(all(_holds(clause.strip(), release) for clause in one.split(",")) for one in alternatives)


def _said(name: str, data: bytes) -> Iterator[str]:
    if name == "pyproject.toml":
        settings = toml_of(data)
        yield text(table(settings, "project").get("requires-python"))
        yield text(table(settings, "tool", "poetry", "dependencies").get("python"))
    elif name == "setup.cfg":
        settings_of = configparser.ConfigParser(interpolation=None, strict=False)
        with suppress(configparser.Error):
            settings_of.read_string(data.decode("utf-8", "replace"))
        yield settings_of.get("options", "python_requires", fallback="")
    elif name == "setup.py":
        yield from (found.decode("utf-8", "replace") for found in _OF_SETUP_PY.findall(data))


def _holds(clause: str, release: _Release) -> bool:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        return True
    sign = found[1] or "=="
    bound = tuple(int(number) for number in found.groups()[1:] if number)
    has, low = (*release, _LAST), (*bound, 0, 0)[:3]
    is_same = has[: len(bound[:2])] == bound[:2]
    match sign:
        case ">=" | ">":
            return has >= low
        case "<":
            return has < low
        case "<=":
            return has <= low or (len(bound) == 3 and is_same)
        case "!=":
            return len(bound) == 3 or not is_same
        case "~=" | "^" | "~":
            kept = 1 if sign == "^" or (sign == "~=" and len(bound) < 3) else min(2, len(bound))
            return has >= low and has[:kept] == bound[:kept]
        case _:
            return is_same
