"""Where a recipient is reached: by the hub's settings, or by what its goal says."""

from __future__ import annotations

from collections.abc import Iterable

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.notification import NotificationPlanned
from agenthub_events.errors import InvalidInput
from agenthub_events.notifications.recipients import Recipient, parse_recipient
from agenthub_events.ports import EventLog
from agenthub_notifier.channels.contract import Refused


class Recipients:
    """Events name recipients without their addresses, which may hold credentials."""

    def __init__(self, log: EventLog, of_hub: Iterable[Recipient]) -> None:
        self._log = log
        self._of_hub = {recipient.name: recipient for recipient in of_hub}

    async def find(self, planned: NotificationPlanned) -> Recipient | Refused:
        """Who is meant. Raises `StoreUnavailable`."""
        if planned.recipient in self._of_hub:
            return self._of_hub[planned.recipient]
        for goal_id in dict.fromkeys(occasion.goal_id for occasion in planned.occasions):
            for recorded in await self._log.read(f"{goal_id}._.goal", limit=1):
                accepted = recorded.event
                for text in accepted.notify if isinstance(accepted, GoalAccepted) else ():
                    if (found := _read(text)) and found.name == planned.recipient:
                        return found
        return Refused(reason="neither the settings nor the goal name this recipient any more", hopeless=True)


def _read(text: str) -> Recipient | None:
    try:
        return parse_recipient(text)
    except InvalidInput:
        return None
