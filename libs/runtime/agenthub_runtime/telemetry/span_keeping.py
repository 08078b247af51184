"""The buffer in which spans of goals wait for the bus: loaded only by a process whose spans somebody takes."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as RecordedSpan

from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_runtime.telemetry.instruments import SPANS_LOST
from agenthub_runtime.telemetry.span_records import SPANS_A_MESSAGE, message_of, pack, record_of

log = structlog.get_logger(__name__)

Send = Callable[[bytes], Awaitable[None]]

BUFFER_BYTES = 4 << 20
MESSAGE_BYTES = 256 << 10


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
