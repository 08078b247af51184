"""Asking a gateway whether the hub is ready, without an HTTP client's start-up time."""

from __future__ import annotations

import asyncio

_TIMEOUT_S = 3.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # asked, not listened on


async def is_ready(host: str, port: int) -> bool:
    """Whether `GET /health/ready` answers 200; False while nobody listens or answers."""
    try:
        return await asyncio.wait_for(_ask(_ANYWHERE.get(host, host), port), _TIMEOUT_S)
    except (OSError, TimeoutError):
        return False


async def _ask(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        status = await reader.readline()
        return status.split(b" ")[1:2] == [b"200"]
    finally:
        writer.close()
