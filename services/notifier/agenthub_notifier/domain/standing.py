"""How a goal stands at one event, as the check of a commit says it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue import agent as a
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import money as m
from agenthub_events.catalogue import task as t
from agenthub_events.catalogue.values import Delivered
from agenthub_events.ports import Recorded
from agenthub_events.rules.authors import own
from agenthub_events.subjects import parse_subject
from agenthub_events.task_ids import PREPARE

_CHANGING = (
    *(g.GoalAccepted, g.GoalPlanned, g.GoalReplanned, g.GoalPlanApproved, g.GoalReadyForReview, g.GoalApproved),
    *(g.GoalReworkRequested, g.GoalStalled, g.GoalCompleted, g.GoalFailed, g.GoalCancelled),
    *(g.GoalBudgetRaised, g.GoalResumed),
    *(a.AgentBlocked, a.AgentEscalated, a.AgentAnswered, m.BudgetExceeded),
)
_PLANNED = "t-"
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a goal had reached at an event: `done` of `planned` tasks, and what was `delivered` last.

    `newest_seq` is the newest message of the log that changes its check, at that event or behind it.
    """

    repository: str = ""
    base_commit: str = ""
    done: int = 0
    planned: int = 0
    delivered: Delivered | None = None
    newest_seq: int = 0


def changes_check(task_id: str, event: Event) -> bool:
    """Whether the check of a goal's commit says something else after this event."""
    if isinstance(event, t.TaskCompleted):
        return task_id.startswith(_PLANNED)
    return isinstance(event, _CHANGING)


def follows_ref(accepted: g.GoalAccepted) -> bool:
    """Whether a goal begins with what a branch or tag stands for by then, as those of schedules do."""
    return bool(accepted.ref) and not accepted.base_commit


def commit_brought(task_id: str, event: Event) -> str:
    """The commit with which the goal begins, of the event that has brought it in; else empty.

    A worker says it, and it becomes part of an address.
    """
    if not (isinstance(event, t.TaskCompleted) and task_id == PREPARE):
        return ""
    return event.result.commit if _COMMIT.fullmatch(event.result.commit) else ""


def standing_at(records: Sequence[Recorded], seq: int) -> Standing:
    """How the goal whose messages these are, from the first, stood at sequence `seq`."""
    standing = Standing()
    planned: set[str] = set()
    done: set[str] = set()
    follows = False
    for recorded in own(records):
        event, task_id = recorded.event, parse_subject(recorded.subject).task_id
        if not isinstance(event, Event):
            continue
        brought = commit_brought(task_id, event) if follows and not standing.base_commit else ""
        if brought or changes_check(task_id, event):
            standing = msgspec.structs.replace(standing, newest_seq=recorded.seq)
        if recorded.seq > seq:
            continue
        match event:
            case g.GoalAccepted(repository=repository, base_commit=base_commit):
                standing = msgspec.structs.replace(standing, repository=repository, base_commit=base_commit)
                follows = follows_ref(event)
            case g.GoalPlanned(tasks=tasks):
                planned = {task.task_id for task in tasks}
            case g.GoalReplanned(added=added, dropped=dropped):
                planned = (planned - set(dropped)) | {task.task_id for task in added}
            case t.TaskCompleted(result=result):
                done.add(task_id)
                standing = msgspec.structs.replace(standing, base_commit=standing.base_commit or brought)
                if result.delivered is not None:
                    standing = msgspec.structs.replace(standing, delivered=result.delivered)
            case _:
                pass
    return msgspec.structs.replace(standing, done=len(done & planned), planned=len(planned))
