"""Keeps file tools inside the workspace, whatever links an agent has made in it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from agenthub_runtime.repository.git import UNFINISHED_EDIT
from agenthub_runtime.repository.shown_paths import meant_paths, shown_path
from agenthub_worker.errors import ToolRefused
from agenthub_worker.tools.contract import ToolContext

_NEW_FILE = 0o644


def inside(context: ToolContext, path: str) -> Path:
    """The real place of `path`, links followed. Raises `ToolRefused` when it is not in the workspace.

    Accepts paths relative to the workspace and paths as commands in the sandbox see them.
    """
    root = context.workspace.resolve()
    seen_root = context.sandbox.root or str(root)
    if "\0" in path:
        raise ToolRefused("`path` holds a null byte: name a file in the workspace.")
    if path == seen_root or path.startswith(f"{seen_root}/"):
        path = path[len(seen_root) :].lstrip("/")
    place = Path(os.path.realpath(root / _as_named(root, path)))
    if not place.is_relative_to(root):
        raise ToolRefused(
            f"`path` {path!r} is outside of the workspace: give a path relative to it, such as `src/app.py`."
        )
    return place


def to_write(context: ToolContext, path: str) -> Path:
    """As `inside`, for a file that is to be written. Raises `ToolRefused` in a submodule as well."""
    place = inside(context, path)
    name = place.relative_to(context.workspace.resolve()).as_posix()
    for pinned in context.pinned:
        if name == pinned or name.startswith(f"{pinned}/"):
            raise ToolRefused(
                f"`path` {path!r} lies in the submodule {shown_path(pinned)}, which stays at its commit: change"
                " what uses it, or report that it has to be changed in its own repository."
            )
    return place


def relative(context: ToolContext, place: Path) -> str:
    """The name of a place as the model knows it."""
    return shown_path(place.relative_to(context.workspace.resolve()).as_posix())


def _as_named(root: Path, path: str) -> str:
    """A path in which escaped bytes are those of a file that is there."""
    return next((meant for meant in meant_paths(path) if os.path.lexists(root / meant)), path)


def read_file(place: Path, limit: int) -> bytes:
    """The content of a plain file of at most `limit` bytes. Raises `ToolRefused`, `FileNotFoundError`."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ToolRefused(f"`{place.name}` is no plain file.")
        if status.st_size > limit:
            raise ToolRefused(
                f"`{place.name}` has {status.st_size} bytes, more than the {limit} that this tool reads: "
                "use grep, or a command such as `sed -n '1,100p'`."
            )
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read()
    finally:
        os.close(descriptor)


def write_file(place: Path, data: bytes) -> None:
    """Write a plain file, with the folders above it; an existing one keeps its mode. Raises `ToolRefused`.

    The file holds what it held before, or `data`; a full disk in the middle changes nothing. It belongs to whom
    the folder around it belongs: commands may run under another account than this process.
    """
    owner = _make_folder(place.parent)
    try:
        known = place.lstat().st_mode
        if not stat.S_ISREG(known):
            raise ToolRefused(f"`{place.name}` is no plain file.")
        mode = stat.S_IMODE(known)
    except FileNotFoundError:
        mode = _NEW_FILE
    descriptor, name = tempfile.mkstemp(prefix=UNFINISHED_EDIT, dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.rename(name, place)
    except BaseException:
        os.unlink(name)
        raise


def _make_folder(folder: Path) -> os.stat_result:
    """Make a folder with those above it, and say whose it is."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            above = place.parent.stat()
            os.chown(place, above.st_uid, above.st_gid, follow_symlinks=False)
    return folder.stat()
