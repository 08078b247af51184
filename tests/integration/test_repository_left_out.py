"""What lies in a workspace and does not become part of the commit is named, with the reason."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.goal import ROOT_COMMIT, Committed, GoalRepository

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Desk:
    """A workspace and its commits."""

    def __init__(self, repository: GoalRepository, workspace: Path) -> None:
        self._repository = repository
        self.workspace = workspace
        self._head = ROOT_COMMIT

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.workspace / name).parent.mkdir(parents=True, exist_ok=True)
            (self.workspace / name).write_text(text)

    async def commit(self) -> Committed:
        done = await self._repository.commit_workspace(self.workspace, parent=self._head, message="m", when=WHEN)
        self._head = done.commit
        return done

    async def left_out(self) -> dict[str, str]:
        return {left.path: left.reason for left in (await self.commit()).left_out}

    async def paths(self) -> set[str]:
        return {entry.path for entry in await self._repository.files(self._head)}


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    await repository.checkout(ROOT_COMMIT, tmp_path / "w")
    return Desk(repository, tmp_path / "w")


async def test_ignored_files_are_named_with_their_rule(desk: Desk) -> None:
    desk.write(
        **{
            ".gitignore": "# rules\n\n*.log\n/dist/\n",
            "sub/.gitignore": "secret.*\n!secret.md\n",
            "a.log": "x",
            "dist/deep/b.js": "x",
            "sub/secret.txt": "x",
            "sub/secret.md": "x",
            "sub/näme.log": "x",
            ":(top)a.log": "x",
            "*.log": "x",
        }
    )
    assert await desk.left_out() == {
        "a.log": "ignored by .gitignore line 3",
        ":(top)a.log": "ignored by .gitignore line 3",
        "*.log": "ignored by .gitignore line 3",
        "dist/deep/b.js": "ignored by .gitignore line 4",
        "sub/secret.txt": "ignored by sub/.gitignore line 1",
        "sub/näme.log": "ignored by .gitignore line 3",
    }
    assert await desk.paths() == {".gitignore", "sub/.gitignore", "sub/secret.md"}


async def test_what_is_tracked_already_is_kept_whatever_a_rule_says(desk: Desk) -> None:
    desk.write(**{"data/x.csv": "1"})
    await desk.commit()
    desk.write(**{".gitignore": "data/\n", "data/x.csv": "2", "data/y.csv": "3"})
    assert await desk.left_out() == {"data/y.csv": "ignored by .gitignore line 1"}
    assert await desk.paths() == {".gitignore", "data/x.csv"}


async def test_a_folder_that_ignores_itself_is_named(desk: Desk) -> None:
    desk.write(**{"cache/.gitignore": "*\n", "cache/model.bin": "x"})
    assert await desk.left_out() == {
        "cache/.gitignore": "ignored by cache/.gitignore line 1",
        "cache/model.bin": "ignored by cache/.gitignore line 1",
    }


async def test_what_tools_make_again_is_no_news_but_known(desk: Desk) -> None:
    desk.write(**{"a.py": "", "__pycache__/a.pyc": "x", ".venv/bin/python": "x", "node_modules/x/y.js": "x"})
    done = await desk.commit()
    assert done.left_out == ()
    assert [left.path for left in done.litter] == [".venv", "__pycache__", "node_modules"]


async def test_pipes_sockets_and_empty_folders_are_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.workspace)
    desk.write(**{"a.py": "", ".gitignore": "ignored/\n", "ignored/x": ""})
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("sock")
    os.makedirs("empty/inner")
    os.makedirs("ignored/empty")
    assert await desk.left_out() == {
        "pipe": "a pipe, socket or device",
        "sock": "a pipe, socket or device",
        "empty/inner/": "an empty folder, which git does not keep",
        "ignored/x": "ignored by .gitignore line 1",
    }


async def test_of_a_large_ignored_folder_the_first_files_and_the_folder_are_named(desk: Desk) -> None:
    desk.write(**{".gitignore": "big/\n", **{f"big/{n:04}": "" for n in range(250)}})
    named = list(await desk.left_out())
    assert len(named) == 201
    assert named[-1] == "big/"


def links(*pairs: tuple[str, str]) -> dict[str, str]:
    return dict(pairs)


@pytest.mark.parametrize(
    ("made", "out"),
    [
        (links(("sub/up", ".."), ("way", "sub/up/../x")), {"way"}),
        (links(("a/b/up", "../.."), ("way", "a/b/up/..")), {"way"}),
        (links(("one", "two"), ("two", "three"), ("three", "../x")), {"one", "two", "three"}),
        (links(("here", "."), ("way", "here/../x")), {"way"}),
        (links(("one", "two"), ("two", "one")), set()),
        (links(("fine", "sub/up/kept"), ("sub/up", "..")), set()),
        (links(("gone", "not/there")), set()),
    ],
    ids=["up and out", "two up", "a chain", "here", "a loop", "inside", "nowhere"],
)
async def test_links_that_only_together_lead_out_are_left_out(
    desk: Desk, made: dict[str, str], out: set[str]
) -> None:
    desk.write(kept="x")
    for name, target in made.items():
        (desk.workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.workspace / name).symlink_to(target)
    assert await desk.left_out() == dict.fromkeys(out, "a link that leads out of the workspace")
    assert await desk.paths() == {"kept", *made} - out


async def test_a_new_link_by_which_an_older_one_leads_out_is_left_out(desk: Desk) -> None:
    desk.write(**{"sub/up/x": "x"})
    (desk.workspace / "way").symlink_to("sub/up/../x")
    assert await desk.left_out() == {}
    (desk.workspace / "sub/up/x").unlink()
    (desk.workspace / "sub/up").rmdir()
    (desk.workspace / "sub/up").symlink_to("..")
    assert await desk.left_out() == {"sub/up": "a link that leads out of the workspace"}
    assert await desk.paths() == {"way"}
