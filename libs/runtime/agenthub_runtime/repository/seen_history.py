"""The `.git` of a workspace, as commands in it see it: a checkout of their own over the goal's objects.

It is made to be thrown away. Commands may commit, stash, bisect and configure in it; what they store lies in it,
beside the goal's objects, which they only read. The hub's own git never looks into it: it has another folder and
another index, and takes no more from a workspace than its files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agenthub_runtime.repository.git import ATTRIBUTES, EXCLUDES

HISTORY = ".git"
"""Its name, at the top of a workspace."""

BRANCH = "main"
_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tcheckstat = minimal
\ttrustctime = false
[user]
\tname = agent
\temail = agent@localhost
[gc]
\tauto = 0
[maintenance]
\tauto = false
[advice]
\tdetachedHead = false
"""
_WALKABLE = 0o711


def objects_of(repository: Path) -> Path:
    """The objects that a workspace's history is read from; a sandbox shows them under the same path."""
    return repository / "objects"


def put_history(
    workspace: Path, repository: Path, commit: str, index: Path, tags: Sequence[tuple[str, str]] = ()
) -> None:
    """Give a workspace, of whose files `index` tells, a branch at `commit`. Raises `OSError`.

    `tags` are the objects that tags stand for, with the full names of the tags.
    """
    place = workspace / HISTORY
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (place / folder).mkdir(parents=True)
    texts = {
        "HEAD": f"ref: refs/heads/{BRANCH}\n",
        "config": _CONFIG,
        f"refs/heads/{BRANCH}": f"{commit}\n",
        "objects/info/alternates": f"{objects_of(repository)}\n",
        "info/attributes": ATTRIBUTES,
        "info/exclude": EXCLUDES,
        "packed-refs": "".join(f"{value} {name}\n" for value, name in tags),
    }
    for name, text in texts.items():
        (place / name).write_text(text)
    # With its own time: files written in the same moment as the index have to be looked at again.
    shutil.copy2(index, place / "index")
    with suppress(FileNotFoundError):
        shutil.copy(repository / "shallow", place / "shallow")
    if os.geteuid() == 0:
        # Commands of root's hub run under another account, which has to get to the objects.
        repository.chmod(_WALKABLE)
