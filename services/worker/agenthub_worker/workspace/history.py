"""Shows commands in a workspace the objects that its history is read from."""

from __future__ import annotations

from pathlib import Path

from agenthub_worker.sandbox.bound import BoundSandbox
from agenthub_worker.sandbox.port import Bind, Sandbox


def with_history(sandbox: Sandbox, objects: Path) -> BoundSandbox:
    """The sandbox, in which git finds the objects of one goal, read-only, where each workspace's `.git` says."""
    shown = (Bind(objects, shared=True),)
    return BoundSandbox(sandbox, lambda _: shown)
