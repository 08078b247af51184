"""A repository is imported, or refused at once in one sentence that names the remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from agenthub_events.errors import InvalidInput
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.api.payloads.submission import accepted_from
from agenthub_gateway.ports import Sources
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.goal import GoalRepository
from agenthub_runtime.repository.sources.source import examine

NO_ONE = 65534
SETTINGS = ("user.name=t", "user.email=t@example.org", "protocol.file.allow=always", "safe.directory=*")


def git(folder: Path, *arguments: str) -> str:
    told = subprocess.run(
        ["git", *(part for setting in SETTINGS for part in ("-c", setting)), *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip()


def made(folder: Path, files: Mapping[str, str] = MappingProxyType({}), *, commits: int = 1) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number in range(commits):
        for name, text in {"a.txt": f"{number}\n", **files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git(folder, "add", "--all", "--force")
        git(folder, "commit", "--quiet", "-m", f"commit {number}")
    return folder


def nothing(folder: Path) -> Path:
    return folder / "nothing"


def a_file(folder: Path) -> Path:
    (folder / "file.txt").write_text("x")
    return folder / "file.txt"


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "x"


def plain_folder(folder: Path) -> Path:
    (folder / "plain").mkdir()
    return folder / "plain"


def inner_folder(folder: Path) -> Path:
    made(folder / "r", {"src/x.py": ""})
    return folder / "r/src"


def without_commit(folder: Path) -> Path:
    return made(folder / "r", commits=0)


def empty_branch(folder: Path) -> Path:
    made(folder / "r")
    git(folder / "r", "symbolic-ref", "HEAD", "refs/heads/gone")
    return folder / "r"


def shallow(folder: Path) -> Path:
    made(folder / "r", commits=3)
    git(folder, "clone", "--quiet", "--depth=1", f"file://{folder}/r", "shallow")
    return folder / "shallow"


def partial(folder: Path) -> Path:
    made(folder / "r", commits=3)
    git(folder / "r", "config", "uploadpack.allowFilter", "true")
    git(folder, "clone", "--quiet", "--filter=blob:none", f"file://{folder}/r", "partial")
    return folder / "partial"


def with_submodule(folder: Path) -> Path:
    made(folder / "lib")
    made(folder / "r")
    git(folder / "r", "submodule", "--quiet", "add", str(folder / "lib"), "vendor/lib")
    git(folder / "r", "commit", "--quiet", "-m", "with lib")
    return folder / "r"


def with_submodule_elsewhere(folder: Path) -> Path:
    with_submodule(folder)
    git(folder, "clone", "--quiet", "r", "fresh")
    return folder / "fresh"


def with_unreachable_submodule(folder: Path) -> Path:
    with_submodule_elsewhere(folder)
    git(folder / "fresh", "config", "-f", ".gitmodules", "submodule.vendor/lib.url", "https://127.0.0.1:1/lib.git")
    git(folder / "fresh", "commit", "--quiet", "--all", "-m", "elsewhere")
    return folder / "fresh"


def with_lfs(folder: Path) -> Path:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    return made(folder / "r", {".gitattributes": "*.bin filter=lfs -text\n", "model.bin": pointer})


def sha256(folder: Path) -> Path:
    (folder / "r").mkdir()
    git(folder / "r", "init", "--quiet", "--object-format=sha256")
    git(folder / "r", "commit", "--quiet", "--allow-empty", "-m", "x")
    return folder / "r"


def lost_worktree(folder: Path) -> Path:
    made(folder / "r")
    git(folder / "r", "worktree", "add", "--quiet", "../w")
    (folder / "r").rename(folder / "moved")
    return folder / "w"


def damaged(folder: Path) -> Path:
    made(folder / "r")
    tree = git(folder / "r", "rev-parse", "HEAD^{tree}")
    (folder / "r/.git/objects" / tree[:2] / tree[2:]).unlink()
    return folder / "r"


def without_a_file(folder: Path) -> Path:
    made(folder / "r", {"docs/long.txt": "long\n"})
    blob = git(folder / "r", "rev-parse", "HEAD:docs/long.txt")
    (folder / "r/.git/objects" / blob[:2] / blob[2:]).unlink()
    return folder / "r"


def without_an_old_file(folder: Path) -> Path:
    made(folder / "r", commits=2)
    blob = git(folder / "r", "rev-parse", "HEAD~1:a.txt")
    (folder / "r/.git/objects" / blob[:2] / blob[2:]).unlink()
    return folder / "r"


def tree_that_unfolds(folder: Path) -> Path:
    """Ten trees of ten times the next one: 10 billion paths in a few kilobytes."""
    made(folder / "r")
    entry = f"100644 blob {git(folder / 'r', 'rev-parse', 'HEAD:a.txt')}"
    for _ in range(10):
        lines = "".join(f"{entry}\tn{number}\n" for number in range(10))
        told = subprocess.run(
            ["git", "mktree"], input=lines, cwd=folder / "r", capture_output=True, text=True, check=True
        )
        entry = f"040000 tree {told.stdout.strip()}"
    commit = git(folder / "r", "commit-tree", entry.split()[2], "-m", "bomb")
    git(folder / "r", "update-ref", "HEAD", commit)
    return folder / "r"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (tree_that_unfolds, "has more files than are listed"),
        (nothing, "no git repository at .*git init"),
        (a_file, "is a file: give the folder"),
        (below_a_file, "cannot be read by the account that runs agenthub"),
        (plain_folder, "no git repository at"),
        (inner_folder, "is a folder in the repository .*/r: give that path"),
        (without_commit, "has no commit yet: make one, with `git add --all`"),
        (empty_branch, "names the branch gone, which has no commit: .*`git switch main`"),
        (partial, "partial clone.*git fetch --refetch"),
        (with_submodule_elsewhere, "submodule vendor/lib is at .*git submodule update --init --recursive"),
        (with_unreachable_submodule, "submodule vendor/lib cannot be had at its commit .*could not be reached"),
        (with_lfs, "has only the pointers of model.bin.*git lfs fetch"),
        (sha256, "by SHA-256.*object-format=sha1"),
        (lost_worktree, "worktree whose repository is gone.*git worktree repair"),
        (damaged, "cannot be read: see what `git fsck` says"),
        (without_a_file, "lacks objects .the content of docs/long.txt, .*git fsck"),
    ],
)
async def test_what_cannot_be_imported_is_refused_at_submission_with_the_remedy(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    body = SubmitBody(goal="x", repository=str(make(tmp_path)))
    with pytest.raises(InvalidInput, match=words) as refused:
        await accepted_from(body, Sources(GitAccess(), local=True))
    assert refused.value.field == "repository"


def plain(folder: Path) -> Path:
    return made(folder / "r", commits=3)


def bare(folder: Path) -> Path:
    made(folder / "r")
    git(folder, "clone", "--quiet", "--bare", "r", "bare.git")
    return folder / "bare.git"


def worktree(folder: Path) -> Path:
    made(folder / "r")
    git(folder / "r", "worktree", "add", "--quiet", "../w")
    return folder / "w"


def detached(folder: Path) -> Path:
    made(folder / "r", commits=2)
    git(folder / "r", "checkout", "--quiet", "--detach", "HEAD~1")
    return folder / "r"


def of_another_account(folder: Path) -> Path:
    made(folder / "r")
    for place in (folder / "r").rglob("*"):
        os.lchown(place, NO_ONE, NO_ONE)
    os.chown(folder / "r", NO_ONE, NO_ONE)
    return folder / "r"


def by_a_link(folder: Path) -> Path:
    made(folder / "r")
    (folder / "link").symlink_to("r")
    return folder / "link"


def complete_partial(folder: Path) -> Path:
    made(folder / "r")
    git(folder / "r", "config", "extensions.partialClone", "origin")
    git(folder / "r", "config", "core.repositoryFormatVersion", "1")
    return folder / "r"


def lfs_rule_without_pointers(folder: Path) -> Path:
    return made(folder / "r", {".gitattributes": "*.bin filter=lfs\n"})


def odd_names(folder: Path) -> Path:
    made(folder / "a 'b' $c\n√")
    (folder / "a 'b' $c\n√" / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    git(folder / "a 'b' $c\n√", "add", "--all")
    git(folder / "a 'b' $c\n√", "commit", "--quiet", "-m", "odd")
    return folder / "a 'b' $c\n√"


@pytest.mark.parametrize(
    "make",
    [
        plain,
        bare,
        worktree,
        detached,
        shallow,
        with_submodule,
        of_another_account,
        by_a_link,
        complete_partial,
        lfs_rule_without_pointers,
        odd_names,
    ],
)
async def test_what_can_be_imported_is(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    if make is of_another_account and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    source = make(tmp_path)
    await examine(source)
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    assert await repository.import_local(source) == git(source, "rev-parse", "HEAD")


async def test_a_source_that_changed_since_is_refused_as_such(tmp_path: Path) -> None:
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    with pytest.raises(SourceRefused, match="partial clone"):
        await repository.import_local(partial(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_what_the_hubs_account_may_not_read_is_said(tmp_path: Path) -> None:
    source = made(tmp_path / "r")
    source.chmod(0o700)
    for parent in (tmp_path, *tmp_path.parents):
        parent.chmod(parent.stat().st_mode | 0o011)
    code = (
        f"import os, asyncio, sys; sys.path[:] = {sys.path!r};"
        "from pathlib import Path; from agenthub_runtime.repository.sources.source import examine;"
        f"os.setgid({NO_ONE}); os.setuid({NO_ONE}); asyncio.run(examine(Path({str(source)!r})))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "cannot be read by the account that runs agenthub (Permission denied at" in told.stderr


def lacking(folder: Path, ran: Path) -> tuple[Path, str]:
    """A repository whose branch `part` lacks a file, and which names programs that would fetch it."""
    source = made(folder / "lacking")
    git(source, "switch", "--quiet", "--create", "part")
    (source / "b.txt").write_text("b\n")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "-m", "part")
    commit, blob = git(source, "rev-parse", "HEAD"), git(source, "rev-parse", "HEAD:b.txt")
    git(source, "switch", "--quiet", "main")
    (source / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    program = folder / "program"
    program.write_text(f'#!/bin/sh\ntouch {ran}\nexec git-upload-pack "$@"\n')
    program.chmod(0o755)
    settings = {
        **{
            "core.repositoryformatversion": "1",
            "extensions.partialClone": "origin",
            "remote.origin.promisor": "true",
        },
        **{"remote.origin.url": source.as_uri(), "remote.origin.uploadpack": str(program)},
        **dict.fromkeys(("core.alternateRefsCommand", "core.fsmonitor", "core.sshCommand"), f"touch {ran};"),
        **{"uploadpack.packObjectsHook": f"touch {ran};", "core.hooksPath": str(folder)},
    }
    for name, value in settings.items():
        git(source, "config", name, value)
    return source, commit


@pytest.mark.parametrize("ref", ["part", "commit", "short", "head"])
async def test_no_program_that_a_repository_names_is_run_to_fetch_what_it_lacks(tmp_path: Path, ref: str) -> None:
    ran = tmp_path / "ran"
    source, commit = lacking(tmp_path, ran)
    if ref == "head":
        git(source, "symbolic-ref", "HEAD", "refs/heads/part")
    wanted = {"part": "part", "commit": commit, "short": commit[:9], "head": ""}[ref]
    body = SubmitBody(goal="x", repository=str(source), ref=wanted)
    with pytest.raises(InvalidInput):
        await accepted_from(body, Sources(GitAccess(), local=True))
    with pytest.raises(SourceRefused, match="partial clone that lacks objects"):
        await examine(source, commit)
    assert not ran.exists()


async def test_a_repository_without_an_object_that_it_names_is_refused(tmp_path: Path) -> None:
    source = made(tmp_path / "broken")
    blob = git(source, "rev-parse", "HEAD:a.txt")
    (source / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(SourceRefused, match=r"lacks objects|cannot be read"):
        await examine(source)


PLACES = ("127.0.0.1", "localhost", "[::1]", "2130706433", "127.1", "0x7f000001", "0.0.0.0")


@pytest.mark.parametrize("host", PLACES)
async def test_a_hub_elsewhere_asks_no_private_place_in_the_name_of_whoever_submits(host: str) -> None:
    body = SubmitBody(goal="x", repository=f"https://{host}:9/ada/service.git")
    with pytest.raises(InvalidInput, match="a place of a private network or of this machine") as refused:
        await accepted_from(body, Sources(GitAccess(), local=False))
    assert refused.value.field == "repository"


@pytest.mark.parametrize(
    "sources",
    [
        Sources(GitAccess(), local=True),
        Sources(GitAccess(), local=False, private=("127.0.0.1:9",)),
        Sources(GitAccess(tokens={"127.0.0.1:9": "token-of-the-hub"}), local=False),
    ],
    ids=["embedded", "named", "with a credential"],
)
async def test_a_private_place_that_the_hubs_people_want_is_asked(sources: Sources) -> None:
    body = SubmitBody(goal="x", repository="https://127.0.0.1:9/ada/service.git")
    with pytest.raises(InvalidInput, match="could not be reached"):
        await accepted_from(body, sources)
