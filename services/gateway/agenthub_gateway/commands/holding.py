"""Holding work back: maintenance of the hub as a whole, and the queues of single agent types.

First the event, then the lanes at the server. A gateway that dies between the two leaves the rest to an
orchestrator, which looks every few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.agent_types import AgentType
from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue.operations import MaintenanceEnded, MaintenanceStarted, QueuePaused, QueueResumed
from agenthub_events.ports import Recorded
from agenthub_events.rules.holds import Holds, holds_of
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB
from agenthub_gateway.commands.aggregate import Target, read_aggregate
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer, append_decided, earlier_outcome
from agenthub_runtime.operations.holding import Lanes, read_holds

_TARGET = Target(HUB, GOAL_AS_A_WHOLE)


async def start_maintenance(writer: Writer, lanes: Lanes, reason: str, intent: Intent) -> CommandOutcome:
    """Give out no order any more. Raises `StoreUnavailable`; in a hub that is in maintenance nothing happens."""
    return await _say(writer, lanes, MaintenanceStarted(reason=reason, by=intent.actor), intent)


async def end_maintenance(writer: Writer, lanes: Lanes, intent: Intent) -> CommandOutcome:
    """Give out orders again, but of queues that are paused. Raises `StoreUnavailable`."""
    return await _say(writer, lanes, MaintenanceEnded(by=intent.actor), intent)


async def pause_queue(
    writer: Writer, lanes: Lanes, agent_type: AgentType, reason: str, intent: Intent
) -> CommandOutcome:
    """Give out no order for `agent_type`. Raises `StoreUnavailable`; a queue that is paused stays so."""
    return await _say(writer, lanes, QueuePaused(agent_type=agent_type, reason=reason, by=intent.actor), intent)


async def resume_queue(writer: Writer, lanes: Lanes, agent_type: AgentType, intent: Intent) -> CommandOutcome:
    """Give out orders for `agent_type` again, unless the hub is in maintenance. Raises `StoreUnavailable`."""
    return await _say(writer, lanes, QueueResumed(agent_type=agent_type, by=intent.actor), intent)


async def _say(writer: Writer, lanes: Lanes, event: Event, intent: Intent) -> CommandOutcome:
    def decide(records: Sequence[Recorded]) -> Draft | CommandOutcome:
        fence = Fence().after(records)
        draft = fence.draft(HUB, GOAL_AS_A_WHOLE, event, intent.request_id)
        if earlier := earlier_outcome(HUB, draft.event_id, records, intent):
            return earlier
        if _is_so(holds_of(records), event):
            return CommandOutcome(goal_id=HUB, event_id="", sequence=records[-1].seq if records else 0)
        return draft

    records = await read_aggregate(writer.log, _TARGET, event)
    outcome = await append_decided(writer, records, decide, intent, None)
    # Also when nothing had to be said: the last one who said it may have died before this.
    await lanes.hold((await read_holds(writer.log)).types)
    return outcome


def _is_so(holds: Holds, event: Event) -> bool:
    match event:
        case MaintenanceStarted():
            return holds.maintenance is not None
        case MaintenanceEnded():
            return holds.maintenance is None
        case QueuePaused(agent_type=agent_type):
            return agent_type in holds.paused
        case QueueResumed(agent_type=agent_type):
            return agent_type not in holds.paused
    raise ValueError(event.type)
