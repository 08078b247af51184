"""What a way to a recipient is given, and what comes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec

from agenthub_events.notifications.recipients import Recipient
from agenthub_notifier.content.story import Occurrence

SEND_WITHIN_S = 30.0
"""A try takes no longer: the order of a notification comes again only after twice that time."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A notification on its way. `message_id` is the same at every try; `at` is when it was planned."""

    recipient: Recipient
    occurrence: Occurrence
    message_id: str
    at: datetime


class Accepted(msgspec.Struct, frozen=True):
    """The recipient's server has taken it."""

    answer: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """It was not taken. `hopeless`: another try would end the same; `gone`: the recipient wants nothing more."""

    reason: str
    hopeless: bool = False
    gone: bool = False


SendResult: TypeAlias = Accepted | Refused


class ChannelSender(Protocol):
    """One way to a recipient."""

    async def send(self, parcel: Parcel) -> SendResult:
        """Try once, within `SEND_WITHIN_S`; whatever fails is in the result."""
        ...
