"""Who is told: addresses of people and programs as they are written in settings and goals."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from agenthub_events.channels import ChannelName, channel_of, shown
from agenthub_events.errors import InvalidInput
from agenthub_events.subjects import uuid5

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*")
_FORMS = "an e-mail address, an https:// address of a webhook"


class Recipient(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Who is told. `name` shows no credential and stands in events; `address` may hold one and is never shown."""

    channel: ChannelName
    name: str
    address: str

    def __repr__(self) -> str:
        return f"Recipient({self.channel}, {self.name!r})"


def parse_recipient(text: str) -> Recipient:
    """A mailbox, the address of a webhook, or any address that apprise knows. Raises `InvalidInput`.

    `check` is the check of a commit at the host of a goal's repository, `check#12` also a comment at issue 12.
    """
    given = text.strip()
    if not given.isprintable() or " " in given:
        raise InvalidInput("an address of a recipient holds no spaces or line breaks", field="notify")
    if given.lower().startswith("mailto:") and not given.lower().startswith("mailto://"):
        given = given[len("mailto:") :]
    scheme, is_url, _ = given.lower().partition("://")
    if is_url and not _SCHEME.fullmatch(scheme):
        raise InvalidInput(f"`{shown(given)}` is no address: use {_FORMS}, or one of apprise", field="notify")
    channel = channel_of(given)
    name = channel.name_of(given)
    # Without a scheme nothing is hidden: there the name is the address.
    return Recipient(channel=channel.name, name=name, address=given if is_url else name)


def readable_on_the_way(recipient: Recipient) -> str:
    """Why what a recipient is told can be read by others on its way, with the remedy; empty where it cannot.

    What stays on this machine has no way.
    """
    parts = urlsplit(recipient.address)
    if recipient.channel != "webhook" or parts.scheme.lower() != "http" or _is_this_machine(parts.hostname or ""):
        return ""
    return f"a webhook at http://{parts.hostname}: what it is told of goals can be read on the way; use https://"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def notification_key(recipient: str, occasion_seq: int, kind: str) -> str:
    """The id of a notification by its first occasion: `n-` and 32 hexadecimal digits."""
    return f"n-{uuid5(f'{recipient}|{kind}|{occasion_seq}').replace('-', '')}"
