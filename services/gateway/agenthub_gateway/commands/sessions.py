"""Browsers that are signed in, and one-time links that sign one in: tokens of 256 bits, of which digests are kept.

Every gateway of a hub sees the same ones. What a token stands for is the key that it was given for: it reaches no
further, and is worth nothing once the key is taken out of the settings.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Clock, Stored, Unavailable
from agenthub_gateway.errors import SignInLinkSpent
from agenthub_runtime.jetstream.fenced_stream import FencedStream, Message

STREAM = "SESSIONS"
SESSION_LASTS = timedelta(days=7)
LINK_LASTS = timedelta(minutes=2)
COOKIE = "agenthub-session"
# Browsers take a cookie of this name over TLS alone, and from no other host.
COOKIE_OVER_TLS = f"__Host-{COOKIE}"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

Kind = Literal["session", "link"]


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept for a token. `proof` names its key, `expires` is in seconds since 1970."""

    kind: Kind
    proof: str
    expires: int
    ended: bool = False


class Sessions:
    """Gives out passes and takes them back. Every method raises `StoreUnavailable`."""

    def __init__(self, stream: FencedStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock

    async def give(self, kind: Kind, proof: str) -> str:
        """A new token for the holder of a key."""
        lasts = SESSION_LASTS if kind == "session" else LINK_LASTS
        token = secrets.token_urlsafe(32)
        expires = int((self._clock.now() + lasts).timestamp())
        await self._write(token, Pass(kind=kind, proof=proof, expires=expires), expected=0)
        return token

    async def proof_of(self, token: str) -> str:
        """The proof of the key that a session was given for; empty when there is no such session any more."""
        found, _ = await self._read(token, "session")
        return found.proof if found else ""

    async def spend(self, token: str) -> str:
        """Use a link up, and return the proof of its key. Raises `SignInLinkSpent` for whoever comes second."""
        found, seq = await self._read(token, "link")
        if found is None or not await self._write(token, _ended(found), expected=seq):
            raise SignInLinkSpent("It was used, or is older than two minutes")
        return found.proof

    async def end(self, token: str) -> None:
        """Nobody gets in with this session any more."""
        found, seq = await self._read(token, "session")
        if found is not None:
            await self._write(token, _ended(found), expected=seq)

    async def _read(self, token: str, kind: Kind) -> tuple[Pass | None, int]:
        if not _TOKEN.fullmatch(token):
            return None, 0
        message = await self._stream.last(_subject(token))
        if message is None:
            return None, 0
        found = msgspec.json.decode(message.data, type=Pass)
        is_good = found.kind == kind and not found.ended and self._clock.now().timestamp() <= found.expires
        return (found if is_good else None), message.seq

    async def _write(self, token: str, wanted: Pass, *, expected: int) -> bool:
        """Whether this one was stored; False when another writer came first."""
        subject = _subject(token)
        message = Message(
            subject=subject,
            data=msgspec.json.encode(wanted),
            id=secrets.token_hex(16),
            fence=subject,
            expected=expected,
        )
        match await self._stream.append(message):
            case Stored():
                return True
            case Unavailable(reason):
                raise StoreUnavailable(f"Nobody can sign in or out now: {reason}")
            case _:
                return False


def session_in(headers: Mapping[str, str]) -> str:
    """The token in a request's cookies; empty when there is none."""
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    found: dict[str, str] = {}
    for name, _, value in pairs:
        found.setdefault(name, value)
    return found.get(COOKIE_OVER_TLS) or found.get(COOKIE, "")


def _ended(found: Pass) -> Pass:
    return msgspec.structs.replace(found, ended=True)


def _subject(token: str) -> str:
    return f"session.{hashlib.sha256(token.encode()).hexdigest()}"
