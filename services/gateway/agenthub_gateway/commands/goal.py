"""Commands to a goal as a whole, decided by the goal family's own rules."""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.base import Draft
from agenthub_events.errors import CommandRefused
from agenthub_events.ports import Conflict, Recorded
from agenthub_events.rules.goal_aggregate import EVENT_OF, Approve, GoalCommand, asked_id, decide
from agenthub_gateway.commands.append import (
    TRIES,
    CommandOutcome,
    Intent,
    Writer,
    earlier_outcome,
    event_id_of,
    too_busy,
)
from agenthub_gateway.commands.goal_events import GoalEvents, load_goal_events

_HARMLESS = frozenset({"goal.tests_requested", "goal.budget_raised", "goal.reprioritized"})


async def command_goal(writer: Writer, goal_id: str, command: GoalCommand, intent: Intent) -> CommandOutcome:
    """Carry a command out, on what the log holds at this moment.

    Raises `NotFound`, `CommandRefused`, `KeyReused` or `StoreUnavailable`.
    """
    family = await load_goal_events(writer.log, goal_id)
    for _ in range(TRIES):
        if earlier := _earlier(family, command, intent):
            return earlier
        drafts = decide(family.aggregate, command)
        if not drafts:
            return _standing(family, command)
        result = await writer.append(drafts[0], intent, family.origin)
        if not isinstance(result, Conflict):
            return _stored(drafts[0], result.seq, result.duplicate and intent.keyed)
        _allow(command, family, result.tail)
        family = family.extended(result.tail)
    raise too_busy()


def _stored(draft: Draft, seq: int, replayed: bool) -> CommandOutcome:
    return CommandOutcome(goal_id=draft.goal_id, event_id=draft.event_id, sequence=seq, replayed=replayed)


def _earlier(family: GoalEvents, command: GoalCommand, intent: Intent) -> CommandOutcome | None:
    return earlier_outcome(family.goal_id, asked_id(family.goal_id, command), family.records, intent)


def _allow(command: GoalCommand, family: GoalEvents, tail: Sequence[Recorded]) -> None:
    # An approval holds for what the person saw: only what does not touch the result may have come in between.
    if isinstance(command, Approve) and not all(getattr(r.event, "type", "") in _HARMLESS for r in tail):
        raise CommandRefused(
            "changed-since", f"Goal `{family.goal_id}` has changed since you looked: look again, then approve"
        )


def _standing(family: GoalEvents, command: GoalCommand) -> CommandOutcome:
    """It is so already: the event that made it so is the answer."""
    found = family.last_of(EVENT_OF[type(command)])
    if found is None:
        return CommandOutcome(goal_id=family.goal_id, event_id="", sequence=family.aggregate.fence.seq)
    return CommandOutcome(goal_id=family.goal_id, event_id=event_id_of(found), sequence=found.seq)
