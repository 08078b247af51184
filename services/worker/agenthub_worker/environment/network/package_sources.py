"""Which hosts and ports a setup, or the commands of a goal, may reach."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

import msgspec

_PORTS = {"http": 80, "https": 443}


class PackageSource(msgspec.Struct, frozen=True, kw_only=True):
    """A host and port that may be reached. The proxy adds `authorization`, which is never seen inside.

    `secure`: it is spoken to by TLS, also where it is asked by plain HTTP inside. `path`: the credentials are for
    what lies below it alone; of several the longest counts.
    """

    host: str
    port: int
    secure: bool = True
    authorization: str = ""
    path: str = ""

    @property
    def named(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


def package_sources(addresses: Iterable[str]) -> tuple[PackageSource, ...]:
    """The sources behind addresses, `host:port` and hosts (then port 443); what is none is passed over."""
    by_name: dict[str, PackageSource] = {}
    for text in addresses:
        source = _source(text)
        if source is None:
            continue
        known = by_name.get(source.named)
        if known is None or (source.authorization and not known.authorization):
            by_name[source.named] = source
    return tuple(by_name.values())


def _source(text: str) -> PackageSource | None:
    address = text.strip().removeprefix("sparse+").removeprefix("registry+")
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    if "://" not in address and not ("." in parts.hostname or parts.port):
        # A word such as `direct` or `off` among the addresses of go.
        return None
    given = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else ""
    return PackageSource(
        host=parts.hostname.lower(),
        port=port or _PORTS[parts.scheme],
        # Whoever is named without a scheme speaks what it is asked in: TLS by CONNECT, else plain HTTP.
        secure="://" in address and parts.scheme == "https",
        authorization=f"Basic {base64.b64encode(given.encode()).decode()}" if given else "",
    )
