"""The repository of one goal: what workers and the gateway do with its branch.

It is a cache. The log names every commit and the bundle that carries it, so a lost folder is made again from the
bundles; nobody trusts a reference in it. Every commit that the log may name is kept under `refs/agenthub/<id>`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agenthub_events.catalogue.values import LeftOut
from agenthub_events.ports import Artifacts
from agenthub_runtime.file_lock import try_lock
from agenthub_runtime.repository.errors import BundleInvalid, CommitMissing, RepositoryError
from agenthub_runtime.repository.git import ATTRIBUTES, EXCLUDES, Git, checked
from agenthub_runtime.repository.history import EMPTY_TREE, History
from agenthub_runtime.repository.source import UPLOAD_PACK, examine
from agenthub_runtime.repository.trees import GONE, delete_tree
from agenthub_runtime.repository.workspaces import Snapshot, make_workspace, remove_workspace, take_snapshot

ROOT_COMMIT = "94f9702636ea142eadff7e880a528dca988509f6"
"""The empty commit from which every goal without a repository starts; the same bytes on every machine."""

_ROOT_MESSAGE = "Start from nothing\n"
_ROOT_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_KEPT = "refs/agenthub/"
_LOCK_PAUSE_S = 0.02


class Link(msgspec.Struct, frozen=True):
    """One step of a branch as the log tells it: the bundle that was stored, and the commit that it leads to."""

    bundle_digest: str
    head: str


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as a commit; `changed` False: it equals its parent, and `commit` is the parent.

    `left_out` and `litter` are as in `Snapshot`.
    """

    commit: str
    tree: str
    changed: bool
    left_out: tuple[LeftOut, ...] = ()
    litter: tuple[LeftOut, ...] = ()


class Merged(msgspec.Struct, frozen=True):
    """Both sides are in `commit`, which is one of the two when no new commit was needed."""

    commit: str
    tree: str


class Conflicted(msgspec.Struct, frozen=True):
    """The sides change the same places in these files; nothing was changed."""

    files: tuple[str, ...]


class GoalRepository(History):
    """A bare repository of one goal in its own folder. Make one with `GoalRepository.open`."""

    def __init__(self, path: Path, artifacts: Artifacts) -> None:
        super().__init__(path)
        self._artifacts = artifacts
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, artifacts: Artifacts) -> GoalRepository:
        """The repository in the folder `path`, made with the root commit when it does not exist yet."""
        repository = cls(path, artifacts)
        async with repository._alone():
            if not await asyncio.to_thread(path.exists):
                await repository._create()
            # Under the lock: who asks whether it is in use finds it used, or does not find it.
            await asyncio.to_thread(os.utime, path)
        return repository

    async def remove_unless_used(self, since: float) -> bool:
        """Remove the folder unless somebody has opened it after `since` (seconds of the file system's clock)."""
        gone = self.path.with_name(f"{GONE}{self.path.name}")
        async with self._alone():
            if not await asyncio.to_thread(_set_aside, self.path, gone, since):
                return False
        await asyncio.to_thread(delete_tree, gone)
        return True

    async def materialise(self, links: Sequence[Link]) -> None:
        """Bring the branch that `links` tell (oldest first) into the folder; what is here is not fetched again.

        Raises `ArtifactMissing`, `BundleInvalid`, and `CommitMissing` when a bundle does not hold its head.
        """
        if not links or await self._keeps(links[-1].head):
            return
        async with self._alone():
            for link in links:
                if await self._keeps(link.head):
                    continue
                heads = await self._unbundle(await self._artifacts.get(link.bundle_digest))
                if link.head not in heads:
                    raise CommitMissing(
                        f"Bundle {link.bundle_digest[:12]} leads to {', '.join(heads) or 'nothing'}, "
                        f"the log says {link.head}."
                    )

    async def absorb(self, data: bytes) -> tuple[str, ...]:
        """Take in a bundle and return the commits that it leads to. Raises `BundleInvalid`."""
        async with self._alone():
            return await self._unbundle(data)

    async def bundle(self, base: str | None, head: str) -> bytes:
        """What `head` has beyond `base` (None: everything), for `absorb` elsewhere."""
        await self._keep(head)
        beyond = [f"^{checked(base)}"] if base else []
        output = await self._git.run("bundle", "create", "--quiet", "-", f"{_KEPT}{head}", *beyond)
        return output.stdout

    async def full_bundle(self, head: str, branch: str) -> bytes:
        """A bundle that `git clone` takes: the whole history of `head` as HEAD and as `branch`."""
        await self.tree_of(head)
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-bundle-"))
        try:
            git = Git(folder, {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.path / "objects")})
            await git.run("check-ref-format", "--branch", branch)
            await git.run(
                "init", "--quiet", "--bare", "--object-format=sha1", "--template=", f"--initial-branch={branch}"
            )
            await git.run("update-ref", f"refs/heads/{branch}", head)
            bundled = await git.run("bundle", "create", "--quiet", "-", "HEAD", f"refs/heads/{branch}")
            return bundled.stdout
        finally:
            await asyncio.to_thread(delete_tree, folder)

    async def import_local(self, source: Path) -> str:
        """Bring in the HEAD of a repository on this machine and return its commit. Raises `RepositoryError`.

        `SourceRefused` when its state does not allow it.
        """
        await examine(source)
        async with self._alone():
            await self._git.run(
                *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", f"--upload-pack={UPLOAD_PACK}"),
                *("--", str(source), "+HEAD:refs/import/head"),
            )
            head = (await self._git.run("rev-parse", "--verify", "refs/import/head^{commit}")).word
            await self._keep(head)
            return head

    async def exclusively(self, act: Callable[[Git], Awaitable[str]]) -> str:
        """Let `act` work in this repository, alone, and keep the commit that it returns. Raises as it does."""
        async with self._alone():
            commit = await act(self._git)
            await self._keep(commit)
            return commit

    async def checkout(self, commit: str, path: Path) -> None:
        """Make the folder `path` a workspace with the files of `commit`; what was there before is replaced."""
        await self.tree_of(commit)
        await make_workspace(self._git, commit, path)

    async def discard_workspace(self, path: Path) -> None:
        """Delete a workspace; one that does not exist is no error."""
        await asyncio.to_thread(remove_workspace, path)

    async def snapshot(self, path: Path, parent: str) -> Snapshot:
        """The tree of a workspace that was checked out here, without a commit. Raises `WorkspaceRefused`."""
        return await take_snapshot(self._git, path, parent)

    async def commit_workspace(self, path: Path, *, parent: str, message: str, when: datetime) -> Committed:
        """Store a workspace as a commit on `parent`, its time `when`. Raises `WorkspaceRefused`."""
        taken = await self.snapshot(path, parent)
        changed = taken.tree != await self.tree_of(parent)
        commit = await self._commit(taken.tree, (parent,), message, when) if changed else parent
        return Committed(
            commit=commit, tree=taken.tree, changed=changed, left_out=taken.left_out, litter=taken.litter
        )

    async def merge(self, *, ours: str, theirs: str, message: str, when: datetime) -> Merged | Conflicted:
        """Join two commits without a work tree; equal input makes an equal commit on every machine."""
        for older, newer in ((ours, theirs), (theirs, ours)):
            if await self.is_ancestor(older, newer):
                return Merged(newer, await self.tree_of(newer))
        output = await self._git.run(
            *("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs), codes=(0, 1)
        )
        tree, *files = output.fields()
        if output.code:
            return Conflicted(tuple(sorted(set(files))))
        return Merged(await self._commit(tree, (ours, theirs), message, when), tree)

    async def _commit(self, tree: str, parents: Sequence[str], message: str, when: datetime) -> str:
        stamp = f"@{int(when.timestamp())} +0000"
        git = self._git.with_environment(GIT_AUTHOR_DATE=stamp, GIT_COMMITTER_DATE=stamp)
        ancestry = [word for parent in parents for word in ("-p", checked(parent))]
        commit = (await git.run("commit-tree", tree, *ancestry, data=message.encode())).word
        await self._keep(commit)
        return commit

    async def _keep(self, commit: str) -> None:
        await self._git.run("update-ref", f"{_KEPT}{checked(commit)}", commit)

    async def _keeps(self, commit: str) -> bool:
        name = f"{_KEPT}{checked(commit)}"
        output = await self._git.run("rev-parse", "--verify", "--quiet", name, codes=(0, 1, 128))
        return output.code == 0

    async def _unbundle(self, data: bytes) -> tuple[str, ...]:
        file = await asyncio.to_thread(_spool, data, self.path)
        try:
            listed = await self._git.run("bundle", "unbundle", str(file))
        except RepositoryError as error:
            raise BundleInvalid(f"A bundle of {len(data)} bytes cannot be taken in: {error}") from error
        finally:
            file.unlink(missing_ok=True)
        heads = tuple(dict.fromkeys(line.split()[0] for line in listed.text.splitlines()))
        for head in heads:
            await self._keep(head)
        return heads

    async def _create(self) -> None:
        """Make the repository under a temporary name, so that a half made one is never found."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=".new-", dir=self.path.parent))
        fresh = GoalRepository(folder, self._artifacts)
        await fresh._git.run(
            "init", "--quiet", "--bare", "--object-format=sha1", "--template=", "--initial-branch=main"
        )
        await asyncio.to_thread(_write_rules, folder)
        await fresh._git.run("hash-object", "-t", "tree", "-w", "--stdin", data=b"")
        root = await fresh._commit(EMPTY_TREE, (), _ROOT_MESSAGE, _ROOT_TIME)
        if root != ROOT_COMMIT:
            raise RepositoryError(
                f"git made the root commit {root} instead of {ROOT_COMMIT}: use git 2.39 or newer."
            )
        await asyncio.to_thread(folder.rename, self.path)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One writer at a time, in this process and among all processes on the folder."""
        async with self._turn:
            await asyncio.to_thread(self.path.parent.mkdir, parents=True, exist_ok=True)
            lock = os.open(
                self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                while not try_lock(lock):  # noqa: ASYNC110 - its holder may be another process
                    await asyncio.sleep(_LOCK_PAUSE_S)
                yield
            finally:
                os.close(lock)


def _set_aside(path: Path, gone: Path, since: float) -> bool:
    try:
        unused = path.stat().st_mtime < since
        if unused:
            path.rename(gone)
    except OSError:
        return False  # another process was faster
    return unused


def _write_rules(git_dir: Path) -> None:
    info = git_dir / "info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text(ATTRIBUTES)
    (info / "exclude").write_text(EXCLUDES)


def _spool(data: bytes, folder: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix="bundle-", dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return Path(name)
