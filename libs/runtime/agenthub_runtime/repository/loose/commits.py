"""Commits and the names that keep them, byte for byte as `git commit-tree` and `git update-ref` write them.

Starting git for a few hundred bytes costs ten times as much as writing them, and every task does so several times.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from agenthub_runtime.repository.errors import RepositoryError
from agenthub_runtime.repository.git import ADDRESS, IDENTITY

_READ_ONLY = 0o444
_QUICKLY = 1


def write_commit(git_dir: Path, tree: str, parents: Sequence[str], message: str, when: datetime) -> str:
    """Store a commit of the hub's and return its id; tree and parents are the full ids of what is there.

    Raises `RepositoryError` for a message that git cannot hold, and `OSError`.
    """
    if "\0" in message:
        raise RepositoryError("The message of a commit has a NUL byte in it, which git cannot hold: take it out.")
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in dict.fromkeys(parents))]
    at = f"{int(when.timestamp())} +0000"
    lines += [f"{role} {IDENTITY} <{ADDRESS}> {at}" for role in ("author", "committer")]
    content = "\n".join([*lines, "", message]).encode()
    stored = b"commit %d\0" % len(content) + content
    commit = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
    place = git_dir / "objects" / commit[:2] / commit[2:]
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        # Under a name that git takes for an unfinished object of its own, and clears away one day.
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix="tmp_obj_", delete=False) as unfinished:
            unfinished.write(zlib.compress(stored, _QUICKLY))
        os.chmod(unfinished.name, _READ_ONLY)
        os.replace(unfinished.name, place)
    return commit


def write_name(git_dir: Path, name: str, commit: str) -> bool:
    """Let a name that git does not know yet stand for a commit that is there; False: somebody is just writing it.

    Raises `OSError`.
    """
    place = git_dir / name
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = place.with_name(f"{place.name}.lock")
    try:
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{commit}\n")
    os.replace(lock, place)
    return True
