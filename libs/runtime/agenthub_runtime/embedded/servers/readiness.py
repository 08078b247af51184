"""Asking a server of the hub over HTTP, without an HTTP client's start-up time."""

from __future__ import annotations

import asyncio

_TIMEOUT_S = 3.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # asked, not listened on


async def is_ready(host: str, port: int) -> bool:
    """Whether `GET /health/ready` answers 200; False while nobody listens or answers."""
    try:
        status, _ = await http_get(_ANYWHERE.get(host, host), port, "/health/ready")
    except (OSError, TimeoutError):
        return False
    return status == 200


async def http_get(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Status and body of the answer. Raises `OSError`, or `TimeoutError` after three seconds."""
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            # The old version of the protocol: it ends a body by closing, and knows no pieces.
            writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    word = head.split(b" ")[1:2]
    return (int(word[0]) if word and word[0].isdigit() else 0), body
