"""A workspace of which nothing has changed is not looked at again by git, and any change is seen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.errors import RepositoryError
from agenthub_runtime.repository.goal import ROOT_COMMIT, Committed, GoalRepository
from agenthub_runtime.repository.looks.unchanged import look_of
from agenthub_runtime.repository.workspaces import Snapshot, index_of
from tests.support.until import until

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Space:
    """A workspace whose last commit is known to be of the files as they are."""

    def __init__(self, repository: GoalRepository, path: Path) -> None:
        self.repository = repository
        self.path = path
        self.head = ROOT_COMMIT

    async def settle(self) -> None:
        """Commit until the look is kept, and one more time."""

        async def kept() -> bool:
            self.head = (await self.commit()).commit
            return look_of(self.path).exists()

        await until(kept, deadline_s=300)

    async def snapshot(self) -> Snapshot:
        return await self.repository.snapshot(self.path, self.head)

    async def changed(self) -> list[str]:
        """Commit, and say which files that has changed or added."""
        before, self.head = self.head, (await self.commit()).commit
        return await self.repository.changed_files(before, self.head)

    async def commit(self) -> Committed:
        return await self.repository.commit_workspace(self.path, parent=self.head, message="m", when=WHEN)

    async def is_passed_over(self) -> bool:
        """Whether git does without the index, since it looks at nothing."""
        index = index_of(self.path)
        data = index.read_bytes()
        index.write_bytes(b"no index")
        try:
            await self.snapshot()
        except RepositoryError:
            return False
        finally:
            index.write_bytes(data)
        return True


@pytest.fixture
async def space(tmp_path: Path) -> Space:
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    await repository.checkout(ROOT_COMMIT, tmp_path / "space")
    found = Space(repository, tmp_path / "space")
    for name, text in {"a.txt": "one\n", "deep/b.txt": "two\n", ".gitignore": "*.log\n", "x.log": "l\n"}.items():
        (found.path / name).parent.mkdir(exist_ok=True)
        (found.path / name).write_text(text)
    (found.path / "link").symlink_to("/etc/passwd")
    await found.settle()
    return found


async def test_what_is_unchanged_is_told_as_before_without_git(space: Space) -> None:
    before = await space.snapshot()
    assert {left.path for left in before.left_out} == {"link", "x.log"}
    assert await space.is_passed_over()
    assert await space.snapshot() == before
    assert await space.changed() == []


def same_size_and_time(space: Path) -> None:
    path = space / "a.txt"
    status = path.stat()
    path.write_text("eno\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "other bytes of the same size and time": (same_size_and_time, ["a.txt"]),
    "a new file": (lambda space: (space / "deep" / "c.txt").write_text("c\n"), ["deep/c.txt"]),
    "a file gone": (lambda space: (space / "a.txt").unlink(), []),
    "a right to run": (lambda space: (space / "a.txt").chmod(0o755), ["a.txt"]),
    "another name": (lambda space: (space / "a.txt").rename(space / "z.txt"), ["z.txt"]),
    "an ignored file that counts now": (
        lambda space: (space / ".gitignore").write_text(""),
        [".gitignore", "x.log"],
    ),
}


@pytest.mark.parametrize("change", list(CHANGES))
async def test_every_change_is_seen(space: Space, change: str) -> None:
    make, files = CHANGES[change]
    await asyncio.to_thread(make, space.path)
    assert not await space.is_passed_over()
    before = space.head
    assert await space.changed() == files
    assert space.head != before


async def test_the_whole_work_on_an_older_parent_is_told_without_another_look(space: Space) -> None:
    older = space.head
    (space.path / "a.txt").write_text("three\n")
    await space.settle()
    (space.path / "deep" / "c.txt").write_text("c\n")
    await space.settle()
    space.head = older
    assert await space.is_passed_over()
    assert await space.changed() == ["a.txt", "deep/c.txt"]


@pytest.mark.parametrize("bring", [".gitignore", "inner"])
async def test_rules_and_links_are_looked_at_from_where_the_work_began(space: Space, bring: str) -> None:
    older = space.head
    (space.path / "kept.tmp").write_text("kept\n")
    await space.settle()
    if bring == "inner":
        (space.path / "inner").symlink_to("deep")
    else:
        (space.path / ".gitignore").write_text("*.log\n*.tmp\n")
    await space.settle()
    space.head = older
    assert not await space.is_passed_over()
    assert ("kept.tmp" in await space.changed()) == (bring == "inner")


async def test_a_new_checkout_begins_with_no_look(space: Space) -> None:
    older = space.head
    (space.path / "a.txt").write_text("three\n")
    await space.settle()
    newer = space.head
    await space.repository.checkout(older, space.path)
    assert not look_of(space.path).exists()
    space.head = newer
    assert await space.changed() == ["a.txt"]


async def test_what_was_written_by_a_call_of_git_alone_is_not_taken_for_unchanged(space: Space) -> None:
    (space.path / "a.txt").write_text("four\n")
    done = await space.repository.commit_file(space.path, "a.txt", parent=space.head, message="m", when=WHEN)
    assert done is not None
    (space.path / "deep" / "b.txt").write_text("five\n")
    space.head = done.commit
    assert await space.changed() == ["deep/b.txt"]
