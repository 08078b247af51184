"""The hosts that a goal's commands may reach: how people write them, and which addresses are nobody's own."""

from __future__ import annotations

import ipaddress
import re

from agenthub_events.errors import InvalidInput

HTTPS = 443
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_PLACE = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/@\s]+)(:(?P<port>\d{1,5}))?")
_PORT_MAX = 65_535


def network_host(text: str, field: str = "network") -> str:
    """`host` or `host:port` as `host:port`, in lower case; 443 where no port is named. Raises `InvalidInput`."""
    written = text.strip()
    if "://" in written or "/" in written:
        raise InvalidInput(
            "Name the host without scheme and path, such as `api.example.com` or `db.example.com:8443`",
            field=field,
        )
    if "*" in written:
        raise InvalidInput("A pattern names hosts that nobody has looked at: name each host", field=field)
    found = _PLACE.fullmatch(written.lower())
    host, port = (found["host"], int(found["port"] or HTTPS)) if found else ("", 0)
    if not _is_host(host) or not 0 < port <= _PORT_MAX:
        raise InvalidInput(f"`{written[:80]}` is no `host` or `host:port`, such as `api.example.com`", field=field)
    return f"{host}:{port}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, and not of a private network or of a machine itself."""
    found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_global) and not found.is_multicast


def names_private(place: str) -> bool:
    """Whether `host:port` is by its own words a place of a private network or of a machine itself."""
    host = place.rpartition(":")[0]
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not is_public(host)
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    if host.startswith("["):
        try:
            return ipaddress.ip_address(host.strip("[]")).version == 6
        except ValueError:
            return False
    if _HOST.fullmatch(host) is None:
        return False
    if host.rpartition(".")[2].isdigit():
        # Of numbers alone: an address, and not one of its odd spellings such as 127.1 or 2130706433.
        try:
            return str(ipaddress.IPv4Address(host)) == host
        except ValueError:
            return False
    return True
