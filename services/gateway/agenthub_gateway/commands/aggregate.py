"""Commands that add one event to the aggregate of a task, or of a goal's questions, after looking at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.rules.authors import own
from agenthub_events.subjects import aggregate_of
from agenthub_gateway.commands.append import (
    CommandOutcome,
    Intent,
    Origin,
    Writer,
    append_decided,
    earlier_outcome,
)


class Target(msgspec.Struct, frozen=True):
    """An aggregate: a task of a goal, or (`_`) the goal's questions; and the goal's trace."""

    goal_id: str
    task_id: str
    origin: Origin | None = None


async def append_after(
    writer: Writer,
    target: Target,
    event: Event,
    intent: Intent,
    check: Callable[[Sequence[Recorded]], None],
) -> CommandOutcome:
    """Append `event` at the end of its aggregate while `check` finds nothing against it there.

    `check` gets every message of the aggregate but foreign ones, and raises what `Conflict` means to the caller.
    Raises also `KeyReused` and `StoreUnavailable`.
    """

    def decide(records: Sequence[Recorded]) -> Draft | CommandOutcome:
        draft = Fence().after(records).draft(target.goal_id, target.task_id, event, intent.request_id)
        if earlier := earlier_outcome(target.goal_id, draft.event_id, records, intent):
            return earlier
        check(own(records))
        return draft

    records = await read_aggregate(writer.log, target, event)
    return await append_decided(writer, records, decide, intent, target.origin)


async def read_aggregate(log: EventLog, target: Target, event: Event) -> list[Recorded]:
    """All messages of the aggregate that `event` belongs to."""
    return await log.read(aggregate_of(target.goal_id, target.task_id, event.type))
