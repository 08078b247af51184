"""What lies in a workspace and does not become part of the commit is named, with the reason."""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.goal import ROOT_COMMIT, Committed, GoalRepository
from agenthub_runtime.repository.workspaces import index_of
from tests.support.git_hosts import a_repository
from tests.support.until import until

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


@pytest.mark.parametrize(
    "files",
    [
        {"Cargo.toml": "", "target/debug/app": "x"},
        {"svc/pom.xml": "", "svc/target/app.jar": "x"},
        {"build.gradle.kts": "", "build/libs/app.jar": "x"},
        {"CMakeLists.txt": "", "build/a.o": "x"},
        {"some where/env/pyvenv.cfg": "", "some where/env/lib/x.py": "x"},
        {"odd [x] #!/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55", "odd [x] #!/y": "x"},
        {".gitignore": "/target/\n", "Cargo.toml": "", "target/x": "x"},
        {".tox/py/x": "x", "a/.gradle/x": "x", "web/.next/x": "x"},
    ],
    ids=",".join,
)
async def test_build_folders_are_left_out_without_a_look_into_them(desk: Desk, files: dict[str, str]) -> None:
    desk.write(**files, **{"a.txt": "x"})
    done = await desk.commit()
    assert done.left_out == ()
    assert done.litter
    kept = {name for name in files if not any(name.startswith(f"{left.path}/") for left in done.litter)}
    assert await desk.paths() == {"a.txt", *kept}


@pytest.mark.parametrize(
    "files",
    [
        {"target/main.py": "x"},
        {"build/config.js": "x", "package.json": "{}"},
        {"Cargo.toml": "", "src/target/mod.rs": "x"},
        {"out/x.txt": "x"},
    ],
    ids=",".join,
)
async def test_folders_that_are_only_called_like_build_folders_are_stored(
    desk: Desk, files: dict[str, str]
) -> None:
    desk.write(**files)
    assert (await desk.commit()).litter == ()
    assert await desk.paths() == set(files)


async def test_what_is_tracked_in_a_build_folder_stays_and_is_looked_after(desk: Desk) -> None:
    desk.write(**{"build/keep.txt": "1", "node_modules/own/x.js": "1"})
    a_repository(desk.workspace / "build/nested", {"x": ""}, bare=False)
    (desk.workspace / "node_modules").rename(desk.workspace / "other")
    await desk.commit()
    desk.write(**{"build.gradle": "", "build/keep.txt": "2", "build/libs/app.jar": "x"})
    a_repository(desk.workspace / "build/again", {"x": ""}, bare=False)
    done = await desk.commit()
    assert not (desk.workspace / "build/again/.git").exists()
    assert await desk.paths() == {
        "build.gradle",
        "build/keep.txt",
        "build/libs/app.jar",
        "build/nested/x",
        "build/again/x",
        "other/own/x.js",
    }
    assert done.litter == ()


async def test_one_written_file_is_stored_without_a_look_at_the_others(desk: Desk, tmp_path: Path) -> None:
    desk.write(**{"a.txt": "1", "b.txt": "1", ".gitignore": "*.log\n"})
    first = await desk.commit()
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    desk.write(**{"a.txt": "2", "b.txt": "2", "deep/new é.txt": "1", "x.log": "1"})

    async def stored(name: str) -> Committed | None:
        return await repository.commit_file(desk.workspace, name, parent=first.commit, message="m", when=WHEN)

    done = await stored("a.txt")
    assert done is not None
    assert await repository.changed_files(first.commit, done.commit) == ["a.txt"]
    done = await stored("deep/new é.txt")
    assert done is not None
    assert await repository.changed_files(first.commit, done.commit) == ["a.txt", "deep/new é.txt"]
    for name in ("x.log", "nowhere/*", ":(top)b.txt"):
        assert await stored(name) is None
    whole = await repository.commit_workspace(desk.workspace, parent=first.commit, message="m", when=WHEN)
    assert await repository.changed_files(first.commit, whole.commit) == ["a.txt", "b.txt", "deep/new é.txt"]


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


async def test_a_file_written_with_as_many_bytes_in_the_second_of_its_checkout_is_taken(
    desk: Desk, tmp_path: Path
) -> None:
    desk.write(**{"a.txt": "1"})
    first = await desk.commit()
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    file = desk.workspace / "a.txt"
    for _ in range(50):
        await repository.checkout(first.commit, desk.workspace)
        before = file.stat()
        with file.open("r+") as same:
            same.write("2")
        index = index_of(desk.workspace).stat()
        if {int(file.stat().st_ctime), int(before.st_ctime), int(index.st_mtime)} == {int(before.st_mtime)}:
            break
    else:
        pytest.fail("this machine is too slow to write twice in one second")
    await until(lambda: int(time.time()) > int(before.st_ctime), what="the next second")
    done = await repository.commit_workspace(desk.workspace, parent=first.commit, message="m", when=WHEN)
    assert await repository.changed_files(first.commit, done.commit) == ["a.txt"]
