"""What a commit needs beside its own history: the trees of its submodules, and the content of files in Git LFS."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from agenthub_runtime.remotes.address import is_remote, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused
from agenthub_runtime.repository.bundles import LFS
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.shown_paths import shown_path
from agenthub_runtime.repository.sources.git_remote import RemoteGit
from agenthub_runtime.repository.sources.lfs import (
    RULES,
    Pointer,
    give_objects,
    has_git_lfs,
    names_beside,
    object_in,
    paths_in_lfs,
    pointers_of,
    put_objects,
    take_objects,
)
from agenthub_runtime.repository.sources.source import origin_of
from agenthub_runtime.repository.sources.submodules import Whereabouts, bring_submodules, check_submodules
from agenthub_runtime.repository.trees import delete_tree

LFS_BYTES = 1 << 30
"""How much content in Git LFS one commit may have."""

_NAMED = 3
_INSTALL = "install `git-lfs` where the hub and its workers run"


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What was brought along, as paths for people."""

    submodules: tuple[str, ...] = ()
    lfs: tuple[str, ...] = ()


async def bring_beside(git: Git, commit: str, origin: Whereabouts, access: GitAccess) -> Beside:
    """Bring it into the repository of `git`, which has the commit.

    Raises `SourceRefused` with the remedy, `RemoteRefused` and `RemoteUnavailable`.
    """
    submodules = await bring_submodules(git, commit, origin, access)
    pointers = await pointers_of(git, commit)
    if pointers:
        _refuse_size(pointers)
        await _bring_lfs(git, commit, pointers, origin, access)
    return Beside(submodules=tuple(submodules), lfs=tuple(shown_path(pointer.path) for pointer in pointers))


async def check_folder(git: Git, commit: str, origin: Whereabouts, access: GitAccess) -> None:
    """Look whether everything that a commit of a repository on this machine needs can be had.

    Raises `SourceRefused`, `RemoteRefused` and `RemoteUnavailable`.
    """
    async with _scratch() as scratch:
        await check_submodules(git, commit, origin, access, scratch)
    pointers = await pointers_of(git, commit)
    _refuse_size(pointers)
    missing = [pointer for pointer in pointers if not await asyncio.to_thread(_stored, pointer, origin)]
    if missing:
        raise _not_here(missing, origin)


async def check_address(commit: str, origin: Whereabouts, access: GitAccess) -> None:
    """The same for a commit at an address, of which the trees alone are fetched.

    Raises `SourceRefused`, `RemoteRefused` and `RemoteUnavailable`.
    """
    remote = RemoteGit(parse_remote(origin.url), access)
    async with _scratch() as scratch:
        await remote.fetch_tree(scratch, commit, "--filter=blob:none")
        await remote.fetch_blobs(scratch, commit, (".gitmodules", RULES))
        await check_submodules(scratch, commit, origin, access, scratch)
        if not has_git_lfs() and (large := sorted(await paths_in_lfs(scratch, commit))):
            raise _no_program(large, origin)


async def _bring_lfs(
    git: Git, commit: str, pointers: Sequence[Pointer], origin: Whereabouts, access: GitAccess
) -> None:
    missing = list(pointers)
    for folder in _stores(origin):
        missing = await take_objects(git, missing, folder)
    if not missing:
        return
    if origin.git_dir is not None:
        raise _not_here(missing, origin)
    if not has_git_lfs():
        raise _no_program([pointer.path for pointer in missing], origin)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-lfs-", dir=git.git_dir))
    try:
        endpoint = await lfs_endpoint(git, commit, origin)
        await RemoteGit(parse_remote(origin.url), access).lfs(git, folder, endpoint, "fetch", commit)
        missing = await take_objects(git, missing, folder / "objects")
    finally:
        await asyncio.to_thread(delete_tree, folder)
    if missing:
        raise SourceRefused(
            f"{origin.url} did not give the content of {_listed([p.path for p in missing])}, which it keeps in Git"
            " LFS: push it there with `git lfs push --all`."
        )


async def push_lfs(git: Git, base: str, head: str, remote: RemoteGit) -> None:
    """Bring the content of files in Git LFS that `head` has beyond `base` to a remote, before the commit itself.

    Into a folder of this machine it is put where `git lfs` looks for it there.
    Raises `SourceRefused` without the program for it, `RemoteRefused` and `RemoteUnavailable`.
    """
    digests = [name.removeprefix(LFS) for name in await names_beside(git, base, head)]
    if not digests:
        return
    if remote.remote.scheme == "file":
        await put_objects(git, digests, _stores(await origin_of(Path(remote.remote.url)))[-1])
        return
    origin = Whereabouts(url=remote.remote.url)
    if not has_git_lfs():
        raise SourceRefused(f"The result has files in Git LFS, and this machine has no `git-lfs`: {_INSTALL}.")
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-lfs-", dir=git.git_dir))
    try:
        await give_objects(git, digests, folder / "objects")
        endpoint = await lfs_endpoint(git, head, origin)
        await remote.lfs(git, folder, endpoint, "push", "--object-id", *digests)
    finally:
        await asyncio.to_thread(delete_tree, folder)


async def lfs_endpoint(git: Git, commit: str, origin: Whereabouts) -> str:
    """Where the content is had when `.lfsconfig` of the commit says so, on the repository's own host alone.

    Empty: where git expects it. Raises `SourceRefused`.
    """
    asked = ("config", "--blob", f"{commit}:.lfsconfig", "--get", "lfs.url")
    url = (await git.run(*asked, codes=range(256))).word
    if not url or not is_remote(origin.url):
        return ""
    try:
        own = parse_remote(url).host == parse_remote(origin.url).host
    except RemoteRefused:
        own = False
    if not own:
        raise SourceRefused(
            f"`.lfsconfig` of {origin.url} keeps its files in Git LFS at another host, which the hub does not ask:"
            " give a folder on the hub's machine in which `git lfs pull` was run."
        )
    return url


def _stores(origin: Whereabouts) -> list[Path]:
    """Where content may lie on this machine."""
    if origin.git_dir is None:
        return []
    folders = [origin.git_dir]
    with suppress(OSError):
        folders.append(origin.git_dir / (origin.git_dir / "commondir").read_text().strip())
    return [folder / "lfs" / "objects" for folder in folders]


def _stored(pointer: Pointer, origin: Whereabouts) -> bool:
    places = [object_in(folder, pointer.digest) for folder in _stores(origin)]
    return any(place.is_file() and place.stat().st_size == pointer.size for place in places)


def _refuse_size(pointers: Sequence[Pointer]) -> None:
    size = sum({pointer.digest: pointer.size for pointer in pointers}.values())
    if size > LFS_BYTES:
        raise SourceRefused(
            f"Its files in Git LFS have {size >> 20} MiB, more than the {LFS_BYTES >> 20} MiB that a goal takes"
            " along: make a branch without the largest."
        )


def _not_here(missing: Sequence[Pointer], origin: Whereabouts) -> SourceRefused:
    named = _listed([pointer.path for pointer in missing])
    return SourceRefused(
        f"The repository {origin.checkout or origin.git_dir} has only the pointers of {named}, which it keeps in"
        " Git LFS: run `git lfs fetch` in it."
    )


def _no_program(paths: Sequence[str], origin: Whereabouts) -> SourceRefused:
    return SourceRefused(
        f"{origin.url} keeps {_listed(paths)} in Git LFS, and this machine has no `git-lfs`: {_INSTALL}, or give a"
        " folder in which `git lfs pull` was run."
    )


def _listed(paths: Sequence[str]) -> str:
    shown = ", ".join(map(shown_path, paths[:_NAMED]))
    return f"{shown} and {len(paths) - _NAMED} more" if len(paths) > _NAMED else shown


@asynccontextmanager
async def _scratch() -> AsyncIterator[Git]:
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-survey-"))
    try:
        git = Git(folder)
        await git.run("init", "--quiet", "--bare", "--object-format=sha1", "--template=")
        yield git
    finally:
        await asyncio.to_thread(delete_tree, folder)
