"""The plugins of pytest that are installed where tests run, and the names by which a project can mean them."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import msgspec

_Places: TypeAlias = Callable[[str], Sequence[Path]]
"""Where the source of a top module may be."""


class InstalledPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin of pytest in the environment of the worker, with the names by which a project can mean it.

    `loaded_as` is what pytest is told to load, `module` where it is.
    """

    name: str
    loaded_as: str
    module: str
    packages: frozenset[str]
    fixtures: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    settings: frozenset[str] = frozenset()


@functools.cache
def installed_plugins() -> tuple[InstalledPlugin, ...]:
    """The plugins that pytest would find in the environment of this interpreter."""
    return tuple(_described(entry, _places_here) for entry in metadata.entry_points(group="pytest11"))


def plugins_in(environment: Path) -> tuple[InstalledPlugin, ...]:
    """Those that it would find in an environment that was made in this folder for a project."""
    sites = sorted((environment / "python").glob("lib/python*/site-packages"))
    found = (entry for one in metadata.distributions(path=list(map(str, sites))) for entry in one.entry_points)

    def places(top: str) -> Sequence[Path]:
        return [place for site in sites for place in (site / top, site / f"{top}.py")]

    return tuple(_described(entry, places) for entry in found if entry.group == "pytest11")


def _places_here(top: str) -> Sequence[Path]:
    spec = find_spec(top)
    places = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    return places or ([Path(spec.origin)] if spec and spec.origin else [])


def _described(entry: metadata.EntryPoint, places: _Places) -> InstalledPlugin:
    module = entry.value.split(":")[0]
    names = {module.split(".")[0].lstrip("_")} | ({entry.dist.name} if entry.dist else set())
    told = _told_by(module, places)
    return InstalledPlugin(
        name=entry.name,
        module=module,
        # pytest warns of a name that is also that of a module which it has imported itself.
        loaded_as=module if entry.name in sys.stdlib_module_names else entry.name,
        packages=frozenset(
            form for name in names for form in (name, name.replace("-", "_"), name.replace("_", "-"))
        ),
        fixtures=frozenset(told["fixture"]),
        marks=frozenset(told["mark"]),
        options=frozenset(told["option"]),
        settings=frozenset(told["setting"]),
    )


def _told_by(module: str, places: _Places) -> dict[str, set[str]]:
    """What the source of a plugin adds to pytest; nothing of one whose source cannot be read."""
    told: dict[str, set[str]] = {"fixture": set(), "mark": set(), "option": set(), "setting": set()}
    with suppress(ImportError, OSError, SyntaxError, ValueError):
        top, *parts = module.split(".")
        for source in [inner for place in places(top) for inner in _sources(place, parts)]:
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                for kind, name in _additions(node):
                    told[kind].add(name)
    return told


def _sources(place: Path, parts: Sequence[str]) -> list[Path]:
    """The files of a module in a package, or the file that is the module."""
    if place.suffix == ".py":
        return [place] if place.is_file() else []
    inner = place.joinpath(*parts)
    named = [inner.with_suffix(".py")] if parts else []
    return [file for file in (*named, inner / "__init__.py") if file.is_file()]


def _additions(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list):
            yield "fixture", node.name
        return
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if node.func.attr in ("addoption", "_addoption"):
        yield from (("option", text) for text in texts if text.startswith("-"))
    elif node.func.attr == "addini" and texts:
        yield "setting", texts[0]
    elif node.func.attr == "addinivalue_line" and texts[:1] == ["markers"] and len(texts) > 1:
        yield "mark", re.split(r"[^\w]", texts[1])[0]
