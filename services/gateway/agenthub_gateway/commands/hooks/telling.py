"""A word of a person elsewhere to a goal: to the agents at work, or else as a wish for changes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from agenthub_events.base import Event
from agenthub_events.catalogue.task import TaskNoted
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
    if any([await _was_noted(writer, target, intent) for target in targets]):
        return "known"
    noted = [target for target in targets if await _noted(writer, target, text, intent)]
    if noted:
        return "noted"
    await command_goal(writer, goal_id, wanted, intent)
    return "reworked"


def _began_with(family: GoalEvents, intent: Intent) -> bool:
    first = family.records[0].event
    return isinstance(first, Event) and first.metadata.get("causation_id") == intent.request_id


async def _was_noted(writer: Writer, target: Target, intent: Intent) -> bool:
    event = TaskNoted(task_id=target.task_id, by=intent.actor, text="")
    noted = event_id(f"{target.goal_id}.{target.task_id}", event.type, intent.request_id)
    return any(event_id_of(recorded) == noted for recorded in await read_aggregate(writer.log, target, event))


async def _noted(writer: Writer, target: Target, text: str, intent: Intent) -> bool:
    try:
        await note_task(writer, target, text, intent)
    except CommandRefused as refused:
        if refused.code != "task-not-running":
            raise
        return False
    return True
