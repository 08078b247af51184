"""The only way out of a sandbox: an HTTP proxy on a Unix socket that reaches the hosts of a list and nothing else.

It takes `CONNECT host:port` and requests for whole `http://` addresses. A source with credentials is asked by
plain HTTP inside and by TLS outside, so that the proxy can add them: nothing inside ever sees them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Collection, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog

from agenthub_events.rules.network import is_public
from agenthub_worker.environment.network.package_sources import PackageSource

log = structlog.get_logger()

_HEAD_BYTES = 64 << 10
_HEAD_WITHIN_S = 30
_CONNECT_WITHIN_S = 30
_PIECE = 64 << 10
_HOP_BY_HOP = frozenset(
    {b"proxy-connection", b"proxy-authorization", b"connection", b"keep-alive", b"te", b"upgrade"}
)
_CREDENTIALS = b"authorization"


class _Private(Exception):
    """A name leads to an address that is not one of the internet."""


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    tunnel: bool
    path: bytes = b""

    @property
    def named(self) -> str:
        return f"{self.host}:{self.port}"


class AllowlistProxy:
    """Reaches `sources`. `refused` are the hosts that it was asked for and does not reach, in order.

    With `private` each must be a host of the internet, or among these (`host:port`).
    """

    def __init__(self, sources: Iterable[PackageSource], *, private: Collection[str] | None = None) -> None:
        self._private = private
        self._sources: dict[str, list[PackageSource]] = {}
        for source in sources:
            self._sources.setdefault(source.named, []).append(source)
        self.refused: list[str] = []

    @contextlib.asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        """Listen on the socket `path` until the block is left; connections end with it."""
        server = await asyncio.start_unix_server(self._serve, path, limit=_HEAD_BYTES)
        tasks = self._open = set[asyncio.Task[None]]()
        try:
            yield
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._answer(reader, writer)
        except (
            OSError,
            TimeoutError,
            ssl.SSLError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ) as error:
            log.debug("proxy_connection_ended", error=repr(error))
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_WITHIN_S):
            head = await reader.readuntil(b"\r\n\r\n")
        lines = head[:-4].split(b"\r\n")
        target = _target(lines[0])
        if target is None:
            await _say(writer, 400, "This is an HTTP proxy: send CONNECT or a whole http:// address.")
            return
        source = self._source(target)
        if source is None:
            self._refuse(target)
            await _say(writer, 403, f"Nothing here may reach {target.named}.")
            return
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                place = await self._place_of(target, source)
                there = await _opened(place, target, source)
        except _Private as private:
            self._refuse(target)
            await _say(
                writer, 403, f"{target.named} is {private}, a place of a private network or of this machine."
            )
            return
        except (OSError, TimeoutError, ssl.SSLError) as error:
            await _say(writer, 502, f"{target.named} cannot be reached: {error}")
            return
        if target.tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there[1].write(_head(lines, target, source))
        await _joined((reader, writer), there)

    def _source(self, target: _Target) -> PackageSource | None:
        known = self._sources.get(target.named, [])
        if not known and not target.tunnel and target.port == 80:
            # The address of a source with credentials, as it is called inside.
            secured = self._sources.get(f"{target.host}:443", [])
            known = secured if any(source.authorization for source in secured) else []
        if not known:
            return None
        below = [source for source in known if target.path.startswith(source.path.encode())]
        if not below:
            return msgspec.structs.replace(known[0], authorization="")
        return max(below, key=lambda source: (len(source.path), bool(source.authorization)))

    async def _place_of(self, target: _Target, source: PackageSource) -> str:
        """The host itself, or the address that was looked at: a name may mean another one a moment later."""
        if self._private is None or source.named in self._private:
            return target.host
        infos = await asyncio.get_running_loop().getaddrinfo(target.host, source.port, type=socket.SOCK_STREAM)
        places = [str(info[4][0]) for info in infos]
        for place in places:
            if not is_public(place):
                raise _Private(place)
        return places[0]

    def _refuse(self, target: _Target) -> None:
        if target.named not in self.refused:
            self.refused.append(target.named)
            log.warning("host_refused", host=target.named)


def _target(line: bytes) -> _Target | None:
    method, _, rest = line.decode("latin-1").partition(" ")
    address, _, version = rest.rpartition(" ")
    if not version.startswith("HTTP/1."):
        return None
    tunnel = method == "CONNECT"
    try:
        parts = urlsplit(f"//{address}" if tunnel else address)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or not (tunnel or parts.scheme == "http"):
        return None
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return _Target(
        host=parts.hostname.lower(),
        port=port or (443 if tunnel else 80),
        tunnel=tunnel,
        path=path.encode("latin-1"),
    )


async def _opened(
    place: str, target: _Target, source: PackageSource
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if source.secure and not target.tunnel:
        context = ssl.create_default_context()
        return await asyncio.open_connection(place, source.port, ssl=context, server_hostname=target.host)
    return await asyncio.open_connection(place, source.port)


def _head(lines: list[bytes], target: _Target, source: PackageSource) -> bytes:
    method, _, version = lines[0].split(b" ", 2)[0], b"", b"HTTP/1.1"
    kept = [line for line in lines[1:] if _name(line) not in _HOP_BY_HOP]
    if source.authorization:
        kept = [line for line in kept if _name(line) != _CREDENTIALS]
        kept.append(b"Authorization: " + source.authorization.encode())
    # One request a connection: the next one may be for another host.
    return b"\r\n".join([b" ".join((method, target.path, version)), *kept, b"Connection: close", b"", b""])


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].strip().lower()


async def _say(writer: asyncio.StreamWriter, status: int, words: str) -> None:
    body = f"{words}\n".encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()


async def _joined(
    here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copied(here[0], there[1]))
            group.create_task(_copied(there[0], here[1]))
    except* OSError as errors:
        log.debug("proxy_tunnel_ended", error=repr(errors.exceptions[0]))
    finally:
        there[1].close()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof() if writer.can_write_eof() else None
