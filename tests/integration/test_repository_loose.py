"""Commits and names that are written without git are those that git writes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.errors import CommitMissing, RepositoryError
from agenthub_runtime.repository.git import ADDRESS, IDENTITY, Git
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_runtime.repository.history import EMPTY_TREE
from agenthub_runtime.repository.loose.commits import write_commit, write_name

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
async def repository(tmp_path: Path) -> GoalRepository:
    return await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())


@pytest.mark.parametrize(
    ("message", "parents", "when"),
    [
        ("plain\n", (ROOT_COMMIT,), WHEN),
        ("", (), WHEN),
        ("no end of line", (ROOT_COMMIT,), WHEN),
        ("Größe 🌊\n\nbody\n\n\n", (ROOT_COMMIT,), WHEN),
        ("said twice\n", (ROOT_COMMIT, ROOT_COMMIT), WHEN),
        ("elsewhere\n", (ROOT_COMMIT,), WHEN.astimezone(timezone(timedelta(hours=5))) + timedelta(microseconds=7)),
        ("tree 0\nparent 0\n\n\tx\r\n", (ROOT_COMMIT,), datetime(1971, 1, 1, tzinfo=UTC)),
        ("x" * 300_000, (ROOT_COMMIT,), WHEN),
    ],
)
async def test_a_commit_has_the_bytes_that_git_gives_it(
    repository: GoalRepository, message: str, parents: tuple[str, ...], when: datetime
) -> None:
    at = f"@{int(when.timestamp())} +0000"
    git = Git(repository.path).with_environment(GIT_AUTHOR_DATE=at, GIT_COMMITTER_DATE=at)
    ours = write_commit(repository.path, EMPTY_TREE, parents, message, when)
    assert (await git.run("cat-file", "-t", ours)).word == "commit"
    ancestry = [word for parent in parents for word in ("-p", parent)]
    assert (await git.run("commit-tree", EMPTY_TREE, *ancestry, data=message.encode())).word == ours
    assert f"author {IDENTITY} <{ADDRESS}> " in (await git.run("cat-file", "-p", ours)).text
    assert write_commit(repository.path, EMPTY_TREE, parents, message, when) == ours
    checked = await git.run("fsck", "--full", "--no-dangling", codes=range(256))
    assert (checked.code, checked.stderr) == (0, "notice: HEAD points to an unborn branch (main)\n")


def test_a_message_that_git_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="NUL"):
        write_commit(tmp_path, EMPTY_TREE, (), "a\0b", WHEN)


async def test_a_name_is_one_of_gits_and_waits_for_nobody(repository: GoalRepository) -> None:
    git, name = Git(repository.path), "refs/agenthub/deep/er"
    assert write_name(repository.path, name, ROOT_COMMIT)
    assert (await git.run("rev-parse", name)).word == ROOT_COMMIT
    held = repository.path / "refs/agenthub/other.lock"
    held.touch()
    assert not write_name(repository.path, "refs/agenthub/other", ROOT_COMMIT)
    assert (await git.run("for-each-ref", "--format=%(refname)")).text.split() == [
        f"refs/agenthub/{ROOT_COMMIT}",
        name,
    ]


async def test_a_commit_that_is_not_here_gets_no_name(repository: GoalRepository) -> None:
    absent = "1" * 40
    with pytest.raises(RepositoryError):
        await repository.bundle(ROOT_COMMIT, absent)
    assert not (repository.path / f"refs/agenthub/{absent}").exists()
    with pytest.raises(CommitMissing):
        await repository.checkout(absent, repository.path.with_name("space"))


async def test_many_at_once_come_to_the_same_commit(repository: GoalRepository) -> None:
    space = repository.path.with_name("space")
    await repository.checkout(ROOT_COMMIT, space)
    (space / "a.txt").write_text("a\n")
    others = [await GoalRepository.open(repository.path, InMemoryArtifacts()) for _ in range(8)]
    tree = (await repository.snapshot(space, ROOT_COMMIT)).tree
    joined = await asyncio.gather(
        *(one.join(tree, (ROOT_COMMIT, ROOT_COMMIT), "x", WHEN) for one in others for _ in range(4))
    )
    assert len({done.commit for done in joined}) == 1
    left = [
        path.name
        for path in repository.path.rglob("*")
        if path.name.startswith("tmp_obj") or path.suffix == ".lock"
    ]
    assert left == []
    assert (await Git(repository.path).run("fsck")).code == 0
