"""Sending a notification again, and saying who is told nothing more."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agenthub_events.catalogue.notification import (
    NotificationChannelClosed,
    NotificationChannelOpened,
    NotificationPlanned,
)
from agenthub_events.channels import ChannelName
from agenthub_events.errors import CommandRefused, InvalidSubject
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.subjects import GOAL_AS_A_WHOLE, HUB, check_task_id
from agenthub_gateway.commands.aggregate import Target, append_after
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer
from agenthub_gateway.errors import NotFound

CHANNELS = f"{HUB}.{GOAL_AS_A_WHOLE}.notification"

ChannelEvent = NotificationChannelOpened | NotificationChannelClosed


async def send_again(writer: Writer, goal_id: str, key: str, intent: Intent) -> CommandOutcome:
    """Plan a notification anew: it leaves with an id of its own. Raises `NotFound`, `StoreUnavailable`."""
    unknown = NotFound(f"Goal `{goal_id[:60]}` has no notification `{key[:60]}`")
    try:
        check_task_id(key)
    except InvalidSubject:
        raise unknown from None
    records = await writer.log.read(f"{goal_id}.{key}")
    planned = [r.event for r in records if isinstance(r.event, NotificationPlanned)]
    if not planned:
        raise unknown
    last = planned[-1]
    event = NotificationPlanned(
        channel=last.channel,
        recipient=last.recipient,
        occasions=last.occasions,
        round=last.round + 1,
        by=intent.actor,
    )
    return await append_after(writer, Target(goal_id, key), event, intent, lambda _: None)


async def close_channel(writer: Writer, recipient: str, reason: str, intent: Intent) -> CommandOutcome:
    """Tell a recipient nothing more. Raises `StoreUnavailable`; who is closed already stays so."""
    event = NotificationChannelClosed(
        channel=_channel_of(recipient), recipient=recipient, reason=reason, by=intent.actor
    )
    return await append_after(writer, Target(HUB, GOAL_AS_A_WHOLE), event, intent, lambda _: None)


async def open_channel(writer: Writer, recipient: str, intent: Intent) -> CommandOutcome:
    """Tell a recipient again. Raises `NotFound`, `CommandRefused` when it is open, `StoreUnavailable`."""

    def check(records: Sequence[Recorded]) -> None:
        now = channel_events(records).get(recipient)
        if now is None:
            raise NotFound(f"`{recipient[:80]}` was never told anything: name it in the settings")
        if isinstance(now, NotificationChannelOpened):
            raise CommandRefused("channel-open", f"`{recipient[:80]}` is told already")

    known = channel_events(await writer.log.read(CHANNELS)).get(recipient)
    channel = known.channel if known else "email"
    event = NotificationChannelOpened(channel=channel, recipient=recipient, by=intent.actor)
    return await append_after(writer, Target(HUB, GOAL_AS_A_WHOLE), event, intent, check)


async def channels(log: EventLog) -> list[ChannelEvent]:
    """How it stands with every recipient. Raises `StoreUnavailable`."""
    return list(channel_events(await log.read(CHANNELS)).values())


def channel_events(records: Sequence[Recorded]) -> dict[str, ChannelEvent]:
    """The last word about each recipient, by its name."""
    last: dict[str, ChannelEvent] = {}
    for recorded in records:
        if isinstance(recorded.event, NotificationChannelOpened | NotificationChannelClosed):
            last[recorded.event.recipient] = recorded.event
    return last


def _channel_of(recipient: str) -> ChannelName:
    return "email" if "@" in recipient else "webhook"


class NotificationStory(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of one notification."""

    goal_id: str
    key: str
    records: tuple[Recorded, ...]


async def notifications_of(log: EventLog, goal_id: str) -> list[NotificationStory]:
    """What was told about a goal alone, the oldest first. Raises `StoreUnavailable`."""
    found: dict[str, list[Recorded]] = {}
    for recorded in await log.read(f"{goal_id}.*.notification"):
        found.setdefault(recorded.subject.split(".")[2], []).append(recorded)
    return [NotificationStory(goal_id=goal_id, key=key, records=tuple(records)) for key, records in found.items()]
