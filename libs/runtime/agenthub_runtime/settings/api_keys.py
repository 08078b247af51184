"""Entries of `AGENTHUB_API_KEYS`: who holds a key, and how far it reaches."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

Scope = Literal["read", "submit", "operate", "admin"]

# Each scope holds those before it.
SCOPES: tuple[Scope, ...] = get_args(Scope)
SHORTEST_KEY = 16
LONGEST_NAME = 64
# In the log this name says that no person has acted, but the hub by a rule.
_OF_THE_HUB = "agenthub"
_DIGEST = re.compile(r"sha256=([0-9a-f]{64})")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key: the `secret` itself, or its SHA-256 as 64 hexadecimal digits in `digest`."""

    name: str
    scope: Scope = "admin"
    secret: str = ""
    digest: str = ""

    def __repr__(self) -> str:
        return f"ApiKey(name={self.name!r}, scope={self.scope!r})"


def read_api_key(entry: str, place: int) -> ApiKey:
    """`secret`, `name:secret` or `name:scope:secret`; the secret may be written `sha256=<64 hex digits>`.

    An entry without a name is called by its `place`, one without a scope is an `admin`. Raises `ValueError`.
    """
    name, separator, rest = entry.partition(":")
    if not separator:
        name, rest = f"key-{place}", entry
    word, separator, behind = rest.partition(":")
    named = next((scope for scope in SCOPES if separator and scope == word), None)
    scope: Scope = named or "admin"
    secret = behind if named else rest
    found = _DIGEST.fullmatch(secret)
    if found is None and len(secret) < SHORTEST_KEY:
        # Often a variable that was not set; an empty secret would let everybody in.
        raise ValueError(
            f"the secret of `{name}` has {len(secret)} characters: give at least {SHORTEST_KEY}, for example"
            " `openssl rand -hex 24`"
        )
    _check_name(name, place)
    if found is not None:
        return ApiKey(name=name, scope=scope, digest=found.group(1))
    if not (secret.isascii() and secret.isprintable()):
        raise ValueError(f"the secret of `{name}` holds characters that no header can carry: use printable ASCII")
    return ApiKey(name=name, scope=scope, secret=secret)


def _check_name(name: str, place: int) -> None:
    """A name stands in every event of its holder, and with `|` behind it in what their requests are known by."""
    if not (1 <= len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()) or "|" in name:
        raise ValueError(
            f"the name in entry {place} cannot be used: give it 1 to {LONGEST_NAME} printable characters, without"
            " `|` and without blanks around it"
        )
    if name.casefold() == _OF_THE_HUB:
        raise ValueError(f"the name in entry {place} is that of the hub itself: give the key another one")
