"""Walking through and deleting trees that an agent has made: of any depth, with any names and rights.

Nothing here recurses, keeps a descriptor for each level, or needs the whole path of what it deletes.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

GONE = ".gone-"
"""How the name of what is being deleted begins."""

_NAME_KEPT = 60
_PASSES = 3
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def walk(
    top: Path, *, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk` from the top: each folder with the names of its folders and files; links are not followed.

    Names that the caller takes out of the list of folders are not visited. What cannot be listed is left out,
    or given to `on_error`, which may raise.
    """
    waiting = [str(top)]
    while waiting:
        folder = waiting.pop()
        try:
            names, files, links = _listed(folder)
        except OSError as error:
            if on_error is not None:
                on_error(error)
            continue
        yield folder, names, files
        waiting.extend(f"{folder}/{name}" for name in reversed(names) if name not in links)


def _listed(folder: str) -> tuple[list[str], list[str], set[str]]:
    names: list[str] = []
    files: list[str] = []
    links: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False
            (names if is_folder else files).append(entry.name)
            if is_folder and entry.is_symlink():
                links.add(entry.name)
    return names, files, links


def make_readable(path: Path) -> None:
    """Give the owner the right to read a plain file, or to use a folder. Raises `OSError`."""
    mode = path.lstat().st_mode
    wanted = stat.S_IRWXU if stat.S_ISDIR(mode) else stat.S_IRUSR
    if (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and mode & wanted != wanted:
        path.chmod(stat.S_IMODE(mode) | wanted)


def delete_tree(path: Path, *, aside: Path | None = None) -> bool:
    """Delete a file or a tree. What does not exist is no error; False: something could not be deleted.

    It first gets another name in the folder `aside` (its own folder by default), so that its old name is free at
    once and a kill in the middle leaves nothing half deleted under it.
    """
    try:
        is_folder = stat.S_ISDIR(path.lstat().st_mode)
        if not is_folder:
            path.unlink()
            return True
    except FileNotFoundError:
        return True
    except OSError:
        return False
    moved = _moved_aside(path, aside or path.parent)
    return _deleted(moved)


def delete_leftovers(folder: Path) -> bool:
    """Delete what `delete_tree` had set aside in a folder and not finished; False: something is still there."""
    try:
        left = [Path(folder, name) for name in os.listdir(folder) if name.startswith(GONE)]
    except OSError:
        return True
    return all([_deleted(path) for path in left])


def _moved_aside(path: Path, folder: Path) -> Path:
    """Where the tree is now; where it was when it cannot be moved (a mount, or on another disk than `folder`)."""
    try:
        with suppress(OSError):
            make_readable(path)
        aside = Path(tempfile.mkdtemp(prefix=f"{GONE}{path.name[:_NAME_KEPT]}-", dir=folder))
    except OSError:
        return path
    try:
        return path.rename(aside)
    except OSError:
        with suppress(OSError):
            aside.rmdir()
        return path


def _deleted(top: Path) -> bool:
    """Delete a folder level by level: what lies two levels down is moved up, so that no path ever is long."""
    try:
        make_readable(top)
        descriptor = os.open(top, _OPEN_FOLDER)
    except OSError:
        return False
    try:
        # Again when something was put in meanwhile: what a killed command had started may write a moment longer.
        for _ in range(_PASSES):
            _empty(descriptor)
            with suppress(OSError):
                top.rmdir()
                return True
    finally:
        os.close(descriptor)
    return False


def _empty(top: int) -> None:
    token, moved = uuid4().hex, 0
    stuck: set[str] = set()
    while names := [name for name in os.listdir(top) if name not in stuck]:
        for name in names:
            try:
                moved = _take_apart(top, name, token, moved)
            except OSError:
                stuck.add(name)


def _take_apart(top: int, name: str, token: str, moved: int) -> int:
    """Delete one entry of `top`; folders in it move up into `top`. Returns how many have moved so far."""
    if not _is_folder(name, top):
        os.unlink(name, dir_fd=top)
        return moved
    os.chmod(name, stat.S_IRWXU, dir_fd=top)
    folder = os.open(name, _OPEN_FOLDER, dir_fd=top)
    try:
        for inner in os.listdir(folder):
            with suppress(OSError):
                if _is_folder(inner, folder):
                    os.chmod(inner, stat.S_IRWXU, dir_fd=folder)
                    os.rename(inner, f"{token}-{moved}", src_dir_fd=folder, dst_dir_fd=top)
                    moved += 1
                else:
                    os.unlink(inner, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)
    return moved


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
