"""Who has written a line of the result: the merge that brought it onto the goal's branch."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agenthub_events.catalogue.task import MergeDone
from agenthub_replay.causation import Causation, why_event, why_task
from agenthub_replay.errors import HistoryMissing
from agenthub_replay.history import GoalHistory, RecordedObjects
from agenthub_runtime.repository.errors import CommitMissing
from agenthub_runtime.repository.goal import GoalRepository, Link


class LineCause(msgspec.Struct, frozen=True, kw_only=True):
    """A line at the head of the branch, the commit that wrote it, and why that was merged.

    `cause` None: the line was in the repository before the goal.
    """

    path: str
    line: int
    text: str
    commit: str
    cause: Causation | None


async def why(history: GoalHistory, of: str, folder: Path) -> Causation | LineCause:
    """Why an event (by its sequence), a task (by its id) or a line (`path:line`) is as it is.

    `folder` is an empty one to work in. Raises `HistoryMissing`.
    """
    if of.isdecimal():
        return why_event(history, int(of))
    return await why_line(history, of, folder) if is_place(of) else why_task(history, of)


async def why_line(history: GoalHistory, place: str, folder: Path) -> LineCause:
    """Why a line (`path:line`) is as it is at the head of the branch; `folder` is an empty one to work in.

    Raises `HistoryMissing` and `RepositoryError`.
    """
    path, _, number = place.rpartition(":")
    merges = [(r.seq, r.event) for r in history.own_events if isinstance(r.event, MergeDone)]
    if not merges:
        raise HistoryMissing("Nothing has been merged for this goal, so it has no lines", field="of")
    repository = await GoalRepository.open(folder / history.goal_id, RecordedObjects(history))
    await repository.materialise([Link(m.bundle_ref, m.head) for _, m in merges if m.bundle_ref])
    try:
        blamed = await repository.blame(merges[-1][1].head, path, int(number))
    except CommitMissing as error:
        raise HistoryMissing(f"The branch has no line {number} in `{path}`", field="of") from error
    cause = None
    for seq, merge in merges:
        if await repository.is_ancestor(blamed.commit, merge.head):
            # What was fetched stood there before the goal.
            fetched = merge.origin in ("prepare", "base") and await repository.is_ancestor(
                blamed.commit, merge.commit
            )
            cause = None if fetched else why_event(history, seq)
            break
    return LineCause(path=path, line=int(number), text=blamed.text, commit=blamed.commit, cause=cause)


def is_place(text: str) -> bool:
    """Whether a text names a line of a file: `auth/jwt.py:42`."""
    path, colon, number = text.rpartition(":")
    return bool(path and colon) and number.isdecimal()
