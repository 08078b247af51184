"""Work trees for agents: plain folders without a repository in them.

The trusted git folder and the index stay outside of what a sandbox shows. A workspace gets its name when it is
complete, its index after that; without the index it counts as half made and never becomes a commit.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec
import structlog

from agenthub_events.catalogue.values import LeftOut
from agenthub_runtime.repository.errors import RepositoryError, WorkspaceRefused
from agenthub_runtime.repository.git import Git, checked
from agenthub_runtime.repository.history import EMPTY_TREE
from agenthub_runtime.repository.left_out import (
    LITTER,
    OF_NESTED,
    ignored,
    links_on_the_way,
    never_stored,
    outside_ignored,
)
from agenthub_runtime.repository.trees import delete_leftovers, delete_tree, make_readable, walk

log = structlog.get_logger(__name__)

CHANGE_BYTES = 64 << 20
"""How much one commit may add: it travels as one object through the hub's store."""

_LINK = "120000"
_NAME_SHOWN = 200
_ABSENT = "0" * 40


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The tree that a workspace would become. `left_out`: what of it does not; `litter`: what tools make again."""

    tree: str
    left_out: tuple[LeftOut, ...] = ()
    litter: tuple[LeftOut, ...] = ()


async def make_workspace(git: Git, commit: str, path: Path) -> None:
    """Check `commit` out as the folder `path`; what was there before is replaced."""
    partial = await asyncio.to_thread(_begin, path)
    index = partial.with_name(f"{partial.name}.index")
    try:
        tree = git.with_environment(GIT_WORK_TREE=str(partial), GIT_INDEX_FILE=str(index))
        await tree.run("read-tree", "-m", "-u", checked(commit))
        await asyncio.to_thread(_put_in_place, partial, index, path)
    finally:
        await asyncio.shield(asyncio.to_thread(_discard, partial, index))


async def take_snapshot(git: Git, path: Path, parent: str) -> Snapshot:
    """Write the workspace's tree as the successor of `parent`. Raises `WorkspaceRefused`."""
    index = index_of(path)
    unstored = await asyncio.to_thread(_make_safe, path, index)
    scratch = index.with_name(f"{index.name}.next")
    tree = git.with_environment(GIT_WORK_TREE=str(path), GIT_INDEX_FILE=str(scratch))
    try:
        await asyncio.to_thread(shutil.copyfile, index, scratch)
        await tree.run("read-tree", "-m", "-i", checked(parent))
        links = await _stage(tree, path, parent)
        rules = await ignored(tree, path)
        litter = tuple(left for left in rules.files if left.reason == LITTER)
        by_rule = [left for left in rules.files if left.reason != LITTER and left.path not in links]
        snapshot = Snapshot(
            tree=(await tree.run("write-tree")).word,
            left_out=(
                *(LeftOut(path=name, reason="a link that leads out of the workspace") for name in links),
                *outside_ignored(unstored, rules.places),
                *by_rule,
            ),
            litter=litter,
        )
        await _refuse_emptied(git, snapshot.tree, parent, path)
        await asyncio.to_thread(os.replace, scratch, index)
    finally:
        for leftover in (scratch, scratch.with_name(f"{scratch.name}.lock")):
            leftover.unlink(missing_ok=True)
    return snapshot


def remove_workspace(path: Path) -> None:
    """Delete a workspace and its index, whatever its files are; what cannot be deleted is set aside and logged."""
    with suppress(OSError):
        index_of(path).unlink(missing_ok=True)
    if not delete_tree(path):
        log.warning("workspace_not_deleted", path=str(path), remedy="delete what is left by hand")


def clear_workspaces(folder: Path) -> None:
    """Delete a folder of workspaces, with what earlier tries have left beside it; nothing in it stops anybody."""
    remove_workspace(folder)
    if not delete_leftovers(folder.parent):
        log.warning("workspaces_left", folder=str(folder.parent), remedy="delete the `.gone-` folders by hand")


def index_of(path: Path) -> Path:
    """Where the index of a workspace lies: beside it, never in it."""
    return path.with_name(f".{path.name}.index")


def _begin(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))


def _put_in_place(partial: Path, index: Path, path: Path) -> None:
    remove_workspace(path)
    partial.rename(path)
    index.replace(index_of(path))


def _discard(partial: Path, index: Path) -> None:
    delete_tree(partial)
    for leftover in (index, index.with_name(f"{index.name}.lock")):
        leftover.unlink(missing_ok=True)


async def _stage(tree: Git, path: Path, parent: str) -> tuple[str, ...]:
    try:
        await tree.run("add", "--all")
    except RepositoryError as error:
        raise WorkspaceRefused(f"The workspace cannot be stored: {error} Rename or remove that file.") from error
    raw = await tree.run("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=40", parent)
    changed = raw.fields()
    await asyncio.to_thread(_refuse_bulk, path, changed[1::2])
    fresh = set(_links(changed))
    escaping = await _escaping(tree, path, fresh) if fresh else ()
    if escaping:
        records = "".join(f"0 {_ABSENT}\t{name}\0" for name in escaping)
        await tree.run("update-index", "-z", "--index-info", data=os.fsencode(records))
    return escaping


def _refuse_bulk(root: Path, names: list[str]) -> None:
    sizes = {name: (root / name).lstat().st_size for name in names if os.path.lexists(root / name)}
    if sum(sizes.values()) > CHANGE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise WorkspaceRefused(
            f"The change has {sum(sizes.values()) >> 20} MiB, more than the {CHANGE_BYTES >> 20} MiB that a "
            f"commit may add; the largest file is {largest}. Remove what can be made again, or list it in "
            ".gitignore."
        )


def _links(raw: list[str]) -> Iterator[str]:
    """Paths of new or changed symbolic links in the output of `diff-index --raw -z`."""
    for description, name in zip(raw[::2], raw[1::2], strict=True):
        if description.split()[1] == _LINK:
            yield name


async def _escaping(tree: Git, path: Path, fresh: Set[str]) -> tuple[str, ...]:
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


async def _refuse_emptied(git: Git, tree: str, parent: str, path: Path) -> None:
    if tree != EMPTY_TREE:
        return
    before = (await git.run("rev-parse", "--verify", f"{parent}^{{tree}}")).word
    if before != EMPTY_TREE:
        raise WorkspaceRefused(
            f"Workspace {path.name} holds no file any more, its base {parent[:12]} does: a commit would delete "
            "everything. Restore the files, or check the workspace out again."
        )


def _make_safe(path: Path, index: Path) -> list[LeftOut]:
    """Make the tree readable, take out what git would treat as a repository of its own, and say what is lost.

    A nested `.git` could bring its own configuration (monitors, filters) into a system command; what lies
    around it is kept as plain files. Raises `WorkspaceRefused` for what cannot be looked into: git would take it
    for deleted.
    """
    if path.is_symlink() or not path.is_dir() or not index.is_file():
        raise WorkspaceRefused(f"{path.name} is not a complete workspace: check it out again.")

    def refuse(error: OSError) -> NoReturn:
        raise WorkspaceRefused(
            f"The workspace cannot be stored: {_named(path, error.filename)} cannot be read"
            f" ({error.strerror}). Rename or remove that folder."
        )

    unstored: list[LeftOut] = []
    for folder, names, files in walk(path, on_error=refuse):
        unstored += never_stored(folder, names, files, path)
        for name in [*names, *files]:
            full = Path(folder, name)
            if name.lower() == ".git":
                _take_out(path, full)
                unstored.append(LeftOut(path=_named(path, str(full)), reason=OF_NESTED))
            else:
                with suppress(OSError):
                    make_readable(full)
        names[:] = [name for name in names if name.lower() != ".git"]
    return unstored


def _take_out(workspace: Path, repository: Path) -> None:
    delete_tree(repository, aside=workspace.parent)
    if os.path.lexists(repository):
        raise WorkspaceRefused(
            f"The workspace cannot be stored: {_named(workspace, str(repository))} cannot be removed, and a"
            " repository in the workspace would be run by git. Remove it."
        )


def _named(workspace: Path, name: object) -> str:
    """A path as the model may be told it: below the workspace, short, without bytes that are no text."""
    text = os.fsencode(str(name)).decode(errors="replace").removeprefix(f"{workspace}/")
    return text if len(text) <= _NAME_SHOWN else f"{text[:_NAME_SHOWN]}[...]"
