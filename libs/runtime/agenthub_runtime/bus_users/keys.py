"""Keys of bus users (nkeys, Ed25519): the seed stays with the client, which signs what the server asks it to sign.

No secret goes over the wire, so a program that has taken the server's port learns nothing that it could use.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import msgspec

from agenthub_runtime.bus_users.rights import inbox_of

_SEED = re.compile(r"SU[A-Z2-7]{56}")


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and as whom. `seed` is empty when the addresses hold a password, or nothing.

    `authority` names the file of the certificates that the servers' own are checked by.
    """

    servers: tuple[str, ...]
    user: str = ""
    seed: str = ""
    authority: str = ""

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"

    @property
    def options(self) -> dict[str, Any]:
        """For `connect` of nats-py. Raises `OSError` when the authority's certificates cannot be read."""
        seed = {"nkeys_seed_str": self.seed} if self.seed else {}
        inbox = {"inbox_prefix": inbox_of(self.user)} if self.user else {}
        tls = {"tls": ssl.create_default_context(cafile=self.authority)} if self.authority else {}
        return {"servers": list(self.servers), **seed, **inbox, **tls}


def new_seed() -> str:
    """A fresh secret key of a user."""
    import nkeys  # type: ignore[import-untyped]

    return bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)).decode()


def public_key(seed: str) -> str:
    """What the server has to know of a key. Raises `ValueError` when `seed` is none."""
    import nkeys

    try:
        return bytes(nkeys.from_seed(bytearray(seed, "ascii")).public_key).decode()
    except (nkeys.NkeysError, UnicodeEncodeError) as error:
        raise ValueError("a seed is `SU` and 56 capital letters and digits") from error


def login_of(nats_url: str) -> Login:
    """Take addresses apart, `nats://user:secret@host:port?ca=file,…`.

    A seed in the place of a password is never sent.
    """
    servers, user, seed, authority = [], "", "", ""
    for address in nats_url.split(","):
        parts = urlsplit(address.strip())
        authority = authority or parse_qs(parts.query).get("ca", [""])[0]
        parts = parts._replace(query="")
        user = user or unquote(parts.username or "") * (parts.password is not None)
        if _SEED.fullmatch(parts.password or ""):
            seed = seed or str(parts.password)
            parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        servers.append(urlunsplit(parts))
    return Login(servers=tuple(servers), user=user, seed=seed, authority=authority)


def with_login(url: str, user: str, secret: str) -> str:
    """`url` with user and seed (or password) in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{secret}@{parts.netloc.rpartition('@')[2]}"))
