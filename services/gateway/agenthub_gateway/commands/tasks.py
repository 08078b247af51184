"""Commands to one task: a note to the running agent, and what becomes of a dead letter."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_events.catalogue.agent import AgentBlocked, AgentEscalated
from agenthub_events.catalogue.task import (
    TaskDeadLettered,
    TaskDiscarded,
    TaskEnqueued,
    TaskNoted,
    TaskRequeued,
)
from agenthub_events.catalogue.values import TaskEdits
from agenthub_events.errors import CommandRefused, InvalidSubject
from agenthub_events.ports import Recorded
from agenthub_events.subjects import check_task_id
from agenthub_gateway.commands.aggregate import Target, append_after, read_aggregate
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer
from agenthub_gateway.commands.goal_events import load_goal_events
from agenthub_gateway.errors import NotFound


class DeadLetter(msgspec.Struct, frozen=True):
    """Where a given-up task stands in the log."""

    goal_id: str
    task_id: str
    seq: int


async def note_task(writer: Writer, target: Target, text: str, intent: Intent) -> CommandOutcome:
    """Say something to the agent that works on the task.

    Raises `NotFound`, `CommandRefused` (no attempt is open), `KeyReused` or `StoreUnavailable`.
    """
    family = await load_goal_events(writer.log, target.goal_id)
    try:
        check_task_id(target.task_id)
    except InvalidSubject:
        raise _unknown(target) from None
    event = TaskNoted(task_id=target.task_id, by=intent.actor, text=text)
    if target.task_id not in family.tasks() and not await read_aggregate(writer.log, target, event):
        raise _unknown(target)
    traced = Target(target.goal_id, target.task_id, family.origin)
    return await append_after(writer, traced, event, intent, lambda records: _must_run(target, records))


async def requeue(writer: Writer, letter: DeadLetter, edits: TaskEdits, intent: Intent) -> CommandOutcome:
    """Send a given-up task back to work. Raises as `note_task` does."""
    event = TaskRequeued(task_id=letter.task_id, by=intent.actor, edits=edits)
    return await _decide_letter(writer, letter, event, intent)


async def discard(writer: Writer, letter: DeadLetter, reason: str, intent: Intent) -> CommandOutcome:
    """Give a task up for good. Raises as `note_task` does."""
    event = TaskDiscarded(task_id=letter.task_id, by=intent.actor, reason=reason)
    return await _decide_letter(writer, letter, event, intent)


async def _decide_letter(
    writer: Writer, letter: DeadLetter, event: TaskRequeued | TaskDiscarded, intent: Intent
) -> CommandOutcome:
    family = await load_goal_events(writer.log, letter.goal_id)
    target = Target(letter.goal_id, letter.task_id, family.origin)
    return await append_after(writer, target, event, intent, lambda records: _still_dead(letter, records))


def _must_run(target: Target, records: Sequence[Recorded]) -> None:
    how = "it has not started yet"
    for recorded in records:
        kind = getattr(recorded.event, "type", "")
        if isinstance(recorded.event, TaskEnqueued):
            how = ""
        elif kind in CLOSES_ATTEMPT:
            how = f"its last attempt ended with `{kind}` (event {recorded.seq})"
    if how:
        raise CommandRefused("task-not-running", f"Task `{target.task_id}` is not running: {how}")


def _still_dead(letter: DeadLetter, records: Sequence[Recorded]) -> None:
    if not any(r.seq == letter.seq and isinstance(r.event, TaskDeadLettered) for r in records):
        raise NotFound(f"Event {letter.seq} of task `{letter.task_id}` is no dead letter")
    for later in records:
        # The question that a dead letter raises stands behind it and changes nothing.
        if later.seq > letter.seq and not isinstance(later.event, (AgentBlocked, AgentEscalated)):
            by = getattr(later.event, "by", "")
            what = f"`{getattr(later.event, 'type', later.subject)}`" + (f" by {by}" if by else "")
            raise CommandRefused(
                "dead-letter-gone", f"Task `{letter.task_id}` has gone on since: {what} (event {later.seq})"
            )


def _unknown(target: Target) -> NotFound:
    return NotFound(f"Goal `{target.goal_id}` has no task `{target.task_id[:60]}`")
