"""A backup in a folder: one file a stream, and a manifest that is written last.

manifest.json     what was taken when, and the length and SHA-256 of every file
EVENTS.snapshot   and the other streams, as the server's own snapshots

The log is taken first: what its events name in the other streams was stored before them, so it is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from pathlib import Path

import msgspec
from nats.aio.client import Client

from agenthub_runtime.backups.errors import BackupFailed
from agenthub_runtime.backups.snapshots import SnapshotHead, StreamSnapshot, StreamState, give_back
from agenthub_runtime.jetstream.declared import declared_assets

MANIFEST = "manifest.json"
FORMAT = 1
LOG = "EVENTS"
_READ_BYTES = 128 << 10


class StreamFile(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a backup: its file, and what the server said of it."""

    stream: str
    file: str
    bytes: int
    sha256: str
    head: SnapshotHead

    @property
    def held(self) -> StreamState:
        """What the stream held."""
        return self.head.held


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. `version` is that of the agenthub which took it."""

    format: int
    taken_at: datetime
    version: str
    streams: tuple[StreamFile, ...]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(stream.bytes for stream in self.streams)

    @property
    def last_event(self) -> int:
        """The sequence of the last event that it holds."""
        return next((stream.held.last_seq for stream in self.streams if stream.stream == LOG), 0)


Told = Callable[[StreamFile], None]


def streams_to_keep() -> list[str]:
    """The declared streams that are on disk, the log first; what is kept in memory is made anew by a hub."""
    kept = [
        asset.name
        for asset in declared_assets()
        if asset.kind == "stream" and asset.config.get("storage", "file") == "file"
    ]
    return sorted(kept, key=lambda name: name != LOG)


async def take_backup(nc: Client, folder: Path, *, taken_at: datetime, version: str, told: Told) -> Manifest:
    """Back every stream up into `folder`, which must be new or empty, while the hub goes on.

    `told` hears of each stream when it is done. Raises `BackupFailed`; then nothing is left of it in `folder`.
    """
    await asyncio.to_thread(_make_room, folder)
    files: list[StreamFile] = []
    try:
        for stream in streams_to_keep():
            files.append(await _take(nc, folder, stream))
            told(files[-1])
        manifest = Manifest(format=FORMAT, taken_at=taken_at, version=version, streams=tuple(files))
        await asyncio.to_thread(_write_durably, folder / MANIFEST, msgspec.json.encode(manifest))
    except OSError as error:
        await asyncio.to_thread(_remove_made, folder)
        raise BackupFailed(f"{folder} cannot be written: {error.strerror}") from error
    except BaseException:
        await asyncio.to_thread(_remove_made, folder)
        raise
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """What the backup in a folder says that it holds. Raises `BackupFailed`."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise BackupFailed(
            f"{folder} holds no whole backup ({MANIFEST}: {error.strerror}): name the folder that"
            " `agenthub backup` has written"
        ) from None
    except msgspec.DecodeError as error:
        raise BackupFailed(f"{path} is damaged: {error}") from None
    if manifest.format > FORMAT:
        raise BackupFailed(f"{path} was written by a newer agenthub ({manifest.version}): update agenthub")
    return manifest


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file with the manifest. Raises `BackupFailed` with the first that differs."""
    for stream in manifest.streams:
        path = folder / stream.file
        if Path(stream.file).name != stream.file:
            raise BackupFailed(f"{folder / MANIFEST} is damaged: {stream.file!r} is no name of a file in it")
        try:
            with path.open("rb") as file:
                found, size = hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size
        except OSError as error:
            raise BackupFailed(f"{path} cannot be read: {error.strerror}") from None
        if (found, size) != (stream.sha256, stream.bytes):
            raise BackupFailed(
                f"{path} is not the file that was written: {size} bytes with SHA-256 {found[:12]}…, and"
                f" {stream.bytes} with {stream.sha256[:12]}… were"
            )


async def restore_backup(nc: Client, folder: Path, manifest: Manifest, *, told: Told) -> None:
    """Make every stream of a backup on a server that has none of them, and compare what it then holds.

    Raises `BackupFailed`: before anything is made when a file differs from the manifest.
    """
    await asyncio.to_thread(check_files, folder, manifest)
    for stream in manifest.streams:
        held = await give_back(nc, stream.stream, stream.head, _parts(folder / stream.file))
        if held != stream.held:
            raise BackupFailed(f"`{stream.stream}` holds {_words(held)} now, and {_words(stream.held)} were saved")
        told(stream)


async def _take(nc: Client, folder: Path, stream: str) -> StreamFile:
    path = folder / f"{stream}.snapshot"
    snapshot = StreamSnapshot(nc, stream)
    head = await snapshot.begin()
    digest, size = hashlib.sha256(), 0
    with os.fdopen(await asyncio.to_thread(_open_new, path), "wb") as file:
        async for chunk in snapshot.chunks():
            digest.update(chunk)
            size += len(chunk)
            await asyncio.to_thread(file.write, chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return StreamFile(stream=stream, file=path.name, bytes=size, sha256=digest.hexdigest(), head=head)


async def _parts(path: Path) -> AsyncGenerator[bytes, None]:
    with path.open("rb") as file:
        while part := await asyncio.to_thread(file.read, _READ_BYTES):
            yield part


def _make_room(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = next(folder.iterdir(), None)
    except OSError as error:
        raise BackupFailed(f"{folder} cannot be used: {error.strerror}") from None
    if taken is not None:
        raise BackupFailed(f"{folder} is not empty (it holds {taken.name!r}): name a new folder for each backup")


def _remove_made(folder: Path) -> None:
    for path in (*folder.glob("*.snapshot"), folder / MANIFEST):
        path.unlink(missing_ok=True)


def _open_new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _write_durably(path: Path, data: bytes) -> None:
    with os.fdopen(_open_new(path), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(state: StreamState) -> str:
    return f"{state.messages} messages up to {state.last_seq}"
