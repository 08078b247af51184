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

import msgspec
import structlog

from agenthub_events.rules.network import is_public
from agenthub_runtime.shutdown import end_tasks
from agenthub_worker.environment.network.package_sources import PackageSource
from agenthub_worker.environment.network.request import ProxyTarget, read_request

log = structlog.get_logger()

_HEAD_BYTES = 64 << 10
_HEAD_WITHIN_S = 30
_CONNECT_WITHIN_S = 30
_PIECE = 64 << 10
_REFUSED_MAX = 20
_NAMED_MAX = 261
# Each holds two of the worker's own file descriptors.
_CONNECTIONS_MAX = 128


class _Private(Exception):
    """A name leads to an address that is not one of the internet."""


class AllowlistProxy:
    """Reaches `sources`. `refused` are the hosts that it was asked for and does not reach, in order, up to
    twenty.

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
            await end_tasks(*tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        is_full = len(self._open) >= _CONNECTIONS_MAX
        self._open.add(task)
        try:
            if is_full:
                await _say(writer, 503, f"Too many connections at once: {_CONNECTIONS_MAX} are open.")
            else:
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
        request = read_request(head)
        if request is None:
            await _say(writer, 400, "This is an HTTP proxy: send CONNECT or a whole http:// address.")
            return
        target = request.target
        source = self._source(target)
        if source is None:
            self._refuse(target)
            await _say(writer, 403, f"Nothing here may reach {target.named}.")
            return
        if source.authorization and not target.tunnel and (target.climbs or request.length is None):
            words = "has a credential: send a plain path, and `Content-Length` with a body"
            await _say(writer, 400, f"{target.named} {words}.")
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
            there[1].write(request.head_for(source))
        await _joined((reader, writer), there, None if target.tunnel else request.length)

    def _source(self, target: ProxyTarget) -> PackageSource | None:
        known = self._sources.get(target.named, [])
        if not known and not target.tunnel and target.port == 80:
            # The address of a source with credentials, as it is called inside.
            secured = self._sources.get(f"{target.host}:443", [])
            known = secured if any(source.authorization for source in secured) else []
        if not known:
            return None
        below = [source for source in known if target.path.startswith(source.path)]
        if not below:
            return msgspec.structs.replace(known[0], authorization="")
        return max(below, key=lambda source: (len(source.path), bool(source.authorization)))

    async def _place_of(self, target: ProxyTarget, source: PackageSource) -> str:
        """The host itself, or the address that was looked at: a name may mean another one a moment later."""
        if self._private is None or source.named in self._private:
            return target.host
        infos = await asyncio.get_running_loop().getaddrinfo(target.host, source.port, type=socket.SOCK_STREAM)
        places = [str(info[4][0]) for info in infos]
        for place in places:
            if not is_public(place):
                raise _Private(place)
        return places[0]

    def _refuse(self, target: ProxyTarget) -> None:
        named = target.named[:_NAMED_MAX]
        if named not in self.refused and len(self.refused) < _REFUSED_MAX:
            self.refused.append(named)
            log.warning("host_refused", host=named)


async def _opened(
    place: str, target: ProxyTarget, source: PackageSource
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if source.secure and not target.tunnel:
        context = ssl.create_default_context()
        return await asyncio.open_connection(place, source.port, ssl=context, server_hostname=target.host)
    return await asyncio.open_connection(place, source.port)


async def _say(writer: asyncio.StreamWriter, status: int, words: str) -> None:
    body = f"{words}\n".encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()


async def _joined(
    here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    length: int | None,
) -> None:
    """Carry bytes both ways. With a `length` only so many go there: what follows is no part of the request."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copied(here[0], there[1]) if length is None else _body(here[0], there[1], length))
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


async def _body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int) -> None:
    while length and (piece := await reader.read(min(_PIECE, length))):
        length -= len(piece)
        writer.write(piece)
        await writer.drain()
