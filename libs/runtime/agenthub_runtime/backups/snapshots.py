"""One stream as the server's own snapshot: taken while it is written to, and given back to a server without it.

The protocol is that of the JetStream API (`STREAM.SNAPSHOT`, `STREAM.RESTORE`): chunks, each of them acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from agenthub_runtime.backups.errors import BackupFailed

_CHUNK_BYTES = 128 << 10
_ANSWER_S = 30.0
# A stream that was being written to needs a moment until its files are safe to read.
_CHUNK_S = 60.0


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream holds; `last_seq` is 0 in one that never held a message."""

    messages: int
    last_seq: int


class SnapshotHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of a stream as its snapshot begins; it is given back to a server as it is."""

    config: dict[str, Any]
    state: dict[str, Any]

    @property
    def held(self) -> StreamState:
        """What the snapshot holds."""
        return msgspec.convert(self.state, StreamState, strict=False)


class _Error(msgspec.Struct, frozen=True):
    err_code: int = 0
    description: str = ""


class _SnapshotAnswer(msgspec.Struct, frozen=True):
    config: dict[str, Any] = {}
    state: dict[str, Any] = {}
    error: _Error | None = None


class _RestoreAnswer(msgspec.Struct, frozen=True):
    deliver_subject: str = ""
    state: dict[str, Any] = {}
    error: _Error | None = None


class StreamSnapshot:
    """The chunks of one stream. `begin` first; then `chunks` once."""

    def __init__(self, nc: Client, stream: str) -> None:
        self._nc = nc
        self._stream = stream
        self._waiting: asyncio.Queue[Msg] = asyncio.Queue()

    async def begin(self) -> SnapshotHead:
        """Ask the server for the snapshot. Raises `BackupFailed`."""
        inbox = self._nc.new_inbox()
        self._subscription = await self._nc.subscribe(inbox, cb=self._waiting.put)
        body = {"deliver_subject": inbox, "no_consumers": False, "jsck": True, "chunk_size": _CHUNK_BYTES}
        answer = msgspec.json.decode(
            await _asked(self._nc, f"$JS.API.STREAM.SNAPSHOT.{self._stream}", msgspec.json.encode(body)),
            type=_SnapshotAnswer,
        )
        if answer.error is not None:
            raise BackupFailed(f"Stream `{self._stream}` gives no snapshot: {answer.error.description}")
        return SnapshotHead(config=answer.config, state=answer.state)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes of the snapshot in order. Raises `BackupFailed` when they end early."""
        try:
            while True:
                try:
                    async with asyncio.timeout(_CHUNK_S):
                        message = await self._waiting.get()
                except TimeoutError:
                    raise BackupFailed(
                        f"The snapshot of `{self._stream}` stopped: nothing came for {_CHUNK_S:g} s"
                    ) from None
                if not message.data:
                    self._check_end(message)
                    return
                yield message.data
                if message.reply:
                    await self._nc.publish(message.reply)
        finally:
            with suppress(NatsError):
                await self._subscription.unsubscribe()

    def _check_end(self, message: Msg) -> None:
        """The last message is empty; a status of its own says that the server broke off."""
        status = (message.headers or {}).get("Status", "")
        if status not in {"", "204"}:
            said = (message.headers or {}).get("Description", "")
            raise BackupFailed(f"The server broke the snapshot of `{self._stream}` off: {status} {said}".rstrip())


async def give_back(nc: Client, stream: str, head: SnapshotHead, chunks: AsyncIterable[bytes]) -> StreamState:
    """Make `stream` out of a snapshot, on a server that has none of this name. Raises `BackupFailed`."""
    body = msgspec.json.encode({"config": head.config, "state": head.state})
    began = msgspec.json.decode(await _asked(nc, f"$JS.API.STREAM.RESTORE.{stream}", body), type=_RestoreAnswer)
    if began.error is not None:
        raise BackupFailed(f"The server takes no stream `{stream}`: {began.error.description}")
    async for chunk in chunks:
        refused = await _asked(nc, began.deliver_subject, chunk)
        if refused:
            _raise_refused(stream, refused)
    ended = msgspec.json.decode(await _asked(nc, began.deliver_subject, b""), type=_RestoreAnswer)
    if ended.error is not None:
        raise BackupFailed(f"The server could not make `{stream}` out of its snapshot: {ended.error.description}")
    return msgspec.convert(ended.state, StreamState, strict=False)


def _raise_refused(stream: str, answer: bytes) -> None:
    try:
        error = msgspec.json.decode(answer, type=_RestoreAnswer).error
    except msgspec.DecodeError:
        error = _Error(description=answer.decode(errors="replace"))
    if error is not None:
        raise BackupFailed(f"The server refused a part of `{stream}`: {error.description}")


async def _asked(nc: Client, subject: str, body: bytes) -> bytes:
    try:
        return (await nc.request(subject, body, timeout=_ANSWER_S)).data
    except (NatsError, TimeoutError) as error:
        raise BackupFailed(f"The NATS server does not answer: {str(error) or type(error).__name__}") from error
