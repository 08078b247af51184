"""A merge with what the target of a delivery has become: the workspace with its conflicts, and the merge of it."""

from __future__ import annotations

from functools import partial

from agenthub_events.context import MergeOrder
from agenthub_events.redaction import as_shown, redact_text
from agenthub_runtime.repository.goal import Committed, GoalRepository
from agenthub_worker.domain.outcomes import Failed
from agenthub_worker.domain.prompt import sides_of
from agenthub_worker.workspace.workspace import Workspace

_NAMED = 10


async def mark_conflicts(workspace: Workspace, order: MergeOrder) -> None:
    """Put both sides into the workspace, unless it holds the work of an earlier attempt already."""
    if workspace.commit == workspace.base:
        await workspace.restore(await _marked(workspace, order), "")


async def joined(workspace: Workspace, order: MergeOrder, message: str) -> Committed | Failed:
    """What the workspace holds as a merge of both sides; a conflict that is still marked is not settled."""
    repository, lease = workspace.repository, workspace.lease
    marked = await _marked(workspace, order)
    finished = await workspace.finish(message, on=marked)
    left = await _still_marked(repository, finished.commit, order, workspace.lease.goal_id)
    if left:
        named = ", ".join(left[:_NAMED])
        return Failed(
            failure_class="model", reason=f"Conflicts are still marked in {named}: settle every one of them."
        )
    said = redact_text(as_shown(message), lease.secrets)
    return await repository.join(finished.tree, (order.head, order.commit), said, lease.ports.clock.now())


async def _marked(workspace: Workspace, order: MergeOrder) -> str:
    repository = workspace.repository
    if not await repository.has(order.commit):
        await workspace.lease.ports.patiently(partial(repository.absorb, order.bundle_ref))
    ours, theirs = sides_of(workspace.lease.goal_id, order.target)
    return await repository.merge_marked((ours, order.head), (theirs, order.commit))


async def _still_marked(repository: GoalRepository, commit: str, order: MergeOrder, goal_id: str) -> list[str]:
    changed = {*order.files, *await repository.changed_files(order.head, commit)}
    entries = [entry for entry in await repository.files(commit) if entry.path in changed]
    contents = await repository.contents([entry for entry in entries if entry.mode.startswith("100")])
    ours, theirs = sides_of(goal_id, order.target)
    marks = (f"<<<<<<< {ours}".encode(), f">>>>>>> {theirs}".encode())
    return sorted(path for path, data in contents.items() if _has_mark(data, marks))


def _has_mark(data: bytes, marks: tuple[bytes, ...]) -> bool:
    return any(line.startswith(marks) for line in data.splitlines())
