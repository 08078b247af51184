"""Work trees for agents, each with a history of its own that nobody here trusts.

The trusted git folder and the index stay outside of what a sandbox shows. A workspace gets its name when it is
complete, its index after that; without the index it counts as half made and never becomes a commit.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import msgspec
import structlog

from agenthub_events.catalogue.values import LeftOut
from agenthub_runtime.repository.build_folders import build_folders, bulk, exclude_rules, is_tagged, tracked_in
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
from agenthub_runtime.repository.seen_history import HISTORY, put_history
from agenthub_runtime.repository.sources.lfs import contents_of, stored_tree, worked_tree
from agenthub_runtime.repository.trees import delete_leftovers, delete_tree, make_readable, walk

log = structlog.get_logger(__name__)

CHANGE_BYTES = 64 << 20
"""How much one commit may add: it travels as one object through the hub's store."""

_SUBMODULE = "160000"
_MODULES = ".gitmodules"
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
        await asyncio.to_thread(put_history, partial, git.git_dir, head or commit, index)
        await asyncio.to_thread(_put_in_place, partial, index, path)
    finally:
        await asyncio.shield(asyncio.to_thread(_discard, partial, index))


async def take_snapshot(git: Git, path: Path, parent: str) -> Snapshot:
    """Write the workspace's tree as the successor of `parent`. Raises `WorkspaceRefused`."""
    async with _next_index(git, path) as whole:
        seen = await _made_safe(whole, path)
        contents = await contents_of(git)
        before = await worked_tree(git, checked(parent), contents)
        await whole.run("read-tree", "-m", "-i", before)
        await asyncio.to_thread(_keep_time, index_of(path))
        tree, too_large = await _leaving_out(whole, path, seen)
        links = await _stage(tree, path, before, await asyncio.to_thread(_pinned, path))
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


class _Seen(msgspec.Struct):
    """What a look at a workspace has found: what git has no form for, build folders, and bytes elsewhere."""

    unstored: list[LeftOut] = []
    made: list[str] = []
    size: int = 0


async def _made_safe(tree: Git, path: Path) -> _Seen:
    seen = await asyncio.to_thread(_make_safe, path, frozenset())
    tracked = await tracked_in(tree, seen.made)
    return await asyncio.to_thread(_make_safe, path, tracked) if tracked else seen


async def _leaving_out(tree: Git, path: Path, seen: _Seen) -> tuple[Git, tuple[LeftOut, ...]]:
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
    for beside in (index_of(path), _pinned_of(path)):
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


def _make_safe(path: Path, looked_into: Set[str]) -> _Seen:
    """Make the tree readable, take out what git would treat as a repository of its own, and say what is lost.

    A nested `.git` could bring its own configuration (monitors, filters) into a system command; what lies
    around it is kept as plain files. That of the workspace itself is passed over, as git does it that is told of
    another one; so are build folders, but for those `looked_into`. Raises `WorkspaceRefused` for what cannot be
    looked into: git would take it for deleted.
    """

    def refuse(error: OSError) -> NoReturn:
        raise WorkspaceRefused(
            f"The workspace cannot be stored: {_named(path, error.filename)} cannot be read"
            f" ({error.strerror}). Rename or remove that folder."
        )

    seen = _Seen()
    places = {f"{path}/{name}" for name in _pinned(path)}
    top = len(str(path)) + 1
    for folder, names, files in walk(path, on_error=refuse):
        below = folder[top:]
        if not below:
            _pass_over(names, files)
        if below and below not in looked_into and is_tagged(files):
            seen.made.append(below)
            names.clear()
            continue
        made = [name for name in build_folders(names, files) if f"{folder}/{name}"[top:] not in looked_into]
        seen.made += [f"{folder}/{name}"[top:] for name in made]
        names[:] = [name for name in names if name not in made]
        if not (names or files or made or not below or folder in places):
            seen.unstored.append(LeftOut(path=f"{below}/", reason="an empty folder, which git does not keep"))
        for name in (*names, *files):
            _make_one_safe(path, f"{folder}/{name}", seen)
        names[:] = [name for name in names if name.lower() != ".git"]
    return seen


def _make_one_safe(workspace: Path, full: str, seen: _Seen) -> None:
    if full[-4:].lower() == ".git" and full.rpartition("/")[2].lower() == ".git":
        _take_out(workspace, Path(full))
        seen.unstored.append(LeftOut(path=_named(workspace, full), reason=OF_NESTED))
        return
    try:
        status = os.lstat(full)
        mode = status.st_mode
        if stat.S_ISREG(mode):
            seen.size += status.st_size
            if not mode & stat.S_IRUSR:
                make_readable(Path(full))
        elif stat.S_ISDIR(mode):
            if mode & stat.S_IRWXU != stat.S_IRWXU:
                make_readable(Path(full))
        elif not stat.S_ISLNK(mode):
            name = full.removeprefix(f"{workspace}/")
            seen.unstored.append(LeftOut(path=name, reason="a pipe, socket or device"))
    except OSError:
        return


def _pass_over(names: list[str], files: list[str]) -> None:
    """Whatever commands have made of the workspace's own history, no file in it is part of the work."""
    for entries in (names, files):
        if HISTORY in entries:
            entries.remove(HISTORY)


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
