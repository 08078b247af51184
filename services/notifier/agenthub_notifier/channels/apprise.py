"""Notifications over everything that apprise reaches: chat rooms, phones, and more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from agenthub_events.notifications.recipients import Recipient
from agenthub_notifier.channels.contract import Accepted, Parcel, Refused, SendResult
from agenthub_notifier.content.wording import subject_of, text_of
from agenthub_runtime.errors import SettingsInvalid

if TYPE_CHECKING:
    from apprise import Apprise


class AppriseSender:
    """Sends by the library `apprise`, which is an extra of this distribution."""

    async def send(self, parcel: Parcel) -> SendResult:
        """Try once. The library says only whether it worked."""
        way = _way_to(parcel.recipient)
        if isinstance(way, Refused):
            return way
        sent = await way.async_notify(title=subject_of(parcel.occurrence), body=text_of(parcel.occurrence))
        return Accepted("sent") if sent else Refused(reason=f"apprise could not send to {parcel.recipient.name}")


def check_addresses(recipients: Iterable[Recipient]) -> None:
    """Raises `SettingsInvalid` when one of them is for apprise, and it is not there or knows no such address."""
    ways = [_way_to(recipient) for recipient in recipients if recipient.channel == "apprise"]
    if problems := [f"AGENTHUB_NOTIFY: {way.reason}" for way in ways if isinstance(way, Refused)]:
        raise SettingsInvalid(tuple(dict.fromkeys(problems)))


def _way_to(recipient: Recipient) -> Apprise | Refused:
    try:
        from apprise import Apprise
    except ImportError:
        return Refused(reason="this address needs apprise: pip install 'agenthub[notify]'")
    way = Apprise()
    if way.add(recipient.address):
        return way
    return Refused(
        reason=f"apprise knows no such address ({recipient.name}): write an e-mail address, an https:// address"
        " of a webhook, or one of apprise such as slack://…",
        hopeless=True,
    )
