"""What people were told about a goal, and who is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from agenthub_events.base import Event
from agenthub_events.catalogue.notification import (
    NotificationChannelClosed,
    NotificationFailed,
    NotificationKind,
    NotificationPlanned,
    NotificationSent,
)
from agenthub_events.channels import ChannelName
from agenthub_gateway.api.access import PortsParam
from agenthub_gateway.api.command import CallerParam, accepted, command
from agenthub_gateway.api.payloads.requests import EmptyBody
from agenthub_gateway.api.payloads.responses import CommandAccepted
from agenthub_gateway.commands.goal_events import load_goal_events
from agenthub_gateway.commands.notifications import (
    NotificationStory,
    channels,
    notifications_of,
    open_channel,
    send_again,
)

_TAG = "Notifications"


class NotificationView(msgspec.Struct, frozen=True, kw_only=True):
    """One notification: to whom, about what, and whether it got there.

    `state` is `planned` (not tried yet), `retrying` (again at `retry_at`), `sent` or `failed` (given up). `reason`
    is that of the last failure.
    """

    id: str
    goal_id: str
    channel: ChannelName
    recipient: str
    kinds: tuple[NotificationKind, ...]
    state: Literal["planned", "retrying", "sent", "failed"]
    attempts: int
    planned_at: datetime
    changed_at: datetime
    reason: str = ""
    retry_at: datetime | None = None


class NotificationList(msgspec.Struct, frozen=True):
    """Notifications, the oldest first."""

    items: list[NotificationView]


class RecipientView(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient; `is_open`: it is told. `reason` says why not."""

    channel: ChannelName
    recipient: str
    is_open: bool
    since: datetime
    reason: str = ""
    by: str = ""


class RecipientList(msgspec.Struct, frozen=True):
    """Everybody whom the hub has ever told something by its settings, or who wants nothing more."""

    items: list[RecipientView]


class RecipientBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which recipient."""

    recipient: Annotated[str, Meta(min_length=1, max_length=300, examples=["ann@example.org"])]


@get("/api/v1/goals/{goal_id:str}/notifications", tags=[_TAG], summary="List what people were told about a goal")
async def goal_notifications(goal_id: FromPath[str], *, ports: PortsParam) -> NotificationList:
    """Also what could not be sent, and why. What was told in a digest of several goals stands below `hub`."""
    if goal_id != "hub":
        await load_goal_events(ports.log, goal_id)
    return NotificationList([_view(story) for story in await notifications_of(ports.log, goal_id)])


@command(
    "/api/v1/goals/{goal_id:str}/notifications/{notification_id:str}/resend",
    EmptyBody,
    "Send a notification again",
    tag=_TAG,
    optional=True,
)
async def resend(
    goal_id: FromPath[str],
    notification_id: FromPath[str],
    caller: CallerParam,
    data: JSONBody[EmptyBody | None] = None,
) -> Response[CommandAccepted]:
    """It leaves with an id of its own, also when the first one has arrived."""
    if goal_id != "hub":
        await load_goal_events(caller.ports.log, goal_id)
    intent = caller.intent(data or EmptyBody())
    return accepted(await send_again(caller.ports.writer, goal_id, notification_id, intent))


@get("/api/v1/recipients", tags=[_TAG], summary="List who is told")
async def recipients(*, ports: PortsParam) -> RecipientList:
    """Names, never the addresses that hold credentials."""
    return RecipientList(
        [
            RecipientView(
                channel=event.channel,
                recipient=event.recipient,
                is_open=not isinstance(event, NotificationChannelClosed),
                since=event.timestamp,
                reason=event.reason if isinstance(event, NotificationChannelClosed) else "",
                by=event.by,
            )
            for event in await channels(ports.log)
        ]
    )


@command("/api/v1/recipients/reopen", RecipientBody, "Tell a recipient again", tag=_TAG)
async def reopen(*, data: JSONBody[RecipientBody], caller: CallerParam) -> Response[CommandAccepted]:
    """After it was gone, or had unsubscribed. What happened meanwhile is not told, but for what still waits."""
    return accepted(await open_channel(caller.ports.writer, data.recipient, caller.intent(data)))


def _view(story: NotificationStory) -> NotificationView:
    events = [r.event for r in story.records if isinstance(r.event, Event)]
    planned = [event for event in events if isinstance(event, NotificationPlanned)]
    last, tried = planned[-1], [e for e in events if isinstance(e, NotificationSent | NotificationFailed)]
    tries = [event for event in tried if event.round == last.round]
    end = tries[-1] if tries else None
    failed = end if isinstance(end, NotificationFailed) else None
    state: Literal["planned", "retrying", "sent", "failed"] = "planned"
    if failed is not None:
        state = "failed" if failed.retry_at is None else "retrying"
    elif end is not None:
        state = "sent"
    return NotificationView(
        id=story.key,
        goal_id=story.goal_id,
        channel=last.channel,
        recipient=last.recipient,
        kinds=tuple(dict.fromkeys(occasion.kind for occasion in last.occasions)),
        state=state,
        attempts=len(tries),
        planned_at=planned[0].timestamp,
        changed_at=events[-1].timestamp,
        reason=failed.reason if failed else "",
        retry_at=failed.retry_at if failed else None,
    )


HANDLERS: list[Any] = [goal_notifications, resend, recipients, reopen]
