"""What travels between the repositories of a goal: bundles, with what stands beside the commits in them.

The names in a bundle say what it carries. `refs/agenthub/<id>` is a commit of the branch; `refs/shallow/<id>` one
whose parents nobody has fetched; `refs/submodules/<id>` one that a tree pins as a submodule; `refs/lfs/<sha256>`
the content of a file that the trees hold as a pointer; `refs/tags/<name>` is a tag of the source, by its own name.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from agenthub_runtime.repository.errors import BundleInvalid, RepositoryError
from agenthub_runtime.repository.git import QUICK_PACKING, Git, checked

KEPT = "refs/agenthub/"
SHALLOW = "refs/shallow/"
SUBMODULES = "refs/submodules/"
LFS = "refs/lfs/"
TAGS = "refs/tags/"

_LINE = re.compile(r"([0-9a-f]{40}) (\S+)")
_BESIDE = re.compile(rf"(?:(?:{SHALLOW}|{SUBMODULES})[0-9a-f]{{40}}|{LFS}[0-9a-f]{{64}}|{TAGS}\S+)")


async def write_bundle(git: Git, file: Path, base: str | None, head: str, beside: Sequence[str] = ()) -> None:
    """Write what `head` has beyond `base` (None: everything), and the names `beside` it, into a file."""
    beyond = [f"^{checked(base)}"] if base else await names_below(git, SHALLOW, SUBMODULES, TAGS)
    await git.run(
        *QUICK_PACKING, "bundle", "create", "--quiet", str(file), f"{KEPT}{checked(head)}", *beside, *beyond
    )


async def take_in(git: Git, file: Path) -> tuple[str, ...]:
    """Bring the content of a bundle in and return the commits that it leads to. Raises `BundleInvalid`."""
    try:
        listed = await git.run("bundle", "unbundle", str(file))
    except RepositoryError as error:
        raise BundleInvalid(f"A bundle cannot be taken in: {error}") from error
    named = [found.groups() for line in listed.text.splitlines() if (found := _LINE.match(line))]
    await cut_history(git, (value for value, name in named if name.startswith(SHALLOW)))
    beside = [(value, name) for value, name in named if _BESIDE.fullmatch(name)]
    heads = tuple(dict.fromkeys(value for value, name in named if not _BESIDE.fullmatch(name)))
    await name_all(git, [*beside, *((head, f"{KEPT}{head}") for head in heads)])
    return heads


async def names_below(git: Git, *folders: str) -> list[str]:
    """The names that begin so."""
    if not await asyncio.to_thread(may_have_names, git.git_dir, folders):
        return []
    found = await git.run("for-each-ref", "--format=%(refname)", *folders)
    return found.text.split()


def may_have_names(git_dir: Path, folders: Sequence[str]) -> bool:
    """Whether there can be names that begin so. Most repositories have none, and git takes longer to say it."""
    try:
        packed = (git_dir / "packed-refs").read_bytes()
    except FileNotFoundError:
        packed = b""
    return any(_holds_any(git_dir / folder) or f" {folder}".encode() in packed for folder in folders)


def _holds_any(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False


async def named(git: Git, names: Sequence[str]) -> list[tuple[str, str]]:
    """What names stand for, with the names."""
    if not names:
        return []
    found = await git.run("for-each-ref", "--format=%(objectname) %(refname)", *names)
    pairs = (line.split() for line in found.text.splitlines())
    return [(value, name) for value, name in pairs]


async def name_boundaries(git: Git) -> None:
    """Give a name to every commit at which a fetch has cut the history."""
    ids = await asyncio.to_thread(_shallow, git.git_dir)
    await name_all(git, [(commit, f"{SHALLOW}{commit}") for commit in sorted(ids)])


async def cut_history(git: Git, commits: Iterable[str]) -> None:
    """Let the history end at these commits: their parents are not missed."""
    await asyncio.to_thread(_cut, git.git_dir, set(commits))


async def name_all(git: Git, named: Sequence[tuple[str, str]]) -> None:
    """Set many references, each to an object that is here."""
    if named:
        lines = "".join(f"update {name} {checked(value)}\n" for value, name in named)
        await git.run("update-ref", "--stdin", data=lines.encode())


def _shallow(git_dir: Path) -> set[str]:
    try:
        return set((git_dir / "shallow").read_text().split())
    except FileNotFoundError:
        return set()


def _cut(git_dir: Path, more: set[str]) -> None:
    known = _shallow(git_dir)
    if more <= known:
        return
    fresh = git_dir / "shallow.new"
    fresh.write_text("".join(f"{commit}\n" for commit in sorted(known | more)))
    os.replace(fresh, git_dir / "shallow")
