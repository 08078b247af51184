"""Files in Git LFS: trees hold pointers, workspaces hold the content, and commits of agents hold pointers again.

Content is an ordinary blob of the goal's repository under `refs/lfs/<sha256>`, so that it travels in bundles.
Which files it is about is asked of git itself, in a folder where no rule of the hub outranks those of the tree.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import msgspec

from agenthub_runtime.repository.bundles import LFS, may_have_names, name_all
from agenthub_runtime.repository.git import Git, checked
from agenthub_runtime.repository.history import FileEntry, History
from agenthub_runtime.repository.trees import delete_tree

RULES = ".gitattributes"
_RULE = b"filter=lfs"
_FULL_PATHS = (b"DIRC\0\0\0\2", b"DIRC\0\0\0\3")
_PLAIN = "100"
_POINTER_BYTES = 1_024
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """A file in Git LFS: where it is, the pointer that the tree holds, and what it points to."""

    path: str
    blob: str
    mode: str
    digest: str
    size: int


def has_git_lfs() -> bool:
    """Whether this machine has git's program for it."""
    return shutil.which("git-lfs") is not None


async def pointers_of(git: Git, commit: str) -> list[Pointer]:
    """The pointers in a commit's tree to which its own rules apply. Raises `RepositoryError`."""
    history = History(git.git_dir)
    entries = [entry for entry in await history.files(commit) if entry.mode.startswith(_PLAIN)]
    if not await _has_rules(history, entries):
        return []
    small = [entry for entry in entries if 0 < entry.size <= _POINTER_BYTES]
    meant = await _filtered(git, commit, [entry.path for entry in small])
    contents = await history.contents([entry for entry in small if entry.path in meant])
    found: list[Pointer] = []
    for entry in small:
        if match := _POINTER.fullmatch(contents.get(entry.path, b"")):
            found.append(_pointer(entry, match[1].decode(), int(match[2])))
    return found


async def paths_in_lfs(git: Git, commit: str) -> set[str]:
    """The files of a tree to which its rules apply; of blobs only those of the rules have to be here."""
    listed = await git.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", checked(commit))
    return await _filtered(git, commit, listed.fields())


async def worked_tree(git: Git, commit: str, contents: Mapping[str, str]) -> str:
    """What a workspace of a commit holds: its tree with the content of its files in Git LFS.

    `contents` is what is here of it (`contents_of`); for the rest the pointers stay.
    """
    if not contents:
        return commit
    pointers = [pointer for pointer in await pointers_of(git, commit) if pointer.digest in contents]
    if not pointers:
        return commit
    lines = (f"{p.mode} {contents[p.digest]}\t{p.path}\0" for p in pointers)
    async with _index(git, writes=True) as index:
        await index.run("read-tree", commit)
        return await _rewritten(index, lines)


async def stored_tree(git: Git, index: Git, parent: str, contents: Mapping[str, str]) -> str:
    """What a commit on `parent` holds of the index of a workspace: pointers where its own rules say so."""
    tree = (await index.run("write-tree")).word
    if not contents and not await _index_has_rules(git, index):
        return tree
    by_blob = {blob: digest for digest, blob in contents.items()}
    known = {pointer.path: pointer for pointer in await pointers_of(git, parent)} if contents else {}
    changed = await _changed(git, parent, tree)
    meant = await _filtered(git, tree, sorted({*known, *changed}))
    lines: list[str] = []
    fresh: list[tuple[str, str]] = []
    for path in sorted(meant & changed.keys()):
        mode, blob = changed[path]
        pointer = known.get(path)
        if pointer is not None and by_blob.get(blob) == pointer.digest:
            lines.append(f"{mode} {pointer.blob}\t{path}\0")
            continue
        data = (await git.run("cat-file", "blob", blob)).stdout
        if not data or _POINTER.fullmatch(data):
            continue
        digest = hashlib.sha256(data).hexdigest()
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"
        stored = (await git.run("hash-object", "-w", "--stdin", data=text.encode())).word
        fresh.append((blob, f"{LFS}{digest}"))
        lines.append(f"{mode} {stored}\t{path}\0")
    await name_all(git, fresh)
    if not lines:
        return tree
    async with _index(git, writes=True) as fresh_index:
        await fresh_index.run("read-tree", tree)
        return await _rewritten(fresh_index, lines)


async def names_beside(git: Git, base: str | None, head: str) -> list[str]:
    """The names of the content that `head` has beyond `base`: what a bundle of it carries."""
    contents = await contents_of(git)
    if not contents:
        return []
    before = {p.digest for p in await pointers_of(git, base)} if base else set()
    after = {p.digest for p in await pointers_of(git, head)}
    return [f"{LFS}{digest}" for digest in sorted((after - before) & contents.keys())]


async def take_objects(git: Git, pointers: Iterable[Pointer], folder: Path) -> list[Pointer]:
    """Take content out of a folder as `git lfs` keeps it; the pointers whose content is not there, or damaged."""
    contents = await contents_of(git)
    missing: list[Pointer] = []
    for pointer in pointers:
        if pointer.digest in contents:
            continue
        file = object_in(folder, pointer.digest)
        if await asyncio.to_thread(_digest, file) != pointer.digest:
            missing.append(pointer)
            continue
        blob = (await git.run("hash-object", "-w", "--no-filters", str(file), literal_paths=False)).word
        contents[pointer.digest] = blob
        await name_all(git, [(blob, f"{LFS}{pointer.digest}")])
    return missing


async def give_objects(git: Git, digests: Iterable[str], folder: Path) -> None:
    """Put content into a folder as `git lfs` keeps it."""
    for digest in digests:
        file = object_in(folder, digest)
        await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
        data = (await git.run("cat-file", "blob", f"{LFS}{digest}")).stdout
        await asyncio.to_thread(file.write_bytes, data)


async def put_objects(git: Git, digests: Iterable[str], folder: Path) -> None:
    """Put content into a folder in which others look for it meanwhile: whole, or not at all."""
    missing = [digest for digest in digests if not await asyncio.to_thread(object_in(folder, digest).exists)]
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=".agenthub-", dir=folder))
    try:
        await give_objects(git, missing, scratch)
        for digest in missing:
            place = object_in(folder, digest)
            await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(object_in(scratch, digest).rename, place)
    finally:
        await asyncio.to_thread(delete_tree, scratch)


def object_in(folder: Path, digest: str) -> Path:
    """The place of an object below a folder `lfs/objects`."""
    return folder / digest[:2] / digest[2:4] / digest


def _pointer(entry: FileEntry, digest: str, size: int) -> Pointer:
    return Pointer(path=entry.path, blob=entry.blob, mode=entry.mode, digest=digest, size=size)


async def _has_rules(history: History, entries: Sequence[FileEntry]) -> bool:
    rules = [e for e in entries if PurePosixPath(e.path).name == RULES and e.mode.startswith(_PLAIN)]
    return bool(rules) and any(_RULE in text for text in (await history.contents(rules)).values())


async def contents_of(git: Git) -> dict[str, str]:
    """The blobs of all content that is here, by its sha256."""
    if not await asyncio.to_thread(may_have_names, git.git_dir, (LFS,)):
        return {}
    listed = await git.run("for-each-ref", "--format=%(objectname) %(refname)", LFS)
    pairs = (line.split() for line in listed.text.splitlines())
    return {name.removeprefix(LFS): blob for blob, name in pairs}


async def _index_has_rules(git: Git, index: Git) -> bool:
    if not await asyncio.to_thread(_may_name_rules, index.index):
        return False
    listed = await index.run("ls-files", "--stage", "-z", "--", f":(glob)**/{RULES}", literal_paths=False)
    blobs = "".join(f"{line.split()[1]}\n" for line in listed.fields())
    return bool(blobs) and _RULE in (await git.run("cat-file", "--batch", data=blobs.encode())).stdout


def _may_name_rules(index: Path) -> bool:
    """Whether a path of an index can end so: its usual forms hold every path in full."""
    content = index.read_bytes()
    return content[:8] not in _FULL_PATHS or RULES.encode() in content


async def _filtered(git: Git, tree: str, paths: Sequence[str]) -> set[str]:
    """Those of `paths` that the `.gitattributes` of a tree give to Git LFS."""
    if not paths:
        return set()
    async with _index(git) as index:
        await index.run("read-tree", tree)
        asked = os.fsencode("".join(f"{path}\0" for path in paths))
        told = await index.run(
            "check-attr", "--cached", "--stdin", "-z", "filter", data=asked, literal_paths=False
        )
    parts = iter(told.text.split("\0"))
    return {path for path, _, value in zip(*[parts] * 3, strict=False) if value == "lfs"}


async def _changed(git: Git, parent: str, tree: str) -> Mapping[str, tuple[str, str]]:
    raw = await git.run(
        "diff-tree", "-r", "-z", "--raw", "--no-renames", "--abbrev=40", "--diff-filter=d", parent, tree
    )
    fields = raw.fields()
    described = (line.split() for line in fields[::2])
    pairs = zip(described, fields[1::2], strict=True)
    return {path: (words[1], words[3]) for words, path in pairs if words[1].startswith(_PLAIN)}


async def _rewritten(index: Git, lines: Iterable[str]) -> str:
    await index.run("update-index", "-z", "--index-info", data=os.fsencode("".join(lines)))
    return (await index.run("write-tree")).word


@asynccontextmanager
async def _index(git: Git, *, writes: bool = False) -> AsyncIterator[Git]:
    """An index of its own over the objects of `git`, where nothing outranks the rules of a tree.

    `writes`: new objects go to those of `git`.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="agenthub-lfs-"))
    where = "GIT_OBJECT_DIRECTORY" if writes else "GIT_ALTERNATE_OBJECT_DIRECTORIES"
    objects = (await git.run("rev-parse", "--git-path", "objects", literal_paths=False)).word
    place = str(git.git_dir / objects)
    own = Git(folder / "git", {where: place, "GIT_INDEX_FILE": str(folder / "index")})
    try:
        await own.run("init", "--quiet", "--bare", "--object-format=sha1", "--template=")
        yield own
    finally:
        await asyncio.to_thread(delete_tree, folder)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
