"""How much room the log and the other streams take."""

from __future__ import annotations

from typing import Any

from litestar import get

from agenthub_gateway.api.access import PortsParam
from agenthub_runtime.operations.storage import Storage


@get("/api/v1/storage", tags=["System"], summary="How much room the streams take")
async def storage(ports: PortsParam) -> Storage:
    """The size of each stream with what bounds it, and what the disk of the log has left."""
    return await ports.storage()


HANDLERS: list[Any] = [storage]
