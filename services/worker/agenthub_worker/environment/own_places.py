"""Where the hub itself writes and reads in an environment, which commands of others have filled before.

They may have left links there, to lead the hub out of it: it follows none, and takes away what is in its way.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from agenthub_runtime.repository.trees import delete_tree


def real_folder(environment: Path, *parts: str) -> Path:
    """The folder of these names inside of each other, made where it is not there."""
    place = environment
    for part in parts:
        place /= part
        if not _is(place, stat.S_ISDIR):
            delete_tree(place)
            place.mkdir()
    return place


def put(environment: Path, path: Path, data: bytes, *, executable: bool = False) -> None:
    """Write a file below `environment`, in place of whatever is there."""
    real_folder(environment, *path.relative_to(environment).parts[:-1])
    delete_tree(path)
    # Fails where something is there again, be it a link that leads nowhere.
    with path.open("xb") as file:
        file.write(data)
    if executable:
        path.chmod(0o755)


def contents(path: Path) -> bytes:
    """What a plain file holds; nothing of anything else."""
    return path.read_bytes() if _is(path, stat.S_ISREG) else b""


def is_inside(environment: Path, path: Path) -> bool:
    """Whether no link on the way from `environment` leads elsewhere."""
    real = Path(os.path.realpath(environment))
    return Path(os.path.realpath(path)) == real / path.relative_to(environment)


def site_packages(environment: Path) -> Path | None:
    """Where the packages of its Python lie; None: it has none, or none that lies in it."""
    found = sorted((environment / "python").glob("lib/python*/site-packages"))
    return next((site for site in found if is_inside(environment, site) and _is(site, stat.S_ISDIR)), None)


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.lstat().st_mode)
    except OSError:
        return False
