"""Sends the spans of goals to the hub's own stream, from where the projector keeps them for some days.

Nobody waits for it and nothing fails by it: what the bus does not take stays in a bounded buffer, and what does
not fit there is counted and forgotten.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as RecordedSpan

from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_runtime.telemetry.instruments import SPANS_LOST
from agenthub_runtime.telemetry.span_records import SPANS_A_MESSAGE, message_of, pack, record_of

log = structlog.get_logger(__name__)

Send = Callable[[bytes], Awaitable[None]]

STREAM = "SPANS"
BUFFER_BYTES = 4 << 20
MESSAGE_BYTES = 256 << 10
_EVERY_S = 1.0
_ANSWER_S = 5.0
_LAST_S = 2.0


class SpanKeeper(SpanProcessor):
    """Holds spans that have ended until they are sent, `buffer_bytes` of them at most. Any thread may end one."""

    def __init__(self, secrets: KnownSecrets = NO_SECRETS, *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._secrets = secrets
        self._room = buffer_bytes
        self._waiting: deque[bytes] = deque()
        self._change = threading.Lock()
        self._instance = f"{socket.gethostname()}-{os.getpid()}"
        self.lost = 0

    def on_start(self, span: RecordedSpan, parent_context: Context | None = None) -> None:
        """Nothing is known of it yet."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take it, unless it is about no goal or there is no room."""
        record = record_of(span, self._secrets)
        if record is None:
            return
        packed = pack(record)
        with self._change:
            fits = len(packed) <= self._room
            if fits:
                self._room -= len(packed)
                self._waiting.append(packed)
        if not fits:
            self._lose()

    async def send_all(self, send: Send) -> None:
        """Send what waits. Raises what `send` raises, and then holds all that was not sent."""
        while self._waiting:
            part = self._first()
            await send(message_of(self._instance, part))
            with self._change:
                for packed in part:
                    self._waiting.popleft()
                    self._room += len(packed)

    def _first(self) -> list[bytes]:
        part: list[bytes] = []
        size = 0
        for packed in list(islice(self._waiting, SPANS_A_MESSAGE)):
            size += len(packed)
            if part and size > MESSAGE_BYTES:
                break
            part.append(packed)
        return part

    def _lose(self) -> None:
        if not self.lost:
            log.warning("spans_lost", reason="the bus takes none and the buffer is full")
        self.lost += 1
        SPANS_LOST.add(1, {})


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
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
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
