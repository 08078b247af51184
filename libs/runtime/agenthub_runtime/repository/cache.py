"""The goal repositories that a machine keeps: made when needed, removed when nobody has used them for long.

The log and the object store hold everything that is in them, so one that is needed again is made again. Only the
empty lock files stay: one that is taken away could be held by two.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import structlog

from agenthub_events.ports import Artifacts
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_runtime.repository.trees import GONE, delete_tree

log = structlog.get_logger(__name__)

# Much longer than any attempt may take: who works in a repository has opened it at its beginning.
UNUSED_S = 7 * 86_400.0
# The one who needs a new repository waits for this, so it is little; more are removed than made.
_AT_ONCE = 8


async def open_kept(folder: Path, goal_id: str, artifacts: Artifacts) -> GoalRepository:
    """The repository of a goal below `folder`; making a new one removes some that were not used for a week."""
    path = folder / f"{goal_id}.git"
    if not await asyncio.to_thread(path.exists):
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await remove_unused(folder, artifacts, since=time.time() - UNUSED_S)
    return await GoalRepository.open(path, artifacts)


async def remove_unused(folder: Path, artifacts: Artifacts, *, since: float) -> list[str]:
    """Remove some repositories below `folder` that nobody has opened after `since`; the names of their folders."""
    found = await asyncio.to_thread(_unused, folder, since)
    removed = [path.name for path in found if await GoalRepository(path, artifacts).remove_unless_used(since)]
    if removed:
        log.info("unused_repositories_removed", names=removed)
    return removed


def _unused(folder: Path, since: float) -> list[Path]:
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(GONE):
            delete_tree(path)  # begun by a process that died meanwhile
        elif path.suffix == ".git":
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < since:
                    found.append(path)
    return found[:_AT_ONCE]
