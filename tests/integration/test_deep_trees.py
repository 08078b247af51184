"""Trees as agents can make them: none of them stops a worker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.errors import WorkspaceRefused
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_runtime.repository.trees import GONE, walk
from agenthub_runtime.repository.workspaces import clear_workspaces
from agenthub_worker.tools.searching import walk_files

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
async def repository(tmp_path: Path) -> GoalRepository:
    return await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())


@pytest.fixture
async def workspace(repository: GoalRepository, tmp_path: Path) -> Path:
    path = tmp_path / "workspaces" / "w1" / "a"
    await repository.checkout(ROOT_COMMIT, path)
    (path / "a.txt").write_text("one\n")
    return path


def nested(top: Path, levels: int, name: str = "d", leaf: str = "leaf") -> None:
    """Folders in folders, made as a program makes them that goes into each: paths may become too long to name."""
    here = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open(leaf, os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


async def test_a_tree_of_1200_nested_folders_is_stored_searched_and_thrown_away(
    repository: GoalRepository, workspace: Path
) -> None:
    nested(workspace, 1_200)
    assert [name.count("/") for name in walk_files(workspace) if name.endswith("leaf")] == [1_200]
    done = await repository.commit_workspace(workspace, parent=ROOT_COMMIT, message="m", when=WHEN)
    assert {entry.path.count("/") for entry in await repository.files(done.commit)} == {0, 1_200}
    await repository.checkout(done.commit, workspace)
    assert (workspace / "a.txt").read_text() == "one\n"
    await repository.discard_workspace(workspace)
    assert os.listdir(workspace.parent) == []


@pytest.mark.parametrize(("levels", "name"), [(2_500, "deep"), (40, "x" * 250)])
async def test_paths_that_are_too_long_to_name_are_refused_with_words_and_thrown_away(
    repository: GoalRepository, workspace: Path, levels: int, name: str
) -> None:
    nested(workspace, levels, name)
    assert list(walk_files(workspace)) == ["a.txt"]
    with pytest.raises(WorkspaceRefused, match=r"cannot be read \(File name too long\)\. Rename or remove"):
        await repository.commit_workspace(workspace, parent=ROOT_COMMIT, message="m", when=WHEN)
    clear_workspaces(workspace.parent)
    assert not workspace.parent.exists()
    assert os.listdir(workspace.parent.parent) == []


async def test_a_repository_that_lies_deep_is_taken_out_with_all_that_is_in_it(
    repository: GoalRepository, workspace: Path
) -> None:
    (workspace / "below").mkdir()
    nested(workspace / "below", 900, ".git")
    (workspace / "b.txt").write_text("two\n")
    done = await repository.commit_workspace(workspace, parent=ROOT_COMMIT, message="m", when=WHEN)
    assert [entry.path for entry in await repository.files(done.commit)] == ["a.txt", "b.txt"]
    assert not [name for name in os.listdir(workspace.parent) if name.startswith(GONE)]


def odd_tree(top: Path) -> None:
    """Everything but plain files and folders, and folders without any right."""
    os.mkfifo(top / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.path.relpath(top / "socket"))
    listening.close()
    (top / "loop").symlink_to("loop")
    (top / "up").symlink_to("..")
    (top / "away").symlink_to("/etc")
    os.mkdir(os.fsencode(top) + b"/\xff\xfe")
    Path(os.fsdecode(os.fsencode(top) + b"/\xff\xfe/\x80\n")).write_text("odd")
    for name, mode in (("locked", 0o000), ("read-only", 0o500), ("no-list", 0o300)):
        (top / name / "inner" / "more").mkdir(parents=True)
        (top / name / "inner" / "file").write_text("x")
        (top / name / "inner").chmod(mode)
        (top / name).chmod(mode)


async def test_pipes_sockets_loops_odd_names_and_folders_without_rights_are_stored_and_thrown_away(
    repository: GoalRepository, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd_tree(workspace)
    kept = tmp_path / "kept"
    kept.mkdir()
    (workspace / "outside").symlink_to(kept)
    (kept / "mine").write_text("mine")
    done = await repository.commit_workspace(workspace, parent=ROOT_COMMIT, message="m", when=WHEN)
    stored = {os.fsencode(entry.path) for entry in await repository.files(done.commit)}
    assert {b"a.txt", b"locked/inner/file", b"no-list/inner/file", b"read-only/inner/file"} <= stored
    assert b"\xff\xfe/\x80\n" in stored
    assert {"away", "up", "outside"} <= {left.path for left in done.left_out}
    clear_workspaces(workspace.parent)
    assert not workspace.parent.exists()
    assert (kept / "mine").read_text() == "mine"


def test_an_account_without_privileges_deletes_folders_that_it_has_locked(tmp_path: Path) -> None:
    """As root nothing is locked: the tree is made and deleted by a process of another account."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from agenthub_runtime.repository.trees import delete_tree\n"
        "from tests.integration.test_deep_trees import nested, odd_tree\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "top = Path(sys.argv[1], 'tree'); top.mkdir(); os.chdir(top)\n"
        "nested(top, 1100); odd_tree(top); top.chmod(0)\n"
        "print(delete_tree(top), os.listdir(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout == "True []\n", done.stderr


def test_what_cannot_be_deleted_stays_without_stopping_anybody(tmp_path: Path) -> None:
    folder = tmp_path / "workspaces" / "w1"
    (folder / "a" / "keep").mkdir(parents=True)
    (folder / "a" / "file").write_text("x")
    if not _mounted(folder / "a" / "keep"):
        pytest.skip("no right to mount here")
    try:
        clear_workspaces(folder)
        left = [
            str(place) for place, names, _ in walk(tmp_path / "workspaces") if "keep" in names or "file" in names
        ]
        assert len(left) <= 1
    finally:
        for place, _, _ in walk(tmp_path / "workspaces"):
            subprocess.run(["umount", place], capture_output=True, check=False)
    # The next start takes away what the mount had kept.
    clear_workspaces(folder)
    assert os.listdir(tmp_path / "workspaces") == []


def _mounted(place: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "tmpfs", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
