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
from agenthub_runtime.repository.bundles import (
    KEPT,
    SHALLOW,
    SUBMODULES,
    TAGS,
    cut_history,
    name_all,
    named,
    names_below,
    take_in,
    write_bundle,
)
from agenthub_runtime.repository.errors import CommitMissing, RepositoryError
from agenthub_runtime.repository.git import ATTRIBUTES, EXCLUDES, QUICK_PACKING, Git, checked, upload_pack
from agenthub_runtime.repository.history import EMPTY_TREE, SUBMODULE_MODE, History
from agenthub_runtime.repository.loose.commits import write_commit, write_name
from agenthub_runtime.repository.seen_history import objects_of
from agenthub_runtime.repository.sources.fetching import HISTORY_BYTES, OVER_LIMIT, fetch_bounded
from agenthub_runtime.repository.sources.lfs import names_beside
from agenthub_runtime.repository.sources.source import examine, not_fetched
from agenthub_runtime.repository.trees import GONE, delete_tree
from agenthub_runtime.repository.workspaces import (
    Snapshot,
    make_workspace,
    remove_workspace,
    take_file,
    take_snapshot,
)

ROOT_COMMIT = "94f9702636ea142eadff7e880a528dca988509f6"
"""The empty commit from which every goal without a repository starts; the same bytes on every machine."""

_ROOT_MESSAGE = "Start from nothing\n"
_ROOT_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_ANY_CODE = range(256)
_SCRATCH, _HEADS = "bundle-", "refs/heads/"
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
        # Those of commits that were made here.
        self._parents: dict[str, tuple[str, ...]] = {}

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

    @property
    def objects(self) -> Path:
        """What the history of a workspace is read from; sandboxes show it, read-only, under this very path."""
        return objects_of(self.path)

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
                heads = await self._unbundle(link.bundle_digest)
                if link.head not in heads:
                    raise CommitMissing(
                        f"Bundle {link.bundle_digest[:12]} leads to {', '.join(heads) or 'nothing'}, "
                        f"the log says {link.head}."
                    )

    async def absorb(self, digest: str) -> tuple[str, ...]:
        """Take in a stored bundle and return the commits that it leads to.

        Raises `ArtifactMissing` and `BundleInvalid`.
        """
        async with self._alone():
            return await self._unbundle(digest)

    async def bundle(self, base: str | None, head: str, *, fetched: bool = False) -> str:
        """Store what `head` has beyond `base` (None: everything), for `absorb` elsewhere; its digest.

        `fetched`: between them is what was fetched, which may have brought submodules of its own.
        """
        await self._keep(head)
        async with self._scratch() as folder:
            beside = await names_beside(self._git, base, head)
            beside += await names_below(self._git, SHALLOW, SUBMODULES, TAGS) if base and fetched else []
            await write_bundle(self._git, folder / "bundle", base, head, beside)
            return await self._artifacts.put_file(folder / "bundle")

    @contextlib.asynccontextmanager
    async def full_bundle(self, head: str, branch: str) -> AsyncIterator[Path]:
        """A file with a bundle of all that is here of the history of `head`, as HEAD and as `branch`.

        `git clone` takes it, unless the history is cut: then it holds the names of where it is.
        """
        await self.tree_of(head)
        async with self._scratch() as folder:
            git = Git(folder / "git", {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.path / "objects")})
            await git.run("check-ref-format", "--branch", branch)
            await git.run(
                "init", "--quiet", "--bare", "--object-format=sha1", "--template=", f"--initial-branch={branch}"
            )
            large = await named(self._git, await names_beside(self._git, None, head))
            cut = [name.removeprefix(SHALLOW) for name in await names_below(self._git, SHALLOW)]
            await cut_history(git, cut)
            names = [(head, f"refs/heads/{branch}"), *((one, f"{SHALLOW}{one}") for one in cut), *large]
            await name_all(git, names)
            file = folder / "bundle"
            beside = [name for _, name in names[1:]]
            await git.run(
                *QUICK_PACKING, "bundle", "create", "--quiet", str(file), "HEAD", f"refs/heads/{branch}", *beside
            )
            yield file

    async def import_local(self, source: Path, *, history_bytes: int = HISTORY_BYTES) -> str:
        """Bring in the HEAD of a repository on this machine, with its tags, and return its commit.

        Raises `RepositoryError`; `SourceRefused` when its state does not allow it. A history of more than
        `history_bytes` is cut.
        """
        await examine(source)

        async def fetch(options: Sequence[str], limit: int) -> bool:
            output = await self._git.with_environment(GIT_ALLOW_PROTOCOL="file").run(
                *("fetch", "--quiet", "--no-write-fetch-head", "--update-shallow", *options),
                *(f"--upload-pack={upload_pack(source)}", "--", str(source), "+HEAD:refs/import/head"),
                codes=_ANY_CODE,
                file_bytes=limit,
            )
            if output.code and OVER_LIMIT not in output.stderr:
                raise not_fetched(source, output.stderr)
            return not output.code

        async with self._alone():
            await fetch_bounded(self._git, fetch, history_bytes)
            head = (await self._git.run("rev-parse", "--verify", "refs/import/head^{commit}")).word
            await self._keep(head)
            return head

    async def commits_before_the_cut(self, commit: str) -> int:
        """How many commits are here of a history that was cut; 0: it is here from its beginning."""
        cut = {name.removeprefix(SHALLOW) for name in await names_below(self._git, SHALLOW)}
        if not cut:
            return 0
        known = (await self._git.run("rev-list", checked(commit))).text.split()
        return len(known) if cut & set(known) else 0

    async def submodules(self, commit: str) -> tuple[str, ...]:
        """The places of a commit's tree that belong to other repositories."""
        return tuple(entry.path for entry in await self.files(commit) if entry.mode == SUBMODULE_MODE)

    async def exclusively(self, act: Callable[[Git], Awaitable[str]]) -> str:
        """Let `act` work in this repository, alone, and keep the commit that it returns. Raises as it does."""
        async with self._alone():
            commit = await act(self._git)
            await self._keep(commit)
            return commit

    async def checkout(self, commit: str, path: Path, *, head: str = "") -> None:
        """Make the folder `path` a workspace with the files of `commit`; what was there before is replaced.

        Commands in it see a history of which `head` (empty: `commit`) is checked out.
        """
        await self.tree_of(commit)
        await make_workspace(self._git, commit, path, head and checked(head))

    async def discard_workspace(self, path: Path) -> None:
        """Delete a workspace; one that does not exist is no error."""
        await asyncio.to_thread(remove_workspace, path)

    async def snapshot(self, path: Path, parent: str) -> Snapshot:
        """The tree of a workspace that was checked out here, without a commit. Raises `WorkspaceRefused`."""
        return await take_snapshot(self._git, path, parent, await self.tree_of(parent))

    async def commit_file(
        self, path: Path, name: str, *, parent: str, message: str, when: datetime
    ) -> Committed | None:
        """As `commit_workspace`, where a file has been written since `parent` and nothing else was touched.

        None: the whole workspace has to be looked at. What is left out of it is as it was.
        """
        tree = await take_file(self._git, path, parent, name)
        if tree is None:
            return None
        changed = tree != await self.tree_of(parent)
        commit = await self._commit(tree, (parent,), message, when) if changed else parent
        return Committed(commit=commit, tree=tree, changed=changed)

    async def commit_workspace(self, path: Path, *, parent: str, message: str, when: datetime) -> Committed:
        """Store a workspace as a commit on `parent`, its time `when`. Raises `WorkspaceRefused`."""
        taken = await self.snapshot(path, parent)
        changed = taken.tree != await self.tree_of(parent)
        commit = await self._commit(taken.tree, (parent,), message, when) if changed else parent
        return Committed(
            commit=commit, tree=taken.tree, changed=changed, left_out=taken.left_out, litter=taken.litter
        )

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` contains `older` (a commit contains itself)."""
        return older in (newer, *self._parents.get(newer, ())) or await super().is_ancestor(older, newer)

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

    async def merge_marked(self, ours: tuple[str, str], theirs: tuple[str, str]) -> str:
        """A commit of both sides, each with the name that marks its part of every conflict: for a workspace alone.

        Equal input makes an equal commit on every machine.
        """
        sides = [(f"{_HEADS}{name}", commit) for name, commit in (ours, theirs)]
        async with self._alone():
            # git marks a conflict with the names that it is given.
            await name_all(self._git, [(commit, name) for name, commit in sides])
            names = (ours[0], theirs[0])
            output = await self._git.run("merge-tree", "--write-tree", "--no-messages", "-z", *names, codes=(0, 1))
            await self._git.run(
                "update-ref", "--stdin", data="".join(f"delete {name}\n" for name, _ in sides).encode()
            )
        message = f"Merge {theirs[0]} into {ours[0]}, with its conflicts\n"
        return await self._commit(output.fields()[0], (ours[1], theirs[1]), message, _ROOT_TIME)

    async def join(self, tree: str, parents: tuple[str, str], message: str, when: datetime) -> Committed:
        """A merge of two commits whose outcome is `tree`."""
        return Committed(commit=await self._commit(tree, parents, message, when), tree=tree, changed=True)

    async def _commit(self, tree: str, parents: Sequence[str], message: str, when: datetime) -> str:
        above = [checked(parent) for parent in parents]
        commit = await asyncio.to_thread(write_commit, self.path, tree, above, message, when)
        await asyncio.to_thread(write_name, self.path, f"{KEPT}{commit}", commit)
        await self._keep(commit)
        self._trees[commit] = tree
        self._parents[commit] = tuple(parents)
        return commit

    async def _keep(self, commit: str) -> None:
        if not await asyncio.to_thread(self._is_named, commit):
            await self._git.run("update-ref", f"{KEPT}{checked(commit)}", commit)

    def _is_named(self, commit: str) -> bool:
        """Whether the name of the commit lies there as a file; a packed one is found by git alone."""
        try:
            return (self.path / f"{KEPT}{checked(commit)}").read_text() == f"{commit}\n"
        except OSError:
            return False

    async def _keeps(self, commit: str) -> bool:
        if await asyncio.to_thread(self._is_named, commit):
            return True
        name = f"{KEPT}{checked(commit)}"
        output = await self._git.run("rev-parse", "--verify", "--quiet", name, codes=(0, 1, 128))
        return output.code == 0

    async def _unbundle(self, digest: str) -> tuple[str, ...]:
        async with self._scratch() as folder:
            await self._artifacts.get_file(digest, folder / "bundle")
            return await take_in(self._git, folder / "bundle")

    @contextlib.asynccontextmanager
    async def _scratch(self) -> AsyncIterator[Path]:
        """A folder for files that are needed for a moment, on the disk of the repository."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=_SCRATCH, dir=self.path))
        try:
            yield folder
        finally:
            await asyncio.to_thread(delete_tree, folder)

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
