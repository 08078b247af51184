"""A goal's branch as a git repository on this machine."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agenthub_cli import exit_codes
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_cli.program import program
from agenthub_runtime.processes.spawn import Process
from agenthub_runtime.remotes.address import check_ref
from agenthub_runtime.remotes.errors import RemoteRefused
from agenthub_runtime.repository.bundles import LFS, SHALLOW

_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")


def pull_goal(hub: HubClient, goal_id: str, folder: Path) -> Path:
    """Clone `goal/<id>` into `folder`, which must not exist yet or be empty. Raises `CommandFailed`."""
    target = folder.resolve()
    try:
        if target.exists() and any(target.iterdir()):
            raise CommandFailed(f"{target} is not empty", hint="name another folder")
    except OSError as error:
        raise CommandFailed(f"{target} is no folder to write to: {error.strerror}", hint="name another") from error
    branch = f"goal/{goal_id}"
    with _bundle(hub, goal_id) as bundle:
        _must("init", "--quiet", f"--initial-branch={branch}", str(target))
        git_dir = target / ".git"
        cut = [name.removeprefix(SHALLOW) for name in _names(bundle) if name.startswith(SHALLOW)]
        if cut:
            (git_dir / "shallow").write_text("".join(f"{commit}\n" for commit in cut))
        _must("-C", str(target), *_FETCH, "--update-head-ok", bundle, f"refs/heads/{branch}:refs/heads/{branch}")
        _keep_large_files(bundle, git_dir)
    _must("-C", str(target), "reset", "--quiet", "--hard")
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
    where = ("-C", str(folder))
    if not folder.is_dir() or _git(*where, "rev-parse", "--git-dir")[0] != 0:
        raise CommandFailed(
            f"{folder} is no git repository",
            hint=f"name the folder of one, or make a new one of the result: `{program()} goal pull {goal_id}`",
        )
    with _bundle(hub, goal_id) as bundle:
        code, said = _git(*where, *_FETCH, bundle, f"refs/heads/goal/{goal_id}:refs/heads/{branch}")
        if code != 0:
            raise CommandFailed(
                f"git did not put the result into {folder} as `{branch}`: {said}",
                hint="name another branch with --branch, or leave the one of that name first",
            )
        _keep_large_files(bundle, Path(_must(*where, "rev-parse", "--absolute-git-dir")))
    if checkout:
        code, said = _git(*where, "switch", "--quiet", branch)
        if code != 0:
            raise CommandFailed(f"The branch `{branch}` is there, but git did not switch to it: {said}")
    return _git(*where, "rev-parse", f"refs/heads/{branch}")[1]


@contextmanager
def _bundle(hub: HubClient, goal_id: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        hub.download(f"/goals/{goal_id}/bundle", file)
        yield file.name


def _names(bundle: str) -> list[str]:
    """The names that a bundle carries."""
    return [line.split(" ", 1)[1] for line in _must("bundle", "list-heads", bundle).splitlines()]


def _keep_large_files(bundle: str, git_dir: Path) -> None:
    """Put the content of files in Git LFS that the bundle carries where `git lfs` looks for it."""
    names = [name for name in _names(bundle) if name.startswith(LFS)]
    if not names:
        return
    common = git_dir / Path(_must(f"--git-dir={git_dir}", "rev-parse", "--git-common-dir"))
    with tempfile.TemporaryDirectory(prefix="agenthub-lfs-") as folder:
        _must("init", "--quiet", "--bare", "--template=", folder)
        _must("-C", folder, *_FETCH, bundle, *(f"{name}:{name}" for name in names))
        for name in names:
            digest = name.removeprefix(LFS)
            place = common / "lfs" / "objects" / digest[:2] / digest[2:4] / digest
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
                command = ["git", "-C", folder, "cat-file", "blob", name]
                with Process(command, stdout=file, stderr=subprocess.DEVNULL) as process:
                    process.communicate()
            Path(file.name).rename(place)


def _must(*arguments: str) -> str:
    code, said = _git(*arguments)
    if code != 0:
        raise CommandFailed(f"git could not make a repository of the goal's bundle: {said}")
    return said


def _git(*arguments: str) -> tuple[int, str]:
    with Process(["git", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output, _ = process.communicate()
    return process.returncode, output.decode(errors="replace").strip()
