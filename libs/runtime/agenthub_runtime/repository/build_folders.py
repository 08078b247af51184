"""Folders that tools make and can make again: neither looked into nor stored, unless somebody tracks them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from agenthub_events.catalogue.values import LeftOut
from agenthub_runtime.repository.git import Git, literal

ALWAYS = frozenset(
    {"node_modules", ".venv", ".tox", ".nox", ".gradle", ".next", ".nuxt", ".turbo", ".parcel-cache"}
)
"""Names of folders that are it wherever they lie."""

_BESIDE: Mapping[str, frozenset[str]] = {
    "target": frozenset({"Cargo.toml", "pom.xml", "build.sbt", "project.clj"}),
    "build": frozenset(
        {"build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "CMakeLists.txt"}
    ),
    "_build": frozenset({"mix.exs", "dune-project", "rebar.config"}),
    ".build": frozenset({"Package.swift"}),
    "zig-out": frozenset({"build.zig"}),
    "zig-cache": frozenset({"build.zig"}),
    "dist-newstyle": frozenset({"cabal.project"}),
}
"""Names of folders that are it beside one of these files."""

_TAGS = frozenset({"CACHEDIR.TAG", "pyvenv.cfg"})
_SPECIAL = re.compile(r"([\\*?\[\]!#\s])")
_PATHS_A_CALL = 500


def build_folders(names: Sequence[str], files: Collection[str]) -> list[str]:
    """Those among the folders `names` that tools have made, by the files beside them."""
    found = [name for name in names if name in ALWAYS]
    return found + [name for name in names if name in _BESIDE and not _BESIDE[name].isdisjoint(files)]


def is_tagged(files: Collection[str]) -> bool:
    """Whether a folder with these files says itself that it can be made again."""
    return not _TAGS.isdisjoint(files)


async def tracked_in(tree: Git, folders: Sequence[str]) -> set[str]:
    """Those of `folders` (paths below the workspace) in which the index of `tree` has files."""
    tracked: set[str] = set()
    for start in range(0, len(folders), _PATHS_A_CALL):
        some = folders[start : start + _PATHS_A_CALL]
        listed = (await tree.run("ls-files", "-z", *literal(some))).fields()
        tracked.update(folder for folder in some if any(name.startswith(f"{folder}/") for name in listed))
    return tracked


def exclude_rules(paths: Iterable[str]) -> bytes:
    """The rules of an ignore file that keep out exactly these files and folders; no rule can say a line break."""
    rules = (f"/{_SPECIAL.sub(_escaped, path)}\n" for path in paths if "\n" not in path)
    return os.fsencode("".join(rules))


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}"


async def bulk(tree: Git, root: Path, most_bytes: int) -> tuple[LeftOut, ...]:
    """What nobody tracks and is too much for a commit: the largest files and folders, until the rest fits."""
    listed = await tree.run("ls-files", "-z", "--others", "--exclude-standard", "--directory")
    sizes = {name.rstrip("/"): _size(root / name) for name in listed.fields()}
    rest = sum(sizes.values())
    found: list[LeftOut] = []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if rest <= most_bytes:
            break
        rest -= sizes[name]
        reason = f"{sizes[name] >> 20} MiB, more than a commit may add: what tools make belongs into .gitignore"
        found.append(LeftOut(path=name, reason=reason))
    return tuple(found)


def _size(place: Path) -> int:
    if place.is_symlink() or not place.is_dir():
        return _size_of(str(place))
    total = 0
    waiting = [str(place)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        total += sum(_size_of(entry.path) for entry in entries if not entry.is_dir(follow_symlinks=False))
    return total


def _size_of(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
