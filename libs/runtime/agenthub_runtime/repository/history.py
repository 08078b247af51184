"""Questions to a goal's history. They change nothing, and any number may run at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from agenthub_events.catalogue.values import FileChange
from agenthub_runtime.repository.errors import CommitMissing, RepositoryError
from agenthub_runtime.repository.git import Git, checked, literal
from agenthub_runtime.repository.shown_paths import meant_paths, shown_path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DIFF_BYTES = 4 << 20
SUBMODULE_MODE = "160000"
_PATHS_A_CALL = 500
_LISTING_BYTES = 64 << 20
_ADDED = " A"


_ENTRIES_KEPT = 100_000


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a commit. `mode` is git's (100644, 100755, 120000 for a link, 160000 for a submodule)."""

    path: str
    mode: str
    blob: str
    size: int


_LISTINGS: dict[tuple[str, str], tuple[FileEntry, ...]] = {}


class Blamed(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that has written a line, and the line."""

    commit: str
    text: str


class History:
    """The read side of a goal's repository; commits and trees are named by their full ids."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._git = Git(path)
        self._trees: dict[str, str] = {}

    async def has(self, commit: str) -> bool:
        """Whether the commit is here, with everything that it builds on."""
        output = await self._git.run("cat-file", "-e", f"{checked(commit)}^{{commit}}", codes=(0, 1, 128))
        return output.code == 0

    async def tree_of(self, commit: str) -> str:
        """The id of the commit's tree. Raises `CommitMissing`."""
        known = self._trees.get(commit)
        if known is not None:
            return known
        output = await self._git.run(
            "rev-parse", "--verify", "--quiet", f"{checked(commit)}^{{tree}}", codes=(0, 1, 128)
        )
        if output.code:
            raise CommitMissing(f"Commit {commit} is not in {self.path.name}; its bundle has not been fetched.")
        self._trees[commit] = output.word
        return output.word

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` contains `older` (a commit contains itself)."""
        output = await self._git.run("merge-base", "--is-ancestor", checked(older), checked(newer), codes=(0, 1))
        return output.code == 0

    async def diff(self, base: str, head: str, path: str | None = None, *, max_bytes: int = DIFF_BYTES) -> str:
        """The change from `base` to `head` (commits or trees) as a patch, renames detected, odd bytes as `\\xff`.

        `path` narrows it to one file or folder. Beyond `max_bytes` it ends with a line that says so.
        """
        output = await self._git.run(
            *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames"),
            *(checked(base), checked(head), *literal(meant_paths(path) if path else ())),
            limit=max_bytes,
        )
        text = output.stdout.decode("utf-8", "backslashreplace")
        return f"{text}\n[the diff is cut here, after {max_bytes} bytes]\n" if output.cut else text

    async def diffstat(self, base: str, head: str) -> list[FileChange]:
        """Lines added and removed in each file (0 for binary ones), and its length afterwards; paths as shown."""
        changes, fresh = await self._numstat(checked(base), checked(head), [])
        lengths = {path: added for path, added, _ in changes if path in fresh}
        for paths in _chunks([path for path, _, _ in changes if path not in fresh]):
            lengths.update({path: added for path, added, _ in (await self._numstat(EMPTY_TREE, head, paths))[0]})
        return [
            FileChange(path=shown_path(path), added=added, removed=removed, lines=lengths.get(path, 0))
            for path, added, removed in changes
        ]

    async def changed_files(self, base: str, head: str) -> list[str]:
        """Paths that `head` adds or changes; what it deletes is left out."""
        output = await self._git.run(
            *("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=d"),
            *(checked(base), checked(head)),
        )
        return output.fields()

    async def files(self, commit: str) -> Sequence[FileEntry]:
        """Every file of the commit, sorted by path. Raises `RepositoryError` where they are too many to list.

        The newest listings are kept: a commit never changes, and is asked for several times in an attempt.
        """
        listing = (str(self.path), checked(commit))
        found = _LISTINGS.pop(listing, None)
        if found is None:
            found = await self._listed(commit)
        _LISTINGS[listing] = found
        while len(_LISTINGS) > 1 and sum(map(len, _LISTINGS.values())) > _ENTRIES_KEPT:
            _LISTINGS.pop(next(iter(_LISTINGS)))
        return found

    async def _listed(self, commit: str) -> tuple[FileEntry, ...]:
        output = await self._git.run(
            "ls-tree", "-r", "-l", "-z", "--full-tree", checked(commit), limit=_LISTING_BYTES
        )
        if output.cut:
            raise RepositoryError(
                f"Commit {commit} has more files than are listed ({_LISTING_BYTES >> 20} MiB of names): such a"
                " tree cannot be worked on."
            )
        return tuple(_file_entry(line) for line in output.fields())

    async def show(self, commit: str, path: str) -> bytes:
        """The content of one file (of a link: its target) by its path, also as shown. Raises `CommitMissing`."""
        for meant in meant_paths(path):
            with suppress(RepositoryError):
                return (await self._git.run("cat-file", "blob", f"{checked(commit)}:{meant}")).stdout
        raise CommitMissing(f"{shown_path(path)} is not a file of commit {commit}.")

    async def blame(self, commit: str, path: str, line: int) -> Blamed:
        """The commit that has written a line (from 1) of a file. Raises `CommitMissing` without such a line."""
        try:
            output = await self._git.run(
                *("blame", "--porcelain", f"-L{int(line)},{int(line)}", checked(commit)), *literal([path])
            )
        except RepositoryError as error:
            raise CommitMissing(f"{path} of commit {commit} has no line {line}.") from error
        head, *_, text = output.stdout.decode("utf-8", "replace").splitlines()
        return Blamed(commit=head.split()[0], text=text.removeprefix("\t"))

    async def contents(self, entries: Sequence[FileEntry]) -> dict[str, bytes]:
        """The contents of many files in one go, by path."""
        blobs = "".join(f"{entry.blob}\n" for entry in entries)
        output = await self._git.run("cat-file", "--batch", data=blobs.encode())
        pieces = _batch(output.stdout, len(entries))
        return {entry.path: data for entry, data in zip(entries, pieces, strict=True)}

    async def beginning(self, entry: FileEntry, max_bytes: int) -> bytes:
        """The content of a file of a commit, or the first `max_bytes` of it."""
        return (await self._git.run("cat-file", "blob", entry.blob, limit=max_bytes)).stdout

    async def _numstat(
        self, base: str, head: str, paths: Sequence[str]
    ) -> tuple[list[tuple[str, int, int]], set[str]]:
        """Each changed path with lines added and removed; and which of them `base` does not have."""
        output = await self._git.run(
            "diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", base, head, *literal(paths)
        )
        fields = iter(output.fields())
        changes, fresh = [], set()
        for field in fields:
            # First what happened to each path, a field behind it; then the numbers, path included.
            if field.startswith(":"):
                path = next(fields)
                if field.endswith(_ADDED):
                    fresh.add(path)
            else:
                changes.append(_numbers(field))
        return changes, fresh


def _numbers(line: str) -> tuple[str, int, int]:
    added, removed, path = line.split("\t", 2)
    return path, int(added) if added != "-" else 0, int(removed) if removed != "-" else 0


def _file_entry(line: str) -> FileEntry:
    described, path = line.split("\t", 1)
    mode, _, blob, size = described.split()
    if size == "BAD":
        raise CommitMissing(f"the content of {shown_path(path)}, {blob}, is not there")
    return FileEntry(path=path, mode=mode, blob=blob, size=0 if size == "-" else int(size))


def _chunks(paths: Sequence[str]) -> Iterable[Sequence[str]]:
    return (paths[start : start + _PATHS_A_CALL] for start in range(0, len(paths), _PATHS_A_CALL))


def _batch(stream: bytes, count: int) -> Iterator[bytes]:
    """Take apart what `git cat-file --batch` wrote: a line with the size, then so many bytes."""
    position = 0
    for _ in range(count):
        end = stream.index(b"\n", position)
        header = stream[position:end].split()
        if len(header) != 3:
            raise CommitMissing(f"Object {header[0].decode()} is not in the repository.")
        start, size = end + 1, int(header[2])
        yield stream[start : start + size]
        position = start + size + 1
