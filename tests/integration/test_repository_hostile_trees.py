"""What an agent may put into its workspace to make the system's git run something: none of it runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.errors import RepositoryError, WorkspaceRefused
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository, Merged

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Bench:
    """A goal with one commit, its workspace, and a file that appears when something hostile has run."""

    def __init__(
        self, repository: GoalRepository, artifacts: InMemoryArtifacts, workspace: Path, base: str, trap: Path
    ) -> None:
        self.repository = repository
        self.artifacts = artifacts
        self.workspace = workspace
        self.base = base
        self.trap = trap

    @property
    def evil(self) -> str:
        return f"touch {self.trap}"

    async def exercise(self) -> str:
        """Everything that the system does with a workspace: commit, diff, merge, check out again."""
        done = await self.repository.commit_workspace(self.workspace, parent=self.base, message="m", when=WHEN)
        again = await self.repository.commit_workspace(self.workspace, parent=done.commit, message="m", when=WHEN)
        await self.repository.diff(self.base, again.commit)
        await self.repository.diffstat(self.base, again.commit)
        await self.repository.merge(ours=self.base, theirs=again.commit, message="m", when=WHEN)
        if done.changed:
            await self.repository.bundle(self.base, again.commit)
        await self.repository.checkout(again.commit, self.workspace.with_name("again"))
        assert not self.trap.exists()
        return again.commit

    async def paths(self, commit: str) -> list[str]:
        return [entry.path for entry in await self.repository.files(commit)]


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    artifacts = InMemoryArtifacts()
    repository = await GoalRepository.open(tmp_path / "goal.git", artifacts)
    workspace = tmp_path / "w"
    await repository.checkout(ROOT_COMMIT, workspace)
    (workspace / "a.txt").write_text("one\n")
    base = await repository.commit_workspace(workspace, parent=ROOT_COMMIT, message="m", when=WHEN)
    return Bench(repository, artifacts, workspace, base.commit, tmp_path / "trap")


def hostile_config(command: str) -> str:
    return f"""
[core]
    fsmonitor = {command}; false
    hooksPath = hooks
    pager = {command}
    sshCommand = {command}
    editor = {command}
[filter "evil"]
    clean = {command}
    smudge = {command}
    process = {command}
    required = true
[diff "evil"]
    textconv = {command}
    command = {command}
[diff]
    external = {command}
[merge "evil"]
    driver = {command}
[credential]
    helper = !{command}
[alias]
    add = !{command}
"""


def hostile_repository(folder: Path, command: str) -> None:
    """A real repository with a hostile configuration and hooks, as an agent can make one."""
    folder.mkdir(parents=True, exist_ok=True)
    run = ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-C", str(folder)]
    subprocess.run([*run, "init", "-q"], check=True)
    (folder / "inner.txt").write_text("inner\n")
    subprocess.run([*run, "add", "."], check=True)
    subprocess.run([*run, "commit", "-qm", "inner"], check=True)
    (folder / "inner.txt").write_text("dirty\n")
    with (folder / ".git" / "config").open("a") as config:
        config.write(hostile_config(command))
    for name in (
        "pre-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "fsmonitor-watchman",
    ):
        hook = folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{command}\n")
        hook.chmod(0o755)


async def test_the_trap_goes_off_for_a_git_that_trusts_the_folder(bench: Bench) -> None:
    await asyncio.to_thread(hostile_repository, bench.workspace, bench.evil)
    assert not bench.trap.exists()
    (bench.workspace / ".gitattributes").write_text(ATTRIBUTES)
    await asyncio.to_thread(subprocess.run, ["git", "status"], cwd=bench.workspace, check=False)
    assert bench.trap.exists()


ATTRIBUTES = "* filter=evil diff=evil merge=evil ident export-subst\n"


async def test_filters_text_conversions_and_merge_drivers_of_a_tree_do_not_run(bench: Bench) -> None:
    (bench.workspace / ".gitattributes").write_text(ATTRIBUTES)
    (bench.workspace / "a.txt").write_text("two $Id$\n")
    commit = await bench.exercise()
    assert await bench.repository.show(commit, "a.txt") == b"two $Id$\n"


async def test_bytes_are_kept_whatever_attributes_say(bench: Bench) -> None:
    (bench.workspace / ".gitattributes").write_text("* text=auto eol=crlf working-tree-encoding=UTF-16\n")
    (bench.workspace / "a.txt").write_bytes(b"x\r\ny\n\xff\xfe")
    commit = await bench.exercise()
    assert await bench.repository.show(commit, "a.txt") == b"x\r\ny\n\xff\xfe"
    assert (bench.workspace.with_name("again") / "a.txt").read_bytes() == b"x\r\ny\n\xff\xfe"


async def test_a_merge_driver_named_in_the_tree_is_ignored(bench: Bench) -> None:
    sides = []
    for text in ("one\nours\n", "zero\none\n"):
        await bench.repository.checkout(bench.base, bench.workspace)
        (bench.workspace / "a.txt").write_text(text)
        (bench.workspace / ".gitattributes").write_text("* merge=binary\n")
        done = await bench.repository.commit_workspace(bench.workspace, parent=bench.base, message=text, when=WHEN)
        sides.append(done.commit)
    merged = await bench.repository.merge(ours=sides[0], theirs=sides[1], message="m", when=WHEN)
    assert isinstance(merged, Merged)
    assert await bench.repository.show(merged.commit, "a.txt") == b"zero\none\nours\n"


async def test_a_repository_made_in_the_workspace_has_no_say(bench: Bench) -> None:
    await asyncio.to_thread(hostile_repository, bench.workspace, bench.evil)
    (bench.workspace / ".gitattributes").write_text(ATTRIBUTES)
    bench.trap.unlink(missing_ok=True)
    assert await bench.paths(await bench.exercise()) == [".gitattributes", "a.txt", "inner.txt"]


async def test_a_nested_repository_becomes_plain_files(bench: Bench) -> None:
    await asyncio.to_thread(hostile_repository, bench.workspace / "vendor" / "lib", bench.evil)
    (bench.workspace / ".gitattributes").write_text(ATTRIBUTES)
    bench.trap.unlink(missing_ok=True)
    commit = await bench.exercise()
    assert await bench.paths(commit) == [".gitattributes", "a.txt", "vendor/lib/inner.txt"]
    assert all(entry.mode != "160000" for entry in await bench.repository.files(commit))


async def test_a_submodule_in_a_commit_cannot_be_turned_into_a_trap(bench: Bench, tmp_path: Path) -> None:
    script = (
        "git init -q source && cd source && git config user.email a@b && git config user.name n && "
        f"git update-index --add --cacheinfo 160000,{'1' * 40},sub && echo x >x.txt && git add x.txt && "
        "git commit -qm one && git bundle create -q ../submodule.bundle HEAD"
    )
    await asyncio.to_thread(subprocess.run, script, shell=True, cwd=tmp_path, check=True)
    digest = await bench.artifacts.put_file(tmp_path / "submodule.bundle")
    [bench.base] = await bench.repository.absorb(digest)
    await bench.repository.checkout(bench.base, bench.workspace)
    await asyncio.to_thread(hostile_repository, bench.workspace / "sub", bench.evil)
    (bench.workspace / ".gitmodules").write_text(
        f'[submodule "sub"]\n path = sub\n url = ext::sh -c {bench.evil}\n update = !{bench.evil}\n'
        " ignore = none\n"
    )
    bench.trap.unlink(missing_ok=True)
    await bench.exercise()


@pytest.mark.parametrize("name", [".git", ".GIT", ".Git"])
async def test_a_file_in_place_of_a_nested_git_folder_is_taken_out(bench: Bench, name: str) -> None:
    (bench.workspace / "sub").mkdir()
    (bench.workspace / "sub" / name).write_text(f"gitdir: {bench.repository.path}\n")
    (bench.workspace / "sub" / "kept.txt").write_text("kept\n")
    assert await bench.paths(await bench.exercise()) == ["a.txt", "sub/kept.txt"]


async def test_a_link_in_place_of_a_git_folder_does_not_lead_to_the_trusted_one(bench: Bench) -> None:
    shutil.rmtree(bench.workspace / ".git")
    (bench.workspace / ".git").symlink_to(bench.repository.path)
    (bench.workspace / "sub").mkdir()
    (bench.workspace / "sub" / ".git").symlink_to(bench.repository.path)
    await bench.exercise()
    assert (bench.repository.path / "HEAD").is_file()


@pytest.mark.parametrize("name", ["git~1", "GIT~1", ".git\u200c"])
async def test_names_that_mean_a_git_folder_on_other_systems_are_refused_by_name(bench: Bench, name: str) -> None:
    (bench.workspace / name).write_text("x\n")
    with pytest.raises(WorkspaceRefused, match=name):
        await bench.exercise()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "../../etc", "d/../../outside", ".."], ids=str)
async def test_links_that_leave_the_workspace_are_left_out_and_named(bench: Bench, target: str) -> None:
    (bench.workspace / "way-out").symlink_to(target)
    (bench.workspace / "fine").symlink_to("a.txt")
    done = await bench.repository.commit_workspace(bench.workspace, parent=bench.base, message="m", when=WHEN)
    assert [left.path for left in done.left_out] == ["way-out"]
    assert await bench.paths(done.commit) == ["a.txt", "fine"]


async def test_a_folder_swapped_for_a_link_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("hidden\n")
    (bench.workspace / "d").mkdir()
    (bench.workspace / "d" / "key.txt").write_text("mine\n")
    first = await bench.repository.commit_workspace(bench.workspace, parent=bench.base, message="m", when=WHEN)
    (bench.workspace / "d" / "key.txt").unlink()
    (bench.workspace / "d").rmdir()
    (bench.workspace / "d").symlink_to(secret)
    done = await bench.repository.commit_workspace(bench.workspace, parent=first.commit, message="m", when=WHEN)
    assert await bench.paths(done.commit) == ["a.txt"]
    assert "hidden" not in await bench.repository.diff(bench.base, done.commit)


async def test_a_workspace_that_is_itself_a_link_is_refused(bench: Bench, tmp_path: Path) -> None:
    real = tmp_path / "real"
    bench.workspace.rename(real)
    bench.workspace.symlink_to(real)
    with pytest.raises(WorkspaceRefused, match="not a complete workspace"):
        await bench.repository.snapshot(bench.workspace, bench.base)


async def test_pipes_and_sockets_do_not_hang_a_commit(bench: Bench) -> None:
    os.mkfifo(bench.workspace / "pipe")
    assert await bench.paths(await bench.exercise()) == ["a.txt"]


async def test_unreadable_files_are_stored(bench: Bench) -> None:
    (bench.workspace / "d").mkdir()
    (bench.workspace / "d" / "b.txt").write_text("b\n")
    (bench.workspace / "d" / "b.txt").chmod(0)
    (bench.workspace / "d").chmod(0)
    assert await bench.paths(await bench.exercise()) == ["a.txt", "d/b.txt"]


def _bad_home(tmp_path: Path, evil: str) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text(hostile_config(evil))
    return {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home")}


def _bad_variables(tmp_path: Path, evil: str) -> dict[str, str]:
    (tmp_path / "config").write_text(hostile_config(evil))
    return {
        "GIT_CONFIG_GLOBAL": str(tmp_path / "config"),
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor'='{evil}'",
        "GIT_EXTERNAL_DIFF": evil,
        "GIT_DIR": "/nonexistent",
        "GIT_WORK_TREE": "/nonexistent",
        "GIT_INDEX_FILE": "/nonexistent",
        "GIT_TEMPLATE_DIR": str(tmp_path),
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_AUTHOR_NAME": "someone",
    }


@pytest.mark.parametrize("environment", [_bad_home, _bad_variables])
async def test_the_machines_own_git_settings_have_no_say(
    bench: Bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: Callable[[Path, str], dict[str, str]],
) -> None:
    for name, value in environment(tmp_path, bench.evil).items():
        monkeypatch.setenv(name, value)
    (bench.workspace / ".gitattributes").write_text(ATTRIBUTES)
    await bench.exercise()
    fresh = await GoalRepository.open(tmp_path / "fresh.git", InMemoryArtifacts())
    assert await fresh.has(ROOT_COMMIT)


async def test_programs_in_the_workspace_are_not_taken_for_those_of_the_system(bench: Bench) -> None:
    for name in ("git", "sh", "less", "ssh"):
        (bench.workspace / name).write_text(f"#!/bin/sh\n{bench.evil}\n")
        (bench.workspace / name).chmod(0o755)
    await bench.exercise()


@pytest.mark.parametrize("path", ["--output=trap", ":(glob)**", "-O/etc/passwd", ":/"])
async def test_a_path_is_never_an_option_or_a_pattern(bench: Bench, path: str) -> None:
    (bench.workspace / "b.txt").write_text("b\n")
    done = await bench.repository.commit_workspace(bench.workspace, parent=bench.base, message="m", when=WHEN)
    assert await bench.repository.diff(bench.base, done.commit, path) == ""


async def test_no_protocol_but_files_is_open(bench: Bench) -> None:
    with pytest.raises(RepositoryError, match="not allowed"):
        await bench.repository._git.run("fetch", "--", f"ext::sh -c '{bench.evil}'", "HEAD")
    assert not bench.trap.exists()
