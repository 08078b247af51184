"""Which hubs of this user run on this machine, noted in the user's runtime folder so that any shell finds them.

A note holds the hub's data folder and nothing else; whether a hub runs there is for the folder itself to say.
"""

from __future__ import annotations

import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from agenthub_runtime.embedded.place import RunningHub, running_hub_on

if TYPE_CHECKING:
    from agenthub_runtime.embedded.data_folder import DataDir


class FoundHub(RunningHub, frozen=True, kw_only=True):
    """A hub that runs, and where its data lies."""

    data_dir: Path


def note_hub(data: DataDir) -> None:
    """Let other shells of this user find the hub on this folder; where that cannot be, they have to name it."""
    from agenthub_runtime.embedded.data_folder import write_atomically

    with suppress(OSError):
        folder = _notes()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_ours(folder):
            write_atomically(_note_of(folder, data), str(data.root).encode(), mode=0o600)


def forget_hub(data: DataDir) -> None:
    """The hub on this folder has stopped."""
    with suppress(OSError):
        _note_of(_notes(), data).unlink(missing_ok=True)


def known_hubs() -> list[FoundHub]:
    """Every hub of this user that was noted and runs, by its data folder."""
    folder = _notes()
    found = []
    with suppress(OSError):
        for note in sorted(folder.glob("*.hub")) if _is_ours(folder) else ():
            root = Path(note.read_text(encoding="utf-8"))
            hub = running_hub_on(root)
            if hub is not None:
                told = {name: getattr(hub, name) for name in hub.__struct_fields__}
                found.append(FoundHub(**told, data_dir=root))
    return sorted(found, key=lambda hub: str(hub.data_dir))


def _notes() -> Path:
    with warnings.catch_warnings():
        # That a session sets no runtime folder is nothing that a person has to mend: the one instead will do.
        warnings.simplefilter("ignore", platformdirs.RuntimeDirWarning)
        return platformdirs.user_runtime_path("agenthub", appauthor=False)


def _note_of(folder: Path, data: DataDir) -> Path:
    import hashlib

    return folder / f"{hashlib.sha256(str(data.root).encode()).hexdigest()[:16]}.hub"


def _is_ours(folder: Path) -> bool:
    """Whether nobody else may write into the folder: what stands in it decides where keys are sent."""
    found = folder.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
