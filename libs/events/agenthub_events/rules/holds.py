"""What people hold back: the whole hub for maintenance, or the queues of single agent types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.catalogue.operations import MaintenanceEnded, MaintenanceStarted, QueuePaused, QueueResumed
from agenthub_events.ports import Recorded
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB

MAINTENANCE = f"{HUB}.{GOAL_AS_A_WHOLE}.maintenance"
QUEUES = f"{HUB}.{GOAL_AS_A_WHOLE}.queue"
_NOTHING: Mapping[str, Hold] = MappingProxyType({})


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds something back, since when, and why."""

    since: datetime
    by: str = ""
    reason: str = ""

    def in_words(self, what: str) -> str:
        """For people, such as `coding is paused by ann: no budget`."""
        by = f" by {self.by}" if self.by else ""
        return f"{what}{by}{f': {self.reason}' if self.reason else ''}"


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """What is held back now. `paused` are the agent types that a person has paused, maintenance or not."""

    maintenance: Hold | None = None
    paused: Mapping[str, Hold] = _NOTHING

    @property
    def types(self) -> frozenset[str]:
        """The agent types for which no order is given out."""
        return frozenset(AGENT_TYPES if self.maintenance else self.paused)

    def why(self, agent_type: str) -> str:
        """Why no order for this type is given out; empty when they are."""
        if self.maintenance is not None:
            return self.maintenance.in_words("the hub is in maintenance")
        hold = self.paused.get(agent_type)
        return hold.in_words(f"`{agent_type}` is paused") if hold else ""


def holds_of(records: Iterable[Recorded]) -> Holds:
    """Fold the messages of `MAINTENANCE` and `QUEUES`; others, and those that cannot be read, change nothing."""
    maintenance: Hold | None = None
    paused: dict[str, Hold] = {}
    for recorded in records:
        match recorded.event:
            case MaintenanceStarted() as event:
                maintenance = maintenance or Hold(since=event.timestamp, by=event.by, reason=event.reason)
            case MaintenanceEnded():
                maintenance = None
            case QueuePaused() as event:
                hold = Hold(since=event.timestamp, by=event.by, reason=event.reason)
                paused.setdefault(event.agent_type, hold)
            case QueueResumed(agent_type=agent_type):
                paused.pop(agent_type, None)
            case _:
                continue
    return Holds(maintenance=maintenance, paused=paused)
