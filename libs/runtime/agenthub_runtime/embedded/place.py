"""Where an embedded hub lies and where it answers: what commands ask before they call it; quick to load."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import platformdirs

from agenthub_runtime.errors import DataDirUnusable
from agenthub_runtime.file_lock import try_lock


class RunningHub(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running hub answers. The addresses carry no credentials: `Secrets.authorise` adds them."""

    pid: int
    url: str
    nats_url: str
    postgres_url: str
    started_at: str
    version: str


def default_data_dir() -> Path:
    """Where a hub keeps its data when nobody says otherwise; root gets /var/lib/agenthub."""
    if os.geteuid() == 0:
        return Path("/var/lib/agenthub")
    return platformdirs.user_data_path("agenthub", appauthor=False)


def absolute_folder(folder: Path) -> Path:
    """The folder as an absolute path. Raises `DataDirUnusable` when nobody can make one of it."""
    try:
        path = folder.expanduser().absolute()
        str(path).encode()
    except (RuntimeError, OSError, UnicodeEncodeError) as error:
        raise DataDirUnusable(
            f"The data folder {str(folder)!r} is no path to use ({error}): choose another with --data-dir"
            " or AGENTHUB_DATA_DIR"
        ) from None
    return path


def running_hub_on(root: Path) -> RunningHub | None:
    """The hub that runs on a data folder now and has announced itself, else None."""
    try:
        hub = msgspec.json.decode((root / "runtime.json").read_bytes(), type=RunningHub)
        descriptor = os.open(root / "lock", os.O_RDONLY)
    except (OSError, msgspec.DecodeError):
        return None
    try:
        # A free lock means that the hub which wrote the file was killed.
        return None if try_lock(descriptor, shared=True) else hub
    finally:
        os.close(descriptor)
