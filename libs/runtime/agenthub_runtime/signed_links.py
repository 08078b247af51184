"""Links in notifications: signed, for one recipient and one matter, until a date. To open one changes nothing.

What they allow is used up by itself: a question has one answer, and a result is judged once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from agenthub_events.errors import AgenthubError

VALID_FOR = timedelta(days=14)
PATH = "/l/"
_TAG = 16

LinkPurpose: TypeAlias = Literal["answer", "review", "plan", "unsubscribe"]


class LinkInvalid(AgenthubError):
    """The link was not made by this hub, was changed on its way, or is too old."""


class LinkClaim(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a link is for. `seq` is the message that it is about, `expires` seconds of the Unix epoch."""

    purpose: LinkPurpose
    recipient: str
    expires: int
    goal_id: str = ""
    task_id: str = ""
    seq: int = 0


class LinkSigner:
    """Makes links below `public_url` and reads them; who knows `key` can do both."""

    def __init__(self, key: str, public_url: str = "") -> None:
        self._key = hashlib.sha256(b"agenthub link\0" + key.encode()).digest()
        self._url = public_url.rstrip("/")

    def link(self, claim: LinkClaim) -> str:
        """The address that stands in a message."""
        return f"{self._url}{PATH}{self.token(claim)}"

    def token(self, claim: LinkClaim) -> str:
        """The claim with its signature, in letters that an address may hold."""
        body = msgspec.msgpack.encode(claim)
        return _text(self._tag(body) + body)

    def read(self, token: str, now: datetime) -> LinkClaim:
        """The claim of a token. Raises `LinkInvalid`."""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise LinkInvalid("This link is damaged: open the newest message, or use the inbox") from error
        tag, body = data[:_TAG], data[_TAG:]
        if not hmac.compare_digest(tag, self._tag(body)) or _text(data) != token:
            raise LinkInvalid("This link is damaged: open the newest message, or use the inbox")
        claim = msgspec.msgpack.decode(body, type=LinkClaim)
        if now.timestamp() > claim.expires:
            raise LinkInvalid("This link is too old: open the newest message, or use the inbox")
        return claim

    def _tag(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()[:_TAG]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
