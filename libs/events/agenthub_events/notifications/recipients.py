"""Who is told: addresses of people and programs as they are written in settings and goals."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urlsplit

import msgspec

from agenthub_events.catalogue.notification import Channel
from agenthub_events.errors import InvalidInput
from agenthub_events.subjects import uuid5

MAILBOX_MAX = 254
_MAILBOX = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*")
_CHECK = re.compile(r"check(#[1-9]\d{0,9})?")
_FORMS = "an e-mail address, an https:// address of a webhook"


class Recipient(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Who is told. `name` shows no credential and stands in events; `address` may hold one and is never shown."""

    channel: Channel
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
    if _CHECK.fullmatch(given):
        return Recipient(channel="check", name=given, address=given)
    if "://" not in given:
        return _mailbox(given)
    scheme = given.partition("://")[0].lower()
    if not _SCHEME.fullmatch(scheme):
        raise InvalidInput(f"`{_shown(given)}` is no address: use {_FORMS}, or one of apprise", field="notify")
    return _webhook(given) if scheme in ("http", "https") else _apprise(given, scheme)


def notification_key(recipient: str, occasion_seq: int, kind: str) -> str:
    """The id of a notification by its first occasion: `n-` and 32 hexadecimal digits."""
    return f"n-{uuid5(f'{recipient}|{kind}|{occasion_seq}').replace('-', '')}"


def _mailbox(text: str) -> Recipient:
    if len(text) > MAILBOX_MAX or not _MAILBOX.fullmatch(text) or ".." in text:
        raise InvalidInput(f"`{text[:60]}` is no e-mail address: write one like ann@example.org", field="notify")
    local, _, domain = text.rpartition("@")
    return Recipient(channel="email", name=f"{local}@{domain.lower()}", address=f"{local}@{domain.lower()}")


def _webhook(text: str) -> Recipient:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"`{_shown(text)}` is no address of a webhook: {error}", field="notify") from error
    if not host:
        raise InvalidInput(f"`{_shown(text)}` is no address of a webhook: it names no host", field="notify")
    return Recipient(channel="webhook", name=f"{host}/{_digest(text)}", address=text)


def _apprise(text: str, scheme: str) -> Recipient:
    return Recipient(channel="apprise", name=f"{scheme}/{_digest(text)}", address=text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _shown(text: str) -> str:
    return f"{text.partition('://')[0][:20]}://…"
