"""A network between a client and a server that can stop passing bytes without a word to either."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class SlowNetwork:
    """A TCP proxy; while `holds` is set nothing passes, and connections are taken all the same."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """Pass nothing on from now on."""
        self._open.clear()

    def release(self) -> None:
        """Pass on what was held, and what comes."""
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        await self._open.wait()
        to_server = await asyncio.open_connection(self._host, self._port)
        for source, target in ((reader, to_server[1]), (to_server[0], writer)):
            task = asyncio.create_task(self._pass(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    await self._open.wait()
                    target.write(data)
                    await target.drain()
        finally:
            target.close()

    async def close(self) -> None:
        """End every connection."""
        self.release()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def slow_network(url: str) -> AsyncIterator[tuple[SlowNetwork, str]]:
    """A network in front of the server at `url`, and the url that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    network = SlowNetwork(parts.hostname, parts.port)
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    try:
        yield network, parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
    finally:
        server.close()
        await network.close()
