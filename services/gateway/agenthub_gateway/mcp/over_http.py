"""`POST /mcp`: the tools under the gateway's own address, for the same keys and scopes.

A tool asks the gateway's whole application, guard included, with what the caller sent of itself. So no tool
reaches further than the caller's key does.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, cast

import httpx2
from litestar import asgi
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from agenthub_gateway.edge.accounts import ACCOUNT
from agenthub_gateway.edge.keys import MCP

# By these the guard knows who asks, and from which page.
_OF_THE_CALLER = ("authorization", "cookie", "host", "origin", "sec-fetch-site", "traceparent")


class Endpoint:
    """Serves the protocol without sessions: any gateway answers any request, also after a restart."""

    def __init__(self) -> None:
        self.gateway: ASGIApp | None = None
        self._load = cache(self._loaded)

    def handler(self) -> ASGIRouteHandler:
        """The route."""

        @asgi(MCP, copy_scope=True)
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        return serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if cast(dict[str, Any], scope)["method"] != "POST":
            raise MethodNotAllowedException(headers={"Allow": "POST"})
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        # Loading takes a moment, and only gateways that are asked for it pay.
        server = await asyncio.to_thread(self._load)
        # One for each request: with it ends whatever the request has begun.
        manager = StreamableHTTPSessionManager(server, stateless=True)
        async with manager.run():
            await manager.handle_request(cast(Any, scope), cast(Any, receive), cast(Any, send))

    def _loaded(self) -> Any:
        from agenthub_gateway.mcp.tools import build_server

        return build_server(self._connect)._lowlevel_server

    def _connect(self, ctx: Any) -> httpx2.AsyncClient:
        assert self.gateway is not None
        asked = ctx.request_context.request
        headers = {name: asked.headers[name] for name in _OF_THE_CALLER if name in asked.headers}
        transport = httpx2.ASGITransport(
            app=cast(Any, _AsCaller(self.gateway, asked.scope)), client=asked.scope.get("client") or ("", 0)
        )
        return httpx2.AsyncClient(transport=transport, base_url="http://agenthub", headers=headers)


class _AsCaller:
    """The gateway, asked for whoever called a tool: the kernel's word on the account of the connection stays."""

    def __init__(self, gateway: ASGIApp, asked: Any) -> None:
        self._gateway = gateway
        self._account = {k: v for k, v in asked.get("state", {}).items() if k == ACCOUNT}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await self._gateway(cast(Scope, {**scope, "state": dict(self._account)}), receive, send)
