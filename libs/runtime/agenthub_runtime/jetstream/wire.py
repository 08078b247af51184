"""The server's answers, and messages as they lie in a stream."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import msgspec
from nats.aio.msg import Msg

from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Stored, Unavailable

T = TypeVar("T")

MSG_ID = "Nats-Msg-Id"
TRACEPARENT = "traceparent"
VERSION = "Es-Version"
_KEPT = (MSG_ID, TRACEPARENT, VERSION)

WRONG_LAST_SEQUENCE = 10071
CONCURRENT_WRITE = 10164
DUPLICATE_IN_BATCH = 10201
BATCH_INCOMPLETE = 10176
DUPLICATE_IN_PROCESS = 10158
NO_MESSAGE_FOUND = 10037

_FENCE_CODES = frozenset({WRONG_LAST_SEQUENCE, CONCURRENT_WRITE, DUPLICATE_IN_BATCH})

_TOKENS_WITH_DOMAIN = 12


class RawMessage(msgspec.Struct, frozen=True):
    """A message of a stream: its sequence, its subject, its body, and of its headers those that mean something.

    `at`: when the server stored it (RFC 3339); empty where the way of reading does not tell.
    """

    seq: int
    subject: str
    data: bytes
    headers: Mapping[str, str]
    at: str = ""


class Unsure(msgspec.Struct, frozen=True):
    """The publish was refused by the fence (`fenced`), or its outcome is unknown; reading the fence tells."""

    fenced: bool
    reason: str


Verdict: TypeAlias = Stored | Unsure | Unavailable


class ApiError(msgspec.Struct, frozen=True):
    """An error in an answer of the JetStream API."""

    code: int
    err_code: int = 0
    description: str = ""


class _PubAck(msgspec.Struct, frozen=True):
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


class StreamPosition(msgspec.Struct, frozen=True):
    """Where a pushed message stands: sequence in the stream and in its consumer."""

    stream_seq: int
    consumer_seq: int


class _StoredMessage(msgspec.Struct, frozen=True):
    subject: str
    seq: int
    data: str = ""
    hdrs: str = ""
    time: str = ""


class MessageAnswer(msgspec.Struct, frozen=True):
    """Answer of `STREAM.MSG.GET`."""

    message: _StoredMessage | None = None
    error: ApiError | None = None


class _State(msgspec.Struct, frozen=True):
    last_seq: int = 0


class InfoAnswer(msgspec.Struct, frozen=True):
    """Answer of `STREAM.INFO`."""

    state: _State = _State()
    error: ApiError | None = None


class _Delivered(msgspec.Struct, frozen=True):
    consumer_seq: int = 0


class ConsumerAnswer(msgspec.Struct, frozen=True):
    """Answer of `CONSUMER.CREATE`."""

    num_pending: int = 0
    delivered: _Delivered = _Delivered()
    error: ApiError | None = None


_PUB_ACK: msgspec.json.Decoder[_PubAck] = msgspec.json.Decoder(_PubAck)


def status_of(msg: Msg) -> str:
    """The status that the server's own messages carry, e.g. `204`; empty when there is none."""
    return "" if msg.headers is None or msg.data else str(msg.headers.get("Status", ""))


def was_stored(msg: Msg) -> bool:
    """Whether an answer of a direct get is a message of the stream; anybody may have given it a `Status`."""
    return msg.headers is not None and "Nats-Sequence" in msg.headers


def was_pushed(msg: Msg) -> bool:
    """Whether a consumer delivered this message of the stream, rather than a word of its own."""
    return msg.reply.startswith("$JS.ACK.")


def verdict_of(answer: Msg | None) -> Verdict:
    """What an answer to a publish means."""
    if answer is None:
        return Unsure(False, "the server did not acknowledge in time")
    if status_of(answer) == "503":
        return Unavailable("no stream of this server takes the subject, or it is not ready yet")
    ack = _PUB_ACK.decode(answer.data)
    if ack.error is None:
        return Stored(ack.seq, ack.duplicate)
    reason = f"{ack.error.description} ({ack.error.err_code})"
    if ack.error.err_code in _FENCE_CODES:
        return Unsure(True, reason)
    if ack.error.err_code in (BATCH_INCOMPLETE, DUPLICATE_IN_PROCESS):
        return Unsure(False, reason)
    return Unavailable(reason)


def raw_from_direct_get(msg: Msg) -> RawMessage:
    """A message of a direct get, whose place stands in its headers."""
    headers: Mapping[str, str] = msg.headers or {}
    return RawMessage(
        int(headers["Nats-Sequence"]),
        headers["Nats-Subject"],
        msg.data,
        kept(headers),
        headers.get("Nats-Time-Stamp", ""),
    )


def raw_from_stored(stored: _StoredMessage) -> RawMessage:
    """A message of `STREAM.MSG.GET`. Raises `StoreUnavailable` when the answer is damaged."""
    try:
        data = base64.b64decode(stored.data)
        lines = base64.b64decode(stored.hdrs).decode(errors="replace").split("\r\n")[1:]
    except binascii.Error as error:
        raise StoreUnavailable(f"The server's answer for message {stored.seq} is damaged: {error}") from error
    pairs = (line.partition(":") for line in lines if line)
    headers = kept({key: value.strip() for key, _, value in pairs})
    return RawMessage(stored.seq, stored.subject, data, headers, stored.time)


def position_of(reply: str) -> StreamPosition:
    """The place of a pushed message, from its reply subject.

    `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`; with a domain two
    more tokens stand before the stream and one more at the end.
    """
    tokens = reply.split(".")
    end = len(tokens) - 1 if len(tokens) >= _TOKENS_WITH_DOMAIN else len(tokens)
    return StreamPosition(int(tokens[end - 4]), int(tokens[end - 3]))


def kept(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """The headers that mean something to a reader of the log."""
    if not headers:
        return {}
    return {name: headers[name] for name in _KEPT if name in headers}


def answer_of(answer: Msg | None, kind: type[T]) -> T:
    """Decode an answer of the API. Raises `StoreUnavailable` when there is none."""
    if answer is None:
        raise StoreUnavailable("The event store did not answer in time: try again")
    if status_of(answer) == "503":
        raise StoreUnavailable("The event store is not ready: try again")
    return msgspec.json.decode(answer.data, type=kind)
