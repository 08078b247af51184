"""The environments of this machine: each is built once, in a folder named by what it was made from.

A build happens beside its place and is put there by one rename, under a lock of its name: others wait for it, and
of a build that was killed nothing is ever used. Whoever uses an environment holds the same lock together with
others, so that only unused ones are given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import structlog

from agenthub_runtime.file_lock import try_lock
from agenthub_runtime.repository.trees import delete_tree

log = structlog.get_logger()

_LOOK_AGAIN_S = 0.1
_BUILDING = ".building"

Build = Callable[[Path], Awaitable[None]]
"""Fills the folder that it is given, or raises."""


class EnvironmentStore:
    """The folder of this machine's environments. `most` is how many unused ones are kept."""

    def __init__(self, folder: Path, *, most: int = 20) -> None:
        self._folder = folder
        self._most = most

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
        """Remove what killed builds left, and the oldest environments that nobody uses beyond the number kept."""
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
            await asyncio.to_thread(place.rename, self._folder / key)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(delete_tree, place))
            raise
        log.info("environment_built", key=key, seconds=round(time.monotonic() - started, 1))

    def _lock_file(self, key: str) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        return os.open(self._folder / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _clear(self) -> None:
        if not self._folder.is_dir():
            return
        for place in self._folder.glob(f"*{_BUILDING}"):
            self._give_up(place.name.removesuffix(_BUILDING), place)
        finished = [place for place in self._folder.iterdir() if place.is_dir() and place.suffix != _BUILDING]
        for place in sorted(finished, key=self._last_used, reverse=True)[self._most :]:
            self._give_up(place.name, place)

    def _last_used(self, place: Path) -> float:
        with contextlib.suppress(OSError):
            return (self._folder / f"{place.name}.lock").stat().st_mtime
        return 0.0

    def _give_up(self, key: str, place: Path) -> None:
        descriptor = self._lock_file(key)
        try:
            if try_lock(descriptor):
                delete_tree(place)
        finally:
            os.close(descriptor)
