"""How a planned notification goes on: sent, tried again, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from agenthub_events.catalogue.notification import NotificationFailed, NotificationPlanned, NotificationSent
from agenthub_events.ports import Recorded

PAUSES_S = (5.0, 60.0, 600.0, 3_600.0, 21_600.0)
"""Seconds before the second try, the third, and so on; after the last of them it is given up."""


class Try(msgspec.Struct, frozen=True):
    """Send it now, for the `attempt`-th time from 1."""

    attempt: int


class Wait(msgspec.Struct, frozen=True):
    """Its next try is not due yet."""

    until: datetime


class Over(msgspec.Struct, frozen=True):
    """It was sent, given up, or planned anew."""


DeliveryStep: TypeAlias = Try | Wait | Over


def next_step(records: Sequence[Recorded], planned: NotificationPlanned, now: datetime) -> DeliveryStep:
    """What is to be done about `planned`, by all messages of its notification."""
    failed: list[NotificationFailed] = []
    for recorded in records:
        match recorded.event:
            case NotificationPlanned(round=later) if later > planned.round:
                return Over()
            case NotificationSent(round=round_) if round_ == planned.round:
                return Over()
            case NotificationFailed(round=round_) as event if round_ == planned.round:
                failed.append(event)
            case _:
                pass
    if not failed:
        return Try(1)
    retry_at = failed[-1].retry_at
    if retry_at is None:
        return Over()
    return Try(len(failed) + 1) if retry_at <= now else Wait(retry_at)


def retry_at(
    attempt: int, now: datetime, *, hopeless: bool, pauses_s: Sequence[float] = PAUSES_S
) -> datetime | None:
    """When a notification whose `attempt`-th try has failed is tried again; None when it is given up."""
    if hopeless or attempt > len(pauses_s):
        return None
    return now + timedelta(seconds=pauses_s[attempt - 1])
