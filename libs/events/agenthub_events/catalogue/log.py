"""What the hub could not take further: `evt.hub._.log.>`, one aggregate for all goals."""

from __future__ import annotations

from agenthub_events.base import Event


class LogQuarantined(Event, frozen=True, kw_only=True, tag="log.quarantined"):
    """A part of the hub (`by`: projector or orchestrator) has given up on an aggregate, and goes on with others.

    `aggregate` is the originator id of what is left out from the message `message_seq` on, or a goal's id for the
    goal as a whole. It is taken up again by other code: see `log.released`.
    """

    by: str
    aggregate: str
    goal_id: str
    message_seq: int
    reason: str = ""


class LogReleased(Event, frozen=True, kw_only=True, tag="log.released"):
    """What was given up at the message `message_seq` is taken in again."""

    by: str
    aggregate: str
    goal_id: str
    message_seq: int


EVENTS: tuple[type[Event], ...] = (LogQuarantined, LogReleased)
