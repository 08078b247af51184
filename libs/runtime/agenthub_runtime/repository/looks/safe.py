"""Makes a workspace safe for git, which trusts what it finds, and says what of it git cannot keep."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import Collection, Set
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from agenthub_events.catalogue.values import LeftOut
from agenthub_runtime.repository.build_folders import build_folders, is_tagged, tracked_in
from agenthub_runtime.repository.errors import WorkspaceRefused
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.left_out import OF_NESTED
from agenthub_runtime.repository.seen_history import HISTORY
from agenthub_runtime.repository.trees import delete_tree, make_readable, walk

_NAME_SHOWN = 200


class Look(msgspec.Struct):
    """What a look at a workspace has found: what git has no form for, build folders, and bytes elsewhere.

    It began `at_ns`, and nothing in it was changed after `newest_ns`, both since 1970.
    """

    at_ns: int
    unstored: list[LeftOut] = []
    made: list[str] = []
    size: int = 0
    newest_ns: int = 0
    entries: int = 0
    _digest: Any = msgspec.field(default_factory=hashlib.blake2b)

    def note(self, full: str, status: os.stat_result) -> None:
        """Take in what the kernel says of an entry: only it sets the time of a change."""
        times = status.st_mtime_ns, status.st_ctime_ns
        said = b"%d %d %d %d %d " % (status.st_ino, status.st_mode, status.st_size, *times)
        self._digest.update(said + os.fsencode(full) + b"\0")
        self.entries += 1
        self.newest_ns = max(self.newest_ns, status.st_ctime_ns)

    @property
    def fingerprint(self) -> str:
        """The same for a workspace of which nothing has changed."""
        digest = self._digest.copy()
        digest.update(os.fsencode("\0".join(self.made)))
        found: str = digest.hexdigest()
        return found


async def made_safe(tree: Git, path: Path, pinned: Collection[str]) -> Look:
    """Look at a workspace with submodules at `pinned`. Raises `WorkspaceRefused`."""
    places = {f"{path}/{name}" for name in pinned}
    seen = await asyncio.to_thread(_make_safe, path, places, frozenset())
    tracked = await tracked_in(tree, seen.made)
    return await asyncio.to_thread(_make_safe, path, places, tracked) if tracked else seen


def _make_safe(path: Path, places: Set[str], looked_into: Set[str]) -> Look:
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

    seen = Look(at_ns=time.time_ns())
    seen.note("", os.lstat(path))
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


def _make_one_safe(workspace: Path, full: str, seen: Look) -> None:
    if full[-4:].lower() == ".git" and full.rpartition("/")[2].lower() == ".git":
        _take_out(workspace, Path(full))
        seen.unstored.append(LeftOut(path=_named(workspace, full), reason=OF_NESTED))
        return
    try:
        status = os.lstat(full)
        seen.note(full, status)
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
