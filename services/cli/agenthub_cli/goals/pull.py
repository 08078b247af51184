"""A goal's branch as a git repository on this machine."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from agenthub_cli import exit_codes
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_runtime.processes.spawn import Process
from agenthub_runtime.remotes.address import check_ref
from agenthub_runtime.remotes.errors import RemoteRefused


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


def apply_goal(hub: HubClient, goal_id: str, folder: Path, branch: str, *, checkout: bool) -> str:
    """Put `goal/<id>` into the repository of `folder` as `branch`, and return its commit.

    Checkout and index stay as they are, unless `checkout`. A branch only ever moves forward.
    Raises `CommandFailed`.
    """
    try:
        check_ref(branch)
    except RemoteRefused as refused:
        raise CommandFailed(str(refused), code=exit_codes.USAGE) from None
    bundle = hub.get_bytes(f"/goals/{goal_id}/bundle")
    where = ("-C", str(folder))
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        file.write(bundle)
        file.flush()
        quietly = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        code, said = _git(*where, *quietly, file.name, f"refs/heads/goal/{goal_id}:refs/heads/{branch}")
    if code != 0:
        raise CommandFailed(
            f"git did not put the result into {folder} as `{branch}`: {said}",
            hint="name another branch with --branch, or leave the one of that name first",
        )
    if checkout:
        code, said = _git(*where, "switch", "--quiet", branch)
        if code != 0:
            raise CommandFailed(f"The branch `{branch}` is there, but git did not switch to it: {said}")
    return _git(*where, "rev-parse", f"refs/heads/{branch}")[1]


def _git(*arguments: str) -> tuple[int, str]:
    with Process(["git", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output, _ = process.communicate()
    return process.returncode, output.decode(errors="replace").strip()
