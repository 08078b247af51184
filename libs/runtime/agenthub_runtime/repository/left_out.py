"""What lies in a workspace and does not become part of its commit, with the reason in words."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agenthub_events.catalogue.values import LeftOut
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.trees import walk

LISTED = 200
"""How many files of one ignored folder are named."""

LITTER = "left out always: tools make it again"
OF_NESTED = "removed: a nested repository becomes plain files, without its history"
_LINKS_FOLLOWED = 40


class Ignored(NamedTuple):
    """What ignore rules keep out: the files and folders at which a rule applies, and every file with its rule."""

    places: tuple[str, ...]
    files: tuple[LeftOut, ...]


async def ignored(tree: Git, root: Path) -> Ignored:
    """What an ignore rule keeps out; the rule is `LITTER` for what tools make again, which is not looked into."""
    listed = await tree.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    names = [name.rstrip("/") for name in listed.fields()]
    if not names:
        return Ignored((), ())
    # Below "./" a name that begins with a colon is no pattern.
    asked = "".join(f"./{name}\0" for name in names)
    told = await tree.run(
        *("check-ignore", "-v", "-z", "--stdin", "--no-index"),
        data=os.fsencode(asked),
        codes=(0, 1),
        literal_paths=False,
    )
    parts = iter(told.text.split("\0"))
    rules = {name[2:]: _reason(source, line) for source, line, _, name in zip(*[parts] * 4, strict=False)}
    files = (
        LeftOut(path=path, reason=rules.get(name, "ignored"))
        for name in names
        for path in ([name] if rules.get(name) == LITTER else _files_of(root, name))
    )
    return Ignored(tuple(names), tuple(files))


def _reason(source: str, line: str) -> str:
    return LITTER if os.path.isabs(source) or source.startswith("info/") else f"ignored by {source} line {line}"


def _files_of(root: Path, name: str) -> Iterator[str]:
    """The files of an ignored folder; of many only the first, and the folder itself for the rest."""
    place = root / name
    if place.is_symlink() or not place.is_dir():
        yield name
        return
    files = (
        f"{folder}/{file}".removeprefix(f"{root}/") for folder, _, inner in walk(place) for file in sorted(inner)
    )
    for number, file in enumerate(files):
        if number == LISTED:
            yield f"{name}/"
            return
        yield file


def never_stored(folder: str, names: Sequence[str], files: Sequence[str], root: Path) -> Iterator[LeftOut]:
    """What git has no form for among the entries of one folder."""
    if not names and not files and folder != str(root):
        yield LeftOut(path=f"{_below(root, folder)}/", reason="an empty folder, which git does not keep")
    for name in files:
        try:
            mode = os.lstat(f"{folder}/{name}").st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            yield LeftOut(path=_below(root, f"{folder}/{name}"), reason="a pipe, socket or device")


def outside_ignored(found: Iterable[LeftOut], places: Iterable[str]) -> list[LeftOut]:
    """Those of `found` that no ignored folder holds anyway."""
    folders = tuple(f"{place}/" for place in places)
    return [left for left in found if not left.path.startswith(folders)]


def links_on_the_way(root: Path, name: str) -> tuple[list[str], bool]:
    """The links through which the link `name` leads, itself included, and whether it leaves `root` on its way.

    Each is followed as the kernel does it, so a link to a folder above counts wherever it stands in a path.
    """
    passed: list[str] = []
    here: list[str] = []
    waiting = name.split("/")[::-1]
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return passed, True
            here.pop()
            continue
        place = "/".join([*here, part])
        try:
            target = os.readlink(root / place)
        except OSError:
            here.append(part)
            continue
        passed.append(place)
        if os.path.isabs(target):
            return passed, True
        if len(passed) > _LINKS_FOLLOWED:
            return passed, False
        waiting.extend(target.split("/")[::-1])
    return passed, False


def _below(root: Path, path: str) -> str:
    return path.removeprefix(f"{root}/")
