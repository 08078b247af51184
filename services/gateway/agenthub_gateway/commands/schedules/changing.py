"""What people say about schedules: one more event of `hub._.schedule`, decided on what is there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from agenthub_events.base import Draft, Fence
from agenthub_events.catalogue.schedule import ScheduleAdded, SchedulePaused, ScheduleRemoved, ScheduleResumed
from agenthub_events.errors import CommandRefused, InvalidInput
from agenthub_events.ports import Recorded
from agenthub_events.redaction import NO_SECRETS, redact
from agenthub_events.rules.schedules import schedules_of
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer, append_decided, earlier_outcome
from agenthub_gateway.errors import NotFound
from agenthub_runtime.schedules.reading import read_wanted

SCHEDULES_MAX = 200

Change: TypeAlias = ScheduleAdded | SchedulePaused | ScheduleResumed | ScheduleRemoved


async def change_schedule(writer: Writer, event: Change, intent: Intent) -> CommandOutcome:
    """Carry a change out; what is so already writes nothing.

    Raises `NotFound`, `CommandRefused` when a new schedule has the name of another one, `InvalidInput` for texts
    that no event keeps, `KeyReused` and `StoreUnavailable`.
    """
    if isinstance(event, ScheduleAdded) and redact(event, NO_SECRETS) != event:
        raise InvalidInput(
            "Something in it looks like a credential, which no event keeps: give it to the workers instead",
            field="goal",
        )

    def decide(records: Sequence[Recorded]) -> Draft | CommandOutcome:
        draft = Fence().after(records).draft(HUB, GOAL_AS_A_WHOLE, event, intent.request_id)
        if earlier := earlier_outcome(HUB, draft.event_id, records, intent):
            return earlier
        if _is_so(records, event):
            return CommandOutcome(goal_id=HUB, event_id="", sequence=records[-1].seq)
        return draft

    return await append_decided(writer, await read_wanted(writer.log), decide, intent, None)


def _is_so(records: Sequence[Recorded], event: Change) -> bool:
    standing = schedules_of(records)
    if isinstance(event, ScheduleAdded):
        if event.schedule in standing:
            raise CommandRefused(
                "schedule-exists", f"There is a schedule `{event.schedule}`: remove it, or take another name"
            )
        if len(standing) >= SCHEDULES_MAX:
            raise CommandRefused("not-now", f"There are {SCHEDULES_MAX} schedules, and no more are taken")
        return False
    found = standing.get(event.schedule)
    if found is None:
        raise NotFound(f"There is no schedule `{event.schedule[:60]}`")
    match event:
        case SchedulePaused():
            return found.paused is not None
        case ScheduleResumed():
            return found.paused is None
        case ScheduleRemoved():
            return False
