"""Notifications over everything that apprise reaches: chat rooms, phones, and more."""

from __future__ import annotations

from agenthub_notifier.channels.contract import Accepted, Parcel, Refused, SendResult
from agenthub_notifier.content.wording import subject_of, text_of


class AppriseSender:
    """Sends by the library `apprise`, which is an extra of this distribution."""

    async def send(self, parcel: Parcel) -> SendResult:
        """Try once. The library says only whether it worked."""
        try:
            from apprise import Apprise
        except ImportError:
            return Refused(reason="this address needs apprise: pip install 'agenthub[notify]'")
        way = Apprise()
        if not way.add(parcel.recipient.address):
            return Refused(reason=f"apprise knows no such address ({parcel.recipient.name})", hopeless=True)
        sent = await way.async_notify(title=subject_of(parcel.occurrence), body=text_of(parcel.occurrence))
        return Accepted("sent") if sent else Refused(reason=f"apprise could not send to {parcel.recipient.name}")
