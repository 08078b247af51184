"""What people who look after the hub have decided: `evt.hub._.maintenance.>` and `evt.hub._.queue.>`.

Nothing is decided about a goal because of them: orders are written as ever, and wait in their queues.
"""

from __future__ import annotations

from agenthub_events.agent_types import AgentType
from agenthub_events.base import Event


class MaintenanceStarted(Event, frozen=True, kw_only=True, tag="maintenance.started"):
    """From here on no worker is given an order; what is being worked on is finished."""

    reason: str = ""
    by: str = ""


class MaintenanceEnded(Event, frozen=True, kw_only=True, tag="maintenance.ended"):
    """Orders are given out again, but those of queues that are paused."""

    by: str = ""


class QueuePaused(Event, frozen=True, kw_only=True, tag="queue.paused"):
    """From here on no worker is given an order for this agent type; what is being worked on is finished."""

    agent_type: AgentType
    reason: str = ""
    by: str = ""


class QueueResumed(Event, frozen=True, kw_only=True, tag="queue.resumed"):
    """Orders for this agent type are given out again, unless the hub is in maintenance."""

    agent_type: AgentType
    by: str = ""


EVENTS: tuple[type[Event], ...] = (MaintenanceStarted, MaintenanceEnded, QueuePaused, QueueResumed)
