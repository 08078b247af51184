"""The only way out of a setup: an HTTP proxy on a Unix socket that reaches package sources and nothing else.

It takes `CONNECT host:port` and requests for whole `http://` addresses. A source with credentials is asked by
plain HTTP inside and by TLS outside, so that the proxy can add them: nothing inside ever sees them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog

from agenthub_worker.environment.package_sources import PackageSource

log = structlog.get_logger()

_HEAD_BYTES = 64 << 10
_HEAD_WITHIN_S = 30
_CONNECT_WITHIN_S = 30
_PIECE = 64 << 10
_HOP_BY_HOP = frozenset(
    {b"proxy-connection", b"proxy-authorization", b"connection", b"keep-alive", b"te", b"upgrade"}
)
_CREDENTIALS = b"authorization"


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    tunnel: bool
    path: bytes = b""

    @property
    def named(self) -> str:
        return f"{self.host}:{self.port}"


class PackageProxy:
    """Serves one setup. `refused` are the hosts that it was asked for and does not reach, in order."""

    def __init__(self, sources: Iterable[PackageSource]) -> None:
        self._sources = {source.named: source for source in sources}
        self.refused: list[str] = []

    @contextlib.asynccontextmanager
    async def serving(self, socket: Path) -> AsyncIterator[None]:
        """Listen on `socket` until the block is left; connections end with it."""
        server = await asyncio.start_unix_server(self._serve, socket, limit=_HEAD_BYTES)
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
            log.debug("package_proxy_connection_ended", error=repr(error))
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_WITHIN_S):
            head = await reader.readuntil(b"\r\n\r\n")
        lines = head[:-4].split(b"\r\n")
        target = _target(lines[0])
        if target is None:
            await _say(
                writer, 400, "This is a proxy for package sources: send CONNECT or a whole http:// address."
            )
            return
        source = self._source(target)
        if source is None:
            self._refuse(target)
            await _say(writer, 403, f"The setup may not reach {target.named}.")
            return
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                there = await _opened(target, source)
        except (OSError, TimeoutError, ssl.SSLError) as error:
            await _say(writer, 502, f"{target.named} cannot be reached: {error}")
            return
        if target.tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there[1].write(_head(lines, target, source))
        await _joined((reader, writer), there)

    def _source(self, target: _Target) -> PackageSource | None:
        known = self._sources.get(target.named)
        if known is None and not target.tunnel and target.port == 80:
            # The address of a source with credentials, as it is called inside.
            secured = self._sources.get(f"{target.host}:443")
            return secured if secured is not None and secured.authorization else None
        return known

    def _refuse(self, target: _Target) -> None:
        if target.named not in self.refused:
            self.refused.append(target.named)
            log.warning("setup_host_refused", host=target.named)


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


async def _opened(target: _Target, source: PackageSource) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if source.secure and not target.tunnel else None
    return await asyncio.open_connection(target.host, source.port, ssl=context)


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
        log.debug("package_proxy_tunnel_ended", error=repr(errors.exceptions[0]))
    finally:
        there[1].close()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof() if writer.can_write_eof() else None
