"""The goal repositories of a machine: those that nobody uses go, and one that is needed again is made again."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.cache import UNUSED_S, open_kept, remove_unused
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository, Link
from agenthub_runtime.repository.trees import GONE

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LONG_AGO = time.time() - UNUSED_S - 60


def kept(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def left_alone(folder: Path, *names: str) -> None:
    """As if nobody had opened them for more than a week."""
    for name in names:
        os.utime(folder / f"{name}.git", (LONG_AGO, LONG_AGO))


async def test_a_new_repository_makes_room_by_those_that_nobody_has_used_for_a_week(tmp_path: Path) -> None:
    artifacts = InMemoryArtifacts()
    for name in ("g-old", "g-used", "g-young"):
        await open_kept(tmp_path, name, artifacts)
    left_alone(tmp_path, "g-old", "g-used")
    (tmp_path / f"{GONE}g-half.git").mkdir()
    await open_kept(tmp_path, "g-used", artifacts)
    assert kept(tmp_path) == {"g-old.git", "g-used.git", "g-young.git", f"{GONE}g-half.git"}
    await open_kept(tmp_path, "g-new", artifacts)
    assert kept(tmp_path) == {"g-used.git", "g-young.git", "g-new.git"}


async def test_a_repository_that_was_removed_is_made_again_with_all_its_commits(tmp_path: Path) -> None:
    artifacts = InMemoryArtifacts()
    repository = await open_kept(tmp_path / "kept", "g-a", artifacts)
    workspace = tmp_path / "workspace"
    await repository.checkout(ROOT_COMMIT, workspace)
    (workspace / "a.txt").write_text("kept\n")
    done = await repository.commit_workspace(workspace, parent=ROOT_COMMIT, message="A\n", when=WHEN)
    link = Link(await repository.bundle(ROOT_COMMIT, done.commit), done.commit)
    left_alone(tmp_path / "kept", "g-a")
    assert await remove_unused(tmp_path / "kept", artifacts, since=LONG_AGO + 1) == ["g-a.git"]

    again = await open_kept(tmp_path / "kept", "g-a", artifacts)
    await again.materialise([link])
    assert await again.show(done.commit, "a.txt") == b"kept\n"


async def test_one_that_is_opened_while_it_is_to_be_removed_stays_or_is_made_again(tmp_path: Path) -> None:
    artifacts = InMemoryArtifacts()
    path = tmp_path / "g-a.git"
    for _ in range(10):
        await GoalRepository.open(path, artifacts)
        left_alone(tmp_path, "g-a")
        removing = [remove_unused(tmp_path, artifacts, since=LONG_AGO + 1) for _ in range(2)]
        opened, _ = await asyncio.gather(GoalRepository.open(path, artifacts), asyncio.gather(*removing))
        assert await opened.has(ROOT_COMMIT)
