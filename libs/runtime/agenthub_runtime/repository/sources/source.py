"""Whether a repository on this machine can be imported, before a goal rests on it."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agenthub_runtime.repository.errors import CommitMissing, RepositoryError, SourceRefused
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.history import History
from agenthub_runtime.repository.sources.submodules import Whereabouts

_SAID = 500
_UNREADABLE = re.compile(r"(?:unable to read|missing blob object|bad object) '?([0-9a-f]{40})")
_DAMAGED = ("possible repository corruption", "unable to read tree", "missing blob object", "object corrupt")
_CHECK = "see what `git fsck` says in it, or give a fresh clone"

T = TypeVar("T")


def not_fetched(source: Path, said: str) -> RepositoryError:
    """Why git could fetch nothing, by what it has said: `SourceRefused` where no further try would help."""
    lost = _UNREADABLE.search(said)
    if lost or any(words in said for words in _DAMAGED):
        what = f"{lost[1]} of its history" if lost else said.strip()[-_SAID:]
        return SourceRefused(f"The repository {source} lacks objects ({what}): {_CHECK}.")
    return RepositoryError(f"git could not fetch {source}: {said.strip()[-_SAID:]}")


async def readable(source: Path) -> None:
    """Raise `SourceRefused`, a sentence with the remedy, unless there is a repository that can be read."""
    await asyncio.to_thread(_git_dir, source)


async def origin_of(source: Path) -> Whereabouts:
    """Where a repository on this machine keeps what is not in its history. Raises `SourceRefused`."""
    git_dir = await asyncio.to_thread(_git_dir, source)
    told = await Git(git_dir).run("config", "--get", "remote.origin.url", codes=(0, 1))
    return Whereabouts(
        url=told.word or str(source), git_dir=git_dir, checkout=None if git_dir == source else source
    )


async def head_of(source: Path) -> str:
    """The commit that HEAD of a repository on this machine names. Raises `SourceRefused`."""
    return await _head_of(Git(await asyncio.to_thread(_git_dir, source)), source)


async def examine(source: Path, commit: str = "") -> None:
    """Raise `SourceRefused`, with the remedy, unless `commit` (empty: HEAD) of the repository can be imported."""
    git_dir = await asyncio.to_thread(_git_dir, source)
    # A linked worktree has a git folder of its own, which leads to that of the repository.
    git = Git(git_dir)
    try:
        await _refuse_parts(git, source, commit or "HEAD")
        await History(git_dir).files(commit or await _head_of(git, source))
    except SourceRefused:
        raise
    except CommitMissing as error:
        raise SourceRefused(f"The repository {source} lacks objects ({error}): {_CHECK}.") from error
    except RepositoryError as error:
        raise SourceRefused(f"The repository {source} cannot be read: {_CHECK}. {error}") from error


def _git_dir(source: Path) -> Path:
    """The git folder of a repository, plain, bare, or of a linked worktree."""
    if not source.is_absolute():
        raise SourceRefused(f"`{source}` is not an absolute path: give the whole path of a repository.")
    mode = _looked_at(source, lambda: source.stat().st_mode)
    if not stat.S_ISDIR(mode):
        raise SourceRefused(f"`{_short(source)}` is a file: give the folder of a git repository.")
    inner = source / ".git"
    if _looked_at(source, lambda: os.path.lexists(inner)):
        git_dir = inner
        if _looked_at(source, inner.is_file):
            git_dir = _linked(source, inner)
    elif _looked_at(source, lambda: (source / "HEAD").is_file() and (source / "objects").is_dir()):
        git_dir = source
    else:
        raise SourceRefused(_no_repository(source))
    _looked_at(source, (git_dir / "HEAD").read_bytes)
    return git_dir


def _linked(source: Path, inner: Path) -> Path:
    text = _looked_at(source, lambda: inner.read_text(errors="replace")).strip()
    git_dir = source / text.removeprefix("gitdir:").strip()
    if not text.startswith("gitdir:") or not _looked_at(source, git_dir.is_dir):
        raise SourceRefused(
            f"`{_short(source)}` is a worktree whose repository is gone (`.git` names {git_dir}): "
            "run `git worktree repair` in the repository, or give the repository itself."
        )
    return git_dir


def _looked_at(source: Path, look: Callable[[], T]) -> T:
    try:
        return look()
    except FileNotFoundError:
        raise SourceRefused(_no_repository(source)) from None
    except (PermissionError, NotADirectoryError) as error:
        raise SourceRefused(
            f"`{_short(source)}` cannot be read by the account that runs agenthub ({error.strerror} at"
            f" {error.filename}): give that account the right to read it, or give a clone that it can read."
        ) from None
    except (OSError, ValueError):
        raise SourceRefused(_no_repository(source)) from None


def _no_repository(source: Path) -> str:
    for parent in source.parents:
        if os.path.lexists(parent / ".git"):
            return f"`{_short(source)}` is a folder in the repository {parent}: give that path."
    return (
        f"There is no git repository at `{_short(source)}`: give the path of one, or make it one with `git init`,"
        " `git add --all` and `git commit`."
    )


def _short(source: Path) -> str:
    return str(source)[:200]


async def _head_of(git: Git, source: Path) -> str:
    found = await git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", codes=(0, 1, 128))
    if found.code == 0:
        return found.word
    named = await git.run("symbolic-ref", "--quiet", "--short", "HEAD", codes=(0, 1, 128))
    others = await git.run("for-each-ref", "--count=1", "--format=%(refname:short)", "refs/heads", codes=(0, 128))
    if others.word:
        raise SourceRefused(
            f"HEAD of {source} names the branch {named.word or '(none)'}, which has no commit: check out another,"
            f" such as `git switch {others.word}`."
        )
    raise SourceRefused(
        f"The repository {source} has no commit yet: make one, with `git add --all` and `git commit`."
    )


async def _refuse_parts(git: Git, source: Path, commit: str) -> None:
    """Refuse what holds only a part of its history, or names its objects in another way."""
    if (await git.run("rev-parse", "--show-object-format")).word != "sha1":
        raise SourceRefused(
            f"The repository {source} names its objects by SHA-256, which agenthub does not: give one made with"
            " `git init --object-format=sha1`."
        )
    partial = await git.run(
        "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$", codes=(0, 1)
    )
    if partial.word:
        missing = await git.run("rev-list", "--objects", "--missing=print", commit, limit=64 << 20)
        if any(line.startswith("?") for line in missing.text.splitlines()):
            raise SourceRefused(
                f"The repository {source} is a partial clone that lacks objects of its history: run"
                " `git fetch --refetch --no-filter` in it, or give a full clone."
            )
