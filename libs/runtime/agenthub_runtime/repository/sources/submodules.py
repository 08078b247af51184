"""Submodules: which commits a tree pins, where each one can be had, and bringing them along.

Nothing of a tree decides what of this machine is read: a path as a submodule's address is followed only where the
person has checked that submodule out, and another host gets no credential because a repository names it.
"""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec

from agenthub_runtime.remotes.address import is_remote, local_source, parse_remote
from agenthub_runtime.remotes.credentials import NO_ACCESS, GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.repository.bundles import SUBMODULES, name_all, name_boundaries
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.git import Git, checked
from agenthub_runtime.repository.shown_paths import shown_path
from agenthub_runtime.repository.sources.git_remote import RemoteGit

MOST = 200
_DEEP = 10
_LINK = "160000"
_RULES = ".gitmodules"
_FIELD = r"^submodule\..*\.(path|url)$"
_LISTING_BYTES = 64 << 20


class Submodule(msgspec.Struct, frozen=True, kw_only=True):
    """A commit of another repository at a place of a tree. `url` is empty where `.gitmodules` does not say it."""

    path: str
    commit: str
    name: str = ""
    url: str = ""


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True):
    """Where a repository comes from: its address, and on this machine its git folder and its checkout."""

    url: str
    git_dir: Path | None = None
    checkout: Path | None = None


async def submodules_of(git: Git, commit: str) -> list[Submodule]:
    """Those that the tree of a commit pins itself. Raises `RepositoryError`."""
    listed = await git.run("ls-tree", "-r", "-z", "--full-tree", checked(commit), limit=_LISTING_BYTES)
    lines = [line.split("\t", 1) for line in listed.fields() if line.startswith(f"{_LINK} ")]
    pinned = {path: entry.split()[2] for entry, path in lines}
    if not pinned:
        return []
    described = await _described(git, commit)
    return [Submodule(path=path, commit=id_, **described.get(path, {})) for path, id_ in pinned.items()]


async def _described(git: Git, commit: str) -> dict[str, dict[str, str]]:
    """Names and addresses by path, as `.gitmodules` of the commit has them."""
    asked = ("config", "--blob", f"{commit}:{_RULES}", "--null", "--get-regexp", _FIELD)
    output = await git.run(*asked, codes=range(256))
    fields: dict[str, dict[str, str]] = {}
    for entry in output.fields():
        key, _, value = entry.partition("\n")
        name, _, field = key.removeprefix("submodule.").rpartition(".")
        fields.setdefault(name, {"name": name})[field] = value
    return {
        told["path"].rstrip("/"): {"name": told["name"], "url": told.get("url", "")}
        for told in fields.values()
        if "path" in told
    }


async def bring_submodules(git: Git, commit: str, origin: Whereabouts, access: GitAccess) -> list[str]:
    """Bring what a commit pins, and what that pins, into the repository of `git`; the paths, as shown.

    Raises `SourceRefused` with the remedy where one cannot be had, and `RemoteUnavailable`.
    """
    found: list[str] = []
    async for path, submodule, place in _all(git, commit, origin, None):
        if not await _has(git, submodule.commit):
            with _named(path, submodule.commit):
                await _fetch(git, submodule.commit, place, _access_for(place, origin, access))
        await name_all(git, [(submodule.commit, f"{SUBMODULES}{submodule.commit}")])
        found.append(shown_path(path))
    if found:
        await name_boundaries(git)
    return found


async def check_submodules(git: Git, commit: str, origin: Whereabouts, access: GitAccess, scratch: Git) -> int:
    """Look whether everything that a commit pins can be had, with `scratch` to try it in; how many they are.

    Raises `SourceRefused` and `RemoteUnavailable`.
    """
    count = 0
    async for path, submodule, place in _all(git, commit, origin, scratch):
        if place.git_dir is None:
            allowed = _access_for(place, origin, access)
            with _named(path, submodule.commit):
                remote = await _fetch(scratch, submodule.commit, place, allowed, "--filter=blob:none")
                await remote.fetch_blobs(scratch, submodule.commit, (_RULES,))
        count += 1
    return count


async def _all(
    git: Git, commit: str, origin: Whereabouts, scratch: Git | None
) -> AsyncIterator[tuple[str, Submodule, Whereabouts]]:
    """Each submodule that has an address, with its whole path; what it pins comes after it was handled."""
    waiting = [(git, commit, origin, "", 0)]
    count = 0
    while waiting:
        where, pinning, above, prefix, deep = waiting.pop()
        for submodule in await submodules_of(where, pinning):
            path = f"{prefix}{submodule.path}"
            if not submodule.url:
                continue  # an empty folder in every clone
            count += 1
            if count > MOST or deep == _DEEP:
                raise SourceRefused(
                    f"{above.url} has more than {MOST} submodules, or more than {_DEEP} of them inside of each"
                    " other: such a repository is not imported."
                )
            place = await _place(path, submodule, above)
            yield path, submodule, place
            holder = scratch or git
            if place.git_dir is not None and scratch is not None:
                holder = Git(place.git_dir)
            waiting.append((holder, submodule.commit, place, f"{path}/", deep + 1))


async def _place(path: str, submodule: Submodule, above: Whereabouts) -> Whereabouts:
    """Where a submodule is had: from what is checked out on this machine, else from its address."""
    url = _resolved_url(submodule.url, above.url)
    for git_dir in _checked_out(submodule, above):
        if await _has(Git(git_dir), submodule.commit):
            checkout = above.checkout / submodule.path if above.checkout else None
            return Whereabouts(url=url, git_dir=git_dir, checkout=checkout)
    if not is_remote(url):
        raise SourceRefused(
            f"The submodule {shown_path(path)} is at `{url}`, a path, and its commit {submodule.commit[:12]} is"
            " not checked out: run `git submodule update --init --recursive` in the repository, or give it an"
            f" https or ssh address in {_RULES}."
        )
    return Whereabouts(url=url)


def _checked_out(submodule: Submodule, above: Whereabouts) -> Iterator[Path]:
    if above.git_dir is not None and submodule.name and ".." not in PurePosixPath(submodule.name).parts:
        folders = [above.git_dir]
        with suppress(OSError):
            folders.append(above.git_dir / (above.git_dir / "commondir").read_text().strip())
        yield from (place for folder in folders if (place := folder / "modules" / submodule.name).is_dir())
    if above.checkout is not None:
        inner = above.checkout / submodule.path / ".git"
        if inner.is_dir() and not inner.is_symlink():
            yield inner


def _resolved_url(url: str, above: str) -> str:
    """An address in `.gitmodules` as git reads it: `./` and `../` start at that of the repository above."""
    if not url.startswith(("./", "../")):
        return url
    if "://" in above:
        parts = urlsplit(above)
        return parts._replace(path=posixpath.normpath(f"{parts.path}/{url}")).geturl()
    host, separator, path = above.rpartition(":")
    return f"{host}{separator}{posixpath.normpath(f'{path}/{url}')}"


async def _fetch(git: Git, commit: str, place: Whereabouts, access: GitAccess, *options: str) -> RemoteGit:
    remote = local_source(str(place.git_dir)) if place.git_dir else parse_remote(place.url)
    found = RemoteGit(remote, access)
    await found.fetch_tree(git, commit, *options)
    return found


@contextmanager
def _named(path: str, commit: str) -> Iterator[None]:
    """Say of a fault which submodule it is about."""
    try:
        yield
    except (RemoteRefused, RemoteUnavailable) as error:
        words = f"The submodule {shown_path(path)} cannot be had at its commit {commit[:12]}: {error}"
        raise (SourceRefused if isinstance(error, RemoteRefused) else RemoteUnavailable)(words) from None


def _access_for(place: Whereabouts, top: Whereabouts, access: GitAccess) -> GitAccess:
    """What may be used at a submodule's address: no credential of another host than that of the goal's own."""
    if top.git_dir is not None or place.git_dir is not None:
        return access
    with suppress(RemoteRefused):
        if parse_remote(place.url).host == parse_remote(top.url).host:
            return access
    return msgspec.structs.replace(NO_ACCESS, passed=access.passed)


async def _has(git: Git, commit: str) -> bool:
    return (await git.run("cat-file", "-e", f"{checked(commit)}^{{commit}}", codes=(0, 1, 128))).code == 0
