"""A goal's branch as a git repository on this machine."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_runtime.processes.spawn import Process


def pull_goal(hub: HubClient, goal_id: str, folder: Path) -> Path:
    """Clone `goal/<id>` into `folder`, which must not exist yet or be empty. Raises `CommandFailed`."""
    target = folder.resolve()
    try:
        if target.exists() and any(target.iterdir()):
            raise CommandFailed(f"{target} is not empty", hint="name another folder")
    except OSError as error:
        raise CommandFailed(f"{target} is no folder to write to: {error.strerror}", hint="name another") from error
    bundle = hub.get_bytes(f"/goals/{goal_id}/bundle")
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        file.write(bundle)
        file.flush()
        code, said = _git("clone", "--quiet", file.name, str(target))
    if code != 0:
        raise CommandFailed(f"git could not clone the goal's bundle: {said}")
    _git("-C", str(target), "remote", "remove", "origin")
    return target


def _git(*arguments: str) -> tuple[int, str]:
    with Process(["git", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output, _ = process.communicate()
    return process.returncode, output.decode(errors="replace").strip()
