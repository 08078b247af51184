"""A request to the proxy of a sandbox: read strictly, and said again as its source is to hear it.

Whoever sends it is nobody's friend: what another reader could take for a second request, for another host or for a
path elsewhere is refused, since what is sent on may carry a credential.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import msgspec

from agenthub_worker.environment.network.package_sources import PackageSource

_HOP_BY_HOP = frozenset(
    {b"proxy-connection", b"proxy-authorization", b"connection", b"keep-alive", b"te", b"upgrade"}
)
_LENGTH, _CODING = b"content-length", b"transfer-encoding"
_METHOD = re.compile(r"[A-Z]{1,20}")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_OUTSIDE_AN_ADDRESS = re.compile(r"[\x00-\x20\x7f]")
_HTTP = 80


class ProxyTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a request is for. `tunnel`: it asks for a connection, and says nothing of what goes over it."""

    host: str
    port: int
    tunnel: bool
    path: str = ""

    @property
    def named(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def climbs(self) -> bool:
        """Whether its path may mean another one to the server, such as `/a/../b`."""
        plain = unquote(unquote(self.path.partition("?")[0])).replace("\\", "/")
        return any(part in (".", "..") for part in plain.split("/"))


class ProxyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came. `length`: bytes of its body; None where it does not say so before it ends."""

    method: str
    target: ProxyTarget
    headers: tuple[tuple[bytes, bytes], ...]
    length: int | None

    def head_for(self, source: PackageSource) -> bytes:
        """What the source is told: its own name, one request for the connection, and the source's credential."""
        without = {*_HOP_BY_HOP, b"host", *((b"authorization",) if source.authorization else ())}
        kept = [name + b": " + value for name, value in self.headers if name.lower() not in without]
        if source.authorization:
            kept.append(b"Authorization: " + source.authorization.encode())
        first = f"{self.method} {self.target.path} HTTP/1.1".encode("latin-1")
        host = b"Host: " + _authority(self.target).encode("latin-1")
        return b"\r\n".join([first, host, *kept, b"Connection: close", b"", b""])


def read_request(head: bytes) -> ProxyRequest | None:
    """The request whose head this is, up to its blank line; None where it is none for a proxy."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, _, rest = first.decode("latin-1").partition(" ")
    address, _, version = rest.rpartition(" ")
    target = _target(address, tunnel=method == "CONNECT")
    headers = _headers(lines)
    if target is None or headers is None or not _METHOD.fullmatch(method):
        return None
    lengths = {value.strip() for name, value in headers if name.lower() == _LENGTH}
    is_coded = any(name.lower() == _CODING for name, _ in headers)
    is_clear = len(lengths) + is_coded <= 1 and all(length.isdigit() for length in lengths)
    if version not in ("HTTP/1.1", "HTTP/1.0") or not is_clear:
        return None
    length = None if is_coded else int(lengths.pop()[:18]) if lengths else 0
    return ProxyRequest(method=method, target=target, headers=headers, length=length)


def _target(address: str, *, tunnel: bool) -> ProxyTarget | None:
    if _OUTSIDE_AN_ADDRESS.search(address):
        return None
    try:
        parts = urlsplit(f"//{address}" if tunnel else address)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or not (tunnel or parts.scheme == "http"):
        return None
    return ProxyTarget(
        host=parts.hostname.lower(),
        port=port or (443 if tunnel else _HTTP),
        tunnel=tunnel,
        path=f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}",
    )


def _headers(lines: list[bytes]) -> tuple[tuple[bytes, bytes], ...] | None:
    found = [_HEADER.fullmatch(line) for line in lines]
    return None if None in found else tuple((one[1], one[2]) for one in found if one)


def _authority(target: ProxyTarget) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == _HTTP else f"{host}:{target.port}"
