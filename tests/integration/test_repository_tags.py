"""Tags of the source come along with the history that they stand in, to every machine and into every checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agenthub_runtime.remotes.address import local_source, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_runtime.repository.sources.git_remote import RemoteGit, Resolved
from tests.integration.test_repository_shapes import Machines, changed
from tests.integration.test_repository_source import git, made, shallow
from tests.support.git_hosts import TOKEN, serving


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path / "machines")


def tagged(folder: Path) -> Path:
    """Tags of every kind on three commits, one on a commit that is on no branch, and one that is no commit's."""
    source = made(folder, commits=3)
    git(source, "tag", "v1.0", "HEAD~2")
    git(source, "tag", "-a", "-m", "Release", "release/1.1", "HEAD~1")
    git(source, "tag", "-a", "-m", "A tag of a tag", "signed", "release/1.1")
    git(source, "tag", "aside", git(source, "commit-tree", "-m", "aside", "HEAD^{tree}"))
    git(source, "tag", "of-a-file", git(source, "hash-object", "-w", "--stdin"))
    return source


async def tags_in(repository: GoalRepository, commit: str) -> set[str]:
    """The tags that commands in a workspace of the commit see."""
    space = repository.path.with_name("space")
    await repository.checkout(commit, space)
    return set(git(space, "tag").split())


async def test_tags_in_the_history_are_seen_on_every_machine_and_give_a_version(
    machines: Machines, tmp_path: Path
) -> None:
    source = tagged(tmp_path / "r")
    repository = await machines.repository()
    base = await repository.import_local(source)
    done = await changed(repository, base, new="x\n")
    other = await machines.elsewhere(repository, (None, base), (base, done.commit))
    for one in (repository, other):
        assert await tags_in(one, done.commit) == {"v1.0", "release/1.1", "signed"}
        space = one.path.with_name("space")
        assert git(space, "describe", "--match", "release/*").startswith("release/1.1-2-g")
        assert git(space, "describe", "--tags", "--match", "v*").startswith("v1.0-3-g")
        assert git(space, "cat-file", "-t", "release/1.1") == "tag"
        assert git(space, "cat-file", "-p", "signed^{}") == git(source, "cat-file", "-p", "HEAD~1")


async def test_what_was_tagged_after_the_commit_of_the_goal_stays_away(machines: Machines, tmp_path: Path) -> None:
    source = tagged(tmp_path / "r")
    old = git(source, "rev-parse", "HEAD~2")
    repository = await machines.repository()
    remote = RemoteGit(local_source(str(source)), GitAccess())
    await repository.exclusively(lambda g: _fetched(remote, g, old))
    assert await tags_in(repository, old) == {"v1.0"}


async def test_tags_come_from_an_address_as_well(machines: Machines, tmp_path: Path) -> None:
    with serving(tmp_path / "host") as host:
        source = tagged(tmp_path / "r")
        bare = host.root / "ada" / "service.git"
        git(tmp_path, "clone", "--quiet", "--mirror", str(source), str(bare))
        remote = RemoteGit(parse_remote(host.url()), GitAccess(tokens={host.name: TOKEN}))
        repository = await machines.repository()
        head = await repository.exclusively(lambda g: _fetched(remote, g, git(source, "rev-parse", "HEAD")))
        assert await tags_in(repository, head) == {"v1.0", "release/1.1", "signed"}


@pytest.mark.parametrize("cut", [shallow, lambda folder: tagged(folder / "r")])
async def test_of_a_history_that_is_cut_the_tags_are_those_that_are_left(
    machines: Machines, tmp_path: Path, cut: Callable[[Path], Path]
) -> None:
    source = cut(tmp_path)
    git(source, "tag", "newest")
    repository = await machines.repository()
    base = await repository.import_local(source, history_bytes=0 if cut is not shallow else 1 << 20)
    other = await machines.elsewhere(repository, (None, base))
    for one in (repository, other):
        assert await tags_in(one, base) == {"newest"}


async def test_many_tags_and_a_source_without_any(machines: Machines, tmp_path: Path) -> None:
    source = made(tmp_path / "r", commits=1)
    repository = await machines.repository()
    base = await repository.import_local(source)
    assert await tags_in(repository, base) == set()
    for number in range(300):
        git(source, "tag", f"n{number}")
    assert await repository.import_local(source) == base
    assert len(await tags_in(repository, base)) == 300


async def test_a_base_that_moves_brings_its_new_tags_along(machines: Machines, tmp_path: Path) -> None:
    source = tagged(tmp_path / "r")
    repository = await machines.repository()
    base = await repository.import_local(source)
    (source / "a.txt").write_text("moved\n")
    git(source, "commit", "--quiet", "--all", "-m", "moved")
    git(source, "tag", "-a", "-m", "Release", "v2.0")
    remote = RemoteGit(local_source(str(source)), GitAccess())
    moved = await repository.exclusively(lambda g: remote.fetch_ref(g, "refs/heads/main"))
    other = await machines.elsewhere(repository, (None, base))
    await other.absorb(await repository.bundle(base, moved, fetched=True))
    for one in (repository, other):
        assert "v2.0" in await tags_in(one, moved)
        assert git(one.path.with_name("space"), "describe", "--exact-match") == "v2.0"


async def _fetched(remote: RemoteGit, into: Git, commit: str) -> str:
    await remote.fetch(into, Resolved(commit, ""))
    return commit
