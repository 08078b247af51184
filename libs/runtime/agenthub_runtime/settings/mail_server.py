"""The mail server of notifications, written as an address."""

from __future__ import annotations

import ipaddress
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

MailSecurity: TypeAlias = Literal["tls", "starttls", "opportunistic", "none"]

_PORTS = {"smtps": 465, "smtp": 587}
_CHOICES: dict[str, MailSecurity] = {"always": "starttls", "offered": "opportunistic", "never": "none"}


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in, and how the connection is protected."""

    host: str
    port: int
    security: MailSecurity
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.host!r}, {self.port}, {self.security!r})"


def parse_mail_server(text: str) -> MailServer:
    """`smtps://user:password@host` (TLS from the start) or `smtp://host` (STARTTLS, else nothing is sent).

    To this machine itself STARTTLS is used when it is offered. `?starttls=always|offered|never` says otherwise.
    Raises `ValueError`.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"this is no address of a mail server: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(
            "use an address that starts with smtp:// or smtps://, such as smtp://mail.example.org:587"
        )
    if (parts.username and not parts.password) or (parts.password and not parts.username):
        raise ValueError("give user and password, or neither; `@`, `:` and `/` in them are written %40, %3A, %2F")
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        security=_security(parts.scheme, parts.hostname, parts.query),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _security(scheme: str, host: str, query: str) -> MailSecurity:
    options = parse_qs(query)
    if options.keys() - {"starttls"}:
        raise ValueError("the only option of a mail server is `starttls`")
    if scheme == "smtps":
        if options:
            raise ValueError("smtps:// is encrypted from the start: leave `starttls` out")
        return "tls"
    if not options:
        return "opportunistic" if _is_here(host) else "starttls"
    choice = options["starttls"][-1]
    if choice not in _CHOICES:
        raise ValueError("`starttls` is one of always, offered, never")
    return _CHOICES[choice]


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
