"""A sandbox in which the submodules of a workspace can be read and not written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agenthub_worker.sandbox.bound import BoundSandbox
from agenthub_worker.sandbox.port import Bind, Sandbox


def with_pinned(sandbox: Sandbox, pinned: Sequence[str]) -> BoundSandbox:
    """The sandbox, with the folders `pinned` of every workspace read-only."""

    def kept(workspace: Path) -> list[Bind]:
        return [
            Bind(workspace / path, target=f"{sandbox.root}/{path}", shared=True)
            for path in pinned
            if (workspace / path).is_dir() and not (workspace / path).is_symlink()
        ]

    return BoundSandbox(sandbox, kept)
