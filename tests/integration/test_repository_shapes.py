"""Repositories of every shape that people have: brought in, worked on, carried to other machines and back."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agenthub_events.context import WorkContext
from agenthub_events.errors import InvalidInput
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.api.payloads.submission import accepted_from
from agenthub_gateway.ports import Sources
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.remotes.address import local_source, parse_remote
from agenthub_runtime.remotes.credentials import NO_ACCESS, GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.goal import Committed, GoalRepository, Link
from agenthub_runtime.repository.sources.beside import Beside, push_lfs
from agenthub_runtime.repository.sources.git_remote import RemoteGit, Resolved
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.tools.contract import ToolContext
from agenthub_worker.tools.registry import call_tool
from agenthub_worker.workspace.merge import bring_source
from agenthub_worker.workspace.pinned import with_pinned
from tests.integration.test_repository_source import git, made, shallow
from tests.support.git_hosts import TOKEN, a_repository, serving

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Machines:
    """Two machines that share nothing but the object store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts = InMemoryArtifacts()

    async def repository(self, name: str = "one") -> GoalRepository:
        return await GoalRepository.open(self.folder / name / "goal.git", self.artifacts)

    async def elsewhere(self, repository: GoalRepository, *chain: tuple[str | None, str]) -> GoalRepository:
        """Another machine's repository, from the bundles of this one alone."""
        other = await self.repository("other")
        await other.materialise([Link(await repository.bundle(base, head), head) for base, head in chain])
        return other


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path / "machines")


async def changed(repository: GoalRepository, head: str, **files: str) -> Committed:
    """A commit on `head` in which an agent has written these files."""
    space = repository.path.with_name("space")
    await repository.checkout(head, space)
    for name, text in files.items():
        (space / name).write_text(text)
    return await repository.commit_workspace(space, parent=head, message="Work", when=WHEN)


async def test_a_goal_on_a_shallow_clone_goes_to_other_machines_and_back_to_the_whole_repository(
    machines: Machines, tmp_path: Path
) -> None:
    clone, whole = shallow(tmp_path), tmp_path / "r"
    repository = await machines.repository()
    base = await repository.import_local(clone)
    done = await changed(repository, base, new="x\n")
    other = await machines.elsewhere(repository, (None, base), (base, done.commit))
    assert git(other.path, "log", "--format=%s", done.commit).split("\n") == ["Work", "commit 2"]
    assert {entry.path for entry in await other.files(done.commit)} == {"a.txt", "new"}
    async with other.full_bundle(done.commit, "goal/g-1") as bundle:
        for folder in (clone, whole):
            git(folder, "fetch", "--quiet", str(bundle), "refs/heads/goal/g-1:refs/heads/result")
            assert git(folder, "rev-parse", "result") == done.commit
    await RemoteGit(local_source(str(whole)), NO_ACCESS).push(Git(other.path), done.commit, "pushed", over="")
    assert git(whole, "log", "--format=%s", "pushed").split("\n") == ["Work", "commit 2", "commit 1", "commit 0"]


@pytest.mark.extra
async def test_a_branch_of_a_shallow_clone_can_be_named(machines: Machines, tmp_path: Path) -> None:
    clone = shallow(tmp_path)
    git(clone, "branch", "side")
    source = RemoteGit(local_source(str(clone)), NO_ACCESS)
    wanted = await source.resolve("side")
    repository = await machines.repository()
    assert wanted == Resolved(git(clone, "rev-parse", "HEAD"), "refs/heads/side")

    async def fetched(own: Git) -> str:
        await source.fetch(own, wanted)
        return wanted.commit

    head = await repository.exclusively(fetched)
    other = await machines.elsewhere(repository, (None, head))
    assert git(other.path, "rev-list", "--count", head) == "1"


@pytest.mark.extra
async def test_of_a_history_over_the_limit_the_newest_part_is_brought(machines: Machines, tmp_path: Path) -> None:
    source = made(tmp_path / "big", commits=0)
    for number in range(30):
        (source / "noise.bin").write_bytes(os.urandom(100_000))
        git(source, "add", "--all")
        git(source, "commit", "--quiet", "-m", f"commit {number}")
    repository = await machines.repository()
    head = await repository.import_local(source, history_bytes=1_500_000)
    assert git(repository.path, "rev-list", "--count", head) == "10"
    assert await repository.commits_before_the_cut(head) == 10
    other = await machines.elsewhere(repository, (None, head))
    assert await other.commits_before_the_cut(head) == 10
    assert max(map(len, machines.artifacts.objects.values())) < 1_500_000


def a_library(folder: Path) -> Path:
    """A repository whose submodule has a submodule."""
    made(folder / "base", {"deep.txt": "deep\n"})
    made(folder / "lib", {"lib.py": "LEVEL = 1\n"})
    git(folder / "lib", "submodule", "--quiet", "add", str(folder / "base"), "base")
    git(folder / "lib", "commit", "--quiet", "-m", "with base")
    made(folder / "app", {"app.py": "import lib\n"})
    git(folder / "app", "submodule", "--quiet", "add", str(folder / "lib"), "vendor/the lib")
    git(folder / "app", "commit", "--quiet", "-m", "with lib")
    git(folder / "app", "submodule", "--quiet", "update", "--init", "--recursive")
    return folder / "app"


async def imported(machines: Machines, source: Path) -> tuple[GoalRepository, str, Beside]:
    repository = await machines.repository()
    return repository, *await bring_source(
        NO_ACCESS,
        repository,
        WorkContext(goal_id="g-1", goal="x", task_id="prepare", kind="prepare", title="x", repository=str(source)),
    )


async def test_submodules_are_there_on_every_machine_and_no_commit_changes_them(
    machines: Machines, tmp_path: Path
) -> None:
    repository, base, brought = await imported(machines, a_library(tmp_path))
    assert brought.submodules == ("vendor/the lib", "vendor/the lib/base")
    other = await machines.elsewhere(repository, (None, base))
    space = tmp_path / "space"
    await other.checkout(base, space)
    assert (space / "vendor/the lib/lib.py").read_text() == "LEVEL = 1\n"
    assert (space / "vendor/the lib/base/deep.txt").read_text() == "deep\n"
    (space / "vendor/the lib/lib.py").write_text("LEVEL = 2\n")
    (space / "vendor/the lib/new.py").write_text("x")
    unchanged = await other.commit_workspace(space, parent=base, message="m", when=WHEN)
    assert not unchanged.changed
    (space / "app.py").write_text("import lib, os\n")
    shutil.rmtree(space / "vendor")
    done = await other.commit_workspace(space, parent=base, message="m", when=WHEN)
    assert await other.changed_files(base, done.commit) == ["app.py"]
    pinned = [entry for entry in await other.files(done.commit) if entry.mode == "160000"]
    assert [entry.path for entry in pinned] == ["vendor/the lib"]
    await other.checkout(done.commit, space)
    assert (space / "vendor/the lib/lib.py").read_text() == "LEVEL = 1\n"


@pytest.mark.extra
async def test_commands_see_submodules_and_cannot_write_them(machines: Machines, tmp_path: Path) -> None:
    repository, base, _ = await imported(machines, a_library(tmp_path))
    space = tmp_path / "space"
    await repository.checkout(base, space)
    sandbox = with_pinned(Bubblewrap(), await repository.submodules(base))
    ran = await sandbox.run(
        "cat 'vendor/the lib/lib.py'; echo 2 > 'vendor/the lib/lib.py'; rm -r vendor; echo 3 > app.py; cat app.py",
        workspace=space,
        timeout_s=60,
    )
    assert ran.text.startswith("LEVEL = 1\n")
    assert ran.text.endswith("\n3\n")
    assert "Read-only file system" in ran.text
    context = ToolContext(
        workspace=space, sandbox=sandbox, repository=repository, base=base, pinned=("vendor/the lib",)
    )
    for path in ("vendor/the lib/lib.py", "vendor/the lib/base/new", "app.py"):
        given = {"command": "create", "path": path, "file_text": "x"}
        told = await call_tool(context, "str_replace_based_edit_tool", given)
        assert told.is_error == (path != "app.py"), told.text


@pytest.mark.extra
async def test_a_submodule_of_a_hosts_repository_is_fetched_with_the_credential_of_that_host_alone(
    machines: Machines, tmp_path: Path
) -> None:
    with serving(tmp_path / "host") as host:
        a_repository(host.root / "ada" / "lib.git", {"lib.py": "LEVEL = 1\n"})
        service = a_repository(host.root / "ada" / "service.git", {"x.py": "import lib\n"})
        work = service.with_name("service.git.work")
        pinned = git(host.root / "ada" / "lib.git", "rev-parse", "main")
        for url, works in (("../lib.git", True), (f"http://localhost:{host.port}/ada/lib.git", False)):
            (work / ".gitmodules").write_text(f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n')
            git(work, "update-index", "--add", "--cacheinfo", f"160000,{pinned},lib")
            git(work, "add", ".gitmodules")
            git(work, "commit", "--quiet", "-m", "pin")
            git(work, "push", "--quiet", str(service), "main")
            access = GitAccess(tokens={host.name: TOKEN, f"localhost:{host.port}": TOKEN})
            body = SubmitBody(goal="x", repository=host.url())
            if not works:
                with pytest.raises(InvalidInput, match=r"submodule lib cannot be had .* asks for a credential"):
                    await accepted_from(body, Sources(access, local=False))
                continue
            accepted = await accepted_from(body, Sources(access, local=False))
            context = WorkContext(
                goal_id="g-1",
                goal="x",
                task_id="prepare",
                kind="prepare",
                title="x",
                repository=host.url(),
                ref=accepted.ref,
                base_commit=accepted.base_commit,
            )
            repository = await machines.repository()
            head, brought = await bring_source(access, repository, context)
            await repository.checkout(head, tmp_path / "space")
            assert brought.submodules == ("lib",)
            assert (tmp_path / "space" / "lib" / "lib.py").read_text() == "LEVEL = 1\n"


def pointer_of(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"


LARGE = bytes(range(256)) * 4000
RULES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"


def in_lfs(folder: Path) -> Path:
    """A checkout in which somebody has run `git lfs pull`."""
    files = {".gitattributes": RULES, "model.bin": pointer_of(LARGE), "docs/pointer.txt": pointer_of(b"x")}
    source = made(folder / "large", files)
    digest = hashlib.sha256(LARGE).hexdigest()
    place = source / ".git/lfs/objects" / digest[:2] / digest[2:4] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(LARGE)
    return source


async def test_files_in_lfs_are_there_with_their_content_and_committed_as_pointers(
    machines: Machines, tmp_path: Path
) -> None:
    source = in_lfs(tmp_path)
    await accepted_from(SubmitBody(goal="x", repository=str(source)), Sources(NO_ACCESS, local=True))
    repository, base, brought = await imported(machines, source)
    assert brought.lfs == ("model.bin",)
    other = await machines.elsewhere(repository, (None, base))
    space = tmp_path / "space"
    await other.checkout(base, space)
    assert (space / "model.bin").read_bytes() == LARGE
    assert (space / "docs/pointer.txt").read_text() == pointer_of(b"x")
    assert not (await other.commit_workspace(space, parent=base, message="m", when=WHEN)).changed
    (space / "model.bin").rename(space / "moved.bin")
    (space / "new.bin").write_bytes(LARGE[:5000])
    (space / "empty.bin").write_bytes(b"")
    (space / "plain.dat").write_bytes(LARGE[:100])
    done = await other.commit_workspace(space, parent=base, message="m", when=WHEN)
    assert await other.show(done.commit, "moved.bin") == pointer_of(LARGE).encode()
    assert await other.show(done.commit, "new.bin") == pointer_of(LARGE[:5000]).encode()
    assert await other.show(done.commit, "empty.bin") == b""
    assert await other.show(done.commit, "plain.dat") == LARGE[:100]
    assert not (await other.commit_workspace(space, parent=done.commit, message="m", when=WHEN)).changed
    third = await GoalRepository.open(tmp_path / "third" / "goal.git", machines.artifacts)
    await third.materialise([Link(await other.bundle(b, h), h) for b, h in ((None, base), (base, done.commit))])
    await third.checkout(done.commit, space)
    assert (space / "moved.bin").read_bytes() == LARGE
    assert (space / "new.bin").read_bytes() == LARGE[:5000]
    (space / ".gitattributes").write_text("")
    plain = await third.commit_workspace(space, parent=done.commit, message="m", when=WHEN)
    assert await third.show(plain.commit, "new.bin") == LARGE[:5000]


@pytest.mark.extra
async def test_files_in_lfs_are_fetched_from_their_host_and_pushed_to_it(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path / "host") as host:
        service = a_repository(
            host.root / "ada" / "service.git", {".gitattributes": RULES, "m.bin": pointer_of(LARGE)}
        )
        access = GitAccess(tokens={host.name: TOKEN})
        sources = Sources(access, local=False)
        accepted = await accepted_from(SubmitBody(goal="x", repository=host.url()), sources)
        context = WorkContext(
            goal_id="g-1",
            goal="x",
            task_id="prepare",
            kind="prepare",
            title="x",
            repository=host.url(),
            ref=accepted.ref,
            base_commit=accepted.base_commit,
        )
        repository = await machines.repository()
        with pytest.raises(RemoteRefused, match="does not have, or does not give out"):
            await bring_source(access, repository, context)
        host.large[hashlib.sha256(LARGE).hexdigest()] = LARGE
        head, _ = await bring_source(access, repository, context)
        space = tmp_path / "space"
        await repository.checkout(head, space)
        assert (space / "m.bin").read_bytes() == LARGE
        (space / "new.bin").write_bytes(LARGE[:7000])
        done = await repository.commit_workspace(space, parent=head, message="m", when=WHEN)
        remote = RemoteGit(parse_remote(host.url()), access)
        await push_lfs(Git(repository.path), head, done.commit, remote)
        await remote.push(Git(repository.path), done.commit, "result", over="")
        assert host.large[hashlib.sha256(LARGE[:7000]).hexdigest()] == LARGE[:7000]
        assert git(service, "show", "result:new.bin") == pointer_of(LARGE[:7000]).strip()
        left = [path for path in repository.path.rglob("*") if path.is_file()]
        assert not [path for path in left if TOKEN.encode() in path.read_bytes()]
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "git").symlink_to(str(shutil.which("git")))
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        with pytest.raises(InvalidInput, match=r"m\.bin in Git LFS, and this machine has no `git-lfs`: install"):
            await accepted_from(SubmitBody(goal="x", repository=host.url()), sources)
