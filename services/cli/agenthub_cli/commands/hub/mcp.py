"""`agenthub mcp`: the hub's tools over standard input and output."""

from __future__ import annotations

from typing import Any

from agenthub_cli.client.hub_client import TIMEOUT_S, hub_place
from agenthub_cli.options.common import Url


def mcp(*, url: Url = None) -> None:
    """Serve the hub's tools on standard input and output until the client closes them.

    The same tools stand at `/mcp` of the gateway, for clients that speak HTTP.
    """
    import anyio
    import httpx2

    from agenthub_cli.client.address import on_loopback
    from agenthub_gateway.mcp.tools import build_server

    def connect(_: Any) -> httpx2.AsyncClient:
        address, headers = hub_place(url)
        return httpx2.AsyncClient(
            base_url=address, headers=headers, timeout=TIMEOUT_S, trust_env=not on_loopback(address)
        )

    anyio.run(build_server(connect).run_stdio_async)
