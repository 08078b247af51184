"""What a client's settings say of private registries."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from agenthub_worker.environment.network.package_sources import PackageSource

PLACEHOLDER = "added-on-the-way"
"""What stands inside where a client wants to see a token before it asks."""

_PORTS = {"http": 80, "https": 443}


class Private(msgspec.Struct, frozen=True, kw_only=True):
    """`guarded` are hosts with their credentials, for the proxy; `files` (by place) and `variables` go inside."""

    guarded: tuple[PackageSource, ...] = ()
    addresses: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}


def guarded(address: str, authorization: str, *, whole_host: bool = False) -> PackageSource | None:
    """The source at an address, below which `authorization` is added; None: the address is none.

    `whole_host`: it is added everywhere on the host, where nothing else is known for a place.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return PackageSource(
        host=parts.hostname.lower(),
        port=port or _PORTS[parts.scheme],
        secure=parts.scheme == "https",
        authorization=authorization,
        path="" if whole_host else f"{parts.path.rstrip('/')}/",
    )


def plain(text: str, sources: tuple[PackageSource, ...]) -> str:
    """`text` with the addresses of guarded hosts by plain HTTP, as they are called inside."""
    for source in sources:
        if source.secure:
            names = [source.named, *([source.host] if source.port == _PORTS["https"] else [])]
            for name in names:
                text = text.replace(f"https://{name}/", f"http://{name}/")
    return text
