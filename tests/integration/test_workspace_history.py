"""The history that commands see in a workspace: git works there as at home, and the hub trusts nothing of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.evidence.testing import run_tests
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.port import Sandbox, Shell
from agenthub_worker.sandbox.unsandboxed import Unsandboxed
from agenthub_worker.workspace.history import with_history

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Desk:
    """A repository with three commits on `m.py`, the last one checked out as a workspace."""

    def __init__(self, repository: GoalRepository, path: Path, sandbox: Sandbox) -> None:
        self.repository = repository
        self.path = path
        self.sandbox = with_history(sandbox, repository.objects)
        self.shell: Shell = self.sandbox.shell(workspace=path)
        self.head = ROOT_COMMIT

    async def commit(self, message: str, **files: str) -> str:
        await self.repository.checkout(self.head, self.path)
        for name, text in files.items():
            (self.path / name).write_text(text)
        done = await self.repository.commit_workspace(self.path, parent=self.head, message=message, when=WHEN)
        self.head = done.commit
        return self.head

    async def said(self, command: str) -> str:
        ran = await self.shell.run(command, timeout_s=300)
        assert ran.exit_code == 0, ran.text
        return ran.text

    async def files(self) -> dict[str, bytes]:
        """What the hub would commit now."""
        taken = await self.repository.snapshot(self.path, self.head)
        return await self.repository.contents(await self.repository.files(taken.tree))


@pytest.fixture(params=["bwrap", "none"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    box: Sandbox = Bubblewrap() if request.param == "bwrap" else Unsandboxed(allowed=True)
    desk = Desk(repository, tmp_path / "w", box)
    for number in (1, 2, 3):
        await desk.commit(f"Make it {number}", **{"m.py": f"x = {number}\n", "same.txt": "same\n"})
    await repository.checkout(desk.head, desk.path)
    yield desk
    await desk.shell.close()


async def test_git_works_as_in_a_checkout(desk: Desk) -> None:
    assert await desk.said("git log --format=%s") == "Make it 3\nMake it 2\nMake it 1\nStart from nothing\n"
    assert await desk.said("git status --porcelain; git branch --show-current") == "main\n"
    assert desk.head[:8] in await desk.said("git blame -l m.py")
    await desk.said("echo 'x = 4' >m.py")
    assert "+x = 4" in await desk.said("git diff")
    await desk.said("git stash")
    assert (desk.path / "m.py").read_text() == "x = 3\n"
    await desk.said("git stash pop")
    assert await desk.files() == {"m.py": b"x = 4\n", "same.txt": b"same\n"}


async def test_bisect_finds_the_commit_and_leaves_the_files_as_they_were(desk: Desk) -> None:
    found = await desk.said(
        f"git bisect start HEAD {ROOT_COMMIT} >/dev/null; git bisect run sh -c '! grep -q 2 m.py || exit 1; "
        "! grep -q 3 m.py || exit 1'; git bisect reset"
    )
    assert "is the first bad commit" in found
    assert "Make it 2" in found
    assert await desk.files() == {"m.py": b"x = 3\n", "same.txt": b"same\n"}


async def test_commits_and_branches_of_commands_stay_theirs(desk: Desk) -> None:
    await desk.said(
        "git checkout -q -b mine; echo a >a.txt; git add a.txt; git commit -qm mine; git tag v1;"
        "git checkout -q main; git gc -q; git repack -qad"
    )
    refs = await asyncio.to_thread(
        subprocess.check_output, ["git", "-C", str(desk.repository.path), "for-each-ref"], text=True
    )
    assert "mine" not in refs
    assert "v1" not in refs
    assert await desk.files() == {"m.py": b"x = 3\n", "same.txt": b"same\n"}
    assert await desk.said("git show mine:a.txt") == "a\n"


async def test_the_goals_objects_cannot_be_written_from_inside(desk: Desk) -> None:
    if desk.sandbox.name == "none":
        return
    objects = desk.repository.objects
    ran = await desk.shell.run(f"touch {objects}/x; rm -rf {objects}/*; ls {objects} | wc -l", timeout_s=300)
    assert "Read-only file system" in ran.text
    assert int(ran.text.split()[-1]) > 0
    assert await desk.repository.has(desk.head)


HOSTILE = {
    "a configuration that runs programs": """
        git config core.fsmonitor 'touch {out}'; git config core.hooksPath h
        git config diff.external 'touch {out}'
        git config filter.f.clean 'touch {out}'; git config filter.f.smudge 'touch {out}'
        echo '* filter=f' >.git/info/attributes""",
    "hooks": """
        mkdir -p .git/hooks; printf '#!/bin/sh\\ntouch {out}\\n' >.git/hooks/pre-commit; chmod +x .git/hooks/*""",
    "a broken head": "echo rubbish >.git/HEAD; rm -rf .git/refs .git/index",
    "another place for everything": "rm -rf .git; echo 'gitdir: {out}' >.git",
    "a link": "rm -rf .git; ln -s {out} .git",
    "a pipe": "rm -rf .git; mkfifo .git",
    "nothing": "rm -rf .git",
    "objects from elsewhere": "echo {out} >.git/objects/info/alternates",
    "another work tree": "git config core.worktree /etc; git config core.bare true",
    "rules that ignore": """
        echo b.txt >>.git/info/exclude; git config core.excludesFile /workspace/all
        echo '*' >.git/info/sparse-checkout; git config core.sparseCheckout true""",
    "a repository begun anew": """
        rm -rf .git; git init -q .; git add -A; git -c user.name=a -c user.email=b commit -qm x""",
    "an index that lies": """
        git update-index --assume-unchanged m.py; git update-index --skip-worktree same.txt
        git rm -q --cached m.py""",
}


@pytest.mark.parametrize("command", HOSTILE.values(), ids=HOSTILE.keys())
async def test_nothing_of_it_changes_what_the_hub_takes(desk: Desk, tmp_path: Path, command: str) -> None:
    out = tmp_path / "out"
    await desk.shell.run(command.replace("{out}", str(out)), timeout_s=300)
    await desk.shell.run("echo 'x = 9' >m.py; echo b >b.txt", timeout_s=300)
    assert await desk.files() == {"m.py": b"x = 9\n", "b.txt": b"b\n", "same.txt": b"same\n"}
    await desk.repository.discard_workspace(desk.path)
    assert {"out", "w"}.isdisjoint(os.listdir(tmp_path))


async def test_a_repository_in_a_folder_still_becomes_plain_files(desk: Desk) -> None:
    await desk.said(
        "git init -q sub; cd sub; echo a >a; git add a; mkdir -p x/.GIT; cd ..; mkdir .Git; echo >.Git/c"
    )
    taken = await desk.repository.snapshot(desk.path, desk.head)
    assert {left.path for left in taken.left_out} >= {"sub/.git", "sub/x/.GIT", ".Git"}
    assert set(await desk.files()) == {"m.py", "same.txt", "sub/a"}


async def test_a_repository_in_a_folder_is_said_however_short_ago_it_was_made(desk: Desk) -> None:
    for number in range(8):
        (desk.path / f"sub{number}" / ".git").mkdir(parents=True)
        (desk.path / f"sub{number}" / "a").write_text("a\n")
        taken = await desk.repository.snapshot(desk.path, desk.head)
        assert f"sub{number}/.git" in {left.path for left in taken.left_out}


async def test_tests_that_need_git_run(desk: Desk) -> None:
    (desk.path / "test_git.py").write_text(
        "import subprocess\n\n\n"
        "def said(*words, **how):\n"
        "    return subprocess.check_output(['git', *words], text=True, **how)\n\n\n"
        "def test_own_history():\n"
        "    assert said('log', '-1', '--format=%s', '--', 'm.py') == 'Make it 3\\n'\n"
        "    assert 'm.py' in said('ls-files')\n\n\n"
        "def test_a_repository_of_its_own(tmp_path):\n"
        "    said('init', '-q', cwd=tmp_path)\n"
        "    (tmp_path / 'a').write_text('a')\n"
        "    said('add', 'a', cwd=tmp_path)\n"
        "    said('-c', 'user.name=n', '-c', 'user.email=e', 'commit', '-qm', 'one', cwd=tmp_path)\n"
        "    said('clone', '-q', str(tmp_path), str(tmp_path / 'copy'))\n"
    )
    report = await run_tests(
        desk.sandbox, desk.path, given_test_command("python -m pytest -q"), timeout_s=120, measured=False
    )
    assert report.green, report.log.decode()
    assert report.counts is not None
    assert report.counts.passed == 2


async def test_attributes_of_the_project_change_no_byte(desk: Desk) -> None:
    """As the hub reads and writes files, git does it for commands: byte by byte."""
    await desk.commit(
        "Attributes",
        **{".gitattributes": "*.txt text eol=crlf\n*.bin filter=mine\n", "a.txt": "1\n2\n", "b.bin": "b\n"},
    )
    await desk.repository.checkout(desk.head, desk.path)
    assert await desk.said("git status --porcelain") == ""
    await desk.said("rm a.txt b.bin; git checkout -- a.txt b.bin")
    files = await desk.files()
    assert (files["a.txt"], files["b.bin"]) == (b"1\n2\n", b"b\n")


async def test_a_restored_workspace_shows_what_the_task_has_changed(desk: Desk) -> None:
    base = desk.head
    saved = await desk.commit("Checkpoint", **{"m.py": "x = 5\n"})
    await desk.repository.checkout(saved, desk.path, head=base)
    assert await desk.said("git log -1 --format=%s") == "Make it 3\n"
    assert "+x = 5" in await desk.said("git diff HEAD")
