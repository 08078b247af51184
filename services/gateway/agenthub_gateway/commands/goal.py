"""Commands to a goal as a whole, decided by the goal family's own rules."""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.base import Draft
from agenthub_events.errors import CommandRefused
from agenthub_events.ports import Recorded
from agenthub_events.rules.goal_aggregate import EVENT_OF, asked_id, decide
from agenthub_events.rules.goal_commands import Approve, GoalCommand
from agenthub_gateway.commands.append import (
    CommandOutcome,
    Intent,
    Writer,
    append_decided,
    earlier_outcome,
    event_id_of,
)
from agenthub_gateway.commands.goal_events import GoalEvents, load_goal_events

_HARMLESS = frozenset({"goal.tests_requested", "goal.budget_raised", "goal.reprioritized"})


async def command_goal(writer: Writer, goal_id: str, command: GoalCommand, intent: Intent) -> CommandOutcome:
    """Carry a command out, on what the log holds at this moment.

    Raises `NotFound`, `CommandRefused`, `KeyReused` or `StoreUnavailable`.
    """
    loaded = await load_goal_events(writer.log, goal_id)

    def decide_on(records: Sequence[Recorded]) -> Draft | CommandOutcome:
        since = records[len(loaded.records) :]
        _allow(command, loaded, since)
        family = loaded.extended(since)
        if earlier := earlier_outcome(goal_id, asked_id(goal_id, command), records, intent):
            return earlier
        drafts = decide(family.aggregate, command)
        return drafts[0] if drafts else _standing(family, command)

    return await append_decided(writer, loaded.records, decide_on, intent, loaded.origin)


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
