"""Repositories without files: a commit is the set of changes that it holds, named by their hash.

Stands where `GoalRepository` stands, below workspaces and merges. As with git, a machine knows only the commits
that it has made or got in a bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from agenthub_events.catalogue.values import FileChange
from agenthub_events.ports import Artifacts
from agenthub_runtime.repository.errors import CommitMissing
from agenthub_runtime.repository.goal import ROOT_COMMIT, Committed, Conflicted, Link, Merged
from agenthub_runtime.repository.history import FileEntry
from agenthub_runtime.repository.workspaces import Snapshot

CLASH = "clash/"
SOLVED = "solved/"


class Commit(msgspec.Struct, frozen=True):
    """The changes that a commit holds, and its parents."""

    changes: tuple[str, ...]
    parents: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """40 hexadecimal digits, the same on every machine."""
        return hashlib.sha1(msgspec.json.encode(self), usedforsecurity=False).hexdigest()


class Disk:
    """The disk of one machine: commits and workspaces."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {ROOT_COMMIT: Commit(())}
        self.workspaces: dict[Path, set[str]] = {}
        self.trees: dict[str, tuple[str, ...]] = {}


class ChangeSets:
    """A goal's repository on one disk."""

    def __init__(self, path: Path, disk: Disk, artifacts: Artifacts) -> None:
        self.path = path
        self._disk = disk
        self._artifacts = artifacts

    async def has(self, commit: str) -> bool:
        return commit in self._disk.commits

    async def materialise(self, links: Sequence[Link]) -> None:
        for link in links:
            if link.head not in self._disk.commits:
                await self.absorb(link.bundle_digest)
            self._commit(link.head)

    async def absorb(self, digest: str) -> tuple[str, ...]:
        commits = msgspec.json.decode(await self._artifacts.get(digest), type=list[Commit])
        self._disk.commits.update((commit.id, commit) for commit in commits)
        return (commits[-1].id,)

    async def bundle(self, base: str | None, head: str, *, fetched: bool = False) -> str:
        known = self._line_of(base) if base else {}
        beyond = [commit for key, commit in self._line_of(head).items() if key not in known]
        return await self._artifacts.put(msgspec.json.encode(beyond or [self._commit(head)]))

    async def checkout(self, commit: str, path: Path, *, head: str = "") -> None:
        self._disk.workspaces[path] = set(self._commit(commit).changes)

    async def discard_workspace(self, path: Path) -> None:
        self._disk.workspaces.pop(path, None)

    async def snapshot(self, path: Path, parent: str) -> Snapshot:
        return Snapshot(tree=self._make(self._disk.workspaces[path], (parent,)))

    async def commit_workspace(self, path: Path, *, parent: str, message: str, when: datetime) -> Committed:
        changes = self._disk.workspaces[path]
        if changes == set(self._commit(parent).changes):
            return Committed(commit=parent, tree=self._tree(parent), changed=False)
        commit = self._make(changes, (parent,))
        return Committed(commit=commit, tree=self._tree(commit), changed=True)

    async def commit_file(
        self, path: Path, name: str, *, parent: str, message: str, when: datetime
    ) -> Committed | None:
        return await self.commit_workspace(path, parent=parent, message=message, when=when)

    async def merge(self, *, ours: str, theirs: str, message: str, when: datetime) -> Merged | Conflicted:
        mine, other = set(self._commit(ours).changes), set(self._commit(theirs).changes)
        clashes = {change.removeprefix(CLASH) for change in other - mine if change.startswith(CLASH)}
        unsolved = sorted(name for name in clashes if f"{SOLVED}{name}" not in other)
        if unsolved:
            return Conflicted(tuple(unsolved))
        merged = self._make(mine | other, (ours, theirs))
        return Merged(merged, self._tree(merged))

    async def merge_marked(self, ours: tuple[str, str], theirs: tuple[str, str]) -> str:
        changes = set(self._commit(ours[1]).changes) | set(self._commit(theirs[1]).changes)
        return self._make(changes, (ours[1], theirs[1]))

    async def join(self, tree: str, parents: tuple[str, str], message: str, when: datetime) -> Committed:
        return Committed(commit=self._make(set(self._disk.trees[tree]), parents), tree=tree, changed=True)

    def begin(self) -> str:
        """The commit with which goals on a repository begin."""
        return self._make({"imported"}, (ROOT_COMMIT,))

    def others(self, base: str, name: str, clash: str) -> str:
        """What others have made of `base`; it conflicts with everything that has not settled `clash`."""
        more = {f"theirs/{name}"} | ({f"{CLASH}{clash}"} if clash else set())
        return self._make(set(self._commit(base).changes) | more, (base,))

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    async def submodules(self, commit: str) -> tuple[str, ...]:
        return ()

    async def contents(self, entries: Sequence[FileEntry]) -> dict[str, bytes]:
        return {}

    async def is_ancestor(self, older: str, newer: str) -> bool:
        return older in self._line_of(newer)

    async def diff(self, base: str, head: str, path: str | None = None, *, max_bytes: int = 0) -> str:
        changes = sorted(set(self._commit(head).changes) - set(self._commit(base).changes))
        return "".join(f"diff --git a/{change} b/{change}\n" for change in changes)

    async def diffstat(self, base: str, head: str) -> list[FileChange]:
        added = set(self._commit(head).changes) - set(self._commit(base).changes)
        return [FileChange(path=change, added=1, removed=0) for change in sorted(added)]

    async def changed_files(self, base: str, head: str) -> list[str]:
        """What was added."""
        return [change.path for change in await self.diffstat(base, head)]

    async def files(self, commit: str) -> list[FileEntry]:
        return []

    async def tree_of(self, commit: str) -> str:
        return self._tree(commit)

    def _make(self, changes: set[str], parents: tuple[str, ...]) -> str:
        commit = Commit(tuple(sorted(changes)), parents)
        self._disk.trees[Commit(commit.changes).id] = commit.changes
        self._disk.commits[commit.id] = commit
        return commit.id

    def _tree(self, commit: str) -> str:
        return Commit(self._commit(commit).changes).id

    def _commit(self, commit: str) -> Commit:
        try:
            return self._disk.commits[commit]
        except KeyError:
            raise CommitMissing(f"{commit} is not on this disk") from None

    def _line_of(self, commit: str) -> dict[str, Commit]:
        """The commit and everything before it, the oldest first."""
        found: dict[str, Commit] = {}

        def visit(key: str) -> None:
            if key not in found and key != ROOT_COMMIT:
                for parent in self._commit(key).parents:
                    visit(parent)
                found[key] = self._commit(key)

        visit(commit)
        return found
