"""A goal's branch as a git repository on this machine."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed


def pull_goal(hub: HubClient, goal_id: str, folder: Path) -> Path:
    """Clone `goal/<id>` into `folder`, which must not exist yet or be empty. Raises `CommandFailed`."""
    target = folder.resolve()
    if target.exists() and any(target.iterdir()):
        raise CommandFailed(f"{target} is not empty", hint="name another folder")
    bundle = hub.get_bytes(f"/goals/{goal_id}/bundle")
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        file.write(bundle)
        file.flush()
        done = subprocess.run(
            ["git", "clone", "--quiet", file.name, str(target)], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise CommandFailed(f"git could not clone the goal's bundle: {done.stderr.strip()}")
    subprocess.run(["git", "-C", str(target), "remote", "remove", "origin"], check=False, capture_output=True)
    return target
