"""The repository of a goal: real git, real bundles, real folders."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_events.errors import ArtifactMissing
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.errors import (
    BundleInvalid,
    CommitMissing,
    RepositoryError,
    SourceRefused,
    WorkspaceRefused,
)
from agenthub_runtime.repository.goal import ROOT_COMMIT, Conflicted, GoalRepository, Link, Merged
from agenthub_runtime.repository.history import EMPTY_TREE
from tests.support.until import until

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 5, 4, 13, 0, tzinfo=UTC)


@pytest.fixture
def artifacts() -> InMemoryArtifacts:
    return InMemoryArtifacts()


@pytest.fixture
async def repository(tmp_path: Path, artifacts: InMemoryArtifacts) -> GoalRepository:
    return await GoalRepository.open(tmp_path / "goal.git", artifacts)


async def commit_files(
    repository: GoalRepository, workspace: Path, parent: str, files: dict[str, str | None], when: datetime = WHEN
) -> str:
    """Check `parent` out, write `files` (None deletes) and commit."""
    await repository.checkout(parent, workspace)
    write_files(workspace, files)
    done = await repository.commit_workspace(workspace, parent=parent, message="Change files\n", when=when)
    return done.commit


def write_files(folder: Path, files: dict[str, str | None]) -> None:
    for name, text in files.items():
        path = folder / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


async def test_the_root_commit_is_the_same_everywhere(tmp_path: Path, artifacts: InMemoryArtifacts) -> None:
    assert ROOT_COMMIT == "94f9702636ea142eadff7e880a528dca988509f6"
    for name in ("a", "b"):
        repository = await GoalRepository.open(tmp_path / name / "goal.git", artifacts)
        assert await repository.tree_of(ROOT_COMMIT) == EMPTY_TREE
        assert not await repository.files(ROOT_COMMIT)


async def test_equal_workspaces_become_equal_commits_on_two_machines(
    tmp_path: Path, artifacts: InMemoryArtifacts
) -> None:
    made = set()
    for name in ("a", "b"):
        repository = await GoalRepository.open(tmp_path / name / "goal.git", artifacts)
        made.add(await commit_files(repository, tmp_path / name / "w", ROOT_COMMIT, {"x.txt": "x\n"}))
    assert len(made) == 1


async def test_a_commit_holds_additions_changes_deletions_and_modes(
    repository: GoalRepository, tmp_path: Path
) -> None:
    workspace = tmp_path / "w"
    first = await commit_files(
        repository, workspace, ROOT_COMMIT, {"a.txt": "a\n", "b/c.txt": "c\n", "ü n.txt": "u\n"}
    )
    write_files(workspace, {"a.txt": None, "b/c.txt": "changed\n", "run.sh": "#!/bin/sh\n"})
    (workspace / "run.sh").chmod(0o755)
    (workspace / "link").symlink_to("b/c.txt")
    second = await repository.commit_workspace(workspace, parent=first, message="Second\n", when=WHEN)
    assert second.changed
    entries = {entry.path: entry.mode for entry in await repository.files(second.commit)}
    assert entries == {"b/c.txt": "100644", "link": "120000", "run.sh": "100755", "ü n.txt": "100644"}
    again = tmp_path / "again"
    await repository.checkout(second.commit, again)
    assert os.access(again / "run.sh", os.X_OK)
    assert (again / "link").read_text() == "changed\n"


async def test_an_unchanged_workspace_is_its_parent(repository: GoalRepository, tmp_path: Path) -> None:
    commit = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n"})
    done = await repository.commit_workspace(tmp_path / "w", parent=commit, message="Nothing\n", when=LATER)
    assert (done.commit, done.changed) == (commit, False)


async def test_what_tools_leave_behind_is_not_committed(repository: GoalRepository, tmp_path: Path) -> None:
    commit = await commit_files(
        repository,
        tmp_path / "w",
        ROOT_COMMIT,
        {
            "a.py": "",
            "__pycache__/a.cpython-311.pyc": "x",
            ".coverage": "x",
            ".venv/bin/python": "x",
            "own.log": "x",
            ".gitignore": "*.log\n",
        },
    )
    assert [entry.path for entry in await repository.files(commit)] == [".gitignore", "a.py"]


async def test_a_tracked_file_stays_tracked_when_it_is_ignored_later(
    repository: GoalRepository, tmp_path: Path
) -> None:
    first = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"data.log": "1\n"})
    second = await commit_files(repository, tmp_path / "w", first, {".gitignore": "*.log\n", "data.log": "2\n"})
    assert await repository.show(second, "data.log") == b"2\n"


async def test_a_checkout_replaces_what_was_there(repository: GoalRepository, tmp_path: Path) -> None:
    first = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n"})
    write_files(tmp_path / "w", {"a.txt": "spoiled\n", "left/over.txt": "x\n"})
    await repository.checkout(first, tmp_path / "w")
    assert sorted(os.listdir(tmp_path / "w")) == [".git", "a.txt"]
    assert (tmp_path / "w/a.txt").read_text() == "a\n"
    assert sorted(os.listdir(tmp_path)) == [".w.index", "goal.git", "goal.git.lock", "w"]


async def test_a_half_made_workspace_never_becomes_a_commit(repository: GoalRepository, tmp_path: Path) -> None:
    first = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n", "b.txt": "b\n"})
    half = tmp_path / "half"
    half.mkdir()
    write_files(half, {"a.txt": "a\n"})
    with pytest.raises(WorkspaceRefused, match="not a complete workspace"):
        await repository.commit_workspace(half, parent=first, message="x", when=WHEN)


async def test_a_commit_that_would_delete_everything_is_refused(
    repository: GoalRepository, tmp_path: Path
) -> None:
    first = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n", "b.txt": "b\n"})
    write_files(tmp_path / "w", {"a.txt": None, "b.txt": None})
    with pytest.raises(WorkspaceRefused, match="would delete everything"):
        await repository.commit_workspace(tmp_path / "w", parent=first, message="x", when=WHEN)
    write_files(tmp_path / "w", {"c.txt": "c\n"})
    done = await repository.commit_workspace(tmp_path / "w", parent=first, message="x", when=WHEN)
    assert [entry.path for entry in await repository.files(done.commit)] == ["c.txt"]


async def test_what_is_too_large_to_travel_is_left_out_when_it_is_new_and_refused_by_name_when_it_is_not(
    repository: GoalRepository, tmp_path: Path
) -> None:
    first = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n"})
    with (tmp_path / "w" / "model.bin").open("wb") as file:
        file.truncate(65 << 20)
    write_files(tmp_path / "w", {"new.txt": "x\n"})
    done = await repository.commit_workspace(tmp_path / "w", parent=first, message="x", when=WHEN)
    assert [entry.path for entry in await repository.files(done.commit)] == ["a.txt", "new.txt"]
    assert [left.path for left in done.left_out] == ["model.bin"]
    assert done.left_out[0].reason.startswith("65 MiB, more than a commit may add")
    with (tmp_path / "w" / "a.txt").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(WorkspaceRefused, match=r"65 MiB, more than the 64 MiB .* a\.txt"):
        await repository.commit_workspace(tmp_path / "w", parent=first, message="x", when=WHEN)


async def test_a_branch_travels_as_bundles_to_another_machine(
    repository: GoalRepository, tmp_path: Path, artifacts: InMemoryArtifacts
) -> None:
    links, parent = [], ROOT_COMMIT
    for number in range(3):
        head = await commit_files(repository, tmp_path / "w", parent, {f"{number}.txt": "x\n"})
        links.append(Link(await repository.bundle(parent, head), head))
        parent = head
    other = await GoalRepository.open(tmp_path / "other" / "goal.git", artifacts)
    await other.materialise(links[:1])
    await other.materialise(links)
    await other.materialise(links)
    assert await other.has(parent)
    await other.checkout(parent, tmp_path / "other" / "w")
    assert sorted(os.listdir(tmp_path / "other" / "w")) == [".git", "0.txt", "1.txt", "2.txt"]


async def test_concurrent_callers_on_one_folder_are_safe(
    repository: GoalRepository, tmp_path: Path, artifacts: InMemoryArtifacts
) -> None:
    links, parent = [], ROOT_COMMIT
    for number in range(4):
        head = await commit_files(repository, tmp_path / "w", parent, {f"{number}.txt": "x\n"})
        links.append(Link(await repository.bundle(parent, head), head))
        parent = head
    folder = tmp_path / "other" / "goal.git"

    async def caller() -> str:
        mine = await GoalRepository.open(folder, artifacts)
        await mine.materialise(links)
        return await mine.tree_of(parent)

    assert len(set(await asyncio.gather(*(caller() for _ in range(8))))) == 1


async def test_a_bundle_without_its_base_is_refused(
    repository: GoalRepository, tmp_path: Path, artifacts: InMemoryArtifacts
) -> None:
    first = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n"})
    second = await commit_files(repository, tmp_path / "w", first, {"b.txt": "b\n"})
    other = await GoalRepository.open(tmp_path / "other" / "goal.git", artifacts)
    with pytest.raises(BundleInvalid, match=first):
        await other.absorb(await repository.bundle(first, second))
    with pytest.raises(BundleInvalid):
        await other.absorb(await artifacts.put(b"not a bundle at all"))
    assert await other.absorb(await repository.bundle(None, second)) == (second,)


async def test_a_bundle_that_leads_elsewhere_or_is_missing_is_named(
    repository: GoalRepository, tmp_path: Path, artifacts: InMemoryArtifacts
) -> None:
    first = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n"})
    digest = await repository.bundle(ROOT_COMMIT, first)
    other = await GoalRepository.open(tmp_path / "other" / "goal.git", artifacts)
    with pytest.raises(CommitMissing, match="the log says ffff"):
        await other.materialise([Link(digest, "f" * 40)])
    with pytest.raises(ArtifactMissing):
        await other.materialise([Link("0" * 64, "e" * 40)])


async def test_a_full_bundle_can_be_cloned(repository: GoalRepository, tmp_path: Path) -> None:
    head = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n"})
    async with repository.full_bundle(head, "goal/g-1") as file:
        clone = ["git", "clone", "-q", str(file), str(tmp_path / "clone")]
        done = await asyncio.to_thread(subprocess.run, clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clone" / "a.txt").read_text() == "a\n"
    branch = await asyncio.to_thread(
        subprocess.check_output, ["git", "-C", str(tmp_path / "clone"), "branch", "--show-current"], text=True
    )
    assert branch == "goal/g-1\n"
    with pytest.raises(RepositoryError):
        async with repository.full_bundle(head, "--upload-pack=touch x"):
            pass


async def test_merging_two_sides_is_clean_and_reproducible(
    repository: GoalRepository, tmp_path: Path, artifacts: InMemoryArtifacts
) -> None:
    base = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "1\n2\n3\n4\n5\n"})
    ours = await commit_files(repository, tmp_path / "w", base, {"a.txt": "one\n2\n3\n4\n5\n"})
    theirs = await commit_files(repository, tmp_path / "w", base, {"a.txt": "1\n2\n3\n4\nfive\n", "n.txt": "n\n"})
    merged = await repository.merge(ours=ours, theirs=theirs, message="Merge\n", when=WHEN)
    assert isinstance(merged, Merged)
    assert merged.commit not in (ours, theirs)
    assert await repository.show(merged.commit, "a.txt") == b"one\n2\n3\n4\nfive\n"
    assert merged.tree == await repository.tree_of(merged.commit)
    assert await repository.is_ancestor(ours, merged.commit)
    assert await repository.is_ancestor(theirs, merged.commit)
    other = await GoalRepository.open(tmp_path / "other" / "goal.git", artifacts)
    for head in (ours, theirs):
        await other.absorb(await repository.bundle(None, head))
    assert await other.merge(ours=ours, theirs=theirs, message="Merge\n", when=WHEN) == merged


async def test_merging_what_is_contained_moves_forward(repository: GoalRepository, tmp_path: Path) -> None:
    base = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "a\n"})
    ahead = await commit_files(repository, tmp_path / "w", base, {"b.txt": "b\n"})
    tree = await repository.tree_of(ahead)
    assert await repository.merge(ours=base, theirs=ahead, message="m", when=WHEN) == Merged(ahead, tree)
    assert await repository.merge(ours=ahead, theirs=base, message="m", when=WHEN) == Merged(ahead, tree)


async def test_a_conflict_names_its_files_and_changes_nothing(repository: GoalRepository, tmp_path: Path) -> None:
    base = await commit_files(
        repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "1\n", "ö.txt": "1\n", "c": "1\n"}
    )
    ours = await commit_files(repository, tmp_path / "w", base, {"a.txt": "2\n", "ö.txt": "2\n", "c": None})
    theirs = await commit_files(repository, tmp_path / "w", base, {"a.txt": "3\n", "ö.txt": "3\n", "c": "3\n"})
    result = await repository.merge(ours=ours, theirs=theirs, message="m", when=WHEN)
    assert result == Conflicted(("a.txt", "c", "ö.txt"))


async def test_diff_diffstat_and_contents(repository: GoalRepository, tmp_path: Path) -> None:
    base = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "1\n2\n", "gone.txt": "x\n"})
    await repository.checkout(base, tmp_path / "w")
    write_files(tmp_path / "w", {"a.txt": "1\ntwo\n3\n", "gone.txt": None, "d/n.txt": "n\n"})
    (tmp_path / "w" / "binary").write_bytes(b"\0\1\2" * 50)
    head = (await repository.commit_workspace(tmp_path / "w", parent=base, message="m", when=WHEN)).commit
    stat = {
        change.path: (change.added, change.removed, change.lines)
        for change in await repository.diffstat(base, head)
    }
    assert stat == {"a.txt": (2, 1, 3), "gone.txt": (0, 1, 0), "d/n.txt": (1, 0, 1), "binary": (0, 0, 0)}
    assert await repository.changed_files(base, head) == ["a.txt", "binary", "d/n.txt"]
    assert "+two" in await repository.diff(base, head)
    only = await repository.diff(base, head, "d")
    assert "n.txt" in only
    assert "a.txt" not in only
    assert "cut here, after 40 bytes" in await repository.diff(base, head, max_bytes=40)
    contents = await repository.contents(await repository.files(head))
    assert contents["a.txt"] == b"1\ntwo\n3\n"
    assert contents["binary"] == b"\0\1\2" * 50
    with pytest.raises(CommitMissing, match=r"gone\.txt is not a file"):
        await repository.show(head, "gone.txt")


async def test_an_uncommitted_workspace_can_be_compared(repository: GoalRepository, tmp_path: Path) -> None:
    base = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "1\n"})
    await repository.checkout(base, tmp_path / "w")
    write_files(tmp_path / "w", {"a.txt": "2\n"})
    taken = await repository.snapshot(tmp_path / "w", base)
    assert "+2" in await repository.diff(base, taken.tree)


async def test_a_workspace_with_other_dates_is_compared_with_a_commit_that_lacks_its_files(
    repository: GoalRepository, tmp_path: Path
) -> None:
    """A sandbox may give the files to another account; to git they then look touched."""
    head = await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"a.txt": "1\n"})
    await repository.checkout(head, tmp_path / "w")
    os.utime(tmp_path / "w" / "a.txt", (1_000_000_000, 1_000_000_000))
    taken = await repository.snapshot(tmp_path / "w", ROOT_COMMIT)
    assert "+1" in await repository.diff(ROOT_COMMIT, taken.tree)


async def test_a_local_repository_can_be_imported(repository: GoalRepository, tmp_path: Path) -> None:
    source = tmp_path / "source"
    script = (
        "git init -q source && cd source && git config user.email a@b && git config user.name n && "
        "echo 1 >a.txt && git add . && git commit -qm one && echo 2 >a.txt && git commit -qam two && "
        "echo uncommitted >a.txt && git rev-parse HEAD"
    )
    head = (await asyncio.to_thread(subprocess.check_output, script, shell=True, cwd=tmp_path, text=True)).strip()
    assert await repository.import_local(source) == head
    assert await repository.show(head, "a.txt") == b"2\n"
    assert await repository.bundle(None, head)
    with pytest.raises(RepositoryError, match="There is no git repository at"):
        await repository.import_local(tmp_path / "nothing")
    with pytest.raises(RepositoryError, match="not an absolute path"):
        await repository.import_local(Path("source"))


async def test_a_local_repository_that_has_lost_an_old_file_is_refused_with_the_remedy(
    repository: GoalRepository, tmp_path: Path
) -> None:
    script = (
        "git init -q source && cd source && git config user.email a@b && git config user.name n && "
        "echo 1 >a.txt && git add . && git commit -qm one && echo 2 >a.txt && git commit -qam two && "
        "git rev-parse HEAD~1:a.txt"
    )
    lost = (await asyncio.to_thread(subprocess.check_output, script, shell=True, cwd=tmp_path, text=True)).strip()
    (tmp_path / "source/.git/objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(SourceRefused, match=f"lacks objects .{lost} of its history.: see what `git fsck`"):
        await repository.import_local(tmp_path / "source")


async def test_only_full_ids_reach_git(repository: GoalRepository) -> None:
    for name in ("HEAD", "--output=/tmp/x", "main", "", ROOT_COMMIT[:12], ROOT_COMMIT + "\n"):
        with pytest.raises(CommitMissing, match="not the full id"):
            await repository.tree_of(name)
    with pytest.raises(CommitMissing, match="not been fetched"):
        await repository.tree_of("a" * 40)
    assert not await repository.has("a" * 40)


async def test_a_discarded_workspace_is_gone_whatever_its_rights(
    repository: GoalRepository, tmp_path: Path
) -> None:
    await commit_files(repository, tmp_path / "w", ROOT_COMMIT, {"d/a.txt": "a\n"})
    (tmp_path / "w" / "d").chmod(0)
    await repository.discard_workspace(tmp_path / "w")
    await repository.discard_workspace(tmp_path / "w")
    assert sorted(os.listdir(tmp_path)) == ["goal.git", "goal.git.lock"]


async def test_a_process_killed_in_a_checkout_leaves_no_workspace(
    repository: GoalRepository, tmp_path: Path
) -> None:
    head = await commit_files(
        repository, tmp_path / "w", ROOT_COMMIT, {f"d{n % 40}/{n}.txt": f"{n}\n" for n in range(1500)}
    )
    target = tmp_path / "killed" / "w"
    script = (
        "import asyncio, pathlib\n"
        "from agenthub_runtime.repository.goal import GoalRepository\n"
        "from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts\n"
        "async def main():\n"
        f"    r = await GoalRepository.open(pathlib.Path({str(repository.path)!r}), InMemoryArtifacts())\n"
        "    print('ready', flush=True)\n"
        f"    await r.checkout({head!r}, pathlib.Path({str(target)!r}))\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    await child.stdout.readline()
    await until(lambda: _begun(target), what="the checkout to begin", pause_s=0)
    os.killpg(child.pid, 9)
    await child.communicate()
    if target.exists():
        assert len(list(target.rglob("*.txt"))) == 1500
    else:
        with pytest.raises(WorkspaceRefused):
            await repository.commit_workspace(target, parent=head, message="x", when=WHEN)
    await repository.checkout(head, target)
    assert len(list(target.rglob("*.txt"))) == 1500


def _begun(target: Path) -> bool:
    return target.exists() or any(target.parent.glob(".w.partial-*"))


async def test_diffstat_tells_the_length_of_files_that_are_new_changed_renamed_binary_and_oddly_called(
    repository: GoalRepository, tmp_path: Path
) -> None:
    base = await commit_of(
        repository, tmp_path, ROOT_COMMIT, {"a.txt": b"1\n2\n3\n", "b.bin": b"\0\1", "gone": b"x\n"}
    )
    after = {
        "a.txt": b"1\n2\n",
        "b.bin": b"\0\2",
        "new": b"1\n2\n3\n4\n",
        "new.bin": b"\0",
        ":M\t1": b"1\n",
        "empty": b"",
    }
    head = await commit_of(repository, tmp_path, base, after)
    told = {one.path: (one.added, one.removed, one.lines) for one in await repository.diffstat(base, head)}
    assert told == {
        "a.txt": (0, 1, 2),
        "b.bin": (0, 0, 0),
        "gone": (0, 1, 0),
        "new": (4, 0, 4),
        "new.bin": (0, 0, 0),
        ":M\t1": (1, 0, 1),
        "empty": (0, 0, 0),
    }


async def commit_of(repository: GoalRepository, folder: Path, parent: str, files: dict[str, bytes]) -> str:
    """A commit on `parent` whose files are these alone."""
    space = folder / "of"
    await repository.checkout(parent, space)
    for entry in space.iterdir():
        if entry.is_file():
            entry.unlink()
    for name, content in files.items():
        (space / name).write_bytes(content)
    return (await repository.commit_workspace(space, parent=parent, message="x", when=WHEN)).commit
