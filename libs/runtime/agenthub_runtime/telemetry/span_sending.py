"""Sends the spans of goals to the hub's own stream, from where the projector keeps them for some days.

Nobody waits for it and nothing fails by it: what the bus does not take stays in a bounded buffer, and what does
not fit there is counted and forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from agenthub_runtime.shutdown import end_tasks

if TYPE_CHECKING:
    from agenthub_runtime.telemetry.span_keeping import Send, SpanKeeper

log = structlog.get_logger(__name__)

STREAM = "SPANS"
_EVERY_S = 1.0
_ANSWER_S = 5.0
_LAST_S = 2.0


@asynccontextmanager
async def spans_sent(keeper: SpanKeeper | None, nats: Client, subject: str) -> AsyncIterator[None]:
    """Send the keeper's spans to `subject` every second while the body runs, and what is left at its end."""
    if keeper is None:
        yield
        return

    stream = nats.jetstream(timeout=_ANSWER_S)

    async def send(message: bytes) -> None:
        await stream.publish(subject, message, stream=STREAM)

    sending = asyncio.create_task(_keep_sending(keeper, send))
    try:
        yield
    finally:
        await end_tasks(sending)
        await _try(keeper, send, _LAST_S)


async def _keep_sending(keeper: SpanKeeper, send: Send) -> None:
    while True:
        await asyncio.sleep(_EVERY_S)
        await _try(keeper, send, None)


async def _try(keeper: SpanKeeper, send: Send, within_s: float | None) -> None:
    try:
        async with asyncio.timeout(within_s):
            await keeper.send_all(send)
    except (NatsError, TimeoutError) as error:
        log.debug("spans_wait", reason=str(error) or type(error).__name__)
