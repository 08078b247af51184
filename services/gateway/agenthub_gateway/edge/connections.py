"""What one connection may cost before anybody knows who is at its other end."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agenthub_gateway.edge.accounts import ACCOUNT, account_of

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection with bounds on time and size, and with the account of its other end."""

    # From the first byte of a request, or from the connection on, until its headers are complete.
    headers_s = 10.0
    headers_max = 64 << 10
    # From its headers until its body is complete.
    body_s = 60.0
    # From the answer until the rest of a body that came too late.
    rest_s = 5.0
    # From one request to the next. Clients commonly keep a connection for five seconds: who uses it in the very
    # moment in which it ends here gets no answer.
    idle_s = 15
    # Each takes a file descriptor, and many systems give a process 1,024.
    connections_max = 512

    _waiting: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look who has come, and wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            transport.close()
            return
        self.timeout_keep_alive = self.idle_s
        self.app_state = {**self.app_state, ACCOUNT: _account(self.client, self.server)}
        self._within(self.headers_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the headers are complete."""
        if self._in_head:
            if self._waiting is None:
                self._within(self.headers_s)
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.headers_max and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """From here on the body is waited for."""
        self._in_head, self._head_bytes = False, 0
        self._within(self.body_s)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Who has the answer has a moment to finish a body that nobody reads any more."""
        super().on_response_complete()
        if not self._in_head:
            self._within(self.rest_s)

    def on_message_complete(self) -> None:
        """The request is here as a whole; the next one may be long in coming, which keep-alive bounds."""
        self._in_head = True
        self._within(None)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """A feed lives on its own pings."""
        self._within(None)
        super().handle_websocket_upgrade()

    def _within(self, seconds: float | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None if seconds is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()


def _account(peer: Any, here: Any) -> int | None:
    if peer is None or here is None or here[1] is None:
        return None
    if not ipaddress.ip_address(peer[0].partition("%")[0]).is_loopback:
        return None
    return account_of((peer[0], peer[1]), (here[0], here[1]))
