"""What lies in a workspace and does not become part of its commit, with the reason in words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
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
_LINK = "120000"


class Ignored(NamedTuple):
    """What ignore rules keep out: the files and folders at which a rule applies, and every file with its rule."""

    places: tuple[str, ...]
    files: tuple[LeftOut, ...]


async def ignored(tree: Git, root: Path, made: Collection[str] = ()) -> Ignored:
    """What an ignore rule keeps out; the rule is `LITTER` for what tools make again, which is not looked into.

    `made` are folders that are known to be that, whichever rule is about them.
    """
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
    rules |= dict.fromkeys(made, LITTER)
    files = (
        LeftOut(path=path, reason=LITTER if path in made else rules.get(name, "ignored"))
        for name in names
        for path in ([name] if rules.get(name) == LITTER else _files_of(root, name, made))
    )
    return Ignored(tuple(names), tuple(files))


def _reason(source: str, line: str) -> str:
    return LITTER if os.path.isabs(source) or source.startswith("info/") else f"ignored by {source} line {line}"


def _files_of(root: Path, name: str, made: Collection[str]) -> Iterator[str]:
    """The files of an ignored folder; of many only the first, and the folder itself for the rest.

    Folders among `made` stand for all that is in them.
    """
    place = root / name
    if place.is_symlink() or not place.is_dir():
        yield name
        return
    for number, file in enumerate(_below(root, place, made)):
        if number == LISTED:
            yield f"{name}/"
            return
        yield file


def _below(root: Path, place: Path, made: Collection[str]) -> Iterator[str]:
    top = len(str(root)) + 1
    for folder, names, files in walk(place):
        yield from sorted(f"{folder}/{file}"[top:] for file in files)
        passed = [name for name in names if f"{folder}/{name}"[top:] in made]
        yield from sorted(f"{folder}/{name}"[top:] for name in passed)
        names[:] = [name for name in names if name not in passed]


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


def changed_links(raw: list[str]) -> Iterator[str]:
    """Paths of new or changed symbolic links in the output of `diff-index --raw -z`."""
    for description, name in zip(raw[::2], raw[1::2], strict=True):
        if description.split()[1] == _LINK:
            yield name


async def escaping_links(tree: Git, path: Path, fresh: Set[str]) -> tuple[str, ...]:
    """The new or changed links that lead out of the workspace, or by which an older one now does."""
    listed = await tree.run("ls-files", "--stage", "-z")
    links = [line.split("\t", 1)[1] for line in listed.fields() if line.startswith(f"{_LINK} ")]
    return await asyncio.to_thread(_leading_out, path, links, fresh)


def _leading_out(root: Path, links: Sequence[str], fresh: Set[str]) -> tuple[str, ...]:
    found: set[str] = set()
    for name in links:
        passed, leaves = links_on_the_way(root, name)
        if leaves:
            found.update([name] if name in fresh else fresh & set(passed))
    return tuple(sorted(found))
