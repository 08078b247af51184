"""The hosts that a goal's commands may reach: how people write them, and which addresses are nobody's own."""

from __future__ import annotations

import ipaddress
import re

from agenthub_events.errors import InvalidInput

HTTPS = 443
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_PLACE = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/@\s]+)(:(?P<port>\d{1,5}))?")
_PORT_MAX = 65_535
_LAST_32 = 0xFFFF_FFFF
# By these IPv6-only networks reach servers of IPv4.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
# Ways into other networks, and what is for documents; not every Python knows them.
_NEVER = tuple(map(ipaddress.ip_network, ("2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24")))


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
    """Whether an IP address is one of the internet, and not of a private network or of a machine itself.

    One that carries an older address in it is what that one is.
    """
    found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        carried = found.ipv4_mapped or (ipaddress.IPv4Address(int(found) & _LAST_32) if found in _NAT64 else None)
        if carried is None:
            return found.is_global and found in _UNICAST and not any(found in net for net in _NEVER)
        found = carried
    return found.is_global and not found.is_multicast and not any(found in net for net in _NEVER)


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
