"""Work trees for agents, each with a history of its own that nobody here trusts.

The trusted git folder and the index stay outside of what a sandbox shows. A workspace gets its name when it is
complete, its index after that; without the index it counts as half made and never becomes a commit.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path, PurePosixPath

import msgspec
import structlog

from agenthub_events.catalogue.values import LeftOut
from agenthub_runtime.repository.build_folders import bulk, exclude_rules
from agenthub_runtime.repository.bundles import TAGS, named, names_below
from agenthub_runtime.repository.errors import RepositoryError, WorkspaceRefused
from agenthub_runtime.repository.git import Git, checked, literal
from agenthub_runtime.repository.history import EMPTY_TREE
from agenthub_runtime.repository.left_out import (
    LITTER,
    OF_NESTED,
    changed_links,
    escaping_links,
    ignored,
    outside_ignored,
)
from agenthub_runtime.repository.looks.safe import Look, made_safe
from agenthub_runtime.repository.looks.unchanged import is_settled, keep_look, last_look, look_of
from agenthub_runtime.repository.seen_history import put_history
from agenthub_runtime.repository.sources.lfs import contents_of, stored_tree, worked_tree
from agenthub_runtime.repository.trees import delete_leftovers, delete_tree

log = structlog.get_logger(__name__)

CHANGE_BYTES = 64 << 20
"""How much one commit may add: it travels as one object through the hub's store."""

_LOOKED_TWICE = 2_000
"""Entries of a workspace at which a second look costs less than git's next one."""
_SUBMODULE = "160000"
_MODULES = ".gitmodules"
_RULES = frozenset({".gitignore", ".gitattributes", _MODULES})
_NAME_SHOWN = 200
_ABSENT = "0" * 40


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The tree that a workspace would become. `left_out`: what of it does not; `litter`: what tools make again."""

    tree: str
    left_out: tuple[LeftOut, ...] = ()
    litter: tuple[LeftOut, ...] = ()


async def make_workspace(git: Git, commit: str, path: Path, head: str = "") -> None:
    """Check `commit` out as the folder `path`; what was there before is replaced.

    In the history that commands see, `head` is what is checked out (empty: `commit`).
    """
    partial = await asyncio.to_thread(_begin, path)
    index = partial.with_name(f"{partial.name}.index")
    try:
        tree = git.with_environment(GIT_WORK_TREE=str(partial), GIT_INDEX_FILE=str(index))
        await tree.run("read-tree", "-m", "-u", await worked_tree(git, checked(commit), await contents_of(git)))
        pinned = await _put_submodules(git, tree, partial)
        await asyncio.to_thread(_note_pinned, partial, pinned)
        tags = await named(git, await names_below(git, TAGS))
        await asyncio.to_thread(put_history, partial, git.git_dir, head or commit, index, tags)
        await asyncio.to_thread(_put_in_place, partial, index, path)
    finally:
        await asyncio.shield(asyncio.to_thread(_discard, partial, index))


async def take_snapshot(git: Git, path: Path, parent: str, parent_tree: str) -> Snapshot:
    """Write the workspace's tree as the successor of `parent`. Raises `WorkspaceRefused`.

    One of which nothing has changed since its last snapshot is not looked at by git again.
    """
    pinned = await asyncio.to_thread(_pinned, path)
    async with _next_index(git, path) as whole:
        seen = await made_safe(whole, path, pinned)
        contents = await contents_of(git)
        last = None if contents else await asyncio.to_thread(last_look, path, seen, Snapshot)
        if last is not None and await _stands_on(git, path, seen, last.tree, parent_tree):
            return last
        before = await worked_tree(git, checked(parent), contents)
        await whole.run("read-tree", "-m", "-i", before)
        await asyncio.to_thread(_keep_time, index_of(path))
        if not is_settled(seen) and seen.entries <= _LOOKED_TWICE:
            # Now it is a moment later, and what was written just before the first look has an older time.
            removed = [left for left in seen.unstored if left.reason == OF_NESTED]
            seen = await made_safe(whole, path, pinned)
            seen.unstored[:0] = removed
        tree, too_large = await _leaving_out(whole, path, seen)
        links = await _stage(tree, path, before, pinned)
        rules = await ignored(tree, path, seen.made)
        large = {left.path for left in too_large}
        kept_out = [left for left in rules.files if left.path not in large]
        snapshot = Snapshot(
            tree=await stored_tree(git, tree, parent, contents),
            left_out=(
                *(LeftOut(path=name, reason="a link that leads out of the workspace") for name in links),
                *too_large,
                *outside_ignored(seen.unstored, rules.places),
                *(left for left in kept_out if left.reason != LITTER and left.path not in links),
            ),
            litter=tuple(left for left in kept_out if left.reason == LITTER),
        )
        await _refuse_emptied(git, snapshot.tree, parent, path)
        if not contents:
            await asyncio.to_thread(keep_look, path, seen, snapshot)
    return snapshot


async def take_file(git: Git, path: Path, parent: str, name: str) -> str | None:
    """The tree of a workspace in which one plain file has been written since its last snapshot.

    Nothing else is looked at. None: a rule is about that file, so that the whole has to be looked at.
    """
    async with _next_index(git, path) as tree:
        added = await tree.run("add", "--all", *literal([name]), codes=range(256))
        if added.code:
            return None
        return await stored_tree(git, tree, parent, await contents_of(git))


async def _stands_on(git: Git, path: Path, seen: Look, tree: str, parent: str) -> bool:
    """Whether a look from `parent` would come to the same tree: what it keeps out does not depend on its parent.

    Raises `WorkspaceRefused` for a change that is too large from there.
    """
    if tree == parent:
        return True
    if seen.made or seen.size > CHANGE_BYTES or tree == EMPTY_TREE:
        return False
    raw = await git.run("diff-tree", "-r", "--raw", "-z", "--no-renames", "--abbrev=40", parent, tree)
    changed = raw.fields()
    if any(changed_links(changed)) or any(PurePosixPath(name).name in _RULES for name in changed[1::2]):
        return False
    await asyncio.to_thread(_refuse_bulk, path, changed[1::2])
    return True


@asynccontextmanager
async def _next_index(git: Git, path: Path) -> AsyncIterator[Git]:
    """git in a workspace, with a copy of its index that takes the place of the index when nothing is raised."""
    index, excludes = index_of(path), _excludes_of(path)
    scratch = _next_of(index)
    try:
        await asyncio.to_thread(_copy_index, path, index, scratch)
        yield git.with_environment(GIT_WORK_TREE=str(path), GIT_INDEX_FILE=str(scratch))
        await asyncio.to_thread(os.replace, scratch, index)
    finally:
        for leftover in (scratch, scratch.with_name(f"{scratch.name}.lock"), excludes):
            leftover.unlink(missing_ok=True)


def _copy_index(path: Path, index: Path, scratch: Path) -> None:
    if not _is_folder(path) or not index.is_file():
        raise WorkspaceRefused(f"{path.name} is not a complete workspace: check it out again.")
    # With its time: by that git knows which files may have been written in the same moment.
    shutil.copy2(index, scratch)


def _next_of(index: Path) -> Path:
    return index.with_name(f"{index.name}.next")


def _keep_time(index: Path) -> None:
    """Give the next index the time of the one before: read-tree looks at no file, and makes it younger than them.

    A file that was written in the second of its checkout, with as many bytes, would then be taken for unchanged.
    """
    status = index.stat()
    os.utime(_next_of(index), ns=(status.st_atime_ns, status.st_mtime_ns))


async def _leaving_out(tree: Git, path: Path, seen: Look) -> tuple[Git, tuple[LeftOut, ...]]:
    """git that passes over build folders, and over what is too large; and what is too large."""
    passed_over, too_large = seen.made, tuple[LeftOut, ...]()
    if seen.made:
        tree = await _passing_over(tree, path, passed_over)
    if seen.size > CHANGE_BYTES:
        too_large = await bulk(tree, path, CHANGE_BYTES)
        if too_large:
            tree = await _passing_over(tree, path, [*passed_over, *(left.path for left in too_large)])
    return tree, too_large


async def _passing_over(tree: Git, path: Path, names: Sequence[str]) -> Git:
    file = _excludes_of(path)
    await asyncio.to_thread(file.write_bytes, exclude_rules(names))
    # Read behind the settings that every call of git gets here.
    return tree.with_environment(GIT_CONFIG_PARAMETERS=f"'core.excludesfile={file}'")


def _excludes_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.excludes")


def remove_workspace(path: Path) -> None:
    """Delete a workspace and its index, whatever its files are; what cannot be deleted is set aside and logged."""
    for beside in (index_of(path), _pinned_of(path), look_of(path)):
        with suppress(OSError):
            beside.unlink(missing_ok=True)
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
    with suppress(FileNotFoundError):
        _pinned_of(partial).replace(_pinned_of(path))
    partial.rename(path)
    index.replace(index_of(path))


def _discard(partial: Path, index: Path) -> None:
    delete_tree(partial)
    for leftover in (index, index.with_name(f"{index.name}.lock"), _pinned_of(partial)):
        leftover.unlink(missing_ok=True)


async def _put_submodules(git: Git, tree: Git, partial: Path) -> dict[str, str]:
    """Fill the places of the commits that are pinned, as far as these are here; all of them by path."""
    if not await asyncio.to_thread((partial / _MODULES).exists):
        return {}
    listed = await tree.run("ls-files", "--stage", "-z")
    pinned = {path: commit for path, commit in map(_staged, listed.fields()) if commit}
    waiting = list(pinned.items())
    index = partial.with_name(f"{partial.name}.module")
    while waiting:
        path, commit = waiting.pop()
        here = await git.run("cat-file", "-e", f"{commit}^{{commit}}", codes=(0, 1, 128))
        if here.code or not await asyncio.to_thread(_is_folder, partial / path):
            continue
        module = git.with_environment(GIT_WORK_TREE=str(partial / path), GIT_INDEX_FILE=str(index))
        try:
            await module.run("read-tree", "-m", "-u", commit)
            inner = await module.run("ls-files", "--stage", "-z")
        finally:
            index.unlink(missing_ok=True)
        waiting += [(f"{path}/{below}", id_) for below, id_ in map(_staged, inner.fields()) if id_]
    return pinned


def _staged(line: str) -> tuple[str, str]:
    """A path of an index, and the commit that it pins there (empty: it is no submodule)."""
    described, path = line.split("\t", 1)
    mode, commit, _ = described.split()
    return path, commit if mode == _SUBMODULE else ""


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _pinned_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.pinned")


def _note_pinned(path: Path, pinned: Mapping[str, str]) -> None:
    if pinned:
        _pinned_of(path).write_bytes(
            b"".join(os.fsencode(f"{commit} {name}\0") for name, commit in pinned.items())
        )


def _pinned(path: Path) -> dict[str, str]:
    """The submodules of a workspace, by path: what an agent makes of them there is never stored."""
    try:
        entries = os.fsdecode(_pinned_of(path).read_bytes()).split("\0")[:-1]
    except FileNotFoundError:
        return {}
    return {name: commit for commit, _, name in (entry.partition(" ") for entry in entries)}


async def _stage(tree: Git, path: Path, parent: str, pinned: Mapping[str, str]) -> tuple[str, ...]:
    try:
        await tree.run("add", "--all")
    except RepositoryError as error:
        raise WorkspaceRefused(f"The workspace cannot be stored: {error} Rename or remove that file.") from error
    if pinned:
        kept = "".join(f"{_SUBMODULE} {commit}\t{name}\0" for name, commit in pinned.items())
        await tree.run("update-index", "-z", "--index-info", data=os.fsencode(kept))
    raw = await tree.run("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=40", parent)
    changed = raw.fields()
    await asyncio.to_thread(_refuse_bulk, path, changed[1::2])
    fresh = set(changed_links(changed))
    escaping = await escaping_links(tree, path, fresh) if fresh else ()
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


async def _refuse_emptied(git: Git, tree: str, parent: str, path: Path) -> None:
    if tree != EMPTY_TREE:
        return
    before = (await git.run("rev-parse", "--verify", f"{parent}^{{tree}}")).word
    if before != EMPTY_TREE:
        raise WorkspaceRefused(
            f"Workspace {path.name} holds no file any more, its base {parent[:12]} does: a commit would delete "
            "everything. Restore the files, or check the workspace out again."
        )
