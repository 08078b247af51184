"""Environments on this machine: built once, whole or not at all, and given up when they are old or too large."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agenthub_worker.environment.store import EnvironmentStore

DAY_S = 86_400.0


class Builds:
    """A build that counts how often it ran, and can be told to wait or to fail."""

    def __init__(self, size: int = 10) -> None:
        self.count = 0
        self.size = size
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, folder: Path) -> None:
        self.count += 1
        (folder / "half").write_bytes(b"x" * self.size)
        self.started.set()
        await self.may_end.wait()
        (folder / "whole").write_text("yes")


async def used(store: EnvironmentStore, key: str, build: Callable[[Path], Awaitable[None]]) -> list[str]:
    async with store.using(key, build) as folder:
        return sorted(os.listdir(folder))


def there(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()} if folder.exists() else set()


async def test_many_at_once_build_it_once_and_all_get_it_whole(tmp_path: Path) -> None:
    build = Builds()
    # Two stores are as two processes: each opens the lock file for itself.
    stores = [EnvironmentStore(tmp_path), EnvironmentStore(tmp_path)]
    seen = await asyncio.gather(*(used(stores[n % 2], "a", build) for n in range(8)))
    assert build.count == 1
    assert seen == [["half", "whole"]] * 8


async def test_other_keys_do_not_wait_for_it(tmp_path: Path) -> None:
    store, slow = EnvironmentStore(tmp_path), Builds()
    slow.may_end.clear()
    building = asyncio.create_task(used(store, "slow", slow))
    await slow.started.wait()
    assert await used(store, "quick", Builds()) == ["half", "whole"]
    slow.may_end.set()
    assert await building == ["half", "whole"]


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
async def test_a_build_that_does_not_end_well_leaves_nothing_and_the_next_one_begins_anew(
    tmp_path: Path, how: str
) -> None:
    store, build = EnvironmentStore(tmp_path), Builds()
    build.may_end.clear()

    async def failing(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ValueError("no such package")

    if how == "fails":
        with pytest.raises(ValueError, match="no such package"):
            await used(store, "a", failing)
    else:
        task = asyncio.create_task(used(store, "a", build))
        await build.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert there(tmp_path) == set()
    again = Builds()
    assert await used(store, "a", again) == ["half", "whole"]
    assert again.count == 1


def _killed_while_it_builds(folder: str) -> None:
    async def build(place: Path) -> None:
        (place / "half").write_text("x")
        os._exit(9)

    asyncio.run(used(EnvironmentStore(Path(folder)), "a", build))


async def test_of_a_killed_build_nothing_is_used(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_killed_while_it_builds, args=(str(tmp_path),))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == 9
    assert there(tmp_path) == {"a.building"}
    store = EnvironmentStore(tmp_path)
    await store.clear()
    assert there(tmp_path) == set()
    assert await used(store, "a", Builds()) == ["half", "whole"]


async def test_a_build_under_way_is_not_cleared(tmp_path: Path) -> None:
    store, build = EnvironmentStore(tmp_path), Builds()
    build.may_end.clear()
    building = asyncio.create_task(used(store, "a", build))
    await build.started.wait()
    await EnvironmentStore(tmp_path).clear()
    build.may_end.set()
    assert await building == ["half", "whole"]


async def test_what_was_not_used_for_long_goes_but_not_while_it_is_used(tmp_path: Path) -> None:
    store = EnvironmentStore(tmp_path, kept_s=30 * DAY_S)
    for key in ("old", "new", "used"):
        await used(store, key, Builds())
    async with store.using("used", Builds()):
        long_ago = time.time() - 31 * DAY_S
        for key in ("old", "used"):
            os.utime(tmp_path / f"{key}.lock", (long_ago, long_ago))
        await store.clear()
        assert there(tmp_path) == {"new", "used"}


async def test_the_longest_unused_go_when_all_together_are_too_large(tmp_path: Path) -> None:
    now, store = time.time(), EnvironmentStore(tmp_path)
    for age, key in enumerate(("a", "b", "c")):
        await used(store, key, Builds(100_000))
        os.utime(tmp_path / f"{key}.lock", (now - 100 + age, now - 100 + age))
    again = Builds()
    await used(store, "a", again)
    await EnvironmentStore(tmp_path, most_bytes=250_000).clear()
    assert there(tmp_path) == {"a", "c"}
    assert again.count == 0


async def test_a_finished_environment_is_the_hubs_own_and_nobody_writes_to_it(tmp_path: Path) -> None:
    async def build(folder: Path) -> None:
        (folder / "bin").mkdir(mode=0o700)
        (folder / "bin" / "tool").write_text("#!/bin/sh\n")
        (folder / "bin" / "tool").chmod(0o4777)
        (folder / "data").write_text("x")
        (folder / "data").chmod(0o600)
        (folder / "away").symlink_to("/etc/hostname")
        if os.geteuid() == 0:
            for path in (folder / "bin", folder / "bin" / "tool", folder / "data"):
                os.chown(path, 60_800, 60_800)

    before = os.stat("/etc/hostname").st_mode
    async with EnvironmentStore(tmp_path).using("a", build) as folder:
        found = {path.name: path.lstat() for path in folder.rglob("*")}
    modes = {name: stat.S_IMODE(entry.st_mode) for name, entry in found.items() if name != "away"}
    assert modes == {"bin": 0o755, "tool": 0o755, "data": 0o644}
    assert {entry.st_uid for entry in found.values()} == {os.geteuid()}
    assert os.stat("/etc/hostname").st_mode == before
