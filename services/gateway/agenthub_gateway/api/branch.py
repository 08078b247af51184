"""What agents have made: the goal's branch as a diff, as files, and as a repository to clone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Response, get
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from agenthub_gateway.api.access import no_goal, says
from agenthub_gateway.api.payloads.responses import DiffView, FileList
from agenthub_gateway.api.reading import Reading, ReadingParam
from agenthub_gateway.errors import NotFound
from agenthub_runtime.readmodels import MergeRow, Position, get_goal, merge_chain
from agenthub_runtime.repository.cache import open_kept
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository, Link
from agenthub_runtime.repository.shown_paths import shown_path

_TAGS = ["Results"]
BUNDLE_TYPE = "application/x-git-bundle"
_PIECE = 1 << 20


AtSeq = Annotated[
    int | None, QueryParameter(name="at_seq", ge=1, description="As the branch stood at this event of the log.")
]


class Branch(msgspec.Struct, frozen=True):
    """The goal's branch: the repository that holds it, where agents began, and where it stands."""

    repository: GoalRepository
    chain: list[MergeRow]
    base: str
    head: str
    at: Position | None


@get("/api/v1/goals/{goal_id:str}/diff", responses=says(DiffView), tags=_TAGS, summary="Show what has changed")
async def diff(
    goal_id: FromPath[str],
    *,
    reading: ReadingParam,
    path: Annotated[str | None, QueryParameter(name="path", description="Only this file or folder.")] = None,
    task: Annotated[str | None, QueryParameter(name="task", description="Only what this task has merged.")] = None,
    at_seq: AtSeq = None,
    from_seq: Annotated[
        int | None,
        QueryParameter(name="from_seq", ge=1, description="Only what came after this event of the log."),
    ] = None,
) -> Response[bytes]:
    """The whole branch against where agents began, or one task's or one stretch's part of it."""
    if path is not None and (path.startswith("/") or ".." in PurePosixPath(path).parts):
        raise NotFound(f"`{path[:60]}` is no path in the branch: name it from the top of the repository")
    branch = await _branch(reading, goal_id, at_seq)
    base, head = _of_task(branch, task) if task else (branch.base, branch.head)
    if from_seq is not None:
        base = _head_at(branch.chain, from_seq) or base
    stat = await branch.repository.diffstat(base, head)
    text = await branch.repository.diff(base, head, path)
    return reading.answer(DiffView(base=base, head=head, files=stat, diff=text), branch.at)


@get("/api/v1/goals/{goal_id:str}/files", responses=says(FileList), tags=_TAGS, summary="List the branch's files")
async def files(goal_id: FromPath[str], *, reading: ReadingParam, at_seq: AtSeq = None) -> Response[bytes]:
    """Every file at the head of the branch; bytes of names that are no UTF-8 are written as `\\xff`."""
    branch = await _branch(reading, goal_id, at_seq)
    found = await branch.repository.files(branch.head)
    shown = [msgspec.structs.replace(entry, path=shown_path(entry.path)) for entry in found]
    return reading.answer(FileList(branch.head, shown), branch.at)


@get(
    "/api/v1/goals/{goal_id:str}/files/{path:path}",
    responses=says(str, "text/plain"),
    tags=_TAGS,
    summary="Read one file of the branch",
)
async def file(
    goal_id: FromPath[str], path: FromPath[Path], *, reading: ReadingParam, at_seq: AtSeq = None
) -> Response[bytes]:
    """Its bytes, as plain text to a browser."""
    branch = await _branch(reading, goal_id, at_seq)
    data = await branch.repository.show(branch.head, _asked(reading, path).lstrip("/"))
    # Agents wrote this: a browser may show it, never run it.
    safe = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return reading.tagged(data, branch.at, "text/plain; charset=utf-8", safe)


@get(
    "/api/v1/goals/{goal_id:str}/bundle",
    responses=says(bytes, BUNDLE_TYPE),
    tags=_TAGS,
    summary="Download the branch as a git bundle",
)
async def bundle(goal_id: FromPath[str], *, reading: ReadingParam) -> Stream:
    """`git clone <file>` makes a repository of it, unless its history is cut: then `agenthub goal pull` does."""
    branch = await _branch(reading, goal_id)
    named = {"Content-Disposition": f'attachment; filename="{PurePosixPath(goal_id).name}.bundle"'}
    return Stream(_bundled(branch, goal_id), media_type=BUNDLE_TYPE, headers=reading.headers(branch.at, named))


async def _bundled(branch: Branch, goal_id: str) -> AsyncIterator[bytes]:
    async with branch.repository.full_bundle(branch.head, f"goal/{goal_id}") as path:
        with await asyncio.to_thread(path.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece


def _asked(reading: Reading, path: Path) -> str:
    """The path as it stands in the address: the server has lost bytes of it that are no UTF-8."""
    raw: bytes = reading.request.scope.get("raw_path", b"")
    if "\N{REPLACEMENT CHARACTER}" not in str(path) or not raw:
        return str(path)
    # Decoded first, as the router does: any letter of the address may have come encoded.
    parts = [part for part in unquote_to_bytes(raw.split(b"?", 1)[0]).split(b"/") if part]
    return os.fsdecode(b"/".join(parts[parts.index(b"files") + 1 :]))


async def _branch(reading: Reading, goal_id: str, at_seq: int | None = None) -> Branch:
    async with reading.view() as (connection, at):
        if await get_goal(connection, goal_id) is None:
            raise no_goal(goal_id)
        whole = await merge_chain(connection, goal_id)
    chain = whole if at_seq is None else [link for link in whole if link.seq <= at_seq]
    repository = await open_kept(reading.ports.repositories, goal_id, reading.ports.artifacts)
    await repository.materialise([Link(link.bundle_ref, link.head) for link in chain if link.bundle_ref])
    head = chain[-1].head if chain else ROOT_COMMIT
    return Branch(repository, chain, _beginning(chain), head, at)


def _head_at(chain: list[MergeRow], seq: int) -> str:
    """Where the branch stood at an event; empty before agents had brought anything onto it."""
    heads = [link.head for link in chain if link.seq <= seq]
    return heads[-1] if heads else ""


def _beginning(chain: list[MergeRow]) -> str:
    """What the goal's changes are measured against: what was fetched last, else the first link's base."""
    # A base that was merged is the other parent of the head, an imported one the head itself.
    fetched = [link.commit_id for link in chain if link.origin in ("prepare", "base")]
    if fetched:
        return fetched[-1]
    return chain[0].base or ROOT_COMMIT if chain else ROOT_COMMIT


def _of_task(branch: Branch, task_id: str) -> tuple[str, str]:
    links = [link for link in branch.chain if link.task_id == task_id]
    if not links:
        raise NotFound(f"Task `{task_id[:60]}` has merged nothing")
    return links[0].base or ROOT_COMMIT, links[-1].head


HANDLERS: list[Any] = [diff, files, file, bundle]
