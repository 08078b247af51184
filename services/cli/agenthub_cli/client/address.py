"""The address of a hub as people write it, and what of their environment counts on the way there."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed

_HINT = "an address looks like http://127.0.0.1:8000"
_LOOPBACK_NAMES = ("localhost", "ip6-localhost")


def hub_address(text: str) -> str:
    """`text` as the address that requests begin with. Raises `CommandFailed` when it is none."""
    parts = _parts(text)
    if parts.scheme not in ("http", "https"):
        raise _no_address(text, "it begins with neither http:// nor https://")
    if not parts.hostname:
        raise _no_address(text, "it names no host")
    if parts.query or parts.fragment:
        raise _no_address(text, "an address of a hub has no `?` and no `#`")
    return text.rstrip("/")


def on_loopback(address: str) -> bool:
    """Whether the address is on this machine: no proxy and no certificate of the environment counts there."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOOPBACK_NAMES or host.endswith(".localhost")


def hub_key(env: Mapping[str, str] = os.environ) -> str:
    """The key that `env` holds, empty for none. Raises `CommandFailed` for one that no request can carry."""
    key = env.get("AGENTHUB_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise CommandFailed(
            "AGENTHUB_API_KEY holds characters that no key has",
            hint="a key is printable ASCII: copy it again",
            code=exit_codes.USAGE,
        )
    return key


def _parts(text: str) -> SplitResult:
    if not text.isprintable() or " " in text:
        raise _no_address(text, "it holds blanks or control characters")
    try:
        parts = urlsplit(text)
        # Read here, because both are looked at only when they are asked for.
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise _no_address(text, str(error)) from None
    return parts


def _no_address(text: str, why: str) -> CommandFailed:
    return CommandFailed(f"{text!r} is no address of a hub: {why}", hint=_HINT, code=exit_codes.USAGE)
