"""The environments of this machine: each is built once, in a folder named by what it was made from.

A build happens beside its place and is put there by one rename, under a lock of its name: others wait for it, and
of a build that was killed nothing is ever used. Whoever uses an environment holds the same lock together with
others, so that only unused ones are given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import structlog

from agenthub_runtime.file_lock import try_lock
from agenthub_runtime.repository.trees import delete_leftovers, delete_tree, walk

log = structlog.get_logger()

KEPT_S = 30 * 86_400.0
MOST_BYTES = 20 << 30

_LOOK_AGAIN_S = 0.1
_BUILDING = ".building"

Build = Callable[[Path], Awaitable[None]]
"""Fills the folder that it is given, or raises."""


class EnvironmentStore:
    """The folder of this machine's environments.

    Unused ones are kept for `kept_s` seconds since their last use, and as long as all together have no more than
    `most_bytes`; the longest unused go first.
    """

    def __init__(self, folder: Path, *, kept_s: float = KEPT_S, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._kept_s = kept_s
        self._most_bytes = most_bytes

    def place(self, key: str) -> Path:
        """Where the environment of `key` lies once it is built."""
        return self._folder / key

    @contextlib.asynccontextmanager
    async def using(self, key: str, build: Build) -> AsyncIterator[Path]:
        """The folder of `key`, built when there is none; it stays until the block is left.

        Raises what `build` raises.
        """
        descriptor = await asyncio.to_thread(self._lock_file, key)
        try:
            await self._hold(key, descriptor, build)
            yield self._folder / key
        finally:
            os.close(descriptor)

    async def clear(self) -> None:
        """Remove what killed builds left, and environments that nobody uses beyond what is kept."""
        await asyncio.to_thread(self._clear)

    async def _hold(self, key: str, descriptor: int, build: Build) -> None:
        """Return with the shared lock on a finished environment."""
        while True:
            if not try_lock(descriptor, shared=True):
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            if (self._folder / key).is_dir():
                await asyncio.to_thread(os.utime, self._folder / f"{key}.lock")
                return
            # Turning a shared lock into the only one fails while somebody else waits to do the same.
            if not try_lock(descriptor):
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            await self._build(key, build)

    async def _build(self, key: str, build: Build) -> None:
        place, started = self._folder / f"{key}{_BUILDING}", time.monotonic()
        await asyncio.to_thread(delete_tree, place)
        await asyncio.to_thread(place.mkdir)
        try:
            await build(place)
            size = await asyncio.to_thread(_settle, place)
            await asyncio.to_thread((self._folder / f"{key}.lock").write_text, str(size))
            await asyncio.to_thread(place.rename, self._folder / key)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(delete_tree, place))
            raise
        log.info("environment_built", key=key, bytes=size, seconds=round(time.monotonic() - started, 1))
        await self.clear()

    def _lock_file(self, key: str) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        return os.open(self._folder / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _clear(self) -> None:
        if not self._folder.is_dir():
            return
        for place in self._folder.glob(f"*{_BUILDING}"):
            self._give_up(place.name.removesuffix(_BUILDING), place)
        delete_leftovers(self._folder)
        finished = [lock.with_suffix("") for lock in self._folder.glob("*.lock") if lock.with_suffix("").is_dir()]
        taken = 0
        for place in sorted(finished, key=self._last_used, reverse=True):
            taken += self._size(place)
            if taken > self._most_bytes or self._last_used(place) < time.time() - self._kept_s:
                self._give_up(place.name, place)

    def _last_used(self, place: Path) -> float:
        with contextlib.suppress(OSError):
            return (self._folder / f"{place.name}.lock").stat().st_mtime
        return 0.0

    def _size(self, place: Path) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int((self._folder / f"{place.name}.lock").read_text())
        return 0

    def _give_up(self, key: str, place: Path) -> None:
        descriptor = self._lock_file(key)
        try:
            if try_lock(descriptor):
                delete_tree(place)
        finally:
            os.close(descriptor)


def _settle(top: Path) -> int:
    """Make a finished tree this process's own, for everybody to read and for nobody to write; returns its bytes.

    The commands of a setup may have run as another account, which must have no say in it afterwards.
    """
    size = 0
    for folder, names, files in walk(top):
        size += _settle_one(folder)
        for name in (*names, *files):
            size += _settle_one(f"{folder}/{name}")
    return size


def _settle_one(path: str) -> int:
    found = os.lstat(path)
    if found.st_uid != os.geteuid():
        os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        is_run = stat.S_ISDIR(found.st_mode) or found.st_mode & stat.S_IXUSR
        os.chmod(path, (0o755 if is_run else 0o644))
    return 0 if stat.S_ISDIR(found.st_mode) else found.st_blocks * 512
