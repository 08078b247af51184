"""Fetches a history with bounded disk, time and memory: whole when it is small enough, else its newest part."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from agenthub_runtime.repository.bundles import name_boundaries
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.git import Git

HISTORY_BYTES = 128 << 20
"""How much history travels with a goal; of a larger one the newest commits do."""

TREE_BYTES = 2 << 30
"""How large the files of the newest commit may be, packed."""

OVER_LIMIT = "File too large"
_DEPTHS = (1, 10, 100, 1_000, 10_000)

Fetch: TypeAlias = Callable[[Sequence[str], int], Awaitable[bool]]
"""Fetches with these options and at most so many bytes; False: it is more. Raises on every other fault."""


async def fetch_bounded(git: Git, fetch: Fetch, history_bytes: int = HISTORY_BYTES) -> bool:
    """Let `fetch` bring a commit into the repository of `git`; False: its history was cut to `history_bytes`.

    Raises as `fetch` does, and `SourceRefused` when not even the newest commit is small enough.
    """
    try:
        return await _fetched(git, fetch, history_bytes)
    finally:
        await name_boundaries(git)


async def _fetched(git: Git, fetch: Fetch, most_bytes: int) -> bool:
    if await _tried(git, fetch, (), most_bytes):
        return not (git.git_dir / "shallow").exists()
    for depth in _DEPTHS:
        taken = await asyncio.to_thread(_packed, git.git_dir)
        limit = TREE_BYTES if depth == 1 else most_bytes - taken
        if limit <= 0 or not await _tried(git, fetch, (f"--depth={depth}",), limit):
            if depth == 1:
                raise SourceRefused(
                    f"The files of its newest commit alone have more than {TREE_BYTES >> 30} GiB, packed: such a"
                    " repository is not imported."
                )
            break
    return False


async def _tried(git: Git, fetch: Fetch, options: Sequence[str], limit: int) -> bool:
    try:
        return await fetch(options, limit)
    finally:
        await asyncio.to_thread(_clear, git.git_dir)


def _packed(git_dir: Path) -> int:
    return sum(path.stat().st_size for path in (git_dir / "objects" / "pack").glob("*.pack"))


def _clear(git_dir: Path) -> None:
    """Remove what a fetch leaves that was stopped in the middle."""
    for left in (*(git_dir / "objects" / "pack").glob("tmp_*"), git_dir / "shallow.lock"):
        with suppress(OSError):
            left.unlink()
