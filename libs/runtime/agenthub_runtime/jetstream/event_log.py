"""`EventLog` on a JetStream stream."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog
from nats.aio.client import Client

from agenthub_events.base import Draft
from agenthub_events.ports import AppendResult, Conflict, Recorded, Stamp, Stored, Unavailable
from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_events.serialization.codec import decode_at, encode
from agenthub_events.subjects import STREAM, filter_of
from agenthub_runtime.jetstream.fenced_stream import (
    ACK_TIMEOUT_S,
    PATIENCE_S,
    Clash,
    FencedStream,
    Message,
    Outcome,
)
from agenthub_runtime.jetstream.wire import TRACEPARENT, RawMessage
from agenthub_runtime.telemetry.instruments import APPEND_SECONDS

log = structlog.get_logger(__name__)

_RESULTS: dict[type[Outcome], dict[str, str]] = {
    Stored: {"result": "stored"},
    Clash: {"result": "conflict"},
    Unavailable: {"result": "unavailable"},
}


class JetStreamEventLog:
    """The hub's log on one NATS connection; calls may overlap, and concurrent appends are pipelined.

    No event that it appends holds one of `secrets`.
    `ack_timeout_s` is how long one acknowledgement may take, `patience_s` how long a call keeps trying before it
    gives up with `Unavailable` (append) or `StoreUnavailable` (reads).
    """

    def __init__(
        self,
        nc: Client,
        stream: str = STREAM,
        *,
        ack_timeout_s: float = ACK_TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        secrets: KnownSecrets = NO_SECRETS,
    ) -> None:
        self._secrets = secrets
        self._stream = FencedStream(nc, stream, ack_timeout_s=ack_timeout_s, patience_s=patience_s)

    async def append(self, draft: Draft, stamp: Stamp) -> AppendResult:
        """Append one event, expecting `draft.expected` as the last sequence of its aggregate."""
        return await self._append((draft,), stamp)

    async def append_together(self, drafts: Sequence[Draft], stamp: Stamp) -> AppendResult:
        """Append several events to several aggregates, all or none; `Stored.seq` is that of the last.

        Events of one aggregate follow each other: the first one's `expected` is the fence for all of them.
        """
        return await self._append(drafts, stamp)

    async def read(self, prefix: str, *, after: int = 0, limit: int = 10_000) -> list[Recorded]:
        """Messages below `evt.<prefix>.`, in order, with `seq > after`. Raises `StoreUnavailable`."""
        return [_recorded(raw) for raw in await self._stream.read(filter_of(prefix), after=after, limit=limit)]

    async def last(self, prefix: str) -> Recorded | None:
        """The newest message below `evt.<prefix>.`, read from the leader. Raises `StoreUnavailable`."""
        raw = await self._stream.last(filter_of(prefix))
        return None if raw is None else _recorded(raw)

    async def last_seq(self) -> int:
        """The sequence of the newest message of the whole log. Raises `StoreUnavailable`."""
        return await self._stream.last_seq()

    async def follow(
        self, *, after: int, subjects: Sequence[str] = ("evt.>",)
    ) -> AsyncGenerator[list[Recorded], None]:
        """Batches of what is pending, in order, without gap, across restarts of the server.

        One empty batch comes when everything stored at the time of the call has been given out. Raises
        `StoreUnavailable` when the connection is closed for good, or the stream is not there at the start.
        """
        async with aclosing(self._stream.follow(subjects, after=after)) as batches:
            async for batch in batches:
                yield [_recorded(raw) for raw in batch]

    async def _append(self, drafts: Sequence[Draft], stamp: Stamp) -> AppendResult:
        began = time.perf_counter()
        outcome = await self._stream.append(*(self._message(draft, stamp) for draft in drafts))
        APPEND_SECONDS.add(time.perf_counter() - began, _RESULTS[type(outcome)])
        if isinstance(outcome, Stored) and not outcome.duplicate:
            _tell(drafts, outcome.seq, stamp)
        return _result(outcome)

    def _message(self, draft: Draft, stamp: Stamp) -> Message:
        return Message(
            subject=draft.subject,
            data=encode(draft.sealed(stamp.now, stamp.metadata, self._secrets)),
            id=draft.event_id,
            fence=filter_of(draft.originator_id),
            expected=draft.expected,
            headers={TRACEPARENT: stamp.traceparent} if stamp.traceparent else {},
        )


def _tell(drafts: Sequence[Draft], last: int, stamp: Stamp) -> None:
    """One line an event, in the log of the service that has written it, and with nothing of what it says."""
    for seq, draft in enumerate(drafts, last - len(drafts) + 1):
        log.info(
            "event",
            type=draft.event.type,
            seq=seq,
            goal_id=draft.goal_id,
            task_id=draft.task_id,
            trace_id=stamp.traceparent[3:35],
        )


def _recorded(raw: RawMessage) -> Recorded:
    digest = hashlib.sha256(raw.data).hexdigest()
    return Recorded(
        seq=raw.seq,
        subject=raw.subject,
        event=decode_at(raw.subject, raw.data),
        sha256=digest,
        headers=raw.headers,
    )


def _result(outcome: Outcome) -> AppendResult:
    if isinstance(outcome, Clash):
        return Conflict(tuple(_recorded(raw) for raw in outcome.tail))
    return outcome
