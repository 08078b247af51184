"""The ways to recipients. A channel is one entry here, its name included, and one sender of the notifier's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from agenthub_events.errors import InvalidInput

ChannelName: TypeAlias = Literal["check", "email", "webhook", "apprise"]

MAILBOX_MAX = 254
_MAILBOX = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?")

# The check of a commit at the host of a goal's repository; with a number also a comment at that issue.
_CHECK = re.compile(r"check(#[1-9]\d{0,9})?")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel: which addresses mean it, and who is at their end.

    `is_meant`: an address is one of its own, if no channel before it has taken it. `name_of` makes the recipient's
    name in events, which shows no credential; it raises `InvalidInput` for what cannot be reached. `is_program`:
    told at any hour, of each kind of occasion by itself, without links that decide. `unsubscribes`: a message says
    how to get no more. `in_goals`: a goal may name one, in its first event.
    """

    name: ChannelName
    is_meant: Callable[[str], bool]
    name_of: Callable[[str], str]
    is_program: bool = False
    unsubscribes: bool = False
    in_goals: bool = True


def _by_mailbox(text: str) -> str:
    if len(text) > MAILBOX_MAX or not _MAILBOX.fullmatch(text) or ".." in text:
        raise InvalidInput(f"`{text[:60]}` is no e-mail address: write one like ann@example.org", field="notify")
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def _by_host(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"`{shown(text)}` is no address of a webhook: {error}", field="notify") from error
    if not host:
        raise InvalidInput(f"`{shown(text)}` is no address of a webhook: it names no host", field="notify")
    return f"{host}/{_digest(text)}"


def _by_scheme(text: str) -> str:
    return f"{text.partition('://')[0].lower()}/{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def shown(text: str) -> str:
    """The scheme of an address, in place of all of it."""
    return f"{text.partition('://')[0][:20]}://…"


def _has_no_scheme(text: str) -> bool:
    return "://" not in text


def _is_web(text: str) -> bool:
    return text.partition("://")[0].lower() in ("http", "https")


def _is_check(text: str) -> bool:
    return _CHECK.fullmatch(text) is not None


def _as_it_is(text: str) -> str:
    return text


def _is_any(_: str) -> bool:
    return True


_IN_ORDER = (
    Channel(name="check", is_meant=_is_check, name_of=_as_it_is, is_program=True),
    Channel(name="email", is_meant=_has_no_scheme, name_of=_by_mailbox, unsubscribes=True),
    Channel(name="webhook", is_meant=_is_web, name_of=_by_host, is_program=True),
    Channel(name="apprise", is_meant=_is_any, name_of=_by_scheme, in_goals=False),
)

CHANNELS: Mapping[str, Channel] = {channel.name: channel for channel in _IN_ORDER}
"""Every channel by its name, in the order in which an address is tried on them."""


def channel_of(address: str) -> Channel:
    """The channel that an address means."""
    return next(channel for channel in _IN_ORDER if channel.is_meant(address))
