"""Why an order waits, as far as only the workers know it: read models hold what events say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agenthub_events.errors import AgenthubError
from agenthub_gateway.ports import GatewayPorts
from agenthub_gateway.queues import unserved_types
from agenthub_runtime.readmodels.rows import TaskRow

_ASK_WITHIN_S = 1.0


async def say_who_is_missing(ports: GatewayPorts, rows: Sequence[TaskRow]) -> None:
    """Put the reason into tasks that wait for a worker which does not run; unchanged while nobody can tell."""
    waiting = [row for row in rows if row.status == "enqueued"]
    if not waiting:
        return
    try:
        async with asyncio.timeout(_ASK_WITHIN_S):
            missing = unserved_types(await ports.queues())
    except (AgenthubError, TimeoutError):
        return
    for row in waiting:
        row.reason = missing.get(row.agent_type, row.reason)
