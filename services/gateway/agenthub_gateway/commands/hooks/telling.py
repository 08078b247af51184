"""A word of a person elsewhere to a goal: to the agents at work, or else as a wish for changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue.task import TaskEnqueued, TaskNoted
from agenthub_events.errors import CommandRefused
from agenthub_events.rules.goal_aggregate import asked_id
from agenthub_events.rules.goal_commands import Rework
from agenthub_events.subjects import event_id
from agenthub_gateway.commands.aggregate import Target, read_aggregate
from agenthub_gateway.commands.append import Intent, Writer, event_id_of
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.goal_events import GoalEvents, load_goal_events
from agenthub_gateway.commands.tasks import note_task

Told: TypeAlias = Literal["known", "noted", "reworked"]


async def tell_goal(writer: Writer, goal_id: str, text: str, intent: Intent) -> Told:
    """Note it to every task that runs; where none does, ask for changes. The same request is told once.

    Raises `CommandRefused` when the goal takes neither, `NotFound`, `KeyReused` and `StoreUnavailable`.
    """
    family = await load_goal_events(writer.log, goal_id)
    wanted = Rework(by=intent.actor, request_id=intent.request_id, feedback=text)
    if _began_with(family, intent) or asked_id(goal_id, wanted) in family.aggregate.seen:
        return "known"
    targets = [Target(goal_id, task_id) for task_id in family.tasks()]
    known = await _known(writer, targets, intent)
    for target in known.forgotten:
        await _noted(writer, target, text, intent)
    if known.is_told:
        return "known"
    noted = [target for target in targets if await _noted(writer, target, text, intent)]
    if noted:
        return "noted"
    await command_goal(writer, goal_id, wanted, intent)
    return "reworked"


class _Known(msgspec.Struct, frozen=True):
    """Whether a request was noted to a task before, and to which ones at work then it was not any more."""

    is_told: bool
    forgotten: tuple[Target, ...] = ()


async def _known(writer: Writer, targets: Sequence[Target], intent: Intent) -> _Known:
    told: list[int] = []
    ordered: dict[Target, int] = {}
    for target in targets:
        event = TaskNoted(task_id=target.task_id, by=intent.actor, text="")
        wanted = event_id(f"{target.goal_id}.{target.task_id}", event.type, intent.request_id)
        records = await read_aggregate(writer.log, target, event)
        noted = [recorded.seq for recorded in records if event_id_of(recorded) == wanted]
        told += noted
        if not noted:
            orders = (recorded.seq for recorded in records if isinstance(recorded.event, TaskEnqueued))
            ordered[target] = max(orders, default=0)
    if not told:
        return _Known(is_told=False)
    # A gateway that was killed had told some; who was ordered since then began with what came of it.
    return _Known(is_told=True, forgotten=tuple(target for target, seq in ordered.items() if 0 < seq < min(told)))


def _began_with(family: GoalEvents, intent: Intent) -> bool:
    first = family.records[0].event
    return isinstance(first, Event) and first.metadata.get("causation_id") == intent.request_id


async def _noted(writer: Writer, target: Target, text: str, intent: Intent) -> bool:
    try:
        await note_task(writer, target, text, intent)
    except CommandRefused as refused:
        if refused.code != "task-not-running":
            raise
        return False
    return True
