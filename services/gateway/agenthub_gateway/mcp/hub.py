"""The HTTP API as the tools call it: whoever calls a tool calls the API with the same key, and no other way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from agenthub_events.errors import AgenthubError

API = "/api/v1"
# Longer than the API lets any call wait.
TIMEOUT_S = 35.0
_PAGES_MAX = 50

# A client for the caller of one tool; asked anew for each call, so that a hub may move meanwhile.
Connect = Callable[[Context[Any, Any]], httpx2.AsyncClient]


class Hub:
    """Reads and commands below the API. Every method raises `ToolError` with the hub's own words."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str, /, **params: Any) -> dict[str, Any]:
        """The JSON of a read; `params` that are None are left out."""
        wanted = {name: value for name, value in params.items() if value is not None}
        return await self._answer("GET", path, params=wanted)

    async def post(self, path: str, body: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        """The answer to a command; `key` makes a repetition the same command."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self._answer("POST", path, json=body, headers=headers)

    async def items(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every item of a paged list."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            page = await self.get(path, cursor=cursor, **params)
            found += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return found

    async def _answer(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            response = await self._client.request(method, f"{API}{path}", **options)
        except httpx2.TransportError as error:
            raise ToolError(f"The hub does not answer: {type(error).__name__} {error}") from error
        if not response.is_success:
            raise ToolError(_words(response))
        try:
            answer = response.json()
        except ValueError as error:
            raise ToolError("What answers at the hub's address is no agenthub") from error
        return dict(answer)


@asynccontextmanager
async def opened(connect: Connect, ctx: Context[Any, Any]) -> AsyncIterator[Hub]:
    """The hub for the caller of one tool. Raises `ToolError` when there is no way to it."""
    try:
        client = connect(ctx)
    except AgenthubError as error:
        hint = getattr(error, "hint", "")
        raise ToolError(f"{error}; {hint}" if hint else str(error)) from error
    async with client:
        yield Hub(client)


def _words(response: httpx2.Response) -> str:
    try:
        problem = response.json()
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"The hub answered with status {response.status_code}"
