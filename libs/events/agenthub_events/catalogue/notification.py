"""What people are told, and whether it reached them: `evt.<goal>.n-<key>.notification.>`.

A digest of several goals stands below `hub` instead of a goal. Which recipients there are is said once, in
`evt.hub._.notification.>`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from agenthub_events.base import Event, Record
from agenthub_events.channels import ChannelName

NotificationKind: TypeAlias = Literal[
    "question",
    "reminder",
    "plan",
    "review",
    "completed",
    "failed",
    "stalled",
    "budget",
    "progress",
    "cancelled",
]


class Occasion(Record, frozen=True, kw_only=True):
    """The message of the log because of which people are told. `task_id` is `_` for the goal as a whole."""

    kind: NotificationKind
    goal_id: str
    seq: int
    task_id: str = "_"


class NotificationPlanned(Event, frozen=True, kw_only=True, tag="notification.planned"):
    """`recipient` is to be told about `occasions`, in one message. A later one of the same key sends it again.

    `recipient` is a name that shows no credential; the settings say how it is reached.
    """

    channel: ChannelName
    recipient: str
    occasions: tuple[Occasion, ...]
    round: int = 1
    by: str = ""


class NotificationSent(Event, frozen=True, kw_only=True, tag="notification.sent"):
    """The recipient's server has taken the message; `answer` is what it said."""

    channel: ChannelName
    recipient: str
    round: int
    attempt: int
    message_id: str
    answer: str = ""


class NotificationFailed(Event, frozen=True, kw_only=True, tag="notification.failed"):
    """A try that the recipient's server did not take. Without `retry_at` it was the last one."""

    channel: ChannelName
    recipient: str
    round: int
    attempt: int
    reason: str
    retry_at: datetime | None = None


class NotificationChannelOpened(Event, frozen=True, kw_only=True, tag="notification.channel_opened"):
    """From here on `recipient` is told; what was over before is not."""

    channel: ChannelName
    recipient: str
    by: str = ""


class NotificationChannelClosed(Event, frozen=True, kw_only=True, tag="notification.channel_closed"):
    """`recipient` is told nothing more: its server said that it is gone, or a person unsubscribed."""

    channel: ChannelName
    recipient: str
    reason: str
    by: str = ""


EVENTS: tuple[type[Event], ...] = (
    NotificationPlanned,
    NotificationSent,
    NotificationFailed,
    NotificationChannelOpened,
    NotificationChannelClosed,
)
